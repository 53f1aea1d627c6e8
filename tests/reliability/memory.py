"""A store in memory: what a journal needs, without the time that a disk takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class MemoryStore:
    """Append-only files that end with the process."""

    files: dict[str, list[str]] = field(default_factory=dict)

    def append(self, name: str, lines: Sequence[str]) -> None:
        """Add lines to a file."""
        self.files.setdefault(name, []).extend(lines)

    def lines(self, name: str) -> list[str]:
        """The lines of a file."""
        return list(self.files.get(name, ()))

    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return sorted(self.files)

    def check(self) -> None:
        """Nobody takes the lock away."""

    @contextmanager
    def lock(self, holder: str) -> Iterator[None]:
        """Nobody else is there."""
        yield
