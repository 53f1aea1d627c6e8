"""Run the product as a person would, in a process of its own, and see what that took."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.record import ROOT

PYTHON = (sys.executable,)
RECONCILER = (sys.executable, "-m", "reconciler")
STOPWATCH = (sys.executable, "-I", "-S", str(Path(__file__).with_name("stopwatch.py")))


class Usage(NamedTuple):
    """What one process took: seconds by the clock, seconds of CPU, MiB at its largest."""

    wall: float
    cpu: float
    mebibytes: float


class Run(NamedTuple):
    """One process that came to its end."""

    usage: Usage
    code: int
    output: str


def environ(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process environment of what is measured: compiled modules are kept, as on anybody's machine."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **(more or {})}


def once(
    command: Sequence[str],
    more: Mapping[str, str] | None = None,
    good: Sequence[int] = (0,),
    cwd: Path = ROOT,
) -> Run:
    """Run a command to its end; raises RuntimeError with its words for an exit code that is not good."""
    with tempfile.TemporaryDirectory(prefix="took-") as folder:
        file = Path(folder) / "took"
        started = subprocess.run(
            [*STOPWATCH, str(file), *command],
            cwd=cwd, env=environ(more), capture_output=True, check=False,
        )  # fmt: skip
        said = started.stdout.decode("utf-8", "replace")
        if started.returncode not in good:
            words = started.stderr.decode("utf-8", "replace")[-2000:]
            ended = f"{' '.join(command[:6])} … ended with {started.returncode}"
            raise RuntimeError(f"{ended}:\n{said[-2000:]}\n{words}")
        wall, cpu, kibibytes = map(float, file.read_text("utf-8").split())
    return Run(Usage(wall, cpu, kibibytes / 1024), started.returncode, said)


def several(
    commands: Mapping[str, Sequence[str]],
    runs: int,
    more: Mapping[str, str] | None = None,
    good: Sequence[int] = (0,),
) -> dict[str, Usage]:
    """The median of several runs of each command, in turns, so that all of them share a busy minute."""
    for command in commands.values():
        once(command, more, good)  # Compiled modules and the disk's cache are there from now on.
    found: dict[str, list[Usage]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found[name].append(once(command, more, good).usage)
    return {name: median(usages) for name, usages in found.items()}


def median(usages: Sequence[Usage]) -> Usage:
    """The median of each figure by itself."""
    return Usage(*(statistics.median(column) for column in zip(*usages, strict=True)))
