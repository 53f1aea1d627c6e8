"""What a plan comes to: the exit code, and the sentence that never says more than was read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from reconciler.core.plan import ApprovedPlan, Outcome, Plan, Status
from reconciler.report.clean import plain
from reconciler.report.counts import bare_reason
from reconciler.report.lines import Span, count

LONGEST = 300
"""Characters of a reason that a summary repeats."""

IN_STEP, ERROR, DRIFT, REFUSED, UNKNOWN = 0, 1, 2, 3, 4


def open_gaps(plan: Plan) -> int:
    """How many gaps nobody accepted."""
    return sum(not gap.accepted for gap in plan.gaps)


def exit_code(plan: Plan) -> int:
    """1 for errors in the policies, before 4 for gaps, 3 for violations, 2 for drift, and 0."""
    if plan.problems:
        return ERROR
    if open_gaps(plan):
        return UNKNOWN
    if plan.violations:
        return REFUSED
    return DRIFT if plan.actions or plan.blocked else IN_STEP


def verdict(plan: Plan) -> list[Span]:
    """The last lines of a report, most serious first; their texts are clean."""
    said = _hindrances(plan)
    if plan.actions:
        said.append(("heading", "Nothing happens until somebody approves."))
    elif exit_code(plan) == IN_STEP:
        said.append(("good", in_step(plan)))
    return said


def _hindrances(plan: Plan) -> list[Span]:
    """What stands between this plan and everything being in step."""
    said: list[Span] = []
    if plan.problems:
        wrong = count(len(plan.problems), "error")
        said.append(("bad", f"ERROR: {wrong} in the policies; what they are about was left out."))
    gaps = open_gaps(plan)
    if gaps:
        said.append(("bad", f"UNKNOWN: {gaps:,} could not be read, so nobody can say that all is in step."))
    if plan.violations:
        refused = len({ident for violation in plan.violations for ident in violation.actions})
        said.append(("bad", f"REFUSED: guardrails stop {refused:,} of {count(len(plan.actions), 'action')}."))
    waiting = sum(each.stage == "next" for each in plan.blocked)
    blocked = len(plan.blocked) - waiting
    if blocked:
        said.append(("warn", f"Blocked: {count(blocked, 'wanted fact')} ({_why(plan)})."))
    if waiting:
        said.append(("warn", f"Next stage: {count(waiting, 'fact')} once what they need exists."))
    accepted = len(plan.gaps) - gaps
    if accepted and plan.actions:
        said.append(("dim", f"Accepted: {count(accepted, 'gap')}, which nothing is known about."))
    return said


def _why(plan: Plan) -> str:
    """Who is blocked and why, as far as it goes on a line."""
    told = [
        f"{each.attribute.principal or each.address.locator}: {bare_reason(each)}"
        for each in plan.blocked
        if each.stage != "next"
    ]
    more = f" and {len(told) - 1:,} more" if len(told) > 1 else ""
    return plain(told[0][:LONGEST] + ("..." if len(told[0]) > LONGEST else "")) + more


def in_step(plan: Plan) -> str:
    """The good news, with everything that limits it; only for a plan whose exit code is 0."""
    accepted = len(plan.gaps)
    read = f", as far as it was read ({count(accepted, 'accepted gap')})" if accepted else ""
    told = f"; {count(len(plan.findings), 'finding')}" if plan.findings else ""
    things = count(plan.managed, "thing")
    return f"In step{read}: {things} {'is' if plan.managed == 1 else 'are'} as the policies want{told}."


def outcome_code(statuses: list[Status]) -> int:
    """The exit code of an apply, from how its actions ended."""
    if Status.FAILED in statuses or Status.PARTIAL in statuses:
        return ERROR
    if Status.UNKNOWN in statuses or Status.ACCEPTED in statuses:
        return UNKNOWN
    if Status.REFUSED in statuses or Status.DEFERRED in statuses:
        return REFUSED
    return IN_STEP


def applied_code(plan: Plan, approved: ApprovedPlan, outcomes: Iterable[Outcome]) -> int:
    """0 when all that was approved is done; what is not approved is no failure, but gaps stay unknown."""
    codes = {outcome_code([outcome.status for outcome in outcomes])}
    if plan.problems:
        codes.add(ERROR)
    if not approved.actions and not approved.refused and plan.actions:
        codes.add(REFUSED)
    if exit_code(replace(plan, problems=(), actions=(), blocked=(), violations=())) == UNKNOWN:
        codes.add(UNKNOWN)
    return gravest(codes)


def gravest(codes: Collection[int]) -> int:
    """The exit code of a run for which several hold."""
    return next((code for code in (ERROR, UNKNOWN, REFUSED, DRIFT) if code in codes), IN_STEP)
