"""What people see, kept as files that reviewers read: RECONCILER_GOLDEN=write writes them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.core.model import Address, Finding, Gap
from reconciler.core.plan import ApprovedPlan, Outcome, Plan, Status
from reconciler.report.lines import plain
from reconciler.report.markdown import comment, drift_report
from reconciler.report.outcomes import ended, outcome_lines, outcomes_markdown
from reconciler.report.text import drift_lines, plan_lines
from tests.report.plans import KINDS, SCOPE, quiet, rich

FOLDER = Path(__file__).parent / "golden"


def accepted() -> Plan:
    """Nothing to do, one thing that nobody may read, one finding."""
    return quiet(
        gaps=(Gap(address=Address.parse("entra/corp/group/hr"), reason="403", accepted="until 2027-01-01"),),
        findings=(Finding(rule="stale-key", address=Address.parse(SCOPE), text="too old"),),
    )


def approved() -> tuple[ApprovedPlan, list[Outcome]]:
    """An apply in which everything that can happen happened."""
    plan = rich()
    ends = [Status.VERIFIED] * 5 + [Status.FAILED, Status.UNKNOWN, Status.DEFERRED]
    reasons = {
        Status.FAILED: "400 INVALID_PARAMETER_VALUE: the principal is not in the workspace; assign it first",
        Status.UNKNOWN: "sent; 120 s of reading did not show it twice in a row. Plan again later",
        Status.DEFERRED: "waits for grant group:pricing-leads, which is failed; nothing was sent",
    }
    outcomes = [
        Outcome(action=action.id, status=status, reason=reasons.get(status, ""))
        for action, status in zip(plan.actions, ends, strict=False)
    ]
    refused = [
        Outcome(action=plan.actions[9].id, status=Status.REFUSED, reason="guardrail removals: 3 of 9"),
        Outcome(action="f" * 64, status=Status.REFUSED, reason="moved: approved WRITE -> READ; now MANAGE"),
    ]
    return ApprovedPlan(plan=plan, actions=plan.actions[:8], refused=refused), [*refused, *outcomes]


def applied(columns: int) -> str:
    """What an apply tells, from the first end to the last word."""
    run, outcomes = approved()
    sent = {action.id: action for action in run.actions}
    lines = [line for each in outcomes if each.action in sent
             for line in ended(sent[each.action], each, KINDS, columns)]  # fmt: skip
    return plain([*lines, *outcome_lines(run, outcomes, KINDS, columns)])


STORIES: dict[str, Callable[[], str]] = {
    "rich-80.txt": lambda: plain(plan_lines(rich(), KINDS, 80)),
    "rich-120.txt": lambda: plain(plan_lines(rich(), KINDS, 120)),
    "rich-200.txt": lambda: plain(plan_lines(rich(), KINDS, 200)),
    "drift-100.txt": lambda: plain(drift_lines(rich(), KINDS, 100)),
    "in-step-80.txt": lambda: plain(plan_lines(quiet(), KINDS, 80)),
    "accepted-80.txt": lambda: plain(drift_lines(accepted(), KINDS, 80)),
    "comment.md": lambda: comment(rich(), KINDS, frozenset({"tenants.d/pricing/access.yaml"})),
    "drift.md": lambda: drift_report(rich(), KINDS),
    "in-step.md": lambda: comment(quiet(), KINDS, frozenset()),
    "apply-100.txt": lambda: applied(100),
    "apply.md": lambda: outcomes_markdown(*approved(), KINDS),
}


@pytest.mark.parametrize("name", STORIES)
def test_people_see_what_the_golden_file_shows(name: str) -> None:
    path = FOLDER / name
    text = STORIES[name]()
    if os.environ.get("RECONCILER_GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"RECONCILER_GOLDEN=write writes {path.name} anew: look at it"


def test_every_golden_file_is_somebodys() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(STORIES)
