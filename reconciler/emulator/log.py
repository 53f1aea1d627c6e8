"""Every request that the emulator answered, to be read back by tests, benchmarks and people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One exchange.  `items` counts the requests inside a `$batch`, else 1.  No header is kept: tokens."""

    number: int
    at: float
    service: str
    method: str
    path: str
    query: str
    status: int
    caller: str
    body: bytes = b""
    fault: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON-ready values."""
        return {
            "number": self.number,
            "at": self.at,
            "service": self.service,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "caller": self.caller,
            "body": self.body.decode("utf-8", "replace"),
            "fault": self.fault,
        }


@dataclass(slots=True)
class AccessLog:
    """The exchanges since the last `clear`; bodies are kept only for writes, as reads have none."""

    entries: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Requests per service."""
    keep: bool = True
    """False for long benchmarks: count only."""

    def add(self, entry: Entry) -> None:
        """Record one exchange."""
        self.counts[entry.service] += 1
        if self.keep:
            self.entries.append(entry)

    def clear(self) -> None:
        """Forget everything recorded so far."""
        self.entries.clear()
        self.counts.clear()
