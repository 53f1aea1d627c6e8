"""Take an inventory that was judged elsewhere, such as on a cluster, for a reading of the lake.

Its law: a result is used only for the very ground that it was judged against; under other policies, or with
other people behind the names, it says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.core.errors import ReconcilerError
from reconciler.core.model import Address, Identity
from reconciler.providers.adls.expectation import expect
from reconciler.providers.adls.ground import Tract
from reconciler.providers.adls.inventory.estate import Ground, ground
from reconciler.providers.adls.inventory.merging import Spool
from reconciler.providers.adls.inventory.reading import Told, sort_out, split
from reconciler.providers.adls.inventory.results import Result, load
from reconciler.providers.adls.sweeping.sweep import Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """A folder in which `reconciler-judge` left its result, for one container."""

    folder: Path
    now: datetime
    max_age: timedelta
    identities: Mapping[str, Identity]
    written: Mapping[Address, datetime]
    spool: Callable[[Sequence[Tract]], Spool] = lambda tracts: lambda batch: None

    async def told(self, container: str, tracts: Sequence[Tract]) -> Told:
        """What the result says of these folders; raises Unread where it says nothing of them."""
        try:
            return await asyncio.to_thread(self._told, container, tracts)
        except (ReconcilerError, KeyError, TypeError, ValueError) as error:
            raise Unread(f"{error}; without `--judged` the lake or its inventory is read") from error

    def _told(self, container: str, tracts: Sequence[Tract]) -> Told:
        result = load(self.folder)
        here = ground((expect(tract, self.identities) for tract in tracts), result.ground.key)
        if replace(here, container=container) != result.ground:
            raise ReconcilerError(
                f"{self.folder} was judged against another ground ({_differs(here, result.ground)}): write "
                "it anew with `reconciler ground`, and judge again"
            )
        began = self._began(result)
        told = Told(as_of=f"{result.origin['as_of']}, judged on {result.engine}")
        asked, told.left, told.why_left = split(tracts, lambda tract: "", self.written, began)
        by_path = {tract.path: tract for tract in tracts}
        judged = result.merged(self.spool([by_path[path] for path in here.paths]))
        told.rows = judged.rows
        sort_out(told, judged, result.faults, container, asked)
        return told

    def _began(self, result: Result) -> datetime:
        began = datetime.fromisoformat(str(result.origin["began"]))
        if self.now - began > self.max_age:
            raise ReconcilerError(
                f"{self.folder}: its run began {began:%Y-%m-%d %H:%M} UTC, and max-age is "
                f"{self.max_age.total_seconds() / 3600:g} h: judge a newer run"
            )
        return began


def _differs(here: Ground, there: Ground) -> str:
    if here.paths != there.paths:
        lacking = len(set(here.paths) ^ set(there.paths))
        return f"{lacking:,} folders are declared on one side only"
    return "rights or people of a folder differ"
