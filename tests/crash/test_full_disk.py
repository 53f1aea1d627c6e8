"""The journal cannot be written, at any entry: nothing more is sent, and the same command goes on later."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.store import folder
from reconciler.store.folder import FolderStore
from tests.cli.facts import held
from tests.crash.conftest import Sit
from tests.crash.killing import Watch, watching
from tests.crash.scene import PARTS, begin_anew

Append = Callable[[FolderStore, str, Sequence[str]], None]
TRUE: Append = FolderStore.append


def full(store: FolderStore, name: str, lines: Sequence[str]) -> None:
    """Half of it fits; then there is no space left, as /dev/full and a full disk say."""
    place = store.folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a") as file:
        file.write("".join(lines)[: sum(map(len, lines)) // 2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", lambda self, mode: os.fdopen(os.open("/dev/full", os.O_WRONLY), mode))
        TRUE(store, name, lines)


def broken(store: FolderStore, name: str, lines: Sequence[str]) -> None:
    """It looks written, and the disk says that it is not."""

    def fsync(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder.os, "fsync", fsync)
        TRUE(store, name, lines)


def read_only(store: FolderStore, name: str, lines: Sequence[str]) -> None:
    """Somebody mounted it so."""

    def refuse(self: Path, mode: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        TRUE(store, name, lines)


FAILURES: dict[str, tuple[Append, str]] = {
    "a full disk": (full, "No space left on device"),
    "a broken disk": (broken, "Input/output error"),
    "a read-only journal": (read_only, "Read-only file system"),
}


@dataclass(slots=True)
class Pen:
    """Writes to the journal until it fails, at one entry."""

    fail: Append
    at: int
    watch: Watch
    written: int = 0
    failed: bool = False
    sent: int = 0
    """Writes that the services had seen by then."""

    @property
    def append(self) -> Append:
        """To stand in for the store's own."""

        def append(store: FolderStore, name: str, lines: Sequence[str]) -> None:
            self.written += 1
            if self.written == self.at:
                self.failed, self.sent = True, self.watch.writes
                self.fail(store, name, lines)
            TRUE(store, name, lines)

        return append


EVERYWHERE = "a full disk"
CASES = [(part, name) for part in PARTS for name in FAILURES if part == "groups" or name == EVERYWHERE]


@pytest.mark.parametrize(("part", "name"), CASES)
def test_nothing_is_sent_that_is_not_on_record(
    part: str, name: str, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail, said = FAILURES[name]
    desk = sit(part)
    with watching(Watch(desk.emulator)) as whole:
        assert desk.run("apply").code == 0
    end, effects = held(desk.emulator), Counter(whole.effects)
    number = 0
    while True:
        number += 1
        begin_anew(desk)
        watch = Watch(desk.emulator)
        pen = Pen(fail, number, watch)
        with watching(watch), monkeypatch.context() as patch:
            patch.setattr(FolderStore, "append", pen.append)
            ran = desk.run("apply")
        if not pen.failed:
            break
        assert ran.code == 1
        assert said in ran.err.splitlines()[-1]
        assert watch.writes == pen.sent, "nothing was sent after the entry that failed"
        assert number > 1 or not watch.effects, "nothing at all where it was the first"
        done = Counter(watch.effects)
        with watching(Watch(desk.emulator)) as rest:
            again = desk.run("apply")
        assert again.code == 0, (number, again.everything)
        assert held(desk.emulator) == end, number
        assert done + Counter(rest.effects) == effects, number
    assert number > 10
