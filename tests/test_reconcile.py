"""A part of a plan keeps what guardrails say of it, whoever else has a part in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from reconciler.core.docket import Limit, Rules, Together
from reconciler.core.guardrails import judge
from reconciler.core.plan import Plan
from reconciler.core.planfile import from_document, to_document
from reconciler.reconcile import only_tenants
from reconciler.report.verdict import REFUSED, exit_code
from tests.core.dockets import ANA, BO, Scene, facts


def whole() -> Plan:
    """Two tenants who remove more together than the environment allows, and one who removes nothing."""
    scene = Scene()
    for tenant in ("red", "blue"):
        scene.thing("group", tenant, facts("group", ANA, BO), facts("group", BO), tenant)
    scene.thing("group", "green", facts("group", ANA), facts("group", ANA, BO), "green")
    docket = scene.docket(Rules(removals={"*": Limit(count=1)}, together=Together(all=Limit(count=1))))
    return Plan(
        environment="test",
        revision="working tree",
        as_of=date(2026, 11, 23),
        actions=tuple(replace(action, environment="test") for action in docket.actions),
        violations=judge(docket),
    )


def test_looking_at_one_tenant_hides_no_violation() -> None:
    plan = whole()
    [violation] = plan.violations
    assert (violation.rule, violation.tenant, len(violation.actions)) == ("removals-together", "", 2)
    red = only_tenants(plan, ["red"])
    assert exit_code(red) == REFUSED
    assert [each.actions for each in red.violations] == [(red.actions[0].id,)]
    assert only_tenants(plan, ["green"]).violations == ()
    assert from_document(to_document(red)).violations == red.violations


def test_looking_at_all_changes_nothing() -> None:
    plan = whole()
    assert only_tenants(plan, []) is plan
    assert only_tenants(plan, ["red", "blue", "green"]).violations == plan.violations
