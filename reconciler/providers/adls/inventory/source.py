"""Where the runs of an inventory are had from, and the search for one that may be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from reconciler.core.environment import InventorySettings
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.inventory.runs import Candidate, Chosen, Run, Wanted, check, choose, recent

Progress = Callable[[int, int], None]
"""Called with the bytes that are here, and with all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A file of a run on this machine."""

    path: str
    """Where it lies."""
    name: str
    """What it is called in the run, and in messages."""


class Source(Protocol):
    """A destination container, or a copy of one."""

    async def candidates(self, wanted: Wanted, now: datetime) -> list[Candidate]:
        """The folders of the rule's runs, newest first: all young ones, or else the newest."""
        ...

    async def content(self, name: str) -> bytes | None:
        """A manifest or a checksum file; None where it is gone."""
        ...

    async def files(self, run: Run, into: Path, progress: Progress) -> tuple[LocalFile, ...]:
        """The run's files on this machine, those that were fetched below `into`; raises InventoryFault."""
        ...


async def find(source: Source, wanted: Wanted, now: datetime) -> Chosen:
    """The newest usable run; raises InventoryFault, and what the source raises."""
    found = await source.candidates(wanted, now)
    documents: dict[str, bytes | None] = {}
    for candidate in recent(found, wanted, now):
        for name in candidate.documents():
            documents[name] = await source.content(name)
        try:
            check(candidate, documents.get, wanted, now)
        except InventoryFault:
            continue  # `choose` tells it.
        break
    return choose(found, documents.get, wanted, now)


def wanted(settings: InventorySettings, blob: str, resource_id: str = "") -> Wanted:
    """What an environment's settings ask for; `blob` and `resource_id` are the lake's."""
    host = blob.partition("://")[2].partition("/")[0].partition(":")[0]
    # An address is no account's name, nor is a host name of one's own.
    accounts = {host.partition(".")[0]} if ".blob." in host else set()
    accounts |= {resource_id.rstrip("/").rpartition("/")[2].lower()} - {""}
    return Wanted(
        rule=settings.rule,
        max_age=settings.max_age,
        prefix=settings.prefix,
        accounts=frozenset(accounts),
    )
