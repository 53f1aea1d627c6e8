"""Cases in which the order of verbs alone lets somebody in or locks somebody out, each with what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest

from reconciler.core.diff import diff
from reconciler.core.model import Attribute, Identity, Live, Presence, Verb, Wanted
from reconciler.core.moments import BAD_MOMENT, unbroken, violations
from reconciler.core.order import RANK, Order, arrange
from reconciler.core.plan import Action, ApprovedPlan, Plan, Status
from tests.core.estates import HERE, frame, known_identity
from tests.core.moving import (
    EXISTS,
    KINDS,
    Motion,
    State,
    bad,
    entitlements,
    folder,
    good_moments,
    group,
    has_good_order,
    motion,
    scope,
    subsets,
    way,
)

ANA, BO, CY = "user:ana", "user:bo", "user:cy"
G0, G1, G2 = "group:g0", "group:g1", "group:g2"


def of(*members: str) -> dict[Attribute, str]:
    return {EXISTS: "present"} | {Attribute("member", who): "member" for who in members}


def acl(**held: str) -> dict[Attribute, str]:
    return {EXISTS: "present"} | {Attribute("acl", _who(who)): value for who, value in held.items()}


def access(**held: str) -> dict[Attribute, str]:
    return {EXISTS: "present"} | passes(**held)


def passes(**held: str) -> dict[Attribute, str]:
    return {Attribute("access", _who(who)): value for who, value in held.items()}


def _who(name: str) -> str:
    return name if name == "other" else f"group:{name}" if name.startswith("g") else f"user:{name}"


def at_work(who: str, *can: str) -> dict[Attribute, str]:
    return {Attribute("assignment", who): "USER"} | {Attribute(role, who): "held" for role in can}


CASES: Mapping[str, tuple[State, State]] = {
    "a user moves to a group that holds the same": (
        {group("g0"): of(ANA), group("g1"): of(BO), scope("s"): acl(g0="READ", g1="READ")},
        {group("g0"): of(), group("g1"): of(ANA, BO), scope("s"): acl(g0="READ", g1="READ")},
    ),
    "a user moves to a group that holds the same only afterwards": (
        {group("g0"): of(ANA, BO), group("g1"): of(), scope("s"): acl(g0="READ")},
        {group("g0"): of(BO), group("g1"): of(ANA), scope("s"): acl(g1="READ")},
    ),
    "a user leaves a group as it is given something": (
        {group("g0"): of(ANA, BO), scope("s"): acl()},
        {group("g0"): of(BO), scope("s"): acl(g0="WRITE")},
    ),
    "a user joins a group as something is taken from it": (
        {group("g0"): of(BO), scope("s"): acl(g0="WRITE")},
        {group("g0"): of(ANA, BO), scope("s"): acl()},
    ),
    "two users change places while a right does not": (
        {group("g0"): of(ANA), group("g1"): of(BO), scope("s"): acl(g0="READ")},
        {group("g0"): of(BO), group("g1"): of(ANA), scope("s"): acl(g1="READ")},
    ),
    "a group replaces another one on a scope": (
        {group("g0"): of(ANA, BO), group("g1"): of(BO, CY), scope("s"): acl(g0="WRITE")},
        {group("g0"): of(ANA, BO), group("g1"): of(BO, CY), scope("s"): acl(g1="WRITE")},
    ),
    "a group within a group replaces its members": (
        {group("g0"): of(ANA, BO), group("g1"): of(), scope("s"): acl(g0="READ")},
        {group("g0"): of(G1), group("g1"): of(ANA, BO), scope("s"): acl(g0="READ")},
    ),
    "a right is split over two groups": (
        {group("g0"): of(ANA), group("g1"): of(ANA), scope("s"): acl(ana="MANAGE")},
        {group("g0"): of(ANA), group("g1"): of(ANA), scope("s"): acl(g0="READ", g1="MANAGE")},
    ),
    "an entitlement moves to a group": (
        {group("g0"): of(ANA), entitlements(ANA): at_work(ANA, "workspace-access"), entitlements(G0): {}},
        {group("g0"): of(ANA), entitlements(ANA): {}, entitlements(G0): at_work(G0, "workspace-access")},
    ),
    "somebody comes to a workspace as a scope there is closed to him": (
        {entitlements(ANA): {}, scope("s"): acl(ana="READ")},
        {entitlements(ANA): at_work(ANA), scope("s"): acl()},
    ),
    "somebody leaves the group that let him into a workspace as a scope there opens to him": (
        {group("g0"): of(ANA), entitlements(G0): at_work(G0), scope("s"): acl()},
        {group("g0"): of(), entitlements(G0): at_work(G0), scope("s"): acl(ana="READ")},
    ),
    "a grant moves down a tree": (
        {way("c"): passes(other="--x"), way("c/a"): passes(),
         folder("c/a"): access(ana="r-x"), folder("c/a/b"): access(ana="r-x")},
        {way("c"): passes(other="--x"), way("c/a"): passes(other="--x"),
         folder("c/a"): access(), folder("c/a/b"): access(ana="r-x")},
    ),
    "a grant moves up a tree": (
        {way("c"): passes(other="--x"), way("c/a"): passes(ana="--x"),
         folder("c/a"): access(), folder("c/a/b"): access(ana="r-x")},
        {way("c"): passes(other="--x"), way("c/a"): passes(),
         folder("c/a"): access(ana="r-x"), folder("c/a/b"): access(ana="r-x")},
    ),
    "the way to a folder is opened as it is closed to somebody": (
        {way("c"): passes(), folder("c/a"): access(ana="rwx")},
        {way("c"): passes(ana="--x"), folder("c/a"): access(ana="r-x")},
    ),
    "one way on the path is opened to somebody as the next one is closed to him": (
        {way("c"): passes(bo="--x"), way("c/a"): passes(ana="--x"), folder("c/a/f"): access(ana="r-x")},
        {way("c"): passes(bo="--x", ana="--x"), way("c/a"): passes(), folder("c/a/f"): access(ana="r-x")},
    ),
    "an entry that bars somebody from the way is taken away as what lies behind it is": (
        {way("c"): passes(other="--x"), group("g0"): of(ANA, BO),
         folder("c/a"): access(g0="r-x", ana="---"), folder("c/a/b"): access(ana="r-x")},
        {way("c"): passes(other="--x"), group("g0"): of(ANA, BO),
         folder("c/a"): access(g0="r-x"), folder("c/a/b"): access()},
    ),
    "an entry with which nobody passes is taken away as what lies behind it is": (
        {way("c"): passes(other="--x"), group("g0"): of(ANA, BO),
         folder("c/a"): access(g0="r-x", ana="r--"), folder("c/a/b"): access(ana="r-x")},
        {way("c"): passes(other="--x"), group("g0"): of(ANA, BO),
         folder("c/a"): access(g0="r-x"), folder("c/a/b"): access()},
    ),
    "whoever is barred from a folder gets through it by a way of his own": (
        {way("c"): passes(other="--x"), group("g0"): of(ANA), way("c/a"): passes(ana="--x"),
         folder("c/a"): access(g0="r-x", ana="r--"), folder("c/a/b"): access(ana="r-x")},
        {way("c"): passes(other="--x"), group("g0"): of(ANA), way("c/a"): passes(),
         folder("c/a"): access(g0="r-x"), folder("c/a/b"): access(ana="r-x")},
    ),
    "an entry of somebody's own comes in place of his group's": (
        {way("c"): passes(other="--x"), group("g0"): of(ANA, BO), folder("c/a"): access(g0="rwx", ana="r-x")},
        {way("c"): passes(other="--x"), group("g0"): of(BO), folder("c/a"): access(g0="rwx", bo="r-x")},
    ),
}  # fmt: skip
"""Before and after; the verbs' order has a bad moment in those of `LOST`."""
LOST = {
    "a user moves to a group that holds the same only afterwards": False,
    "a user leaves a group as it is given something": True,
    "a user joins a group as something is taken from it": True,
    "two users change places while a right does not": True,
    "somebody comes to a workspace as a scope there is closed to him": True,
    "somebody leaves the group that let him into a workspace as a scope there opens to him": True,
    "the way to a folder is opened as it is closed to somebody": True,
    "one way on the path is opened to somebody as the next one is closed to him": True,
    "an entry that bars somebody from the way is taken away as what lies behind it is": True,
    "an entry with which nobody passes is taken away as what lies behind it is": True,
    "an entry of somebody's own comes in place of his group's": True,
}


