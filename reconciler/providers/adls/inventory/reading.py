"""Read the declared folders of a lake from the newest run of its inventory, with no request for any path.

Its law: what a run does not tell, or tells of a time before the reconciler's own last write there, is not
taken from it; a run that cannot be believed leaves gaps, and never an empty lake.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from reconciler.core.environment import LakeSettings
from reconciler.core.errors import ReconcilerError
from reconciler.core.model import Address, Identity
from reconciler.providers.adls.client import Refused
from reconciler.providers.adls.expectation import expect
from reconciler.providers.adls.ground import Tally, Tract
from reconciler.providers.adls.inventory.estate import ground
from reconciler.providers.adls.inventory.local import judge_run
from reconciler.providers.adls.inventory.merging import Judged, Spool
from reconciler.providers.adls.inventory.runs import shortfall
from reconciler.providers.adls.inventory.source import Source
from reconciler.providers.adls.inventory.taking import Taken, take
from reconciler.providers.adls.inventory.units import Cut
from reconciler.providers.adls.sweeping.sweep import Unread
from reconciler.providers.transport import Lost, Unreachable

Progress = Callable[[str, int, int], None]
SHOWN = 3
LIVE = "`--live` reads the lake itself instead"


@dataclass(slots=True, kw_only=True)
class Told:
    """What a run told of one container's folders."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    """By path; folders that do not exist are in none of these."""
    unread: dict[str, Unread] = field(default_factory=dict)
    left: list[Tract] = field(default_factory=list)
    """Folders of which the run may not be asked."""
    why_left: str = ""
    rows: int = 0
    as_of: str = ""
    """The run and its age, in words."""


@dataclass(slots=True, kw_only=True)
class Stock:
    """The inventory of one lake, fetched once however many containers are asked about."""

    settings: LakeSettings
    source: Source
    containers: Sequence[str]
    """All that are asked about."""
    folder: Path
    """Where fetched files are kept."""
    now: datetime
    identities: Mapping[str, Identity]
    """Who the names of the documents stand for."""
    written: Mapping[Address, datetime]
    """When the reconciler last wrote to a folder."""
    progress: Progress
    spool: Callable[[Sequence[Tract]], Spool] = lambda tracts: lambda batch: None
    """Where rows that stand by themselves go, given the folders by number."""
    workers: int = 2
    _opened: asyncio.Task[Taken] | None = None

    async def told(self, container: str, tracts: Sequence[Tract]) -> Told:
        """What the newest usable run says of these folders; raises Unread where it says nothing."""
        if self._opened is None:
            self._opened = asyncio.ensure_future(self._open())
        try:
            opened = await self._opened
            return await self._told(opened, container, tracts)
        except (Refused, Unreachable, Lost, ReconcilerError) as error:
            status = error.short if isinstance(error, Refused) else ""
            raise Unread(f"{self._named(error)}; {LIVE}", status) from error

    def _named(self, error: Exception) -> str:
        inventory = self.settings.inventory
        assert inventory is not None
        if isinstance(error, ReconcilerError):
            return str(error)
        hint = ""
        if isinstance(error, Refused) and error.status == 403:
            hint = "; grant the reading identity Storage Blob Data Reader on that container"
        return f"inventory rule {inventory.rule} in container {inventory.container}: {error}{hint}"

    async def _open(self) -> Taken:
        self.folder.mkdir(parents=True, exist_ok=True)

        def fetched(done: int, total: int) -> None:
            self.progress("inventory bytes", done, total)

        taken = await take(self.source, self.settings, self.containers, self.now, self.folder, fetched)
        _forget(self.folder, taken.cut)
        return taken

    async def _told(self, opened: Taken, container: str, tracts: Sequence[Tract]) -> Told:
        run = opened.chosen.run
        told = Told(as_of=opened.chosen.as_of)
        asked, told.left, told.why_left = split(
            tracts, lambda tract: run.misses(container, tract.path), self.written, run.manifest.began
        )
        if asked:
            await asyncio.to_thread(self._judge, opened, container, asked, told)
        return told

    def _judge(self, opened: Taken, container: str, tracts: Sequence[Tract], told: Told) -> None:
        run = opened.chosen.run
        if container in opened.unclear:
            raise opened.unclear[container]
        view = opened.views[container]
        here = ground((expect(tract, self.identities) for tract in tracts), secrets.randbits(64))
        by_path = {tract.path: tract for tract in tracts}
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".judging-") as scratch:
            result = judge_run(
                opened.cut, view, here, Path(scratch) / "judged",
                workers=self.workers,
                whole=lambda met, kept: shortfall(run, met, container, kept),
                progress=lambda done, total: self.progress(f"inventory rows of {container}", done, total),
            )  # fmt: skip
            judged = result.merged(self.spool([by_path[path] for path in here.paths]))
        told.rows = judged.rows
        sort_out(told, judged, result.faults, container, tracts)


def split(
    tracts: Iterable[Tract],
    misses: Callable[[Tract], str],
    written: Mapping[Address, datetime],
    began: datetime,
) -> tuple[list[Tract], list[Tract], str]:
    """The folders that a run may be asked about, those that it may not, and why not."""
    asked: list[Tract] = []
    left: list[Tract] = []
    reasons: list[str] = []
    for tract in tracts:
        reason = misses(tract)
        last = written.get(tract.address)
        if not reason and last is not None and last >= began:
            reason = "written to since the run began"
        (left if reason else asked).append(tract)
        if reason and reason not in reasons:
            reasons.append(reason)
    return asked, left, "; ".join(reasons[:SHOWN])


def sort_out(
    told: Told, judged: Judged, faults: Sequence[str], container: str, tracts: Iterable[Tract]
) -> None:
    """Sort folders into those that the run told whole, those that are not there, and gaps."""
    if faults:
        # Any path may be in what could not be read, so that no folder is known whole.
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        for tract in tracts:
            told.unread[tract.path] = Unread(f"{faults[0]}{more}; {LIVE}")
        return
    for tract in tracts:
        missing = judged.missing.get(tract.path, 0)
        if missing:
            text = (
                f"{container}/{tract.path}: the inventory has no row for {missing:,} of its directories, so "
                f"that their lists are unknown; {LIVE}"
            )
            told.unread[tract.path] = Unread(text)
        elif tract.path in judged.tallies:
            told.tallies[tract.path] = judged.tallies[tract.path]


def _forget(folder: Path, kept: Cut) -> None:
    """Remove what was fetched of other runs."""
    used = {Path(unit.path).parent for unit in kept.units}
    for found in folder.iterdir():
        if used and found.is_dir() and found not in used and not found.name.startswith("."):
            with suppress(OSError):
                shutil.rmtree(found)
