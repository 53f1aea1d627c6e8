"""Which containers of a lake are read from an inventory, and what stands in the way.

Its law: columns are loaded only where an environment names an inventory and the question admits one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NoReturn

from reconciler.core.environment import LakeSettings
from reconciler.core.model import Wanted
from reconciler.providers.adls.client import LakeReader
from reconciler.providers.adls.ground import Tract
from reconciler.providers.adls.reading import Inventory
from reconciler.providers.adls.sweep import Unread
from reconciler.providers.contract import Question

Keep = Callable[[Sequence[Tract]], Callable[[Any], None]]
"""Given the folders by number, what takes rows that stand by themselves."""
FOLDER = "inventories"
"""Below the folder of checkpoints: what was fetched of runs."""


def inventories(
    question: Question, lake: LakeSettings, reader: LakeReader, spool: Keep | None
) -> Mapping[str, Inventory]:
    """By container, the inventory that its folders are read from; containers without one are not here."""
    checkpoint = question.checkpoint
    wanted = [want for want in question.wanted if want.address.installation == lake.name]
    containers = {want.address.locator.partition("/")[0] for want in wanted}
    chosen = {container for container in containers if lake.inventoried(container)}
    if checkpoint is None or not checkpoint.inventories or lake.inventory is None or not chosen:
        return {}
    if find_spec("pyarrow") is None or find_spec("numpy") is None:
        return dict.fromkeys(
            chosen, Unusable("an inventory needs pyarrow and numpy: install reconciler[lake]")
        )
    from reconciler.providers.adls.client_inventory import Depot
    from reconciler.providers.adls.inventory.reading import Stock

    stock = Stock(
        settings=lake,
        source=Depot(wire=reader.wire, blob=reader.endpoints.blob, container=lake.inventory.container),
        folder=checkpoint.folder / FOLDER / lake.name,
        now=checkpoint.now(),
        identities=question.directory.resolve(_named(wanted)),
        written=question.written,
        progress=question.progress,
        spool=spool or (lambda tracts: lambda batch: None),
    )
    return dict.fromkeys(chosen, stock)


def _named(wanted: Sequence[Wanted]) -> list[str]:
    facts = (fact.principal for want in wanted for fact in (*want.grants, *want.terms))
    return sorted({name for name in facts if name.startswith(("user:", "group:", "sp:"))})


@dataclass(frozen=True, slots=True)
class Unusable:
    """An inventory that cannot be read on this machine."""

    reason: str

    async def told(self, container: str, tracts: Sequence[Tract]) -> NoReturn:
        """Raises Unread with the reason."""
        raise Unread(f"{container}: {self.reason}; `--live` reads the lake itself instead")
