"""Trying the platform's own rules on saved plans, and what a rule does to a plan and an approval."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from tests.cli.desk import Desk

LOCK = "policies/principals.lock.yaml"
RULE = """\
kind: guardrail
name: no-new-members
expression: |
  action.kind != 'group'
    || action.verb != 'grant'
message: groups get no new members before the audit
"""
OTHER = RULE.replace("no-new-members", "always-fine").replace("'grant'", "'delete'")


@pytest.fixture
def planned(desk: Desk) -> Desk:
    """A desk with a saved plan of the estate."""
    assert desk.run("plan", "--out", "plan.json").code == 3, "a rule that is always there refuses a part"
    return desk


def test_each_rule_says_how_many_pass_and_which_are_refused(planned: Desk) -> None:
    planned.write("policies/guardrails/own.yaml", RULE + "---\n" + OTHER)
    actions = json.loads((planned.root / "plan.json").read_text("utf-8"))["actions"]
    hit = [each for each in actions if "/group/" in each["address"] and each["verb"] == "grant"]
    assert hit, "the estate has something that the rule is about"
    said = planned.run("guardrails", "plan.json")
    assert said.code == 3
    lines = said.out.splitlines()
    assert lines[0] == f"plan.json: test, {len(actions)} actions"
    passed = len(actions) - len(hit)
    assert lines[1] == (
        f"  no-new-members: {passed} pass, {len(hit)} refused  (policies/guardrails/own.yaml:3)"
    )
    assert hit[0]["id"][:10] in lines[2]
    assert "groups get no new members" in lines[2]
    assert lines[-1] == f"  always-fine: {len(actions)} pass, 0 refused  (policies/guardrails/own.yaml:10)"
    assert said.err.splitlines() == [f"2 rules, 1 plan, {len(hit)} refused"]


def test_rules_may_be_tried_before_they_are_policies(planned: Desk) -> None:
    planned.write("draft/own.yaml", OTHER)
    said = planned.run("guardrails", "plan.json", "plan.json", "--rules", "draft")
    assert (said.code, said.err) == (0, "1 rule, 2 plans, 0 refused\n")
    assert planned.run("guardrails", "plan.json", "--rules", "draft/own.yaml").code == 0
    planned.write("draft/own.yaml", OTHER.replace("action.kind", "action.knid"))
    said = planned.run("guardrails", "plan.json", "--rules", "draft")
    assert said.code == 1
    assert "draft/own.yaml:4:9: expression: undeclared reference to 'action.knid'" in said.err


@pytest.mark.parametrize("place", ["", "nowhere"])
def test_no_rules_are_an_error(planned: Desk, place: str) -> None:
    said = planned.run("guardrails", "plan.json", *(["--rules", place] if place else []))
    assert said.code == 1
    assert "no document of kind guardrail" in said.one_line()


def test_a_faulty_rule_is_told_by_validate_and_stops_every_plan(desk: Desk) -> None:
    desk.write("policies/guardrails/own.yaml", RULE.replace("action.verb", "action.vreb"))
    said = desk.run("validate")
    assert said.code == 1
    assert said.out.startswith("policies/guardrails/own.yaml:5:14: expression: undeclared reference")
    for command in ("plan", "drift"):
        said = desk.run(command)
        assert said.code == 1
        assert "policies/guardrails/own.yaml:5:14" in said.err


def test_without_the_engine_nothing_is_planned_and_nothing_applied(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("policies/guardrails/own.yaml", RULE)
    desk.commit("noor")
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    before = len(desk.emulator.world.log.entries)
    for command in (["validate"], ["plan"], ["apply"], ["drift"]):
        said = desk.run(*command)
        assert said.code == 1
        assert "install reconciler[rules]" in said.everything
    assert len(desk.emulator.world.log.entries) == before, "no service was asked for anything"


def test_own_identities_and_break_glass_accounts_are_pinned_with_all_others(desk: Desk) -> None:
    assert desk.run("pin").code == 0
    lock = yaml.safe_load((desk.root / "policies/principals.lock.yaml").read_text("utf-8"))["directories"][
        "corp"
    ]
    assert {"sp:reconciler-plan", "sp:reconciler-apply", "user:glass@corp.example"} <= lock.keys()
    assert desk.run("pin", "--check").code == 0


def test_everybody_under_a_new_name_is_known_by_the_pinned_object(desk: Desk) -> None:
    [group] = desk.emulator.world.directory.by_group_name("red-ds")
    pinned = f'  corp:\n    "group:All Users": {group.id}\n'
    desk.write(LOCK, (desk.root / LOCK).read_text("utf-8").replace("  corp:\n", pinned))
    said = desk.run("plan")
    assert "group:red-ds stands for everybody" in " ".join(said.out.split())
