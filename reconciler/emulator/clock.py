"""Emulated time: it runs with the real clock, and can be moved forward or frozen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(slots=True)
class Clock:
    """Seconds since the epoch as the emulated services see them."""

    offset: float = 0.0
    frozen_at: float | None = None

    def now(self) -> float:
        """Emulated seconds since the epoch."""
        real = time.time() if self.frozen_at is None else self.frozen_at
        return real + self.offset

    def utc(self) -> datetime:
        """Emulated time as an aware datetime."""
        return datetime.fromtimestamp(self.now(), UTC)

    def advance(self, seconds: float) -> None:
        """Move emulated time forward; never back, as tokens and leases would come alive again."""
        if seconds < 0:
            raise ValueError(f"emulated time cannot run backwards ({seconds} s)")
        self.offset += seconds

    def freeze(self) -> None:
        """Stop the clock: from now on only `advance` moves it."""
        self.frozen_at = time.time() if self.frozen_at is None else self.frozen_at
