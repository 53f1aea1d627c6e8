"""What a store is: named append-only files and one lock, in a folder or in a container of a lake."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol


class Store(Protocol):
    """Memory of one environment.  Every method raises StoreError when the store cannot do it."""

    def append(self, name: str, lines: Sequence[str]) -> None:
        """Add lines to a file, making it if need be; returns once they would survive a crash."""
        ...

    def lines(self, name: str) -> list[str]:
        """The lines of a file; none for a file that does not exist.  The last one may be torn."""
        ...

    def names(self) -> list[str]:
        """The names of all files, sorted."""
        ...

    def check(self) -> None:
        """Raise StoreError when a lock that was taken is no longer this run's: nothing may be sent then."""
        ...

    def lock(self, holder: str) -> AbstractContextManager[None]:
        """Hold the environment for the length of a `with` block; raises Locked, naming who holds it."""
        ...
