"""A file of paths holds every path of every action, and no other: as many as the plan counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reconciler.core.model import Live
from reconciler.core.plan import Action
from reconciler.providers.contract import Checkpoint, Question
from tests.providers.adls.inventory.test_reading import here, order
from tests.providers.adls.lake import ODD, TODAY, Lake, folder

__all__ = ["here"]


def read(here: Lake, tmp: Path, *, inventory: bool) -> Live:
    checkpoint = Checkpoint(
        folder=tmp / "scans",
        now=lambda: datetime.fromtimestamp(here.emulator.world.clock.now(), UTC),
        inventories=inventory,
    )
    question = Question(
        wanted=here.wanted(), directory=here.people, as_of=TODAY, checkpoint=checkpoint, keep_paths=True
    )
    return here.provider.read(question)


def told(here: Lake, actions: list[Action], file: Path) -> list[dict[str, Any]]:
    count = here.provider.write_paths(actions, file)
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    assert len(rows) == count
    return rows


@pytest.fixture
def mixed(here: Lake) -> Iterator[Lake]:
    """Rights that differ within a tree, a folder that is left alone, and a way that is closed."""
    here.set("pricing/a/b", "user::rwx,group::r-x,group:pricing-ds:rwx,mask::rwx,other::---")
    yield here


@pytest.mark.parametrize("inventory", [False, True], ids=["live", "inventory"])
def test_the_paths_of_an_action_are_those_that_it_counts(
    mixed: Lake, tmp_path: Path, inventory: bool
) -> None:
    order(mixed, form="parquet", files=2, duplicates=3)
    actions = mixed.plan_of(read(mixed, tmp_path, inventory=inventory))
    rows = told(mixed, actions, tmp_path / "paths.parquet")
    counted = Counter((row["action"], row["before"]) for row in rows)
    spoken = [action for action in actions if action.attribute.role in ("access", "default")]
    assert len(spoken) > 8
    for action in spoken:
        if action.address.kind == "traverse":
            assert counted[action.id, action.before[0]] == 1
            continue
        for value in action.before:
            expected = action.evidence.counts.get(value or "-", 0)
            assert counted.pop((action.id, value), 0) == expected, (action, value)
    assert {action for action, _ in counted} <= {a.id for a in spoken if a.address.kind == "traverse"}
    assert len({(row["action"], row["path"]) for row in rows}) == len(rows), "a path twice"


def test_a_row_says_what_the_path_holds(mixed: Lake, tmp_path: Path) -> None:
    actions = mixed.plan_of(read(mixed, tmp_path, inventory=False))
    rows = told(mixed, actions, tmp_path / "paths.parquet")
    by_id = {action.id: action for action in actions}
    for row in rows:
        action = by_id[row["action"]]
        assert row["acl"] == mixed.node(row["path"]).acl.text
        assert row["directory"] is mixed.node(row["path"]).is_folder
        assert (row["address"], row["after"]) == (str(action.address), action.after)
        assert (row["principal"], row["role"]) == (action.attribute.principal, action.attribute.role)
    lowered = [row for row in rows if row["path"] == "pricing/a/b" and row["before"] == "rwx"]
    assert [(row["principal"], row["role"]) for row in lowered] == [("group:pricing-ds", "access")]


def test_names_that_are_odd_are_whole(mixed: Lake, tmp_path: Path) -> None:
    mixed.documents = [folder("curated/sales", tenant="sales", grants={"group:sales": "read"})]
    actions = mixed.plan_of(read(mixed, tmp_path, inventory=False))
    paths = {row["path"] for row in told(mixed, actions, tmp_path / "paths.parquet")}
    assert {f"sales/{name}/{name}" for name in ODD if name.isprintable()} <= paths


def test_where_nothing_was_kept_the_file_is_empty(mixed: Lake, tmp_path: Path) -> None:
    assert mixed.read().found
    assert told(mixed, mixed.plan(), tmp_path / "paths.parquet") == []


def test_what_was_kept_goes_with_the_provider(mixed: Lake, tmp_path: Path) -> None:
    read(mixed, tmp_path, inventory=False)
    shelf = mixed.provider._shelf
    assert shelf is not None and shelf.file.parent.exists()
    mixed.provider.close()
    assert not shelf.file.parent.exists()
