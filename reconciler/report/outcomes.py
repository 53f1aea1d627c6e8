"""What became of the actions of an apply, for a person and for a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.model import Kind
from reconciler.core.plan import Action, ApprovedPlan, Outcome, Status
from reconciler.report.clean import markdown, plain
from reconciler.report.lines import Line, count, line
from reconciler.report.words import SYMBOLS, Speech, verb, who

STYLES = {
    Status.VERIFIED: "good",
    Status.ACCEPTED: "warn",
    Status.REFUSED: "bad",
    Status.DEFERRED: "warn",
    Status.FAILED: "bad",
    Status.UNKNOWN: "bad",
}
NEXT = {
    Status.REFUSED: "refused: nothing was sent; make a new plan and have it approved",
    Status.DEFERRED: "deferred: nothing was sent; they go once what they need is approved and done",
    Status.FAILED: "failed: the service said no; mend the cause and run the same command again",
    Status.UNKNOWN: "unknown: sent, and not seen to work; run `plan` in some minutes",
}


def outcome_line(action: Action, outcome: Outcome, kinds: Mapping[str, Kind], columns: int) -> Line:
    """One action and its end, as soon as it is known."""
    speech = Speech(kinds)
    words = " ".join(
        word
        for word in (verb(action), who(action), speech.change(action), "on", plain(str(action.address)))
        if word
    )
    spans = [
        (STYLES[outcome.status], f"  {outcome.status.value:<9}"),
        ("", f" {SYMBOLS[action.verb]} {words}"),
    ]
    if outcome.reason:
        spans.append(("dim", f": {plain(outcome.reason)}"))
    return tuple(spans)


def outcome_lines(
    approved: ApprovedPlan, outcomes: Sequence[Outcome], kinds: Mapping[str, Kind], columns: int
) -> list[Line]:
    """The refusals, the tally, and what to do next; sent actions were told one by one before."""
    by_id = {action.id: action for action in approved.plan.actions}
    lines: list[Line] = []
    for outcome in approved.refused:
        action = by_id.get(outcome.action)
        if action:
            lines.append(outcome_line(action, outcome, kinds, columns))
        else:
            lines.append(line(("bad", "  refused  "), f" {plain(outcome.reason)}"))
    planned = len(approved.plan.actions)
    waiting = planned - len(approved.actions) - sum(each.action in by_id for each in approved.refused)
    if not outcomes:
        nothing = "Nothing is approved, so nothing was sent." if planned else "Nothing to apply."
        lines.append(line(("warn" if planned else "good", nothing)))
    else:
        tally = Counter(outcome.status for outcome in outcomes)
        told = ", ".join(f"{tally[status]} {status.value}" for status in Status if tally[status])
        lines.append(line(("heading", f"Applied: {told}.")))
    if waiting > 0:
        lines.append(line(("dim", f"{count(waiting, 'planned action')} not approved: left alone.")))
    for status in NEXT:
        if any(outcome.status is status for outcome in outcomes):
            lines.append(line(("dim", NEXT[status])))
    return lines


def outcomes_markdown(approved: ApprovedPlan, outcomes: Iterable[Outcome], kinds: Mapping[str, Kind]) -> str:
    """The same as a table, for the run's summary page."""
    speech = Speech(kinds)
    by_id = {action.id: action for action in approved.plan.actions}
    rows = ["| outcome | action | on | why |", "| --- | --- | --- | --- |"]
    told = list(outcomes)
    for outcome in told:
        action = by_id.get(outcome.action)
        words = f"{verb(action)} {who(action)} {speech.change(action)}".strip() if action else "-"
        place = str(action.address) if action else "-"
        rows.append(
            f"| {outcome.status.value} | {markdown(words)} | {markdown(place)} | {markdown(outcome.reason)} |"
        )
    tally = Counter(outcome.status for outcome in told)
    head = (
        ", ".join(f"{tally[status]} {status.value}" for status in Status if tally[status]) or "nothing sent"
    )
    table = "\n".join(rows) if told else ""
    return f"## reconciler apply: {markdown(approved.plan.environment)}\n\n{head}\n\n{table}\n"
