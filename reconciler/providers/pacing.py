"""Keep requests within the published rate of each API class, by token buckets and not by hope.

Its law: nothing is sent before its units are there, and what is sent by any moment is within 5 % of what
the limit allows by then.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Clock = Callable[[], float]
"""Seconds on a clock that never runs backwards; where it starts does not matter."""


class Limit(NamedTuple):
    """A published limit: so many units per period (seconds), which may also be spent all at once."""

    capacity: float
    period: float

    @property
    def rate(self) -> float:
        """Units gained per second."""
        return self.capacity / self.period


@dataclass(slots=True)
class _Bucket:
    """Units in hand; below zero when they are promised to requests that still wait for them."""

    limit: Limit | None
    most: float
    """Units that may be in hand at once."""
    level: float
    stamp: float
    """When `level` was right; in the future while the service wants to be left alone."""
    held_until: float = 0.0

    def take(self, units: float, now: float) -> float:
        """Promise these units to a request: the seconds until it may be sent."""
        if self.limit is None:
            return max(0.0, self.held_until - now)
        self._refill(self.limit, now)
        self.level -= units
        return max(0.0, -self.level / self.limit.rate) + max(0.0, self.stamp - now)

    def hold(self, seconds: float, now: float) -> None:
        """Promise nothing for so long, and start from an empty bucket then."""
        self.held_until = max(self.held_until, now + seconds)
        if self.limit is not None:
            self._refill(self.limit, now)
            # The service has counted more than we did: to it the bucket is empty until then.
            self.level = min(self.level, 0.0)
            self.stamp = max(self.stamp, self.held_until)

    def _refill(self, limit: Limit, now: float) -> None:
        gained = max(0.0, now - self.stamp) * limit.rate
        self.level = min(self.most, self.level + gained)
        self.stamp = max(self.stamp, now)


@dataclass(slots=True)
class Pacer:
    """Says when a request may be sent; shared by every thread and task that speaks to one service.

    A class of requests without a limit is not paced, only held back where the service asked for it.
    """

    limits: Mapping[str, Limit | tuple[float, float]]
    clock: Clock = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = asyncio.sleep
    headroom: float = 0.04
    """The share of a bucket that is never spent: a service counts a request when it arrives, so that its
    bucket may have been full, and gained nothing, while the request was on its way."""
    waited: dict[str, float] = field(default_factory=dict)
    """Seconds that requests of each class were made to wait, summed over them."""
    _buckets: dict[str, _Bucket] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            self.limit(name, *limit)

    def limit(self, name: str, capacity: float, period: float) -> None:
        """Set the limit of a class; one that is being paced keeps what it has already spent."""
        with self._lock:
            now = self.clock()
            most = capacity * (1 - self.headroom)
            bucket = _Bucket(Limit(capacity, period), most, most, now)
            known = self._buckets.get(name)
            if known is not None:
                bucket.held_until = known.held_until
                bucket.stamp = max(now, known.held_until)
            if known is not None and known.limit is not None:
                bucket.level = most - (known.most - known.level)
            self._buckets[name] = bucket

    def capacity(self, name: str) -> float:
        """The published capacity of a class; infinite where it has no limit."""
        with self._lock:
            limit = self._bucket(name).limit
            return float("inf") if limit is None else limit.capacity

    def reserve(self, name: str, units: float = 1.0) -> float:
        """Take units for one request, in the order of asking: the seconds until it may be sent."""
        with self._lock:
            delay = self._bucket(name).take(units, self.clock())
            self.waited[name] = self.waited.get(name, 0.0) + delay
            return delay

    def hold(self, name: str, seconds: float) -> None:
        """Send nothing of this class for a while: the service said so (`Retry-After`)."""
        with self._lock:
            self._bucket(name).hold(seconds, self.clock())

    def wait(self, name: str, units: float = 1.0) -> None:
        """Take units and sleep until they are there."""
        delay = self.reserve(name, units)
        while delay > 0:
            self.sleep(delay)
            delay = self._held(name)

    async def wait_async(self, name: str, units: float = 1.0) -> None:
        """Take units and let other tasks run until they are there."""
        delay = self.reserve(name, units)
        while delay > 0:
            await self.sleep_async(delay)
            delay = self._held(name)

    def _held(self, name: str) -> float:
        """Seconds for which the service asked to be left alone, from now."""
        with self._lock:
            return max(0.0, self._bucket(name).held_until - self.clock())

    def _bucket(self, name: str) -> _Bucket:
        return self._buckets.setdefault(name, _Bucket(None, 0.0, 0.0, 0.0))
