"""The folder store: what was appended is there, and one holder at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.errors import Locked, StoreError
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


def test_a_holder_that_died_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from reconciler.store.folder import FolderStore\n"
        "with FolderStore(Path(sys.argv[1])).lock('the dead'): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 9
    with FolderStore(tmp_path).lock("the living"):
        pass
