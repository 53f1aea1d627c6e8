"""From settings to units: by one call, from a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.environment import ContainerSettings, InventorySettings, LakeSettings
from reconciler.providers.adls.inventory.columns import Rows
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.inventory.folder import Folder
from reconciler.providers.adls.inventory.taking import Taken, take
from tests.providers.adls.inventory.runs import ACCOUNT, SMALL, Inventoried, read


def taken(lake: Inventoried, *containers: str, **inventory: Any) -> Taken:
    settings = LakeSettings(
        name="datalake",
        dfs=f"https://{ACCOUNT}.dfs.core.windows.net",
        blob=f"https://{ACCOUNT}.blob.core.windows.net",
        containers={name: ContainerSettings(name=name) for name in ("curated", "raw")},
        inventory=InventorySettings(container="inventory", rule="nightly", **inventory),
    )
    return asyncio.run(take(Folder(path=lake.folder), settings, containers, lake.now, lake.folder))


@pytest.fixture
def lake(tmp_path: Path) -> Inventoried:
    made = Inventoried(tmp_path)
    made.fill(SMALL)
    made.fill([("100% +/x", False, "")], "raw")
    return made


def test_each_container_gets_its_rows(lake: Inventoried) -> None:
    lake.make(form="parquet", files=2, percent_encoded=True)
    here = taken(lake, "curated", "raw", percent_encoded=True)
    for container, view in here.views.items():
        rows = sorted(row for unit in here.cut.units for row in read(Rows(unit, view)))
        assert rows == lake.facts(container)
    assert sorted(here.views) == ["curated", "raw"] and here.unclear == {}


def test_a_container_whose_names_are_unclear_does_not_spoil_the_others(lake: Inventoried) -> None:
    folder = lake.make(matched=["curated/"], container_in_names=False)
    here = taken(lake, "curated", "raw")
    assert sorted(here.views) == ["curated"]
    assert str(here.unclear["raw"]) == (
        f"inventory {folder}: its names do not begin with their container, and its rule lists curated/: give "
        "each container a rule of its own, with prefixMatch raw/"
    )


def test_a_file_that_does_not_open_is_among_the_faults(lake: Inventoried) -> None:
    lake.make(form="parquet", files=2, faults=["truncated-file"])
    here = taken(lake, "curated")
    assert len(here.cut.units) == len(here.cut.faults) == 1


def test_no_usable_run_is_a_fault(lake: Inventoried) -> None:
    lake.make(faults=["partial"])
    with pytest.raises(InventoryFault, match="it only partially succeeded"):
        taken(lake, "curated")
