"""The laws of the provider once more, where every tree is worth a recursive call, and with a kill in between.

Trees are random, and so are the halves of their plans; judged is by the emulator's own verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.plan import Action, Status
from tests.providers.adls import test_laws as laws
from tests.providers.adls.correcting.tap import (
    Dead,
    Tap,
    eager,
    kept,
    meaning,
    notes,
    paged,
    put_back,
    recursive,
    tapped,
    write,
)
from tests.providers.adls.lake import Lake, lake

TOP = "adls/datalake/folder/curated/pricing"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    paths = [{"path": path} for path in laws.DIRECTORIES]
    paths += [{"path": path, "type": "file"} for path in laws.FILES]
    with pytest.MonkeyPatch.context() as patch:
        eager(patch)
        with lake(tmp_path_factory.mktemp("lake"), paths) as running:
            paged(running, 2)
            yield running


def example(law: Any, here: Lake, data: st.DataObject) -> None:
    """One example of a law that is written down elsewhere."""
    law.hypothesis.inner_test(here, data)


@settings(max_examples=12, phases=laws.QUICK)
@given(data=st.data())
def test_half_of_a_plan_does_exactly_its_half(here: Lake, data: st.DataObject) -> None:
    example(laws.test_half_of_a_plan_does_exactly_its_half, here, data)


@settings(max_examples=12, phases=laws.QUICK)
@given(data=st.data())
def test_a_whole_plan_leaves_nothing_to_do(here: Lake, data: st.DataObject) -> None:
    example(laws.test_a_whole_plan_leaves_nothing_to_do, here, data)


def of_one_verb(here: Lake, data: st.DataObject) -> list[Action]:
    """Some actions that an apply would send together."""
    actions = [action for action in here.plan() if str(action.address) == TOP]
    if not actions:
        return []
    verb = data.draw(st.sampled_from(sorted({action.verb for action in actions})), label="verb")
    alike = [action for action in actions if action.verb == verb]
    return [action for action in alike if data.draw(st.integers(0, 3), label="chosen")]


@settings(max_examples=15, phases=laws.QUICK)
@given(data=st.data())
def test_killed_anywhere_the_next_run_ends_where_one_run_would_have(
    here: Lake, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    laws.scatter(here, data)
    actions = of_one_verb(here, data)
    if not actions:
        return
    start = kept(here, "pricing")
    before = {path: node.acl for path, (node, _) in start.items()}
    with tapped(Tap()) as tap:
        whole = write(here, actions)
    wanted = meaning(here, "pricing")
    put_back(start)
    store = tmp_path_factory.mktemp("store")
    killed = data.draw(st.integers(1, tap.writes + 1), label="killed after")
    with tapped(Tap(dies_after_write=killed)), suppress(Dead):
        write(here, actions, notes(store, actions))
    laws.assert_nobody_else_moved(here, before, actions, laws.touched(here, actions))
    here.emulator.world.log.clear()
    outcomes = write(here, actions, notes(store, actions, "run-2"))
    assert meaning(here, "pricing") == wanted
    # What had its place before the kill is no longer counted as written, and nothing else differs.
    done = {Status.ACCEPTED, Status.PARTIAL}
    for ident, outcome in outcomes.items():
        assert (outcome.status in done) >= (whole[ident].status is Status.ACCEPTED), outcome
    assert len(recursive(here)) <= 9