def ordered(moved: Motion) -> Order:
    return arrange(moved.actions, KINDS, moved.wanted, moved.live)


@pytest.mark.parametrize("case", CASES)
def test_nobody_has_a_bad_moment(case: str) -> None:
    moved = motion(*CASES[case])
    found = ordered(moved)
    assert not found.knots and len(found.actions) == len(moved.actions) > 1
    assert good_moments(moved, found.actions)
    assert all(bad(moved, done) == (frozenset(), frozenset()) for done in subsets(found.actions))
    by_verb = sorted(moved.actions, key=lambda action: RANK[action.verb])
    assert good_moments(moved, by_verb) is not LOST.get(case, False), "what the verbs alone would do"


def words(action: Action) -> str:
    return f"{action.verb} {action.attribute.principal} on {action.address.locator}"


def test_what_is_taken_waits_for_what_replaces_it_and_for_nothing_else() -> None:
    moved = motion(
        {group("g0"): of(ANA, BO), group("g1"): of(), scope("s"): acl(g0="READ", bo="READ", cy="READ")},
        {group("g0"): of(BO), group("g1"): of(ANA), scope("s"): acl(g1="READ", bo="READ")},
    )
    found = {words(action): action for action in ordered(moved).actions}
    names = {action.id: name for name, action in found.items()}
    needs = {name: {names[need] for need in action.needs} for name, action in found.items()}
    replacing = {"grant user:ana on g1", "grant group:g1 on s"}
    assert needs["revoke user:ana on g0"] == needs["revoke group:g0 on s"] == replacing
    assert needs["revoke user:cy on s"] == set(), "nothing replaces it"
    assert needs["grant user:ana on g1"] == needs["grant group:g1 on s"] == set()


