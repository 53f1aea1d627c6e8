"""What may be wrong with an inventory, and what that leaves unknown.

A fault of a run makes everything that it would have told unknown.  A fault of one file makes unknown whatever
is not shown by the others: rows say where a path drifted, and only all of them together that none did.
"""

from __future__ import annotations

from enum import StrEnum

from reconciler.core.errors import ReconcilerError


class Flaw(StrEnum):
    """What is wrong, in a word."""

    NO_RUN = "no run"
    OLD = "too old"
    FUTURE = "not yet begun"
    PENDING = "pending"
    FAILED = "failed"
    PARTIAL = "partial"
    NO_CHECKSUM = "no checksum"
    CHECKSUM = "checksum differs"
    MANIFEST = "manifest unreadable"
    STRANGER = "another account or rule"
    FORMAT = "another format"
    SCHEMA = "a field is missing"
    FILTER = "paths are filtered out"
    NO_FILE = "a file is missing"
    SIZE = "a file has another size"
    FILE = "a file is unreadable"
    NAMES = "names are unclear"
    ROWS = "rows are missing"
    SPACE = "no space"


class InventoryFault(ReconcilerError):
    """A run, or a file of one, that may not be believed; its text says why and what to do."""

    def __init__(self, flaw: Flaw, place: str, text: str) -> None:
        super().__init__(f"inventory {place}: {text}")
        self.flaw = flaw
        self.place = place
        """The run's folder in the container, or a file in it."""
        self.text = text

    def __reduce__(self) -> tuple[type[InventoryFault], tuple[Flaw, str, str]]:
        """Come whole out of another process, where files are read."""
        return InventoryFault, (self.flaw, self.place, self.text)
