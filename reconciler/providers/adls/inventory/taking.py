"""From an environment's settings to the units of a run on this machine, ready to be judged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.core.environment import LakeSettings
from reconciler.providers.adls.inventory.columns import View
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.inventory.names import sample, view
from reconciler.providers.adls.inventory.runs import Chosen
from reconciler.providers.adls.inventory.source import Progress, Source, find, wanted
from reconciler.providers.adls.inventory.units import Cut, cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A run whose files are here: what could be opened, and how each container is read from it."""

    chosen: Chosen
    cut: Cut
    """Its faults leave unknown whatever no row shows."""
    views: Mapping[str, View]
    unclear: Mapping[str, InventoryFault]
    """Containers of which it is not clear what their rows are called."""


async def take(
    source: Source,
    lake: LakeSettings,
    containers: Sequence[str],
    now: datetime,
    into: Path,
    progress: Progress = lambda done, total: None,
) -> Taken:
    """Find the newest usable run of a lake's inventory, fetch it below `into`, and open it.

    Raises InventoryFault where there is none, and what the source raises.
    """
    settings = lake.inventory
    assert settings is not None, f"lake {lake.name} has no inventory"
    chosen = await find(source, wanted(settings, lake.blob, lake.resource_id), now)
    files = await source.files(chosen.run, into, progress)
    # Every byte of CSV is looked at, which takes seconds for each gigabyte.
    parts = await asyncio.to_thread(cut, files, chosen.run.manifest.form)
    names = await asyncio.to_thread(sample, parts)
    views: dict[str, View] = {}
    unclear: dict[str, InventoryFault] = {}
    for container in containers:
        try:
            views[container] = view(
                chosen.run.folder,
                chosen.run.manifest,
                names,
                container,
                frozenset(lake.containers),
                settings.names,
                settings.percent_encoded,
            )
        except InventoryFault as fault:
            unclear[container] = fault
    return Taken(chosen=chosen, cut=parts, views=views, unclear=unclear)
