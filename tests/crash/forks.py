"""A process that forks for every command, so that each is a process of its own that can be killed at once.

Its input is one order a line; for each it prints the number of the process that obeys it, and then, once
that has ended, its exit code: below zero, the signal that ended it.  It has no threads, which a fork would
not copy, and has imported what commands import, which would take longer than they do.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from reconciler import cli_apply, cli_session
from reconciler.cli import main
from reconciler.cli_process import as_program
from reconciler.providers.adls import provider
from reconciler.providers.adls.client_write import LakeWriter
from reconciler.providers.adls.correcting import choosing
from reconciler.store.folder import FolderStore

PAGE = 2
"""Paths to a recursive request: small trees take several."""


@dataclass
class Pen:
    """How many times the journal is written to, and at which of them the process ends."""

    at: int
    how: str
    """In the `middle` of the bytes, or `after` they have reached the disk."""
    written: int = 0

    def append(self, store: FolderStore, name: str, lines: Sequence[str]) -> None:
        """Write as ever, unless this is the time."""
        self.written += 1
        if self.written == self.at and self.how == "middle":
            text = "".join(f"{line}\n" for line in lines)
            place = store.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("a") as file:
                file.write(text[: len(text) // 2])
            end()
        APPEND(store, name, lines)
        if self.written == self.at:
            end()


APPEND = FolderStore.append


def end() -> NoReturn:
    """Let the system end this process, as an operator or an out-of-memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed processes do not go on")


def obey(order: Any) -> NoReturn:
    """Be the command."""
    os.chdir(order["cwd"])
    os.environ.update(order["environ"])
    told = os.open(order["told"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(told, stream)
    moment = datetime.fromisoformat(order["now"])
    patch = pytest.MonkeyPatch()
    for module in (cli_session, cli_apply):
        patch.setattr(module, "now", lambda: moment)
    # Nothing that the emulator shows here is stale, so that nothing has to be waited for.
    patch.setattr(cli_apply, "time", SimpleNamespace(sleep=lambda seconds: None))
    patch.setattr(choosing, "LISTINGS", 0)
    patch.setattr(provider, "LakeWriter", partial(LakeWriter, page=PAGE))
    pen = Pen(order["append"], order["how"])
    patch.setattr(FolderStore, "append", lambda self, name, lines: pen.append(self, name, lines))
    code = as_program(lambda: main(order["arguments"]))
    Path(order["told"] + ".json").write_text(json.dumps({"appends": pen.written, "modules": [*sys.modules]}))
    os._exit(code)


def say(number: int) -> None:
    """Tell whoever gave the order."""
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def serve() -> None:
    """Obey orders until there are none."""
    for line in sys.stdin:
        order = json.loads(line)
        for name in order["modules"]:
            with suppress(Exception):
                importlib.import_module(name)
        number = os.fork()
        if number == 0:
            obey(order)
        say(number)
        say(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))


if __name__ == "__main__":
    serve()
