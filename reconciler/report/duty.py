"""What the person on duty does next, from what a plan came to: one step from report to correction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from reconciler.core.plan import Plan
from reconciler.report.clean import plain
from reconciler.report.lines import listed

Quote = Callable[[str], str]

FOR_FINDINGS = {
    "unmanaged": "claim it in a document of the tenant whose it is, or remove it by hand",
    "unlisted": "list it, or let the tenant document adopt the environment, and the next plan revokes it",
    "abandoned": "restore its document with `state: retired` to revoke what it granted",
    "bypass": "remove the role assignment, unless it is meant",
    "dangling": "nobody holds it any more; where it is not planned away, remove it by hand",
    "missing-key": "ask the owner of the scope to put the secret there",
    "stale-key": "ask the owner of the scope to renew the secret",
}
"""What can be done about a finding, by its rule."""


def quoted(text: str) -> str:
    """A command or a file as it stands in a sentence on a terminal."""
    return f"`{plain(text)}`"


def next_steps(plan: Plan, quote: Quote = quoted) -> list[str]:
    """Sentences in the order in which to do them; none when all is well."""
    return [*_first(plan, quote), *_corrections(plan, quote), *_for_findings(plan)]


def _first(plan: Plan, quote: Quote) -> list[str]:
    """What keeps the report from being the whole truth."""
    steps: list[str] = []
    if plan.problems:
        steps.append(
            f"Mend the policies at the places named; {quote('reconciler validate')} checks them without "
            "asking any service."
        )
    if any(not gap.accepted for gap in plan.gaps):
        file = quote(f"policies/environments/{plan.environment}.yaml")
        steps.append(
            "Mend what keeps the reading identity from reading, or accept the gap until a date, under "
            f"{quote('accepted-gaps')} in {file}."
        )
    return steps


def _corrections(plan: Plan, quote: Quote) -> list[str]:
    steps: list[str] = []
    if plan.violations:
        rules = listed(sorted({quote(violation.rule) for violation in plan.violations}), 5)
        override = quote("reconciler approve --override RULE=REASON")
        steps.append(
            f"Look at what guardrails stop ({rules}): restore it in the policies, or override the rule with "
            f"a reason, by {override}."
        )
    if plan.actions:
        save = quote(f"reconciler plan --env {plan.environment} --out plan.json")
        approve = quote("reconciler approve plan.json --because TEXT")
        steps.append(
            "Where live state is right, change the policies at the lines named. Where the policies are "
            f"right, run {save} and {approve}, and have the files that it writes reviewed and merged; "
            f"{quote('reconciler apply')} sends what was approved and nothing else."
        )
    if any(each.stage != "next" for each in plan.blocked):
        steps.append("Mend in the policies what is blocked; nothing is planned for it until then.")
    if plan.unpinned:
        steps.append(
            f"Run {quote('reconciler pin')} and have its change reviewed: a name could be taken over."
        )
    return steps


def _for_findings(plan: Plan) -> list[str]:
    rules = Counter(finding.rule for finding in plan.findings)
    return [f"{rule} ({rules[rule]:,}): {step}." for rule, step in FOR_FINDINGS.items() if rules[rule]]
