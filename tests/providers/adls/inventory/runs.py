"""Runs of an emulated inventory, written to a folder: what a lake holds, and what its rows say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from reconciler.emulator.lake.inventory import Order, run
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import Folder as Directory
from reconciler.emulator.lake.tree import walk
from reconciler.emulator.world import World
from reconciler.providers.adls.inventory.columns import Rows, View
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.inventory.folder import Folder
from reconciler.providers.adls.inventory.names import sample, view
from reconciler.providers.adls.inventory.runs import Chosen, Wanted
from reconciler.providers.adls.inventory.source import find
from reconciler.providers.adls.inventory.units import Cut, cut

ACCOUNT = "datalake"
TEAM = "00000000-0000-4000-8000-0000000007ea"
ACL = f"user::rwx,group::r-x,group:{TEAM}:r-x,mask::r-x,other::---"
WANTED = Wanted(rule="nightly", max_age=timedelta(hours=36), accounts=frozenset({ACCOUNT}))
SMALL = (("pricing", True, ACL), ("pricing/a", True, ""), ("pricing/a/f.parquet", False, ""))
Row = tuple[str, bool, str | None, str | None]
"""Path, whether it is a directory, list, owning group."""


@dataclass(slots=True, repr=False)
class Inventoried:
    """An emulated account, and a folder with what is in its container `inventory`."""

    folder: Path
    service: LakeService = field(default_factory=lambda: LakeService(World()))

    @property
    def now(self) -> datetime:
        """The emulated time."""
        return datetime.fromtimestamp(self.service.world.clock.now(), UTC)

    def fill(self, rows: Iterable[tuple[str, bool, str]], container: str = "curated") -> None:
        """Add paths to a container."""
        self.service.account(ACCOUNT)
        self.service.grow(ACCOUNT, container, rows)

    def make(self, **order: Any) -> str:
        """Make a run; gives its folder."""
        made = run(self.service.account(ACCOUNT), Order(destination="inventory", **order))
        self.save()
        return made

    def save(self) -> None:
        """Bring the folder to what is in the container."""
        store = self.service.account(ACCOUNT).filesystems["inventory"]
        for path, node in walk(store.root, ""):
            target = self.folder / path
            if isinstance(node, Directory):
                target.mkdir(parents=True, exist_ok=True)
            elif not target.exists():
                target.write_bytes(node.details.content if node.details else b"")

    def facts(self, container: str = "curated") -> list[Row]:
        """What is in a container, in the emulator's own words."""
        store = self.service.account(ACCOUNT).filesystems[container]
        return sorted(
            (path, node.is_folder, node.acl.text, node.group) for path, node in walk(store.root, "")
        )

    def find(self, wanted: Wanted = WANTED) -> Chosen:
        """The run that is used."""
        return asyncio.run(find(Folder(path=self.folder), wanted, self.now))

    def cut(self, chosen: Chosen, **sizes: int) -> Cut:
        """The units of a run."""
        source = Folder(path=self.folder)
        files = asyncio.run(source.files(chosen.run, self.folder, lambda done, total: None))
        return cut(files, chosen.run.manifest.form, **sizes)

    def view(self, chosen: Chosen, parts: Cut, container: str = "curated", **how: Any) -> View:
        """How to read one container."""
        how = {"said": "auto", "known": {"curated", "raw"}} | how
        return view(chosen.run.folder, chosen.run.manifest, sample(parts), container, **how)

    def rows(self, container: str = "curated", sizes: dict[str, int] | None = None, **how: Any) -> list[Row]:
        """Every row of a container, as the run that is used has it."""
        chosen = self.find()
        parts = self.cut(chosen, **(sizes or {}))
        assert not parts.faults, str(parts.faults[0])
        return sorted(
            row
            for unit in parts.units
            for row in read(Rows(unit, self.view(chosen, parts, container, **how)))
        )


def read(rows: Rows) -> list[Row]:
    """The rows of a unit, each batch checked to be what it says."""
    return [row for batch in rows for row in told(batch)]


def told(batch: pa.RecordBatch) -> Sequence[Row]:
    """The rows of a batch."""
    batch.validate(full=True)
    columns = (batch.column(name).to_pylist() for name in ("Name", "hdi_isfolder", "Acl", "Group"))
    return [(name, folder, acl, group) for name, folder, acl, group in zip(*columns, strict=True)]


def said(call: Any, *given: Any) -> str:
    """The words of the fault that a call raises."""
    try:
        call(*given)
    except InventoryFault as fault:
        return str(fault)
    raise AssertionError("nothing is said to be wrong")
