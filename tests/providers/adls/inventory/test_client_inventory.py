"""Runs are fetched from the emulated container whole, in ranges, and go on where they were interrupted."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from reconciler.emulator.faults import Fault
from reconciler.emulator.lake.inventory import Order
from reconciler.emulator.lake.inventory import run as make_run
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import find as find_path
from reconciler.providers.adls import client_inventory
from reconciler.providers.adls.client import Refused
from reconciler.providers.adls.client_inventory import Depot
from reconciler.providers.adls.inventory.columns import Rows
from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.names import sample, view
from reconciler.providers.adls.inventory.runs import Chosen
from reconciler.providers.adls.inventory.source import find
from reconciler.providers.adls.inventory.units import cut
from reconciler.providers.transport import Lost
from tests.providers.adls.inventory.runs import ACCOUNT, SMALL, WANTED, read
from tests.providers.adls.lake import Lake, lake

pytestmark = pytest.mark.emulator
Result = TypeVar("Result")


@dataclass(slots=True, repr=False)
class Fetching:
    """An emulated lake with an inventory container, and what was fetched of it."""

    lake: Lake
    into: Path
    depot: Depot
    told: list[tuple[int, int]] = field(default_factory=list)

    @property
    def service(self) -> LakeService:
        service = self.lake.emulator.services["lake"]
        assert isinstance(service, LakeService)
        return service

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.lake.emulator.world.clock.now(), UTC)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """On the provider's own loop, where its connections live."""
        return self.lake.provider._run(work)

    def make(self, **order: Any) -> str:
        return make_run(self.service.account(ACCOUNT), Order(destination="inventory", **order))

    def find(self, **wanted: Any) -> Chosen:
        return self.run(find(self.depot, replace(WANTED, **wanted), self.now))

    def fetch(self, chosen: Chosen) -> dict[str, bytes]:
        """What is on this machine afterwards, by name in the run."""
        files = self.run(self.depot.files(chosen.run, self.into, lambda *told: self.told.append(told)))
        return {file.name: Path(file.path).read_bytes() for file in files}

    def content(self, name: str) -> bytes:
        """What the emulator holds."""
        chain = find_path(self.service.account(ACCOUNT).filesystems["inventory"].root, name.split("/"))
        details = chain[-1].details
        assert details is not None
        return details.content

    def rewrite(self, name: str) -> None:
        """Another content of the same length."""
        node = find_path(self.service.account(ACCOUNT).filesystems["inventory"].root, name.split("/"))[-1]
        assert node.details is not None
        node.details.content = node.details.content[::-1]
        node.changed = self.service.account(ACCOUNT).tick()

    def fault(self, **how: Any) -> None:
        """Order one for requests for parts of files."""
        self.lake.emulator.world.faults.clear()
        self.lake.emulator.world.faults.add(Fault(**{"target": r"\.(csv|parquet)$", **how}))

    def ranges(self) -> list[str]:
        """Requests for parts of files since the log was cleared."""
        return [text for text in self.lake.requests("GET") if ".csv?" in text or ".parquet?" in text]


@contextmanager
def fetching(tmp: Path, **more: Any) -> Iterator[Fetching]:
    with lake(tmp, **more) as here:
        made = Fetching(here, tmp / "scans", depot(here))
        made.service.grow(ACCOUNT, "curated", SMALL)
        yield made


def depot(here: Lake) -> Depot:
    return Depot(wire=here.provider._wire, blob=here.environment.lakes[ACCOUNT].blob, container="inventory")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetching]:
    monkeypatch.setattr(client_inventory, "RANGE", 1_000)
    with fetching(tmp_path) as made:
        made.service.grow(ACCOUNT, "curated", ((f"f{number:04}", False, "") for number in range(200)))
        yield made


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_run_is_found_fetched_and_read_as_the_lake_is(here: Fetching, form: str) -> None:
    here.make(hours_ago=30, form=form)
    folder = here.make(hours_ago=3, form=form, files=3, group_rows=50)
    chosen = here.find()
    assert chosen.run.folder == folder
    fetched = here.fetch(chosen)
    assert sorted(fetched) == [f"{folder}/nightly_{number}.{form}" for number in range(3)]
    assert all(content == here.content(name) for name, content in fetched.items())
    files = here.run(here.depot.files(chosen.run, here.into, lambda *_: None))
    parts = cut(files, form)
    how = view(folder, chosen.run.manifest, sample(parts), "curated", {"curated"}, "auto")
    rows = sorted(row for unit in parts.units for row in read(Rows(unit, how)))
    assert rows == sorted((path, node.is_folder, node.acl.text, node.group)
                          for path, node in here.lake.paths().items() if path)  # fmt: skip