BOTH = {scope("t"): acl(g0="READ", g1="READ")}
CROSSING = (
    {group("g0"): of(BO), group("g1"): of(ANA), scope("s"): acl(g1="READ"), **BOTH},
    {group("g0"): of(ANA), group("g1"): of(BO), scope("s"): acl(g0="READ"), **BOTH},
)
"""Ana keeps reading s and bo never may, while both keep reading t: whoever moves first is in the way."""


def test_a_crossing_swap_has_no_good_order_and_the_plan_says_so() -> None:
    moved = motion(*CROSSING)
    assert not has_good_order(moved)
    found = ordered(moved)
    [knot] = found.knots
    first, *rest = found.actions
    assert words(first) == f"grant {ANA} on g0", "that harms nobody, and needs no approval of its own"
    assert list(knot.actions) == rest[:-1]
    assert words(rest[-1]) == f"revoke {ANA} on g1" and knot.actions[-1].id in rest[-1].needs
    moment = knot.moments[0]
    [violation] = violations([knot], KINDS)
    assert (violation.rule, violation.tenant) == (BAD_MOMENT, "t")
    assert set(violation.actions) == {each.id for each in knot.actions}
    assert (
        "user:ana lacks read on databricks/ws/secret-scope/s, which he holds before and after"
        in (violation.text)
        or "user:bo lacks" in violation.text
    )
    assert f"between {moment.after.verb} {moment.after.attribute.principal}" in violation.text
    assert "override rule 'bad-moment'" in violation.text


