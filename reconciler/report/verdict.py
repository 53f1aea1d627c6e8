"""What a plan comes to: the exit code, and the sentence that never says more than was read."""

from __future__ import annotations

from reconciler.core.plan import Plan, Status
from reconciler.report.lines import Span

IN_STEP, ERROR, DRIFT, REFUSED, UNKNOWN = 0, 1, 2, 3, 4


def open_gaps(plan: Plan) -> int:
    """How many gaps nobody accepted."""
    return sum(not gap.accepted for gap in plan.gaps)


def exit_code(plan: Plan) -> int:
    """1 before 4 before 3 before 2 before 0, as the design's section 12 orders them."""
    if plan.problems:
        return ERROR
    if open_gaps(plan):
        return UNKNOWN
    if plan.violations:
        return REFUSED
    return DRIFT if plan.actions or plan.blocked else IN_STEP


def verdict(plan: Plan) -> list[Span]:
    """The last lines of a report, most serious first."""
    said: list[Span] = []
    if plan.problems:
        said.append(("bad", f"{len(plan.problems)} errors in the policies have to be mended first."))
    gaps = open_gaps(plan)
    if gaps:
        said.append(("bad", f"Unknown: {gaps} could not be read, so nobody can say that all is in step."))
    if plan.violations:
        refused = len({ident for violation in plan.violations for ident in violation.actions})
        said.append(("bad", f"Guardrails refuse {refused} of {len(plan.actions)} actions."))
    waiting = sum(each.stage == "next" for each in plan.blocked)
    blocked = len(plan.blocked) - waiting
    if blocked:
        said.append(("warn", f"{blocked} wanted {'facts are' if blocked != 1 else 'fact is'} blocked."))
    if waiting:
        said.append(("warn", f"{waiting} will be planned once what they need exists."))
    if plan.actions:
        said.append(("heading", "Nothing happens until somebody approves: `reconciler approve`."))
    elif not said:
        said.append(("good", f"In step: {plan.managed} things are as the policies want them."))
    return said


def outcome_code(statuses: list[Status]) -> int:
    """The exit code of an apply, from how its actions ended."""
    if Status.FAILED in statuses:
        return ERROR
    if Status.UNKNOWN in statuses or Status.ACCEPTED in statuses:
        return UNKNOWN
    if Status.REFUSED in statuses or Status.DEFERRED in statuses:
        return REFUSED
    return IN_STEP
