"""Which containers of a lake are read from an inventory, and what stands in the way.

Its law: columns are loaded only where an environment names an inventory and the question admits one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from reconciler.core.environment import InventorySettings, LakeSettings
from reconciler.core.errors import Unusable
from reconciler.core.model import Wanted
from reconciler.providers.adls.client import LakeReader
from reconciler.providers.adls.ground import Tract
from reconciler.providers.adls.inventory import need_columns
from reconciler.providers.adls.reading import Inventory
from reconciler.providers.adls.sweeping.sweep import Unread
from reconciler.providers.contract import Question

Keep = Callable[[Sequence[Tract]], Callable[[Any], None]]
"""Given the folders by number, what takes rows that stand by themselves."""
USUAL = InventorySettings(container="", rule="")
FOLDER = "inventories"
"""Below the folder of checkpoints: what was fetched of runs."""


def inventories(
    question: Question, lake: LakeSettings, reader: LakeReader, spool: Keep | None
) -> Mapping[str, Inventory]:
    """By container, the inventory that its folders are read from; containers without one are not here."""
    checkpoint = question.checkpoint
    wanted = [want for want in question.wanted if want.address.installation == lake.name]
    containers = {want.address.locator.partition("/")[0] for want in wanted}
    if checkpoint is None or not checkpoint.inventories:
        return {}
    judged = {
        each: checkpoint.judged[f"{lake.name}/{each}"]
        for each in containers
        if f"{lake.name}/{each}" in checkpoint.judged
    }
    chosen = {each for each in containers if lake.inventoried(each)} - judged.keys()
    if not chosen and not judged:
        return {}
    try:
        need_columns()
    except Unusable as error:
        return dict.fromkeys((*chosen, *judged), Closed(str(error)))
    identities = question.directory.resolve(named(wanted))
    spool = spool or (lambda tracts: lambda batch: None)
    found: dict[str, Inventory] = {}
    if lake.inventory is not None and chosen:
        from reconciler.providers.adls.client_inventory import Depot
        from reconciler.providers.adls.inventory.reading import Stock

        stock = Stock(
            settings=lake,
            source=Depot(wire=reader.wire, blob=reader.endpoints.blob, container=lake.inventory.container),
            containers=sorted(chosen),
            folder=checkpoint.folder / FOLDER / lake.name,
            now=checkpoint.now(),
            identities=identities,
            written=question.written,
            progress=question.progress,
            spool=spool,
        )
        found = dict.fromkeys(chosen, stock)
    for container, folder in judged.items():
        from reconciler.providers.adls.inventory.judged import Verdicts

        found[container] = Verdicts(
            folder=folder,
            now=checkpoint.now(),
            max_age=(lake.inventory or USUAL).max_age,
            identities=identities,
            written=question.written,
            spool=spool,
        )
    return found


def named(wanted: Iterable[Wanted]) -> list[str]:
    """The names of these documents that a directory can be asked about."""
    facts = (fact.principal for want in wanted for fact in (*want.grants, *want.terms))
    return sorted({name for name in facts if name.startswith(("user:", "group:", "sp:"))})


@dataclass(frozen=True, slots=True)
class Closed:
    """An inventory that cannot be read on this machine."""

    reason: str

    async def told(self, container: str, tracts: Sequence[Tract]) -> NoReturn:
        """Raises Unread with the reason."""
        raise Unread(f"{container}: {self.reason}; `--live` reads the lake itself instead")
