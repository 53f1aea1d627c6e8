"""Rate limits of the emulated services, as token buckets in emulated time; off until a limit is set."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """Holds up to `capacity` units and gains `capacity` of them per `period` seconds."""

    capacity: float
    period: float
    level: float
    stamp: float
    peak: float = 0.0
    """The largest number of units taken within one refill of the bucket so far: evidence for pacing tests."""

    def take(self, units: float, now: float) -> float | None:
        """Take units: None when they were there, else the seconds until they will be."""
        rate = self.capacity / self.period
        self.level = min(self.capacity, self.level + (now - self.stamp) * rate)
        self.stamp = now
        if units <= self.level:
            self.level -= units
            self.peak = max(self.peak, self.capacity - self.level)
            return None
        return (units - self.level) / rate


@dataclass(slots=True)
class Throttle:
    """Buckets by name; a name without a bucket is unlimited."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    """How often each bucket turned somebody away."""

    def limit(self, name: str, capacity: float, period: float, now: float) -> None:
        """Allow `capacity` units per `period` seconds under this name, starting full."""
        self.buckets[name] = Bucket(capacity, period, capacity, now)

    def take(self, name: str, units: float, now: float) -> int | None:
        """None when the request may pass, else the whole seconds for a Retry-After header."""
        bucket = self.buckets.get(name)
        wait = bucket.take(units, now) if bucket else None
        if wait is None:
            return None
        self.rejected[name] = self.rejected.get(name, 0) + 1
        return max(1, math.ceil(wait))
