"""The emulated cloud in a process of its own, so that its work is not taken for the client's."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.process import RECONCILER, environ
from tests.benchmarks.record import ROOT

READY = 120.0
"""Seconds within which a large seed is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A running emulator."""

    process: subprocess.Popen[bytes]
    endpoints: Mapping[str, str]
    """URLs by the endpoint's name."""
    ca_file: Path

    def counts(self) -> dict[str, int]:
        """Requests since the last `forget`, by endpoint."""
        found: dict[str, int] = self._control("GET", "counts")
        return found

    def log(self) -> list[dict[str, Any]]:
        """Every request since the last `forget`."""
        found: list[dict[str, Any]] = self._control("GET", "log")
        return found

    def forget(self) -> None:
        """Begin to count anew."""
        self._control("DELETE", "log")

    def cpu(self) -> float:
        """Seconds of CPU that the emulator has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _control(self, method: str, word: str) -> Any:
        request = urllib.request.Request(f"{self.endpoints['graph']}/__emulator__/{word}", method=method)
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return json.load(answer)


@contextmanager
def serving(seed: Mapping[str, Any], folder: Path) -> Iterator[Cloud]:
    """Serve a seed on free ports for the length of a `with` block; raises RuntimeError if that fails."""
    (folder / "seed.json").write_text(json.dumps(seed), "utf-8")
    ca_file = folder / "ca.pem"
    where = ["--seed", str(folder / "seed.json"), "--port", "0", "--ca", str(ca_file)]
    process = subprocess.Popen(
        [*RECONCILER, "emulator", "serve", *where],
        cwd=ROOT, env=environ({"PYTHONUNBUFFERED": "1"}), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        endpoints = _endpoints(process)
        cloud = Cloud(process=process, endpoints=endpoints, ca_file=ca_file)
        _wait(cloud)
        yield cloud
    finally:
        process.kill()
        process.wait()


def _endpoints(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """What it says on standard error, up to its last line, comes after all ports were told."""
    assert process.stdout is not None and process.stderr is not None
    said = b""
    for line in process.stderr:
        said += line
        if line.startswith(b"state, log and faults"):
            break
    else:
        raise RuntimeError(f"the emulator did not start: {said.decode('utf-8', 'replace')}")
    os.set_blocking(process.stdout.fileno(), False)
    lines = (process.stdout.read() or b"").decode().splitlines()
    return {name: url for url, name in (line.split() for line in lines)}


def _wait(cloud: Cloud) -> None:
    until = time.monotonic() + READY
    while True:
        try:
            cloud.forget()
            return
        except OSError:
            if time.monotonic() > until or cloud.process.poll() is not None:
                raise RuntimeError("the emulator does not answer") from None
            time.sleep(0.05)
