"""What became of the actions of an apply, for a person and for a record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.core.model import Kind
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, ApprovedPlan, Outcome, Status
from reconciler.report import tables
from reconciler.report.clean import code, plain, prose
from reconciler.report.fitting import Section, fitted
from reconciler.report.lines import Line, Span, cells, count, line, padded, width, wrapped
from reconciler.report.rows import SHORT, style
from reconciler.report.words import SYMBOLS, Speech, verb

STYLES = {
    Status.VERIFIED: "good",
    Status.ACCEPTED: "warn",
    Status.REFUSED: "bad",
    Status.DEFERRED: "warn",
    Status.FAILED: "bad",
    Status.PARTIAL: "bad",
    Status.UNKNOWN: "bad",
}
NEXT = {
    Status.FAILED: "failed: the service said no; mend the cause and run the same command again",
    Status.PARTIAL: "partial: some of it was written; plan again, and have the rest approved anew",
    Status.UNKNOWN: "unknown: sent, and not seen to work; run `plan` in some minutes",
    Status.ACCEPTED: "accepted: sent, and not verified yet; run `plan` in some minutes",
    Status.REFUSED: "refused: these were not sent, each for the reason beside it",
    Status.DEFERRED: "deferred: nothing was sent; they go once what they need is approved and done",
}
"""What to do about each end that is no success, the most serious first."""

WHO = 26
"""Columns for whom an action is about: ends are told one by one, so none knows how long the next name is."""
INDENT = 13
LONG = 120
"""A reason of more characters is not said twice."""
FAR = 20
"""After more ends than this, those that are no success are told once more: they have left the screen."""


def ended(action: Action, outcome: Outcome, kinds: Mapping[str, Kind], columns: int) -> list[Line]:
    """One action and its end, as soon as it is known."""
    speech = Speech(kinds)
    head: list[Span] = [
        (STYLES[outcome.status], f"  {outcome.status.value:<9}"),
        (style(action), f"  {SYMBOLS[action.verb]} {verb(action):<6} "),
        ("", padded(speech.who(action), WHO)),
    ]
    lines = [tuple(head)]
    for part in ((style(action), speech.change(action)), ("dim", f"on {plain(str(action.address))}")):
        room = columns - width(lines[-1]) - cells(part[1]) - 2
        if part[1] and room >= 0:
            lines[-1] = (*lines[-1], ("", "  "), part)
        elif part[1]:
            lines += wrapped(*part, INDENT, columns)
    if outcome.reason:
        colour = "dim" if outcome.status is Status.VERIFIED else STYLES[outcome.status]
        lines += wrapped(colour, plain(outcome.reason), INDENT, columns)
    return lines


def outcome_lines(
    approved: ApprovedPlan, outcomes: Sequence[Outcome], kinds: Mapping[str, Kind], columns: int
) -> list[Line]:
    """The refusals, the tally, and what to do next; sent actions were told one by one before."""
    by_id = {action.id: action for action in approved.plan.actions}
    lines: list[Line] = []
    if len(outcomes) - len(approved.refused) > FAR:
        again = [each for each in outcomes if each.status in NEXT and each not in approved.refused]
        lines += [line(), line(("heading", "Not done:"))] if again else []
        lines += [each for outcome in again for each in ended(by_id[outcome.action], outcome, kinds, columns)]
    for outcome in _brief(approved.refused):
        action = by_id.get(outcome.action)
        if action:
            lines += ended(action, outcome, kinds, columns)
        else:
            lines.append(line((STYLES[outcome.status], "  refused    "), plain(outcome.action)[:SHORT]))
            lines += wrapped("bad", plain(outcome.reason), INDENT, columns)
    lines += _tallied(approved, outcomes, by_id)
    for status, text in NEXT.items():
        if any(outcome.status is status for outcome in outcomes):
            lines += wrapped("dim", text, 0, columns)
    return lines


def _brief(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Those of one reason one after another, and a long reason once."""
    alike: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        alike.setdefault(outcome.reason, []).append(outcome)
    for reason, same in alike.items():
        yield same[0]
        yield from (replace(each, reason="as above") if len(reason) > LONG else each for each in same[1:])


def _tallied(
    approved: ApprovedPlan, outcomes: Sequence[Outcome], by_id: Mapping[str, Action]
) -> Iterator[Line]:
    waiting = _waiting(approved, by_id)
    if outcomes:
        worst = next((status for status in NEXT if any(each.status is status for each in outcomes)), None)
        yield line((STYLES[worst] if worst else "good", f"Applied: {_tally(outcomes)}."))
    elif by_id:
        yield line(("warn", "Nothing is approved, so nothing was sent."))
    else:
        yield line(("good", "Nothing to apply."))
    if waiting:
        losses = sum(takes_away(action) for action in waiting)
        told = f", {count(losses, 'removal')} among them" if losses else ""
        yield line(("dim", f"Not approved and left alone: {count(len(waiting), 'planned action')}{told}."))


def _waiting(approved: ApprovedPlan, by_id: Mapping[str, Action]) -> list[Action]:
    """Planned actions that this run neither sent nor refused."""
    told = {action.id for action in approved.actions} | {outcome.action for outcome in approved.refused}
    return [action for ident, action in by_id.items() if ident not in told]


def _tally(outcomes: Iterable[Outcome]) -> str:
    numbers = Counter(outcome.status for outcome in outcomes)
    return ", ".join(f"{numbers[status]:,} {status.value}" for status in Status if numbers[status])


def outcomes_markdown(approved: ApprovedPlan, outcomes: Iterable[Outcome], kinds: Mapping[str, Kind]) -> str:
    """The same as a table, for the run's summary page; what did not work comes first."""
    told = list(outcomes)
    by_id = {action.id: action for action in approved.plan.actions}
    waiting = len(_waiting(approved, by_id))
    head = [
        f"## Apply in {code(approved.plan.environment[:200])}: {_tally(told) or 'nothing sent'}",
        f"Not approved and left alone: {count(waiting, 'planned action')}." if waiting else "",
        "\n".join(
            f"- {text}" for status, text in NEXT.items() if any(each.status is status for each in told)
        ),
    ]
    bad = list(_brief(outcome for outcome in told if outcome.status is not Status.VERIFIED))
    good = [outcome for outcome in told if outcome.status is Status.VERIFIED]
    sections = [
        Section(
            [
                (0, f"### {title}\n\n{_table(group, by_id, kinds)}"),
                (rank, f"### {title}\n\nLeft out for length."),
            ]
        )
        for rank, title, group in ((2, "Not done", bad), (1, "Done and verified", good))
        if group
    ]
    return fitted(
        head,
        sections,
        lambda number: f"{count(number, 'table')} left out for length; the journal holds every action.",
    )


def _table(outcomes: Iterable[Outcome], by_id: Mapping[str, Action], kinds: Mapping[str, Kind]) -> str:
    words = tables.speech(kinds)
    rows = [
        "| outcome | action | who | right | on | why | id |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for outcome in outcomes:
        action = by_id.get(outcome.action)
        what = [tables.verb_cell(action), words.who(action), words.change(action),
                tables.thing(action.address, words)] if action else ["", "", "", ""]  # fmt: skip
        ident = code(outcome.action[:SHORT])
        rows.append(f"| {' | '.join([f'**{outcome.status.value}**', *what, prose(outcome.reason), ident])} |")
    return "\n".join(rows)
