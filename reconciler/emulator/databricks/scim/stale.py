"""Reads that lag behind writes: group caches on several front ends, each up to a minute old.

ucx waits for two consecutive confirming reads of a group, then of the list, since one is no proof
(databrickslabs/ucx, workspace_access/groups).  The front end that took the write knows of it, so the first
read of a kind after a write is true; later ones may fall on a front end that is still behind.

Switches: `databricks.stale-seconds` (60; 0 turns this off) is the longest delay;
`databricks.stale-first-read` (false) lets even the first read be stale; `databricks.stale-creations` (false)
lets a group be missing for a while after it was created.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulator.world import World

LONGEST = 60.0


@dataclass(slots=True)
class Past:
    """How a group looked before its latest write; None says that it did not exist."""

    document: Mapping[str, Any] | None
    until: float
    told: set[str] = field(default_factory=set)
    """The kinds of read that have been answered truly since."""


class Staleness:
    """The groups whose caches are still behind."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._past: dict[tuple[str, str], Past] = {}

    def wrote(self, view: str, group: str, before: Mapping[str, Any] | None) -> None:
        """Note a write to a group as one view (the account or a workspace) shows it."""
        switches = self.world.switches
        longest = float(switches.get("databricks.stale-seconds", LONGEST))
        if before is None and not switches.get("databricks.stale-creations", False):
            self._past.pop((view, group), None)
        elif longest > 0:
            until = self.world.clock.now() + self.world.random.uniform(0, longest)
            self._past[(view, group)] = Past(before, until)

    def read(self, view: str, group: str, kind: str) -> Past | None:
        """The past that this read gets to see instead of the present, or None for the truth."""
        past = self._past.get((view, group))
        if past is None:
            return None
        if self.world.clock.now() >= past.until:
            del self._past[(view, group)]
            return None
        first = kind not in past.told
        past.told.add(kind)
        if first and not self.world.switches.get("databricks.stale-first-read", False):
            return None
        return past if self.world.random.random() < 0.5 else None

    def behind(self, view: str) -> list[str]:
        """The groups of a view that a list may show as they were."""
        return [group for held, group in self._past if held == view] if self._past else []
