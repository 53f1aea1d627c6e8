"""Nobody has a bad moment: every state between two writes, on random estates, against a simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.approval import Court, approve
from reconciler.core.chosen import Ground, consented
from reconciler.core.moments import BAD_MOMENT, IN_PART, violations
from reconciler.core.order import Order, arrange
from reconciler.core.plan import Action, ApprovedPlan, Plan
from tests.core.courts import court
from tests.core.moving import (
    KINDS,
    THINGS,
    Motion,
    bad,
    crossings,
    good_moments,
    has_good_order,
    motions,
    subsets,
)

Draw = Callable[[int], st.SearchStrategy[Motion]]
"""Motions of no more than so many actions."""
DRAWN: dict[str, Draw] = {
    "groups": partial(motions, THINGS[0]),
    "workspace": partial(motions, THINGS[1]),
    "lake": partial(motions, THINGS[2]),
    "crossings": crossings,
}
each_estate = pytest.mark.parametrize("drawn", DRAWN.values(), ids=list(DRAWN))
NOTHING = (frozenset[object](), frozenset[object]())


def ordered(motion: Motion) -> Order:
    return arrange(motion.actions, KINDS, motion.wanted, motion.live)


def knots(found: Order) -> list[set[str]]:
    return [{action.id for action in knot.actions} for knot in found.knots]


@each_estate
@settings(max_examples=25)
@given(data=st.data())
def test_no_order_that_heeds_needs_has_a_bad_moment(drawn: Draw, data: st.DataObject) -> None:
    motion = data.draw(drawn(8))
    found = ordered(motion)
    assert sorted(each.id for each in found.actions) == sorted(each.id for each in motion.actions)
    for done in subsets(found.actions):
        ids = {each.id for each in done}
        if all(ids.issuperset(each) or ids.isdisjoint(each) for each in knots(found)):
            assert bad(motion, done) == NOTHING, [str((a.verb, a.address, a.attribute)) for a in done]


@each_estate
@settings(max_examples=40)
@given(data=st.data())
def test_a_good_order_is_found_where_there_is_one(drawn: Draw, data: st.DataObject) -> None:
    motion = data.draw(drawn(6))
    found = ordered(motion)
    if not found.knots:
        assert good_moments(motion, found.actions)
    elif has_good_order(motion):
        raise AssertionError([str((a.verb, a.address, a.attribute)) for a in motion.actions])


@each_estate
@settings(max_examples=25)
@given(data=st.data(), chance=st.randoms(use_true_random=False))
def test_the_order_depends_on_nothing_but_the_actions(
    drawn: Draw, data: st.DataObject, chance: Random
) -> None:
    motion = data.draw(drawn(10))
    shuffled: list[Action] = list(motion.actions)
    chance.shuffle(shuffled)
    found = ordered(motion)
    assert arrange(shuffled, KINDS, motion.wanted, motion.live) == found
    seen: set[str] = set()
    for action in found.actions:
        assert set(action.needs) <= seen, "nothing comes before what it needs"
        seen.add(action.id)


def part_of(motion: Motion, found: Order, judged: Court) -> ApprovedPlan:
    """What goes of a plan when this is approved of it."""
    plan = Plan(
        environment="test", revision="r", as_of=date(2026, 1, 1), actions=found.actions,
        violations=tuple(violations(found.knots, KINDS)),
    )  # fmt: skip
    ground = Ground(kinds=KINDS, wanted=motion.wanted, live=motion.live, lenient=found.lenient)
    return consented(plan, lambda plan: approve(plan, judged), ground)


def parts(actions: Sequence[Action]) -> st.SearchStrategy[list[Action]]:
    """What somebody may approve of a plan: anything, or all of it but what is about one thing."""
    if not actions:
        return st.just([])
    some = st.sets(st.sampled_from([each.id for each in actions])).map(
        lambda ids: [each for each in actions if each.id in ids]
    )
    things = sorted({each.address for each in actions})
    most = st.sampled_from(things).map(lambda out: [each for each in actions if each.address != out])
    return st.one_of(some, most)


@each_estate
@settings(max_examples=50)
@given(data=st.data())
def test_no_part_of_a_plan_has_a_bad_moment_without_consent(drawn: Draw, data: st.DataObject) -> None:
    motion = data.draw(drawn(7))
    found = ordered(motion)
    chosen = data.draw(parts(found.actions))
    part = part_of(motion, found, court(chosen))
    refused = {each.action: each.reason for each in part.refused}
    assert {each.id for each in part.actions} | refused.keys() == {each.id for each in chosen}
    assert all("guardrail bad-moment" in reason for reason in refused.values())
    ids = {each.id for each in chosen}
    firm = {each.id: set(each.needs) - (found.lenient.get(each.id, frozenset()) - ids) for each in chosen}
    held_up = [each for each in part.actions if firm[each.id] - ids]
    assert all(set(each.needs) - ids for each in held_up), "it goes on waiting for what nobody approved"
    sent: list[Action] = []
    for each in part.actions:
        if set(each.needs) <= {one.id for one in sent}:
            sent.append(each)
    moved = replace(motion, after=motion.state(sent), actions=sent)
    for done in subsets(sent):
        assert bad(moved, done) == NOTHING


@each_estate
@settings(max_examples=25)
@given(data=st.data())
def test_with_consent_to_bad_moments_all_that_is_approved_goes(drawn: Draw, data: st.DataObject) -> None:
    motion = data.draw(drawn(7))
    found = ordered(motion)
    chosen = data.draw(parts(found.actions))
    whole = {each.id for each in chosen}
    for knot in found.knots:
        if not whole.issuperset(each.id for each in knot.actions):
            whole -= {each.id for each in knot.actions}
    agreed = court(chosen, {BAD_MOMENT: "agreed", IN_PART: "agreed"})
    part = part_of(motion, found, agreed)
    assert {each.id for each in part.actions} == whole


@each_estate
@settings(max_examples=40)
@given(data=st.data())
def test_a_part_is_refused_only_where_it_has_no_good_order(drawn: Draw, data: st.DataObject) -> None:
    motion = data.draw(drawn(7))
    found = ordered(motion)
    if found.knots:
        return
    chosen = data.draw(parts(found.actions))[:6]
    part = part_of(motion, found, court(chosen))
    if part.refused:
        held_up = {each.id for each in part.actions if set(each.needs) - {one.id for one in chosen}}
        sent = [each for each in chosen if each.id not in held_up]
        assert not has_good_order(replace(motion, after=motion.state(sent), actions=sent))