def test_the_shortest_bad_moment_is_the_shortest_of_all_orders() -> None:
    moved = motion(*CROSSING)
    found = ordered(moved)

    def length(actions: tuple[Action, ...]) -> int:
        return sum(bad(moved, actions[:count]) != (frozenset(), frozenset()) for count in range(len(actions)))

    assert length(found.actions) == min(map(length, permutations(moved.actions))) > 0
    at = [bad(moved, found.actions[:count]) for count in range(len(found.actions))]
    assert all(not let_in for _, let_in in at), "rather lack something for a moment than let somebody in"


def test_what_has_no_good_order_goes_step_by_step_or_not_at_all() -> None:
    moved = motion(*CROSSING)
    found = ordered(moved)
    [knot] = found.knots
    chain = tuple(knot.actions)
    assert len(found.actions) == len(chain) + 2
    assert chain[0].needs == (found.actions[0].id,)
    assert [set(each.needs) for each in chain[1:]] == [{each.id} for each in chain[:-1]]
    plan = Plan(
        environment="test", revision="r", as_of=date(2026, 1, 1), actions=chain,
        violations=tuple(violations(found.knots, KINDS)),
    )  # fmt: skip
    whole = ApprovedPlan(plan=plan, actions=chain)
    assert unbroken(whole) is whole
    half = unbroken(ApprovedPlan(plan=plan, actions=chain[:-1]))
    assert half.actions == ()
    assert {each.status for each in half.refused} == {Status.REFUSED}
    assert all("approve all of them or none" in each.reason for each in half.refused)
    nothing = ApprovedPlan(plan=plan, actions=())
    assert unbroken(nothing) is nothing


def test_the_rest_goes_on_beside_a_knot() -> None:
    before, after = ({**state, scope("u"): acl()} for state in CROSSING)
    after[scope("u")] = acl(cy="READ", g0="READ", g1="READ")
    after[group("g2")] = of()
    before[group("g2")] = of(CY)
    found = ordered(motion(before, after))
    [knot] = found.knots
    inside = {each.id for each in knot.actions}
    beside = [each for each in found.actions if each.id not in inside]
    assert {words(each) for each in beside} == {
        f"grant {ANA} on g0",
        f"revoke {CY} on g2",
        *(f"grant {who} on u" for who in (CY, G0, G1)),
        f"revoke {ANA} on g1",
    }
    assert [words(each) for each in beside if set(each.needs) & inside] == [f"revoke {ANA} on g1"]


def planned(name: str) -> Identity:
    return Identity(principal=name, presence=Presence.PLANNED, object_id="")


def test_nothing_is_taken_before_what_replaces_it_can_be_planned() -> None:
    """Creating, then granting: the group gets an object id tonight, and its members and grants come next."""
    new = Wanted(address=group("new"), tenant="t", source=HERE, grants=of(ANA), adopted=True)
    on = Wanted(address=scope("s"), tenant="t", source=HERE, grants=acl(gnew="READ"), adopted=True)
    on = replace(on, grants={EXISTS: "present", Attribute("acl", "group:new"): "READ"})
    state = motion({scope("s"): acl(ana="READ", cy="READ")}, {scope("s"): acl()}).live
    people = {name: known_identity(name) for name in (ANA, CY)} | {"group:new": planned("group:new")}
    drift = diff([new, on], state, replace(frame(*people, **people), kinds=KINDS))
    found = arrange(drift.actions, KINDS, [new, on], state, drift.blocked)
    assert [words(each) for each in found.actions] == ["create  on new", f"revoke {CY} on s"]
    [held] = found.waiting
    assert (held.attribute, held.stage) == (Attribute("acl", ANA), "next")
    assert held.reason == (
        "stays until what replaces it is there: group:new on databricks/ws/secret-scope/s"
    ) or held.reason.startswith("stays until what replaces it is there: user:ana on entra/corp/group/new")


