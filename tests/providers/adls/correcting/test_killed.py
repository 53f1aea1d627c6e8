"""Killed between any two requests, the same command run again ends at exactly what was approved."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.core.plan import Action, Status
from tests.providers.adls.correcting.tap import (
    Dead,
    Tap,
    eager,
    kept,
    meaning,
    notes,
    paged,
    put_back,
    reborn,
    recursive,
    tapped,
    write,
)
from tests.providers.adls.lake import ACCOUNT, BASE, Lake, about, folder, lake

PAGE = 3
PATHS = [
    {"path": "pricing"},
    *({"path": f"pricing/{top}"} for top in "abc"),
    *({"path": f"pricing/{top}/f{file}", "type": "file"} for top in "abc" for file in range(2)),
    {"path": "pricing/b/deep"},
    *({"path": f"pricing/b/deep/g{file}", "type": "file"} for file in range(2)),
]
GRANTS = {"group:pricing-ds": "read", "group:pricing-eng": "write"}


def uniform(here: Lake) -> None:
    """Every path is to change, and to the same list."""
    here.documents = [folder(grants=GRANTS)]


def nested(here: Lake) -> None:
    """Deeper folders of others, one with entries that nobody lists, in the middle."""
    here.documents = [
        folder(grants=GRANTS),
        folder("curated/pricing/a", tenant="sales", grants={"group:sales": "read"}),
        folder("curated/pricing/b/deep", tenant="sales", grants={}, unlisted="keep"),
    ]
    here.set("pricing/b/deep/g1", "user::rw-,user:bo@corp.example:rwx,group::r--,mask::rwx,other::---")


def mixed(here: Lake) -> None:
    """Others' entries that have to stay, under masks that have to hold."""
    here.documents = [folder(grants=GRANTS, unlisted="keep")]
    for file in range(2):
        here.set(f"pricing/a/f{file}", "user::rw-,user:bo@corp.example:rwx,group::rw-,mask::r--,other::---")
    here.set("pricing/c", BASE + ",user:ana@corp.example:rwx,default:user:ana@corp.example:r-x")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    eager(monkeypatch)
    with lake(tmp_path, PATHS, patience=3) as running:
        yield running


def planned(here: Lake) -> list[Action]:
    """The grants of one folder, which is one batch of an apply."""
    top = f"adls/{ACCOUNT}/folder/curated/pricing"
    return [action for action in about(here, kind="folder") if str(action.address) == top]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scene", [uniform, nested, mixed])
def test_killed_before_any_request_or_after_any_write_the_next_run_finishes_exactly(
    here: Lake, tmp_path: Path, scene: Callable[[Lake], None], when: str
) -> None:
    scene(here)
    paged(here, PAGE)
    actions = planned(here)
    start = kept(here, "pricing")
    here.emulator.world.log.clear()
    assert {each.status for each in write(here, actions).values()} == {Status.ACCEPTED}
    whole, wanted = len(recursive(here)), meaning(here, "pricing")
    at = 0
    while True:
        at += 1
        put_back(start)
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        here.emulator.world.log.clear()
        tap = Tap(dies_before=at) if when == "before" else Tap(dies_after_write=at)
        try:
            with tapped(tap):
                write(here, actions, notes(tmp_path / "store", actions))
        except Dead:
            reborn(here, tmp_path, PAGE)
            outcomes = write(here, actions, notes(tmp_path / "store", actions, "run-2"))
            assert {each.status for each in outcomes.values()} == {Status.ACCEPTED}, at
        assert meaning(here, "pricing") == wanted, f"killed {when} {at}"
        if not tap.dead:
            break
        if scene is uniform:
            # What was answered and noted is not sent again.
            assert len(recursive(here)) <= whole + 1, at
    assert at > whole
