"""A desk to type commands at: a repository of policies, an emulated cloud, one clock, and what was printed.

Commands run in this process through `reconciler.cli.main`, or in a process of their own.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
import yaml

from reconciler import cli_apply, cli_approve, cli_session
from reconciler.cli import main
from reconciler.emulator.server import Emulator
from tests.policy.repository import Repository

ESTATE = Path(__file__).parent / "estate"
HOME = Path(__file__).resolve().parents[2]
BEGIN = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
APPS = {
    "plan": ("aaaaaaaa-0000-4000-8000-000000000001", "canary-plan-secret"),
    "apply": ("aaaaaaaa-0000-4000-8000-000000000002", "canary-apply-secret"),
}
"""The two identities of the seed: one reads, one writes."""
HOSTS = {
    "entra": "entra",
    "graph": "graph",
    "arm": "arm",
    "databricks-account": "databricks-account",
    "ws": "databricks/ws",
    "dfs": "lake/lake/dfs",
    "blob": "lake/lake/blob",
}


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def everything(self) -> str:
        return self.out + self.err

    def one_line(self) -> str:
        """The error of a command that failed: one line on standard error, and nothing like a traceback."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.everything
        assert "internal error" not in self.err, self.err
        return lines[0]


def seed(
    groups: list[dict[str, Any]] | None = None,
    workspace: Mapping[str, Any] | None = None,
    paths: list[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The estate's seed with these groups, this workspace and these paths of container `data`."""
    document: dict[str, Any] = copy.deepcopy(_base())
    document["directory"]["groups"] = groups or []
    document["databricks"]["workspaces"]["ws"].update(workspace or {})
    document["lakes"]["lake"]["filesystems"]["data"]["paths"] = paths or []
    for section, content in more.items():
        document[section] = {**document.get(section, {}), **content}
    return document


def _base() -> Any:
    return yaml.safe_load((ESTATE / "seed.yaml").read_text("utf-8"))


@dataclass(slots=True)
class Desk:
    """Where a person sits: everything happens in `root`, at the emulator's time."""

    root: Path
    emulator: Emulator
    repository: Repository = field(init=False)

    def __post_init__(self) -> None:
        clock = self.emulator.world.clock
        clock.frozen_at, clock.offset = BEGIN.timestamp(), 0.0
        self.repository = Repository(self.root)

    def lay_out(self, *folders: Path) -> None:
        """Copy policy files, later folders over earlier ones, and put the emulator's addresses in."""
        for folder in folders:
            for path in sorted(folder.rglob("*.yaml")):
                place = path.relative_to(folder)
                if place.parts[0] in ("policies", "tenants.d"):
                    self.write(str(place), path.read_text("utf-8"))
        ca_file = self.root / ".reconciler/ca.pem"
        ca_file.parent.mkdir(parents=True, exist_ok=True)
        ca_file.write_bytes(self.emulator.ca_file.read_bytes())

    def write(self, path: str, text: str | bytes) -> None:
        """Put a file of the policies into the working tree."""
        if isinstance(text, str):
            for host, endpoint in HOSTS.items():
                text = text.replace(f"https://{host}.emulator", self.emulator.url(endpoint))
        self.repository.write(path, text)

    def commit(self, person: str) -> str:
        """Commit the working tree's policies in somebody's name."""
        self.repository.git("add", "--all", "--", "policies", "tenants.d")
        self.repository.git("commit", "-q", "--allow-empty", "-m", "work", person=person)
        return self.repository.head()

    def approve_what_may_go(self, because: str, path: str = "plan.json", **environ: str) -> Said:
        """Approve the actions of a plan that no guardrail stops: what is left out holds nothing up."""
        plan = json.loads((self.root / path).read_text("utf-8"))
        stopped = {ident for violation in plan["violations"] for ident in violation["actions"]}
        chosen = [each["id"] for each in plan["actions"] if each["id"] not in stopped]
        only = [word for ident in chosen for word in ("--only", ident)]
        words = ("approve", path, "--because", because, "--expires", "2099-01-01", *only)
        return self.run(*words, cwd=None, **environ)

    def now(self) -> datetime:
        return self.emulator.world.clock.utc()

    def advance(self, time: timedelta) -> None:
        """Let time pass."""
        self.emulator.world.clock.advance(time.total_seconds())

    def run(self, *arguments: str, cwd: Path | None = None, **environ: str | None) -> Said:
        """Run a command in this process; `apply` signs in as the writing identity, all else as the other."""
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(cwd or self.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name, value in {**signed_in("apply" in arguments), **environ}.items():
                if value is None:
                    patch.delenv(name, raising=False)
                else:
                    patch.setenv(name, value)
            for module in (cli_session, cli_apply, cli_approve):
                patch.setattr(module, "now", self.now)
            patch.setattr(cli_apply, "time", SimpleNamespace(sleep=self.emulator.world.clock.advance))
            try:
                code = main(arguments)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        return Said(code, out.getvalue(), err.getvalue())

    def spawn(self, *arguments: str, **settings: Any) -> Said:
        """Run a command in a process of its own, by the real clock; takes what `process` takes."""
        with self.process(*arguments, **settings) as process:
            out, err = process.communicate(timeout=60)
        return Said(process.returncode, out, err)

    @contextmanager
    def process(
        self,
        *arguments: str,
        program: Sequence[str] = ("-m", "reconciler"),
        stdout: int | IO[Any] = subprocess.PIPE,
        cwd: Path | None = None,
        **environ: str | None,
    ) -> Iterator[subprocess.Popen[str]]:
        """A command that is running; it is ended with the block."""
        chosen = {**os.environ, **signed_in("apply" in arguments), "PYTHONPATH": str(HOME), **environ}
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=cwd or self.root, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
            text=True, encoding="utf-8", errors="replace",
            env={name: value for name, value in chosen.items() if value is not None},
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


def signed_in(writing: bool) -> dict[str, str]:
    """The process environment of one of the two identities."""
    client, secret = APPS["apply" if writing else "plan"]
    return {
        "AZURE_CLIENT_ID": client,
        "AZURE_CLIENT_SECRET": secret,
        "DATABRICKS_CLIENT_ID": client,
        "DATABRICKS_CLIENT_SECRET": secret,
    }
