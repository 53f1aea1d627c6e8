"""A lake read from its inventory is the lake as it is, or a gap that says why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.environment import InventorySettings
from reconciler.core.model import Address, Live
from reconciler.core.plan import Status
from reconciler.emulator.lake.inventory import Order
from reconciler.emulator.lake.inventory import run as take
from reconciler.emulator.lake.service import LakeService
from reconciler.providers.adls import inventory
from reconciler.providers.adls.provider import Lakes
from reconciler.providers.contract import Checkpoint, Question
from tests.providers.adls.lake import ACCOUNT, BASE, ODD, TODAY, Lake, folder, lake

PATHS: Sequence[Mapping[str, Any]] = (
    {"path": "pricing"},
    {"path": "pricing/a/b"},
    {"path": "pricing/a/f", "type": "file"},
    {"path": "pricing/deep/er"},
    {"path": "pricing/deep/er/g", "type": "file"},
    {"path": "sales"},
    {"path": "sales/f", "type": "file"},
    *({"path": f"sales/{name}/{name}", "type": "file"} for name in ODD if name.isprintable()),
)
FORMS = ("csv", "parquet")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lake]:
    with lake(tmp_path, PATHS) as running:
        running.documents = [
            folder(grants={"group:pricing-ds": "read", "group:pricing-eng": "write"}),
            folder("curated/pricing/deep/er", tenant="sales", grants={"group:sales": "read"}),
            folder("curated/sales", tenant="sales", grants={"group:sales": "list"}, unlisted="keep"),
            folder("curated/nowhere", tenant="sales", grants={"group:sales": "read"}),
        ]
        running.set("pricing/a/f", "user::rw-,group::r--,group:pricing-ds:rwx,mask::r--,other::r--")
        running.set("sales", BASE + ",group:sales:r-x,user:ana@corp.example:rwx")
        lakes = {
            name: replace(each, inventory=InventorySettings(container="inventory", rule="nightly"))
            for name, each in running.environment.lakes.items()
        }
        environment = replace(running.environment, lakes=lakes)
        running.provider.close()
        running.provider = Lakes(environment, running.environ, tmp_path)
        yield running


def order(here: Lake, **keys: Any) -> None:
    service = here.emulator.services["lake"]
    assert isinstance(service, LakeService)
    take(service.accounts[ACCOUNT], Order(destination="inventory", **keys))


def present(here: Lake) -> datetime:
    return datetime.fromtimestamp(here.emulator.world.clock.now(), UTC)


def read(
    here: Lake, tmp: Path, *, live: bool = False, written: Mapping[Address, datetime] | None = None
) -> Live:
    checkpoint = Checkpoint(folder=tmp / "scans", now=lambda: present(here), inventories=not live)
    return here.provider.read(
        Question(
            wanted=here.wanted(),
            directory=here.people,
            as_of=TODAY,
            checkpoint=checkpoint,
            written=written or {},
        )
    )


def listings(here: Lake) -> list[str]:
    """Listings of the lake itself."""
    return [each for each in here.requests("comp=list") if each.startswith("GET /curated")]


@pytest.mark.parametrize("form", FORMS)
def test_it_reads_as_the_lake_itself(here: Lake, tmp_path: Path, form: str) -> None:
    order(here, form=form, files=3, duplicates=2)
    here.emulator.world.log.clear()
    told = read(here, tmp_path)
    assert listings(here) == []
    live = read(here, tmp_path, live=True)
    assert listings(here) != []
    assert told.gaps == live.gaps
    assert told.found.keys() == live.found.keys()
    for address, found in live.found.items():
        assert told.found[address].grants == found.grants, address
        assert told.found[address].mixed == found.mixed, address
    assert {each.text for each in told.findings} == {each.text for each in live.findings}


def test_drift_that_is_gone_is_not_written(here: Lake, tmp_path: Path) -> None:
    order(here)
    assert {each.status for each in here.apply().values()} == {Status.ACCEPTED}
    here.emulator.world.log.clear()
    told = read(here, tmp_path)
    stale = here.plan_of(told)
    assert stale, "the run is older than the corrections"
    outcomes = here.apply(stale)
    assert {each.reason for each in outcomes.values()} <= {"held already", "is there already"}
    assert here.requests("PATCH") == []


def test_what_was_written_since_is_read_as_it_is(here: Lake, tmp_path: Path) -> None:
    order(here)
    here.apply()
    moment = present(here) + timedelta(minutes=1)
    told = read(here, tmp_path, written={want.address: moment for want in here.wanted()})
    assert here.plan_of(told) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("pending", "it is still under way (status Pending)"),
        ("failed", "it failed (status Failed)"),
        ("partial", "it only partially succeeded"),
        ("no-checksum", "its checksum file is missing"),
        ("bad-checksum", "its checksum file says"),
        ("truncated-manifest", "has MD5"),
        ("corrupt-manifest", "is no JSON"),
        ("missing-file", "is missing"),
        ("short-file", "bytes long, its manifest says"),
        ("truncated-file", "nightly"),
        ("lost-rows", "rows"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_run_that_is_not_whole_leaves_gaps(
    here: Lake, tmp_path: Path, fault: str, words: str, form: str
) -> None:
    order(here, form=form, files=2, faults=[fault])
    told = read(here, tmp_path)
    folders = {address for address in told.gaps if address.kind == "folder"}
    assert folders == {want.address for want in here.wanted() if want.address.kind == "folder"}
    assert not any(address.kind == "folder" for address in told.found)
    assert {address.kind for address in told.found} == {"traverse"}, "the way there is read as ever"
    for address in folders:
        assert words in told.gaps[address].reason, told.gaps[address].reason
        assert "`--live` reads the lake itself" in told.gaps[address].reason


def test_an_older_run_serves_while_the_newest_is_under_way(here: Lake, tmp_path: Path) -> None:
    order(here, hours_ago=20)
    order(here, faults=["pending"])
    told = read(here, tmp_path)
    assert not told.gaps


@pytest.mark.parametrize("hours", [40, 400], ids=str)
def test_a_run_that_is_too_old_is_a_gap(here: Lake, tmp_path: Path, hours: int) -> None:
    order(here, hours_ago=hours)
    told = read(here, tmp_path)
    reasons = {gap.reason for address, gap in told.gaps.items() if address.kind == "folder"}
    [reason] = reasons
    assert "and max-age is 36 h" in reason


def test_no_run_is_a_gap(here: Lake, tmp_path: Path) -> None:
    told = read(here, tmp_path)
    assert all("inventory" in gap.reason for gap in told.gaps.values())
    assert len(told.gaps) == 4


@pytest.mark.parametrize("matched", ["curated/pricing", "curated/pricing/", "curated/sales/"])
def test_folders_that_the_rule_leaves_out_are_read_as_they_are(
    here: Lake, tmp_path: Path, matched: str
) -> None:
    order(here, matched=[matched])
    here.emulator.world.log.clear()
    told = read(here, tmp_path)
    live = read(here, tmp_path, live=True)
    assert told.found.keys() == live.found.keys() and not told.gaps
    assert listings(here) != []


def test_one_odd_list_is_one_gap(here: Lake, tmp_path: Path) -> None:
    node = here.node("sales/f")
    node.acl = replace(node.acl, access=node.acl.access[:1])
    order(here)
    told = read(here, tmp_path)
    [address] = told.gaps
    assert address.locator == "curated/sales"
    assert "sales/f" in told.gaps[address].reason


def test_without_columns_it_is_a_gap(here: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order(here)
    monkeypatch.setattr(inventory, "find_spec", lambda name: None)
    told = read(here, tmp_path)
    assert len(told.gaps) == 4
    assert all("install reconciler[lake]" in gap.reason for gap in told.gaps.values())


def test_nothing_is_left_of_a_judgement_but_the_run(here: Lake, tmp_path: Path) -> None:
    order(here, hours_ago=5)
    read(here, tmp_path)
    order(here)
    read(here, tmp_path)
    kept = list((tmp_path / "scans" / "inventories" / ACCOUNT).iterdir())
    assert len(kept) == 1, "older runs are removed"
