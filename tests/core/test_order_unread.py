"""Groups whose members nobody has read: whoever loses something may be in what is given in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.core.classes import ALONE
from reconciler.core.order import arrange
from tests.core.moving import KINDS, Motion, State, entitlements, folder, group, motion, scope, way
from tests.core.test_order_cases import ANA, BO, G2, access, acl, at_work, of, passes, words

WORK = "workspace-access"
THROUGH = {way("c"): passes(other="--x")}
MOVES: Mapping[str, tuple[State, State]] = {
    "from a user's own entry": ({scope("s"): acl(ana="READ")}, {scope("s"): acl(g2="READ")}),
    "from a group that was read": (
        {group("g0"): of(ANA), scope("s"): acl(g0="READ")},
        {group("g0"): of(ANA), scope("s"): acl(g2="READ")},
    ),
    "from a group within a group": (
        {group("g0"): of("group:g1"), group("g1"): of(ANA), scope("s"): acl(g0="READ")},
        {group("g0"): of("group:g1"), group("g1"): of(ANA), scope("s"): acl(g2="READ")},
    ),
    "from being in a group": (
        {group("g0"): of(ANA), scope("s"): acl(g0="READ")},
        {group("g0"): of(), scope("s"): acl(g0="READ", g2="READ")},
    ),
    "from a group that leaves a group": (
        {group("g0"): of("group:g1"), group("g1"): of(ANA), scope("s"): acl(g0="READ")},
        {group("g0"): of(), group("g1"): of(ANA), scope("s"): acl(g0="READ", g2="READ")},
    ),
    "of being in a workspace": (
        {entitlements(ANA): at_work(ANA), entitlements(G2): {}},
        {entitlements(ANA): {}, entitlements(G2): at_work(G2)},
    ),
    "of working in a workspace": (
        {entitlements(ANA): at_work(ANA, WORK), entitlements(G2): at_work(G2)},
        {entitlements(ANA): at_work(ANA), entitlements(G2): at_work(G2, WORK)},
    ),
    "of a folder": (
        {**THROUGH, folder("c/a"): access(ana="r-x")},
        {**THROUGH, folder("c/a"): access(g2="r-x")},
    ),
    "of the way to a folder": (
        {way("c"): passes(ana="--x"), folder("c/a"): access(ana="r-x")},
        {way("c"): passes(g2="--x"), folder("c/a"): access(ana="r-x")},
    ),
}


def needs(moved: Motion, tenants: Mapping[str, str] | None = None) -> dict[str, set[str]]:
    """By action in words, what it needs; actions that are given by their words belong to other tenants."""
    actions = [replace(each, tenant=(tenants or {}).get(words(each), each.tenant)) for each in moved.actions]
    found = arrange(actions, KINDS, moved.wanted, moved.live)
    assert not found.knots
    names = {each.id: words(each) for each in found.actions}
    return {words(each): {names[need] for need in each.needs} for each in found.actions}


@pytest.mark.parametrize("move", MOVES)
def test_nothing_is_taken_before_an_unread_group_is_given_it(move: str) -> None:
    found = needs(motion(*MOVES[move]))
    [(taken, firsts)] = [(word, firsts) for word, firsts in found.items() if word.startswith("revoke")]
    assert firsts == {word for word in found if word.startswith("grant group:g2")} != set(), taken


def test_any_of_several_unread_groups_may_be_the_one_that_replaces_it() -> None:
    found = needs(motion({scope("s"): acl(ana="READ")}, {scope("s"): acl(g1="READ", g2="READ")}))
    assert found[f"revoke {ANA} on s"] == {"grant group:g1 on s", "grant group:g2 on s"}


def test_of_very_many_unread_groups_one_at_least_comes_first() -> None:
    names = [f"g{n}" for n in range(ALONE + 1)]
    found = needs(motion({scope("s"): acl(ana="READ")}, {scope("s"): acl(**dict.fromkeys(names, "READ"))}))
    assert found[f"revoke {ANA} on s"] <= {f"grant group:{name} on s" for name in names}
    assert found[f"revoke {ANA} on s"]


def test_what_an_unread_group_holds_throughout_replaces_nothing() -> None:
    """Admins of whom nobody knows who they are can read every scope: ana need not be one of them."""
    found = needs(
        motion({scope("s"): acl(gadmins="READ", ana="READ")}, {scope("s"): acl(gadmins="READ", g2="READ")})
    )
    assert found[f"revoke {ANA} on s"] == {"grant group:g2 on s"}
    many = dict.fromkeys([f"g{n}" for n in range(ALONE + 1)], "READ")
    after: State = {scope("s"): acl(gadmins="READ", **many)}
    assert needs(motion({scope("s"): acl(gadmins="READ", ana="READ")}, after))[f"revoke {ANA} on s"]


def test_in_a_workspace_no_tenant_waits_for_another_ones_unread_groups() -> None:
    """Bo's place is taken by another tenant: that g2 gets in is nothing that he has to wait for."""
    before: State = {entitlements(who): at_work(who) for who in (ANA, BO)} | {entitlements(G2): {}}
    after: State = {entitlements(who): {} for who in (ANA, BO)} | {entitlements(G2): at_work(G2)}
    found = needs(motion(before, after), {f"revoke {BO} on {BO}": "other"})
    assert found[f"revoke {ANA} on {ANA}"] == {f"grant {G2} on {G2}"}
    assert found[f"revoke {BO} on {BO}"] == set()


def test_somebody_unknown_may_be_in_two_groups_at_once() -> None:
    """One of them comes to read what the other one does no longer: whoever is in both keeps it."""
    moved = motion({scope("s"): acl(g1="READ")}, {scope("s"): acl(g2="READ")})
    assert needs(moved)["revoke group:g1 on s"] == {"grant group:g2 on s"}
    crossing = motion(
        {group("g0"): of("group:g1"), scope("s"): acl(g0="READ")},
        {group("g0"): of("group:g2"), scope("s"): acl(g0="READ")},
    )
    assert needs(crossing)["revoke group:g1 on g0"] == {"grant group:g2 on g0"}
