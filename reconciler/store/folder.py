"""A store in a folder: the default, for one machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from reconciler.core.errors import Locked, StoreError

GATE_SECONDS = 5
"""How long to wait for somebody who is just taking the lock; it takes them one small write."""


class FolderStore:
    """Files in a folder, flushed to disk line by line; the lock dies with its process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: int | None = None
        """The number of the file that is locked, while it is."""

    def append(self, name: str, lines: Sequence[str]) -> None:
        """Add lines and wait for the disk; raises StoreError when it is full or may not be written."""
        self.check()
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = not path.exists()
            with path.open("ab") as file:
                file.write("".join(f"{line}\n" for line in lines).encode())
                file.flush()
                os.fsync(file.fileno())
            if fresh:
                _sync_folder(path.parent)
        except OSError as error:
            raise StoreError(
                f"store {path}: {error.strerror}; nothing more is sent until it can be written"
            ) from None

    def lines(self, name: str) -> list[str]:
        """The lines of a file; none for one that does not exist."""
        path = self.folder / name
        try:
            return path.read_text("utf-8").splitlines() if path.exists() else []
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(
                f"store {path}: {error}; restore the file, it is the record of what was sent"
            ) from None

    def names(self) -> list[str]:
        """The names of all journal files, sorted."""

        def unreadable(error: OSError) -> None:
            # A store that is not there yet is empty; what cannot be read is never taken for empty.
            if not isinstance(error, FileNotFoundError):
                raise StoreError(
                    f"store {error.filename}: {error.strerror}; it holds the record of what was sent, so "
                    "nothing is planned without it"
                )

        found = [
            (Path(place) / name).relative_to(self.folder).as_posix()
            for place, folders, files in os.walk(self.folder, onerror=unreadable)
            # A folder of that name is none of ours; taken for a journal it is an error, which is what it is.
            for name in (*folders, *files)
            if name.endswith(".jsonl")
        ]
        return sorted(found)

    def check(self) -> None:
        """Raise StoreError when the lock that was taken is no longer this run's: nothing may be sent then."""
        if self._held is not None and _number(self.folder / "lock") != self._held:
            raise StoreError(
                f"{self.folder}: the lock file was removed or replaced, and another run may be "
                "applying; nothing more is sent. Run the same command again"
            )

    @contextmanager
    def lock(self, holder: str) -> Iterator[None]:
        """Hold the folder; the operating system lets go of it when the process dies."""
        path = self.folder / "lock"
        guard = self._take(path, holder)
        self._held = _number(path)
        try:
            yield
        finally:
            if _number(path) == self._held:
                self._note.unlink(missing_ok=True)
            self._held = None
            guard.release()

    @property
    def _note(self) -> Path:
        """Where the holder's name stands.  A run that died leaves it there."""
        return self.folder / "lock.holder"

    def _take(self, path: Path, holder: str) -> BaseFileLock:
        """Take the lock and leave the holder's name, as one step; raises Locked and StoreError.

        Whoever finds the lock taken reads the name behind the same gate: so it is the present holder's, and
        never that of a run that died before it.
        """
        guard = FileLock(path, timeout=0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "lock.gate", timeout=GATE_SECONDS):
                return self._taken(guard, holder)
        except Timeout:
            # Whoever is at the gate is about to hold the lock, or is stopped there.
            raise self._locked("") from None
        except OSError as error:
            raise StoreError(f"store {error.filename or path}: {error.strerror}; nothing was sent") from None

    def _taken(self, guard: BaseFileLock, holder: str) -> BaseFileLock:
        try:
            guard.acquire()
        except Timeout:
            raise self._locked(_read(self._note)) from None
        try:
            self._note.write_text(holder, "utf-8")
        except OSError:
            guard.release()
            raise
        return guard

    def _locked(self, holder: str) -> Locked:
        return Locked(f"{self.folder}: {holder or 'another run'} is applying; wait for it to end, or stop it")


def _number(path: Path) -> int:
    """Which file this is; 0 where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""


def _sync_folder(folder: Path) -> None:
    """Make the new file's name survive a crash as well, where the system knows how to."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
