"""Nobody has a bad moment: every state between two writes, on random estates, against a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.chosen import reordered
from reconciler.core.model import Address
from reconciler.core.order import Order, arrange
from reconciler.core.plan import Action, ApprovedPlan, Plan
from tests.core.moving import KINDS, THINGS, Motion, bad, good_moments, has_good_order, motions, subsets

each_estate = pytest.mark.parametrize("things", THINGS, ids=["groups", "workspace", "lake"])
NOTHING = (frozenset[object](), frozenset[object]())


def ordered(motion: Motion) -> Order:
    return arrange(motion.actions, KINDS, motion.wanted, motion.live)


def knotted(found: Order) -> set[str]:
    return {action.id for knot in found.knots for action in knot.actions}


@each_estate
@settings(max_examples=25)
@given(data=st.data())
def test_no_order_that_heeds_needs_has_a_bad_moment(things: Sequence[Address], data: st.DataObject) -> None:
    motion = data.draw(motions(things, 8))
    found = ordered(motion)
    assert sorted(each.id for each in found.actions) == sorted(each.id for each in motion.actions)
    knot = knotted(found)
    free = [each for each in found.actions if each.id not in knot]
    assert not any(set(each.needs) & knot for each in free), "nothing waits for what may be refused"
    for done in subsets(free):
        assert bad(motion, done) == NOTHING, [str((a.verb, a.address, a.attribute)) for a in done]


@each_estate
@settings(max_examples=40)
@given(data=st.data())
def test_a_good_order_is_found_where_there_is_one(things: Sequence[Address], data: st.DataObject) -> None:
    motion = data.draw(motions(things, 6))
    found = ordered(motion)
    if not found.knots:
        assert good_moments(motion, found.actions)
    elif has_good_order(motion):
        raise AssertionError([str((a.verb, a.address, a.attribute)) for a in motion.actions])


@each_estate
@settings(max_examples=25)
@given(data=st.data(), chance=st.randoms(use_true_random=False))
def test_the_order_depends_on_nothing_but_the_actions(
    things: Sequence[Address], data: st.DataObject, chance: Random
) -> None:
    motion = data.draw(motions(things, 10))
    shuffled: list[Action] = list(motion.actions)
    chance.shuffle(shuffled)
    found = ordered(motion)
    assert arrange(shuffled, KINDS, motion.wanted, motion.live) == found
    seen: set[str] = set()
    for action in found.actions:
        assert set(action.needs) <= seen, "nothing comes before what it needs"
        seen.add(action.id)


@each_estate
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_approved_of_a_plan_has_no_bad_moment_by_itself(
    things: Sequence[Address], data: st.DataObject
) -> None:
    motion = data.draw(motions(things, 7))
    found = ordered(motion)
    chosen = [each for each in found.actions if data.draw(st.booleans())]
    plan = Plan(environment="test", revision="r", as_of=date(2026, 1, 1), actions=found.actions)
    approved = ApprovedPlan(plan=plan, actions=tuple(chosen))
    again = reordered(approved, found.lenient, KINDS, motion.wanted, motion.live)
    assert {each.id for each in again.actions} == {each.id for each in chosen}
    ids = {each.id for each in chosen}
    firm = {each.id: set(each.needs) - (found.lenient.get(each.id, frozenset()) - ids) for each in chosen}
    assert all(firm[each.id] <= set(each.needs) for each in again.actions), "all else is only added to"
    sent: list[Action] = []
    for each in again.actions:
        if set(each.needs) <= {one.id for one in sent}:
            sent.append(each)
    part = replace(motion, after=motion.state(sent), actions=sent)
    if found.knots or arrange(sent, KINDS, motion.wanted, motion.live).knots:
        return
    assert good_moments(part, sent)