def test_files_come_in_ranges_and_progress_is_told_in_bytes(here: Fetching) -> None:
    here.make(hours_ago=3, files=2)
    chosen = here.find()
    here.lake.emulator.world.log.clear()
    here.fetch(chosen)
    sizes = [file.size for file in chosen.run.files]
    assert len(here.ranges()) == sum(-(-size // 1_000) for size in sizes)
    assert here.told[0] == (0, sum(sizes)) and here.told[-1] == (sum(sizes), sum(sizes))
    assert [done for done, _ in here.told] == sorted(done for done, _ in here.told)


def test_what_was_fetched_is_not_fetched_again(here: Fetching) -> None:
    here.make(hours_ago=3, files=2)
    chosen = here.find()
    first = here.fetch(chosen)
    here.lake.emulator.world.log.clear()
    assert here.fetch(here.find()) == first
    assert here.ranges() == []


def test_an_interrupted_file_goes_on_where_it_was(here: Fetching) -> None:
    here.make(hours_ago=3)
    chosen = here.find()
    (file,) = chosen.run.files
    here.fault(status=403, skip=7, times=1)
    with pytest.raises(Refused):
        here.fetch(chosen)
    (part,) = here.into.rglob("*.part")
    size = part.stat().st_size
    assert 3_000 <= size <= 10_000 and size % 1_000 == 0
    assert not list(here.into.rglob("*.csv"))
    here.lake.emulator.world.log.clear()
    assert here.fetch(chosen) == {file.name: here.content(file.name)}
    assert len(here.ranges()) == -(-(file.size - size) // 1_000)
    assert not list(here.into.rglob("*.part"))


@pytest.mark.parametrize("kind", ["reset", "truncate", "html"])
def test_a_range_that_came_in_part_is_asked_for_again(here: Fetching, kind: str) -> None:
    here.make(hours_ago=3)
    chosen = here.find()
    here.fault(kind=kind, skip=3, times=2)
    assert here.fetch(chosen) == {file.name: here.content(file.name) for file in chosen.run.files}


def test_a_service_that_ignores_ranges_is_not_believed(here: Fetching) -> None:
    here.make(hours_ago=3)
    chosen = here.find()
    here.fault(status=200, body="x" * 5_000, times=None)
    with pytest.raises(Lost, match=r"bytes 0 to 1,000 of [\d,]+ were asked for, and 5,000 of 5000 came"):
        here.fetch(chosen)
    assert not list(here.into.rglob("*.csv"))


def test_a_file_that_changes_while_it_is_read_is_a_fault(here: Fetching) -> None:
    folder = here.make(hours_ago=3)
    chosen = here.find()
    here.fault(status=403, skip=7, times=1)
    with pytest.raises(Refused):
        here.fetch(chosen)
    # As long as before, and something else: a length alone would not tell.
    here.rewrite(f"{folder}/nightly.csv")
    with pytest.raises(InventoryFault) as told:
        here.fetch(chosen)
    assert str(told.value) == (
        f"inventory {folder}/nightly.csv: it changed while it was read (412 ConditionNotMet); run the same "
        "command again"
    )
    # The next reading lists anew; what was fetched of the other version is not built on.
    assert here.fetch(here.find()) == {f"{folder}/nightly.csv": here.content(f"{folder}/nightly.csv")}
    assert not list(here.into.rglob("*.part"))


def test_a_file_that_is_gone_is_a_fault(here: Fetching) -> None:
    folder = here.make(hours_ago=3)
    chosen = here.find()
    here.fault(status=404, headers={"x-ms-error-code": "BlobNotFound"}, times=None)
    with pytest.raises(InventoryFault, match="it changed while it was read") as told:
        here.fetch(chosen)
    assert told.value.place == f"{folder}/nightly.csv"


def test_a_full_disk_is_told_before_anything_is_fetched(
    here: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = here.make(hours_ago=3)
    chosen = here.find()
    monkeypatch.setattr(client_inventory, "SPARE", 1 << 60)
    here.lake.emulator.world.log.clear()
    with pytest.raises(InventoryFault) as told:
        here.fetch(chosen)
    assert told.value.flaw is Flaw.SPACE
    assert str(told.value).startswith(
        f"inventory {folder}: its files take {chosen.run.size:,} bytes more, and "
    )
    assert here.ranges() == []


def test_an_old_run_is_named_though_its_day_was_not_asked_for(here: Fetching) -> None:
    folder = here.make(hours_ago=24 * 40)
    with pytest.raises(InventoryFault) as told:
        here.find()
    assert str(told.value).startswith(f"inventory {folder}: it began 40 days ago, and max-age is 36 h")
    assert here.find(max_age=timedelta(days=60)).run.folder == folder


def test_only_young_days_are_listed(here: Fetching) -> None:
    for days in range(1, 30, 3):
        here.make(hours_ago=24 * days)
    newest = here.make(hours_ago=3)
    here.lake.emulator.world.log.clear()
    assert here.find().run.folder == newest
    # Two or three days, a manifest and its checksum.
    assert len(here.lake.requests("comp=list")) in (2, 3)
    assert len(here.lake.requests("/inventory")) <= 5


def test_a_bad_run_is_passed_over_with_two_more_requests(here: Fetching) -> None:
    good = here.make(hours_ago=20)
    bad = here.make(hours_ago=3, faults=["short-file"])
    chosen = here.find()
    assert chosen.run.folder == good
    assert [each.place for each in chosen.passed] == [bad]


def test_no_container_and_no_right_are_refusals(tmp_path: Path) -> None:
    with fetching(tmp_path) as here:
        with pytest.raises(Refused, match="404 ContainerNotFound"):
            here.find()
        here.make(hours_ago=3)
        here.fault(status=403, headers={"x-ms-error-code": "AuthorizationPermissionMismatch"}, target=".json")
        with pytest.raises(Refused, match="403 AuthorizationPermissionMismatch"):
            here.find()


def test_an_empty_container_has_no_run(tmp_path: Path) -> None:
    empty = fetching(tmp_path, filesystems={"inventory": {}})
    with empty as here, pytest.raises(InventoryFault, match="there is no run of this rule"):
        here.find()


def test_a_run_of_nothing_is_whole(tmp_path: Path) -> None:
    with fetching(tmp_path) as here:
        here.make(hours_ago=3, matched=["nothing/"])
        chosen = here.find()
        (content,) = here.fetch(chosen).values()
        assert content.startswith(b"Name,") and content.count(b"\n") == 1


def test_names_of_the_destination_may_be_odd(tmp_path: Path) -> None:
    with fetching(tmp_path) as here:
        folder = here.make(hours_ago=3, prefix="100% a+b/ü&<x>")
        chosen = here.find(prefix="100% a+b/ü&<x>")
        assert chosen.run.folder == folder
        assert list(here.fetch(chosen)) == [f"{folder}/nightly.csv"]


@pytest.mark.parametrize("target", ["comp=list", r"manifest\.json", r"manifest\.checksum", r"\.csv$"])
def test_what_came_short_on_its_way_is_fetched_again(here: Fetching, target: str) -> None:
    here.make(hours_ago=3)
    here.fault(target=target, kind="cut")
    (fault,) = here.lake.emulator.world.faults.active
    fetched = here.fetch(here.find())
    assert fault.struck == 1
    assert fetched and all(content == here.content(name) for name, content in fetched.items())
