"""Every request that writes to a lake asks right before it leaves, each part of a recursive call too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.core.errors import StoreError
from reconciler.core.plan import Action
from reconciler.providers.adls.provider import Lakes
from tests.providers.adls.correcting.tap import eager, paged, recursive, write
from tests.providers.adls.lake import Lake, about, folder, lake

TREE = [
    {"path": "pricing"},
    *({"path": f"pricing/{top}/f{file}", "type": "file"} for top in "abc" for file in range(4)),
]


@dataclass(slots=True)
class Guard:
    """Lets so many writes leave, and counts who asked."""

    lets: int
    asked: int = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.asked > self.lets:
            raise StoreError("the lock was lost")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    eager(monkeypatch)
    with lake(tmp_path, TREE, patience=3) as running:
        running.documents = [folder(grants={"group:pricing-ds": "read"})]
        yield running
        running.provider.close()


def guarded(here: Lake, root: Path, lets: int) -> tuple[Guard, list[Action]]:
    """Actions on a tree, and a provider that asks a guard; recursive calls take several requests."""
    guard = Guard(lets)
    here.provider.close()
    here.provider = Lakes(here.environment, here.environ, root, guard)
    paged(here, 3)
    actions = about(here, kind="folder")
    here.emulator.world.log.clear()
    return guard, actions


def test_every_write_asks_once_and_no_read_does(here: Lake, tmp_path: Path) -> None:
    guard, actions = guarded(here, tmp_path, 1_000)
    here.emulator.world.faults.add_json({"service": "lake/datalake/dfs", "method": "PATCH", "status": 429})
    write(here, actions)
    # Signing in is a POST as well, and no write.
    assert len(recursive(here)) > 2 and guard.asked == len(here.requests("PATCH"))


@pytest.mark.parametrize("lets", [0, 1, 2])
def test_a_recursive_call_stops_before_any_of_its_parts(here: Lake, tmp_path: Path, lets: int) -> None:
    guard, actions = guarded(here, tmp_path, lets)
    with pytest.raises(StoreError, match="the lock was lost"):
        write(here, actions)
    assert len(recursive(here)) == len(here.requests("PATCH")) == lets
