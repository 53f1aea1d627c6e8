"""Runs of an inventory that lie in a folder of this machine, or one that is mounted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.runs import Blob, Candidate, Run, Wanted, candidates
from reconciler.providers.adls.inventory.source import LocalFile

ENDING = "-manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A copy of the destination container, or of the folder of one run."""

    path: Path

    async def candidates(self, wanted: Wanted, now: datetime) -> list[Candidate]:
        """The runs of the rule, newest first; a folder that is itself a run is the only one."""
        return await asyncio.to_thread(self._candidates, wanted, now)

    def _candidates(self, wanted: Wanted, now: datetime) -> list[Candidate]:
        try:
            own = self._run(wanted, now)
            return [own] if own else candidates(self._blobs(wanted.prefix), wanted.prefix, wanted.rule)
        except OSError as error:
            text = f"the folder cannot be listed: {error.strerror or error}"
            raise InventoryFault(Flaw.NO_RUN, str(self.path), text) from None

    def _run(self, wanted: Wanted, now: datetime) -> Candidate | None:
        inside = {each.name: each for each in self.path.iterdir() if each.is_file()}
        if f"{wanted.rule}{ENDING}" not in inside:
            return None
        # When it began its manifest tells; how the folder is called says nothing.
        blobs = {name: each.stat().st_size for name, each in inside.items()}
        return Candidate(folder="", rule=wanted.rule, began=now, blobs=blobs)

    def _blobs(self, prefix: str) -> Iterator[Blob]:
        top = self.path / prefix if prefix else self.path
        for each in top.glob("[0-9]*/[0-9]*/[0-9]*/*/*/*"):
            if each.is_file():
                yield Blob(each.relative_to(self.path).as_posix(), each.stat().st_size)

    async def content(self, name: str) -> bytes | None:
        """A manifest or a checksum file; None where it is gone."""
        try:
            return await asyncio.to_thread((self.path / name).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            text = f"it cannot be read: {error.strerror or error}"
            raise InventoryFault(Flaw.MANIFEST, str(self.path / name), text) from None

    async def files(
        self, run: Run, into: Path, progress: Callable[[int, int], None]
    ) -> tuple[LocalFile, ...]:
        """The run's files where they are: nothing is copied, and `into` stays as it is."""
        progress(run.size, run.size)
        return tuple(LocalFile(path=str(self.path / each.name), name=each.name) for each in run.files)
