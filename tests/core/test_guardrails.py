"""Each rule once refused and once let through; nothing is exempt because it is small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.diff import Drift, diff
from reconciler.core.guardrails import Docket, Limit, Rules, judge, succeeded
from reconciler.core.model import Attribute, Gap, Live, Wanted
from reconciler.core.order import order
from reconciler.core.plan import Violation
from tests.core.estates import KINDS, address, found, frame, live, wanted

EXISTS = Attribute("exists")
ANA, BO = "user:ana@corp.example", "user:bo@corp.example"
TEAM = "group:pricing ds"


def acl(who: str) -> Attribute:
    return Attribute("acl", who)


def docket(want: Wanted, state: Live, rules: Rules, **more: object) -> Docket:
    drift: Drift = diff([want], state, frame())
    actions = order(drift.actions, KINDS, [want])
    return replace(Docket(actions=actions, live=state, rules=rules, held=drift.held), **more)  # type: ignore[arg-type]


def rules_broken(made: Docket) -> list[str]:
    return [violation.rule for violation in judge(made)]


def losing(count: int, held: int, rules: Rules, **more: object) -> tuple[Violation, ...]:
    people = {acl(f"user:u{number}@corp.example"): "READ" for number in range(held)}
    kept = dict(list(people.items())[count:])
    state = live(found({EXISTS: "present", **people}))
    return judge(docket(wanted({EXISTS: "present", **kept}), state, rules, **more))


@pytest.mark.parametrize(("count", "refused"), [(5, False), (6, True)])
def test_removals_are_counted_per_tenant_and_kind(count: int, refused: bool) -> None:
    violations = losing(count, 20, Rules(removals={"*": Limit(count=5)}))
    assert bool(violations) is refused
    if refused:
        assert len(violations[0].actions) == 6, (
            "the whole counted group is refused, not what is over the limit"
        )
        assert "6 of 20 secret-scope grants" in violations[0].text


@pytest.mark.parametrize(("count", "refused"), [(2, False), (3, True)])
def test_removals_are_counted_in_percent_however_small_the_set(count: int, refused: bool) -> None:
    assert bool(losing(count, 4, Rules(removals={"*": Limit(percent=50)}))) is refused


def test_a_single_holder_is_not_too_small_to_count() -> None:
    assert losing(1, 1, Rules(removals={"*": Limit(percent=50)}))


def test_what_the_last_day_removed_counts_too() -> None:
    limit = Rules(removals={"*": Limit(count=5)})
    assert not losing(3, 20, limit)
    (violation,) = losing(3, 20, limit, recent={("pricing", "secret-scope"): 3})
    assert "6 of 23" in violation.text
    assert "3 of them in the last 24 hours" in violation.text


def test_lowering_counts_as_a_removal_and_raising_does_not() -> None:
    limit = Rules(removals={"*": Limit(count=0)})
    state = live(found({EXISTS: "present", acl(ANA): "WRITE"}))
    assert rules_broken(docket(wanted({EXISTS: "present", acl(ANA): "READ"}), state, limit)) == ["removals"]
    assert rules_broken(docket(wanted({EXISTS: "present", acl(ANA): "MANAGE"}), state, limit)) == []


def test_a_tenants_own_limit_goes_before_the_general_one() -> None:
    rules = Rules(
        removals={"*": Limit(count=0)}, tenant_removals={"pricing": {"secret-scope": Limit(count=9)}}
    )
    assert not losing(3, 20, rules)


@pytest.mark.parametrize(
    ("rule", "kind", "fact", "value"),
    [
        ("last-owner", "group", Attribute("owner", ANA), "owner"),
        ("last-manage", "secret-scope", acl(ANA), "MANAGE"),
        ("last-admin", "group", Attribute("member", ANA), "member"),
    ],
)
def test_somebody_is_always_left(rule: str, kind: str, fact: Attribute, value: str) -> None:
    rules = Rules(admin_groups=("pricing*",))
    other = fact._replace(principal=BO)
    alone = live(found({EXISTS: "present", fact: value}, kind, object_id="g"))
    two = live(found({EXISTS: "present", fact: value, other: value}, kind, object_id="g"))
    nobody = wanted({EXISTS: "present"}, kind)
    assert rules_broken(docket(nobody, alone, rules)) == [rule]
    assert rules_broken(docket(nobody, two, rules)) == [rule]
    assert rules_broken(docket(wanted({EXISTS: "present", other: value}, kind), two, rules)) == []
    assert rules_broken(docket(wanted({EXISTS: "present", other: value}, kind), alone, rules)) == []


def test_lowering_the_last_manage_leaves_nobody_either() -> None:
    state = live(found({EXISTS: "present", acl(ANA): "MANAGE"}))
    assert rules_broken(docket(wanted({EXISTS: "present", acl(ANA): "READ"}), state, Rules())) == [
        "last-manage"
    ]


def test_protected_principals_keep_what_they_have() -> None:
    state = live(found({EXISTS: "present", acl(ANA): "READ", acl(BO): "READ"}))
    rules = Rules(protected=frozenset({ANA}))
    assert rules_broken(docket(wanted({EXISTS: "present", acl(BO): "READ"}), state, rules)) == ["protected"]
    assert rules_broken(docket(wanted({EXISTS: "present", acl(ANA): "READ"}), state, rules)) == []


def test_a_tenant_may_want_groups_only() -> None:
    rules = Rules(groups_only=frozenset({"pricing"}))
    state = live(found({EXISTS: "present"}))
    assert rules_broken(docket(wanted({EXISTS: "present", acl(ANA): "READ"}), state, rules)) == [
        "groups-only"
    ]
    assert rules_broken(docket(wanted({EXISTS: "present", acl(TEAM): "READ"}), state, rules)) == []


@pytest.mark.parametrize("everybody", ["group:users", "group:account users", "group:All Users"])
def test_grants_to_everybody_are_refused(everybody: str) -> None:
    state = live(found({EXISTS: "present"}))
    assert rules_broken(docket(wanted({EXISTS: "present", acl(everybody): "READ"}), state, Rules())) == [
        "wide"
    ]
    assert rules_broken(docket(wanted({EXISTS: "present", acl(TEAM): "READ"}), state, Rules())) == []


def test_other_is_everybody_on_a_folder() -> None:
    fact = Attribute("access", "other")
    state = live(found({EXISTS: "present"}, "folder"))
    assert rules_broken(docket(wanted({EXISTS: "present", fact: "r-x"}, "folder"), state, Rules())) == [
        "wide"
    ]


def test_nothing_happens_outside_a_boundary() -> None:
    state = live(found({EXISTS: "present"}))
    want = wanted({EXISTS: "present", acl(TEAM): "READ"})
    assert rules_broken(docket(want, state, Rules(), inside=lambda tenant, where: False)) == ["boundary"]
    assert rules_broken(docket(want, state, Rules(), inside=lambda tenant, where: tenant == "pricing")) == []


def test_nothing_is_taken_from_a_group_that_could_not_be_read() -> None:
    state = live(found({EXISTS: "present", acl(TEAM): "READ"}))
    gap = Gap(address=address("group", "pricing ds"), reason="members could not be read")
    want = wanted({EXISTS: "present"})
    assert rules_broken(docket(want, replace(state, gaps={gap.address: gap}), Rules())) == ["gap"]
    assert rules_broken(docket(want, state, Rules())) == []


@pytest.mark.parametrize(
    ("kind", "fact", "value"),
    [
        ("secret-scope", acl(ANA), "MANAGE"),
        ("group", Attribute("owner", ANA), "owner"),
        ("group", Attribute("member", ANA), "member"),
    ],
)
def test_the_last_holder_goes_only_after_a_successor_holds_it(kind: str, fact: Attribute, value: str) -> None:
    other = fact._replace(principal=BO)
    state = live(found({EXISTS: "present", fact: value}, kind, object_id="g"))
    made = docket(wanted({EXISTS: "present", other: value}, kind), state, Rules(admin_groups=("pricing*",)))
    assert judge(made) == ()
    grant, revoke = succeeded(made)
    assert (grant.attribute, revoke.attribute) == (other, fact)
    assert revoke.needs == (grant.id,)
    two = live(
        found({EXISTS: "present", fact: value, fact._replace(principal=TEAM): value}, kind, object_id="g")
    )
    stays = wanted({EXISTS: "present", other: value, fact._replace(principal=TEAM): value}, kind)
    assert all(
        action.needs == () for action in succeeded(docket(stays, two, Rules(admin_groups=("pricing*",))))
    )