def test_a_group_that_is_renamed_is_the_same_group_to_whoever_is_in_it() -> None:
    old = {EXISTS: "present", Attribute("acl", "group:old"): "READ"}
    live = motion({group("old"): of(ANA), group("g1"): of(), scope("s"): old}, {}).live
    wanted = [
        Wanted(address=group("new"), tenant="t", source=HERE, grants=of(), adopted=True, was="old"),
        Wanted(address=group("g1"), tenant="t", source=HERE, grants=of(ANA), adopted=True),
        Wanted(
            address=scope("s"), tenant="t", source=HERE, adopted=True, grants=acl(g1="READ"),
        ),
    ]  # fmt: skip
    names = (ANA, "group:g1", "group:old")
    people = {name: known_identity(name) for name in names}
    drift = diff(wanted, live, replace(frame(*names, **people), kinds=KINDS))
    found = {words(each): each for each in arrange(drift.actions, KINDS, wanted, live).actions}
    leaving = found[f"revoke {ANA} on new"]
    names_of = {each.id: name for name, each in found.items()}
    assert {names_of[need] for need in leaving.needs} >= {f"grant {ANA} on g1", "grant group:g1 on s"}


def test_a_folder_is_renamed_between_the_opening_of_the_new_way_and_the_closing_of_the_old() -> None:
    before: State = {
        way("c"): passes(other="--x"), way("c/old"): passes(ana="--x"), way("c/new"): passes(),
        folder("c/old/f"): access(ana="r-x"),
    }  # fmt: skip
    live = motion(before, {}).live
    wanted = [
        Wanted(address=way("c"), tenant="t", source=HERE, grants=passes(other="--x"), adopted=True),
        Wanted(address=way("c/old"), tenant="t", source=HERE, grants={}, adopted=True),
        Wanted(address=way("c/new"), tenant="t", source=HERE, grants=passes(ana="--x"), adopted=True),
        Wanted(
            address=folder("c/new/f"), tenant="t", source=HERE, grants=access(ana="r-x"), adopted=True,
            was="c/old/f",
        ),
    ]  # fmt: skip
    people = {ANA: known_identity(ANA), "other": known_identity("other")}
    drift = diff(wanted, live, replace(frame(*people, **people), kinds=KINDS))
    actions = arrange(drift.actions, KINDS, wanted, live).actions
    opening, moving, closing = actions
    assert (opening.verb, moving.attribute.role, closing.verb) == (Verb.GRANT, "name", Verb.REVOKE)
    assert opening.id in moving.needs and moving.id in closing.needs


def test_paths_of_a_tree_that_disagree_are_all_minded() -> None:
    """Some paths let ana read through g0 and some do not: on the former, g1 comes first."""
    around = {way("c"): passes(other="--x"), group("g0"): of(ANA), group("g1"): of(ANA)}
    moved = motion({**around, folder("c/a"): access(g0="r-x")}, {**around, folder("c/a"): access(g1="r-x")})
    at = folder("c/a")
    fact = Attribute("access", G0)
    mixed = replace(moved.live.found[at], grants={EXISTS: "present"}, mixed={fact: (None, "r-x")})
    live = Live(found={**moved.live.found, at: mixed})
    people = {name: known_identity(name) for name in (ANA, G0, G1, "other")}
    drift = diff(moved.wanted, live, replace(frame(*people, **people), kinds=KINDS))
    found = {words(each): each for each in arrange(drift.actions, KINDS, moved.wanted, live).actions}
    assert set(found["revoke group:g0 on c/a"].needs) == {found["grant group:g1 on c/a"].id}


def test_a_group_of_unknown_members_may_hold_whoever_loses_something_else() -> None:
    moved = motion({scope("s"): acl(ana="READ")}, {scope("s"): acl(g2="READ")})
    found = {words(each): each for each in ordered(moved).actions}
    assert set(found[f"revoke {ANA} on s"].needs) == {found["grant group:g2 on s"].id}
