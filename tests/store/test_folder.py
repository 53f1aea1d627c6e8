"""The folder store: what was appended is there, and one holder at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from reconciler.core.errors import Locked, StoreError
from reconciler.store import folder
from reconciler.store.folder import FolderStore


def test_lines_come_back_in_order_and_files_by_name(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "new" / "store")
    assert (store.names(), store.lines("journal/a.jsonl")) == ([], [])
    store.append("journal/b.jsonl", ["one", "two"])
    store.append("journal/a.jsonl", ["x"])
    store.append("journal/b.jsonl", ["three"])
    assert store.lines("journal/b.jsonl") == ["one", "two", "three"]
    assert store.names() == ["journal/a.jsonl", "journal/b.jsonl"]


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, scan = FolderStore(tmp_path), os.scandir
    store.append("journal/a.jsonl", ["x"])

    def refusing(path: str) -> Any:
        if str(path).endswith("journal"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(StoreError, match="journal: Permission denied"):
        store.names()


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="nothing more is sent"):
        FolderStore(tmp_path / "store").append("journal/a.jsonl", ["x"])


def test_the_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    first, second = FolderStore(tmp_path), FolderStore(tmp_path)
    with (
        first.lock("apply run 7 on build-3"),
        pytest.raises(Locked, match="apply run 7 on build-3"),
        second.lock("somebody else"),
    ):
        pass
    with second.lock("somebody else"):
        pass


BEGIN = "import os, sys; from pathlib import Path; from reconciler.store.folder import FolderStore\n"
DIE = "with FolderStore(Path(sys.argv[1])).lock('the dead'): os._exit(9)"
NAMELESS = """
write = Path.write_text
def slowly(*arguments):
    print("held", flush=True)
    sys.stdin.readline()
    return write(*arguments)
Path.write_text = slowly
with FolderStore(Path(sys.argv[1])).lock("the living"):
    print("named", flush=True)
    sys.stdin.read()
"""


def die_holding(place: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", BEGIN + DIE, str(place)], check=False)
    assert ended.returncode == 9
    assert (place / "lock.holder").read_text() == "the dead"


@pytest.fixture
def nameless(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that holds the lock and is about to leave its name where a dead run left its own."""
    die_holding(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + NAMELESS, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_holder_that_died_holds_nothing(tmp_path: Path) -> None:
    die_holding(tmp_path)
    with FolderStore(tmp_path).lock("the living"), pytest.raises(Locked, match="the living is applying"):
        FolderStore(tmp_path).lock("somebody else").__enter__()


def test_the_name_of_a_dead_holder_is_nobody_elses(
    tmp_path: Path, nameless: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "GATE_SECONDS", 0)
    with pytest.raises(Locked, match="another run is applying"), FolderStore(tmp_path).lock("somebody else"):
        pass


def test_whoever_comes_while_the_name_is_written_waits_for_it(
    tmp_path: Path, nameless: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    class Asking(FileLock):
        def acquire(self, *arguments: Any, **named: Any) -> Any:
            try:
                return super().acquire(timeout=0)
            except Timeout:
                asked.set()
                if not self.timeout:
                    raise
                return super().acquire(*arguments, **named)

    def write_it() -> None:
        assert asked.wait(30)
        assert nameless.stdin is not None
        nameless.stdin.write("\n")
        nameless.stdin.flush()

    monkeypatch.setattr(folder, "FileLock", Asking)
    monkeypatch.setattr(folder, "GATE_SECONDS", 30)
    with ThreadPoolExecutor(1) as others:
        written = others.submit(write_it)
        with (
            pytest.raises(Locked, match="the living is applying"),
            FolderStore(tmp_path).lock("somebody else"),
        ):
            pass
        written.result()


def test_a_name_that_cannot_be_written_leaves_the_lock_free(tmp_path: Path) -> None:
    (tmp_path / "lock.holder").mkdir()
    with (
        pytest.raises(StoreError, match=r"lock\.holder: Is a directory; nothing was sent") as said,
        FolderStore(tmp_path).lock("somebody"),
    ):
        pass
    (tmp_path / "lock.holder").rmdir()
    with FolderStore(tmp_path).lock("somebody else"):
        assert said.tb, "what still knows the lock of before does not hold it"
