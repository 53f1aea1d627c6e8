"""Golden cases: for every rule, over every kind that it speaks of, one plan refused and one let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.docket import Limit, Rules, Together
from reconciler.core.guardrails import BUILT_IN
from reconciler.core.moments import BAD_MOMENT, IN_PART
from tests.core.dockets import ANA, BO, GLASS, HIGH, LOW, ROLE, Scene, facts, people, taking
from tests.core.moving import KINDS


@dataclass(frozen=True)
class Case:
    """A rule, what the platform set, and two plans that differ in what matters."""

    rule: str
    kind: str
    refused: Callable[[], Scene]
    passed: Callable[[], Scene]
    rules: Rules = field(default_factory=Rules)
    more: dict[str, Any] = field(default_factory=dict)
    passed_more: dict[str, Any] | None = None


def _scene(kind: str, has: Any, wants: Any, **more: Any) -> Callable[[], Scene]:
    return lambda: Scene().thing(kind, f"pricing-{kind}", has, wants, **more)


COUNTED = Rules(removals={"*": Limit(count=2)})
SHARED = Rules(removals={"*": Limit(percent=50)})
GUARDED = Rules(protected=frozenset({GLASS}))
TWO_KINDS = Rules(removals={"*": Limit(count=2)}, together=Together(tenant=Limit(count=2)))
TWO_TENANTS = Rules(removals={"*": Limit(count=2)}, together=Together(kind=Limit(count=2)))
EVERYTHING = Rules(removals={"*": Limit(count=2)}, together=Together(all=Limit(count=2)))
ADMINS = Rules(admin_groups=("pricing-*",))


def _counted(kind: str) -> list[Case]:
    """What is taken away is counted alike for every kind."""
    two, others, another = people(2), people(20, 50), _other(kind)

    def take(*gone: str, of: list[str] = others) -> Callable[[], Scene]:
        return lambda: taking(kind, gone, of)

    def and_more(of: str, tenant: str) -> Callable[[], Scene]:
        return lambda: taking(kind, two, others).thing(of, "more", facts(of, ANA, BO), facts(of, BO), tenant)

    earlier, another_tenants = {"recent": {("pricing", kind): 1}}, {"recent": {("fraud", kind): 1}}
    cases = [
        Case("removals", kind, take(*people(3)), take(*two), COUNTED),
        Case("removals", kind, take(*two, of=[ANA]), take(*two, of=[ANA, BO]), SHARED),
        Case("removals", kind, take(ANA, of=[]), take(ANA, of=[BO]), SHARED),
        Case("removals", kind, take(*two), take(*two), COUNTED, earlier, another_tenants),
        Case("removals-together", kind, and_more(another, "pricing"), take(*two), TWO_KINDS),
        Case("removals-together", kind, and_more(kind, "fraud"), take(*two), TWO_TENANTS),
        Case("removals-together", kind, and_more(another, "fraud"), take(*two), EVERYTHING),
    ]
    if kind in LOW:
        low, high = facts(kind, *people(3), value=LOW[kind]), facts(kind, *people(3))
        cases.append(Case("removals", kind, _scene(kind, high, low), _scene(kind, low, high), COUNTED))
    return cases


def _about_people(kind: str) -> list[Case]:
    """Rules about who it is that gains or loses."""

    def take(gone: str, stays: str) -> Callable[[], Scene]:
        return lambda: taking(kind, [gone], [stays])

    def take_beside_a_gap(gone: str) -> Callable[[], Scene]:
        return lambda: taking(kind, [gone], [ANA]).unread_group("unread")

    def give(who: str) -> Callable[[], Scene]:
        return _scene(kind, facts(kind, ANA), facts(kind, ANA, who))

    outside = {"inside": lambda tenant, where: where.kind != kind}
    cases = [
        Case("protected", kind, take(GLASS, ANA), take(ANA, GLASS), GUARDED),
        Case("boundary", kind, take(ANA, BO), take(ANA, BO), Rules(), outside, {}),
        Case("gap", kind, take_beside_a_gap("group:unread"), take_beside_a_gap("group:read")),
    ]
    if kind != "traverse":
        cases.append(Case("wide", kind, give("group:All Users"), give("group:pricing-ds")))
    if kind in LOW:
        low, high = facts(kind, GLASS, value=LOW[kind]), facts(kind, GLASS)
        cases.append(Case("protected", kind, _scene(kind, high, low), _scene(kind, low, high), GUARDED))
    if kind != "group":
        rules = Rules(groups_only=frozenset({"pricing"}))
        cases.append(Case("groups-only", kind, give(BO), give("group:pricing-ds"), rules))
    return cases


def _other(kind: str) -> str:
    return "folder" if kind == "group" else "group"


def _post(kind: str, role: str, value: str) -> tuple[Callable[[], Scene], Callable[[], Scene]]:
    """The one holder of a post goes; the same with a second holder who stays."""
    one, two = facts(kind, ANA, role=role, value=value), facts(kind, ANA, BO, role=role, value=value)
    stays = facts(kind, BO, role=role, value=value)
    return _scene(kind, one, {}), _scene(kind, two, stays)


EVERYBODY = _scene("folder", {}, {**facts("folder", "other", value="r-x")})
CASES = [
    *(case for kind in KINDS for case in (*_counted(kind), *_about_people(kind))),
    Case("last-owner", "group", *_post("group", "owner", "owner")),
    Case("last-manage", "secret-scope", *_post("secret-scope", "acl", "MANAGE")),
    Case("last-admin", "group", *_post("group", "member", "member"), ADMINS),
    Case("last-admin", "entitlements", *_post("entitlements", "assignment", "ADMIN")),
    Case("wide", "folder", EVERYBODY, _scene("folder", {}, facts("folder", "group:pricing-ds"))),
    # Everybody may pass on the way to a folder, and hold nothing there.
    Case(
        "wide", "traverse", EVERYBODY, _scene("traverse", {}, facts("traverse", "other", "group:All Users"))
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.kind}")
def test_one_is_refused_and_one_let_through(case: Case) -> None:
    assert case.rule in case.refused().broken(case.rules, **case.more)
    passed_more = case.more if case.passed_more is None else case.passed_more
    assert case.passed().broken(case.rules, **passed_more) == []


def test_every_rule_has_its_cases() -> None:
    # Moments follow from an order, and have tests of their own.
    assert {case.rule for case in CASES} == set(BUILT_IN) - {BAD_MOMENT, IN_PART}
    everywhere = {"removals", "removals-together", "protected", "boundary", "gap", "wide"}
    shown = {(case.rule, case.kind) for case in CASES}
    assert {(rule, kind) for rule in everywhere for kind in KINDS} - shown == set()
    assert {("groups-only", kind) for kind in KINDS if kind != "group"} - shown == set()
    assert HIGH.keys() == ROLE.keys() == KINDS.keys()


def test_the_reference_names_every_kind() -> None:
    reference = Path("docs/reference/policies.md").read_text("utf-8")
    for row in ("| `action.kind` |", "| `removals` | per kind"):
        [line] = [line for line in reference.splitlines() if line.startswith(row)]
        assert {kind for kind in KINDS if f"`{kind}`" not in line} == set()
