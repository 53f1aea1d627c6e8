"""A forge without a network: a `gh` on the path that keeps its state in a file."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source import ROOT
from tests.workflows.fake_gh import BOT

FORGE = ROOT / ".github/scripts/forge.py"


@dataclass(frozen=True)
class Forge:
    """Comments and issues of one repository, and the environment in which `gh` finds them."""

    place: Path
    environ: dict[str, str]

    @property
    def state(self) -> Any:
        return json.loads(self.place.read_text())

    def comments(self) -> list[Any]:
        return list(self.state["comments"])

    def issues(self) -> list[Any]:
        return list(self.state["issues"])

    def writes(self) -> list[str]:
        """The calls that changed something."""
        return [call for call in self.state["calls"] if not call.startswith("GET ")]

    def add(self, kind: str, **thing: Any) -> None:
        """Something that is there before; by somebody else, unless it says who."""
        state = self.state
        state["last"] += 1
        state[kind].append({"id": state["last"], "number": state["last"], "user": {"login": BOT}, **thing})
        self.place.write_text(json.dumps(state))


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    """An empty forge, on the path of this process and of those that it starts."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fake = Path(__file__).with_name("fake_gh.py")
    program = folder / "gh"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(fake))} "$@"\n')
    program.chmod(0o755)
    place = tmp_path / "forge.json"
    place.write_text(json.dumps({"comments": [], "issues": [], "calls": [], "last": 0}))
    environ = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "FAKE_GH": str(place),
        "GH_TOKEN": "token",
        "GITHUB_REPOSITORY": "corp/access",
        "GITHUB_SERVER_URL": "https://forge.example",
        "GITHUB_RUN_ID": "7",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return Forge(place, environ)


@pytest.fixture(scope="session")
def script() -> Callable[[list[str]], int]:
    """The script of the workflows, in this process."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("forge", FORGE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Callable[[list[str]], int] = module.main
    return main
