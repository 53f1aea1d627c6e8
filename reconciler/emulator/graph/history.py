"""Reads that lag behind writes, and not even monotonically: each read is answered by some replica.

A replica is as old as a draw from `world.random` says, at most the number of emulated seconds that a switch
sets; 0 switches lagging off.  Services note what an object was before they change it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from reconciler.emulator.world import World

Value = TypeVar("Value")


@dataclass(slots=True)
class History(Generic[Value]):
    """What changed lately, by key: the emulated second and the value before it (None: did not exist)."""

    world: World
    switch: str
    """The dotted switch that holds the longest lag in emulated seconds."""
    changes: dict[Hashable, list[tuple[float, Value | None]]] = field(default_factory=dict)

    @property
    def longest(self) -> float:
        """Seconds by which a read may lag at most."""
        return float(self.world.switches.get(self.switch, 0) or 0)

    def note(self, key: Hashable, before: Callable[[], Value | None]) -> None:
        """Remember the value that a write is about to replace; free of cost while lagging is off."""
        if self.longest > 0:
            self.changes.setdefault(key, []).append((self.world.clock.now(), before()))

    def recent(self) -> list[Hashable]:
        """Keys that some replica may still see as they were; forgets the others."""
        if not self.changes:
            return []
        horizon = self.world.clock.now() - self.longest
        for key in [key for key, found in self.changes.items() if found[-1][0] <= horizon]:
            del self.changes[key]
        return list(self.changes)

    def read(self, key: Hashable, present: Value | None) -> Value | None:
        """The value as one replica, drawn anew for this read, sees it."""
        found = self.changes.get(key)
        if not found or self.longest <= 0:
            return present
        as_of = self.world.clock.now() - self.world.random.uniform(0, self.longest)
        for at, before in found:
            if at > as_of:
                return before
        return present
