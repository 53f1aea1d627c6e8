"""Attempts to get past the guardrails, each of which has to fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.docket import Limit, Rules, Together
from reconciler.core.guardrails import judge, succeeded
from reconciler.core.model import Attribute, Lifecycle, Unlisted
from reconciler.core.plan import Cause
from tests.core.dockets import ANA, BO, GLASS, ROLE, Scene, facts, people, taking

FEW = Rules(removals={"*": Limit(count=3)})
GUARDED = Rules(protected=frozenset({GLASS}))
KINDS = sorted(ROLE)


@pytest.mark.parametrize("kind", KINDS)
def test_splitting_over_a_day_is_counted(kind: str) -> None:
    """Three in the morning, one in the evening: the journal remembers the morning."""
    evening = taking(kind, people(1), people(20, 50))
    assert evening.broken(FEW) == []
    assert evening.broken(FEW, recent={("pricing", kind): 3}) == ["removals"]


@pytest.mark.parametrize("kind", KINDS)
def test_splitting_over_many_things_is_counted(kind: str) -> None:
    scene = Scene()
    for number in range(4):
        scene.thing(kind, f"pricing-{number}", facts(kind, ANA, BO), facts(kind, BO))
    assert scene.broken(FEW) == ["removals"]


def test_splitting_over_kinds_is_counted() -> None:
    scene, all_of = Scene(), 3 * len(KINDS)
    for kind in KINDS:
        scene.thing(kind, "pricing", facts(kind, *people(3), ANA), facts(kind, ANA))
    assert scene.broken(FEW) == []
    assert scene.broken(replace(FEW, together=Together(tenant=Limit(count=all_of - 1)))) == [
        "removals-together"
    ]
    assert scene.broken(replace(FEW, together=Together(tenant=Limit(count=all_of)))) == []


def test_splitting_over_tenants_is_counted_with_what_the_day_removed() -> None:
    scene = Scene()
    for tenant in ("a", "b", "c"):
        scene.thing("group", tenant, facts("group", *people(3), ANA), facts("group", ANA), tenant)
    assert scene.broken(FEW) == []
    nine, recent = replace(FEW, together=Together(kind=Limit(count=9))), {("d", "group"): 1}
    assert scene.broken(nine) == []
    assert scene.broken(nine, recent=recent) == ["removals-together"]
    [violation] = judge(scene.docket(nine, recent=recent))
    assert len(violation.actions) == 9
    assert violation.tenant == ""
    assert "10 of 13 group grants, all tenants together, would be taken away" in violation.text


def test_a_renamed_tenant_begins_no_new_day_for_everybody_together() -> None:
    moved = taking("group", people(3), people(9, 50), tenant="pricing-two")
    rules = replace(FEW, together=Together(all=Limit(count=5)))
    assert moved.broken(rules, recent={("pricing", "group"): 3}) == ["removals-together"]


def test_a_kind_with_one_figure_keeps_the_other_one() -> None:
    rules = Rules(removals={"*": Limit(count=10, percent=30), "secret-scope": Limit(count=3)})
    assert taking("secret-scope", [ANA], [BO]).broken(rules) == ["removals"], "1 of 2 is 50 %"
    assert taking("secret-scope", [ANA]).broken(rules) == ["removals"], "1 of 1 is 100 %"
    assert taking("secret-scope", people(4), people(30, 50)).broken(rules) == ["removals"]
    own = replace(rules, tenant_removals={"pricing": {"*": Limit(count=2)}})
    assert taking("folder", [ANA], [BO]).broken(own) == ["removals"], "a tenant's count takes no percent away"


@pytest.mark.parametrize(
    ("terms", "cause"),
    [
        ({}, Cause.UNLISTED),
        ({"lifecycle": Lifecycle.RETIRED}, Cause.RETIRED),
        ({"lifecycle": Lifecycle.DESTROYED}, Cause.RETIRED),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_takes_away_is_counted(kind: str, terms: dict[str, Any], cause: Cause) -> None:
    """`keep` turned into `revoke`, a retired document, a destroyed one: the rule does not ask why."""
    has = facts(kind, *people(4))
    scene = Scene().thing(kind, "pricing", has, {} if not terms else has, **terms)
    docket = scene.docket(FEW)
    assert cause in {action.cause for action in docket.actions}
    assert scene.broken(FEW) == ["removals"]
    kept = Scene().thing(kind, "pricing", has, {}, unlisted=Unlisted.KEEP)
    assert kept.docket(FEW).actions == ()


def test_a_thing_of_somebody_else_is_not_taken_over_by_a_former_name() -> None:
    scene = Scene().thing("group", "fraud-models", facts("group", ANA), facts("group", ANA))
    scene.wants = [
        replace(
            scene.wants[0], address=scene.wants[0].address._replace(locator="pricing-x"), was="fraud-models"
        )
    ]
    inside = {"inside": lambda tenant, where: where.locator.startswith("pricing-")}
    assert [str(action.verb) for action in scene.docket(Rules()).actions] == ["set"]
    assert scene.broken(Rules(), **inside) == ["boundary"]


def _renaming(before: list[str], after: list[str], role: str = "member") -> Scene:
    """The administrators get another name and other members in one plan."""
    scene = Scene().thing(
        "group", "ml-admins", facts("group", *before, role=role), facts("group", *after, role=role)
    )
    [want] = scene.wants
    scene.wants = [replace(want, address=want.address._replace(locator="ml-ops"), was="ml-admins")]
    return scene


def test_a_new_name_takes_no_protection_away() -> None:
    rules = Rules(admin_groups=("ml-admins", "ml-ops"))
    assert _renaming([ANA], []).broken(rules) == ["last-admin"]
    assert _renaming([ANA, BO], [BO]).broken(rules) == []
    assert _renaming([ANA], [], "owner").broken(rules) == ["last-owner"]
    assert _renaming([ANA, BO], [BO], "owner").broken(rules) == []


def test_a_group_of_administrators_gets_no_name_that_is_not_protected() -> None:
    rules = Rules(admin_groups=("ml-admins",))
    scene = _renaming([ANA], [ANA])
    [violation] = judge(scene.docket(rules))
    assert violation.rule == "last-admin"
    assert "would be called ml-ops, which `protected-admins` does not speak of" in violation.text
    both = [each.text for each in judge(_renaming([ANA], []).docket(rules))]
    assert len(both) == 2
    assert any("nobody would be left as member" in text for text in both), (
        "it is protected while it is called so"
    )
    assert scene.broken(Rules(admin_groups=("ml-*",))) == []


def test_renaming_and_emptying_the_group_that_holds_a_post_vacates_it() -> None:
    for stays, refused in (([], ["last-manage"]), ([BO], [])):
        scene = _renaming([ANA, *stays], stays)
        post = facts("secret-scope", "group:ml-admins", value="MANAGE")
        scene.thing("secret-scope", "pricing", post, post)
        assert scene.broken(Rules()) == refused


@pytest.mark.parametrize(
    "name",
    [
        "group:ALL USERS",
        "group:all users",
        "group:All-Users",
        "group:all_users",
        "group:All  Users",
        "group:\u0410ll Users",
        "group:All U\u0455ers",
        "group:\uff21ll Users",
        "group:Account Users",
        "group:USERS",
    ],
)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "traverse"])
def test_everybody_is_known_under_every_look_of_the_name(kind: str, name: str) -> None:
    scene = Scene().thing(kind, "pricing", facts(kind, ANA), facts(kind, ANA, name))
    assert scene.broken(Rules()) == ["wide"]


@pytest.mark.parametrize("name", ["group:power users", "group:all users of pricing", "group:users-of-red"])
def test_a_group_of_some_is_not_everybody(name: str) -> None:
    assert Scene().thing("secret-scope", "s", {}, facts("secret-scope", name)).broken(Rules()) == []


def test_everybody_renamed_is_everybody_still() -> None:
    scene = Scene().thing("secret-scope", "s", {}, facts("secret-scope", "group:staff"))
    pins = {"group:All Users": "oid-group:staff", "group:other": "oid-else"}
    assert scene.broken(Rules(), pins=pins) == ["wide"]
    assert scene.broken(Rules(), pins={"group:All Users": "oid-else"}) == []


def _nested(members: dict[str, list[str]]) -> Scene:
    scene = Scene()
    for name, inside in members.items():
        scene.thing("group", name, facts("group", *inside), facts("group", *inside))
    return scene


def test_everybody_inside_a_group_inside_a_group_is_everybody() -> None:
    scene = _nested({"pricing-ds": [ANA, "group:inner"], "inner": ["group:All Users"]})
    scene.thing("folder", "x", {}, facts("folder", "group:pricing-ds"))
    [violation] = judge(scene.docket(Rules()))
    assert violation.rule == "wide"
    assert "holds everybody, through group:All Users" in violation.text


def test_everybody_may_not_join_a_group_that_holds_something() -> None:
    """The other order: the grant is old, and everybody is let into the group, or into one inside it."""
    direct = Scene().thing("group", "pricing-ds", facts("group", ANA), facts("group", ANA, "group:All Users"))
    assert direct.broken(Rules()) == ["wide"]
    nested = _nested({"staff": ["group:All Users"]})
    nested.thing("group", "pricing-ds", facts("group", ANA), facts("group", ANA, "group:staff"))
    assert nested.broken(Rules()) == ["wide"]


def test_groups_in_a_circle_end() -> None:
    scene = _nested({"a": ["group:b"], "b": ["group:a"]})
    scene.thing("secret-scope", "s", facts("secret-scope", "group:a"), facts("secret-scope", "group:b"))
    assert scene.broken(Rules(protected=frozenset({GLASS}))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_protected_principal_loses_nothing_through_its_group(kind: str) -> None:
    scene = _nested({"ops": ["group:inner"], "inner": [GLASS]})
    scene.thing(kind, "pricing", facts(kind, "group:ops", ANA), facts(kind, ANA))
    [violation] = judge(scene.docket(GUARDED))
    assert violation.rule == "protected"
    assert f"{GLASS} is protected" in violation.text


def test_a_protected_principal_may_go_another_way() -> None:
    scene = _nested({"ops": [GLASS], "newops": [GLASS]})
    scene.thing("folder", "x", facts("folder", "group:ops"), facts("folder", "group:newops"))
    assert scene.broken(GUARDED) == []
    less = _nested({"ops": [GLASS], "newops": [GLASS]})
    less.thing("folder", "x", facts("folder", "group:ops"), facts("folder", "group:newops", value="r-x"))
    assert less.broken(GUARDED) == ["protected"]


def test_a_protected_principal_is_known_by_its_object() -> None:
    scene = taking("secret-scope", ["sp:renamed"], [ANA])
    pins = {"sp:reconciler-apply": "oid-sp:renamed"}
    rules = Rules(protected=frozenset({"sp:reconciler-apply"}))
    [violation] = judge(scene.docket(rules, pins=pins))
    assert "sp:renamed (pinned as sp:reconciler-apply) is protected" in violation.text
    assert scene.broken(rules) == []


POSTS = [("secret-scope", "acl", "MANAGE", "last-manage"), ("group", "owner", "owner", "last-owner")]


@pytest.mark.parametrize(("kind", "role", "value", "rule"), POSTS)
def test_an_empty_group_is_no_successor(kind: str, role: str, value: str, rule: str) -> None:
    def post(*who: str) -> dict[Attribute, str]:
        return facts(kind, *who, role=role, value=value)

    for members, refused in (([], [rule]), ([BO], [])):
        scene = _nested({"heirs": members})
        scene.thing(kind, "pricing", post(ANA), post("group:heirs"))
        assert scene.broken(Rules()) == refused
        stays = _nested({"heirs": members})
        stays.thing(kind, "pricing", post(ANA, "group:heirs"), post("group:heirs"))
        assert stays.broken(Rules()) == refused
    unread = Scene().unread_group("heirs", BO).thing(kind, "pricing", post(ANA), post("group:heirs"))
    assert rule in unread.broken(Rules()), "nobody knows whether somebody is in it"


@pytest.mark.parametrize(("kind", "role", "value", "rule"), POSTS)
def test_emptying_the_group_that_holds_the_post_is_vacating_it(
    kind: str, role: str, value: str, rule: str
) -> None:
    post = facts(kind, "group:ops", role=role, value=value)
    scene = _nested({"ops": ["group:inner"]}).thing("group", "inner", facts("group", ANA), {})
    scene.thing(kind, "pricing", post, post)
    [violation] = judge(scene.docket(Rules()))
    assert violation.rule == rule
    [action] = scene.docket(Rules()).actions
    assert violation.actions == (action.id,)
    exchanged = _nested({"ops": ["group:inner"]}).thing(
        "group", "inner", facts("group", ANA), facts("group", BO)
    )
    exchanged.thing(kind, "pricing", post, post)
    assert exchanged.broken(Rules()) == []


def test_the_last_holder_waits_until_somebody_is_in_the_succeeding_group() -> None:
    def post(*who: str) -> dict[Attribute, str]:
        return facts("secret-scope", *who, value="MANAGE")

    scene = Scene().thing("group", "heirs", {}, facts("group", BO))
    scene.thing("secret-scope", "pricing", post(ANA), post("group:heirs"))
    docket = scene.docket(Rules())
    assert judge(docket) == ()
    actions = {action.attribute: action for action in succeeded(docket)}
    revoke = actions[Attribute("acl", ANA)]
    joins, grant = actions[Attribute("member", BO)], actions[Attribute("acl", "group:heirs")]
    assert {joins.id, grant.id} <= set(revoke.needs)


def test_the_last_administrator_of_a_workspace_is_found_among_all_its_principals() -> None:
    def admin(who: str, stays: bool) -> Scene:
        has = facts("entitlements", who, role="assignment", value="ADMIN")
        return scene.thing(
            "entitlements",
            who,
            has,
            has if stays else facts("entitlements", who, role="assignment", value="USER"),
        )

    scene = Scene()
    admin(ANA, False)
    assert scene.broken(Rules()) == ["last-admin"]
    admin(BO, True)
    assert scene.broken(Rules()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_depends_on_a_gap_through_groups_is_refused(kind: str) -> None:
    """A group that holds a group nobody could read; and access that would be kept through one."""
    nested = (
        Scene()
        .unread_group("unread", BO)
        .thing("group", "outer", facts("group", "group:unread"), facts("group", "group:unread"))
    )
    nested.thing(kind, "pricing", facts(kind, "group:outer", ANA), facts(kind, ANA))
    assert nested.broken(Rules()) == ["gap"]
    resting = Scene().unread_group("unread", BO)
    resting.thing(kind, "pricing", facts(kind, BO, "group:unread"), facts(kind, "group:unread"))
    [violation] = judge(resting.docket(Rules()))
    assert "keep it through group:unread, whose members could not be read" in violation.text
    other = Scene().unread_group("unread", ANA)
    other.thing(kind, "pricing", facts(kind, BO, "group:unread"), facts(kind, "group:unread"))
    assert other.broken(Rules()) == []
