"""The order of actions and what they wait for."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.diff import diff
from reconciler.core.model import Attribute, Lifecycle, Live, Verb, Wanted
from reconciler.core.order import RANK, order
from reconciler.core.plan import Action
from tests.core.estates import KINDS, PEOPLE, address, found, frame, live, pairs, wanted

EXISTS = Attribute("exists")
ANA = "user:ana@corp.example"
TEAM = "group:pricing ds"


def plan(wants: list[Wanted], state: Live) -> tuple[Action, ...]:
    return order(diff(wants, state, frame()).actions, KINDS, wants, state)


@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_is_deterministic_and_widens_before_it_narrows(
    pair: tuple[Wanted, Live], chance: object
) -> None:
    actions = list(diff([pair[0]], pair[1], frame()).actions)
    ordered = order(actions, KINDS, [pair[0]])
    chance.shuffle(actions)  # type: ignore[attr-defined]
    assert order(actions, KINDS, [pair[0]]) == ordered
    ranks = [RANK[action.verb] for action in ordered]
    assert ranks == sorted(ranks)


@given(pairs())
def test_nothing_needs_what_comes_after_it(pair: tuple[Wanted, Live]) -> None:
    seen: set[str] = set()
    for action in plan([pair[0]], pair[1]):
        assert set(action.needs) <= seen
        seen.add(action.id)


def test_grants_wait_for_the_thing_that_they_are_made_on() -> None:
    create, grant = plan([wanted({EXISTS: "present", Attribute("acl", ANA): "READ"})], Live())
    assert (create.verb, create.needs) == (Verb.CREATE, ())
    assert grant.needs == (create.id,)


def test_entitlements_wait_for_the_assignment_and_go_before_it() -> None:
    facts = {Attribute("assignment", ANA): "USER", Attribute("workspace-access", ANA): "held"}
    want = wanted(facts, "entitlements", address=address("entitlements", ANA))
    assignment, entitlement = plan([want], Live())
    assert assignment.attribute.role == "assignment"
    assert entitlement.needs == (assignment.id,)
    state = live(replace(found(facts, "entitlements"), address=want.address))
    first, last = plan([replace(want, lifecycle=Lifecycle.RETIRED)], state)
    assert (first.attribute.role, last.attribute.role) == ("workspace-access", "assignment")
    assert last.needs == (first.id,)


def test_a_thing_goes_only_after_every_grant_on_it() -> None:
    facts = {EXISTS: "present", Attribute("acl", ANA): "READ", Attribute("acl", TEAM): "READ"}
    *revokes, delete = plan([wanted(facts, lifecycle=Lifecycle.DESTROYED)], live(found(facts)))
    assert delete.verb is Verb.DELETE
    assert set(delete.needs) == {revoke.id for revoke in revokes}


def test_a_direct_grant_goes_only_after_the_group_that_replaces_it() -> None:
    group = wanted(
        {EXISTS: "present", Attribute("member", ANA): "member"},
        "group",
        address=address("group", "pricing ds"),
    )
    scope = wanted({EXISTS: "present", Attribute("acl", TEAM): "READ"})
    state = live(
        found({EXISTS: "present"}, "group", address=group.address, object_id="g"),
        found({EXISTS: "present", Attribute("acl", ANA): "READ"}),
    )
    actions = {
        action.verb: action for action in plan([group, scope], state) if action.address == scope.address
    }
    joining = next(a for a in plan([group, scope], state) if a.attribute.role == "member")
    assert set(actions[Verb.REVOKE].needs) == {actions[Verb.GRANT].id, joining.id}


def test_a_revoke_that_nothing_replaces_waits_for_nothing() -> None:
    state = live(found({EXISTS: "present", Attribute("acl", ANA): "READ"}))
    actions = plan([wanted({EXISTS: "present", Attribute("acl", PEOPLE[1]): "READ"})], state)
    assert [action.needs for action in actions] == [(), ()]
