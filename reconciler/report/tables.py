"""The parts of a plan as Markdown: a table per tenant, lists for what could not be planned or read.

Whatever somebody else chose or wrote goes through `code` or `prose`; everything else is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from reconciler.core.model import Address, Kind
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Plan
from reconciler.report.clean import code, prose
from reconciler.report.counts import by_address, gap_reason, obstacles, removed
from reconciler.report.lines import count, listed
from reconciler.report.rows import SHORT, Row, rows_of
from reconciler.report.words import Speech, verb

HEAD = "| action | who | right | why | on | policy | id |\n| --- | --- | --- | --- | --- | --- | --- |"


def speech(kinds: Mapping[str, Kind]) -> Speech:
    """Words for Markdown: names in code, in which nothing works but reading."""
    return Speech(kinds, quote=code, say=prose, arrow="→")


def tenant_heading(tenant: str, actions: Sequence[Action], quote: Callable[[str], str] = code) -> str:
    """`pricing`: 16 actions, 8 REMOVALS; in Markdown, or in HTML when quoted by `html`."""
    losses = removed(actions)
    told = f", 🔴 {count(losses, 'REMOVAL', 'S')}" if losses else ""
    return f"{quote(tenant)}: {count(len(actions), 'action')}{told}"


def tenant_table(actions: Iterable[Action], by_id: Mapping[str, Action], words: Speech) -> str:
    """The actions of one tenant; the thing that they are about is named in its first row."""
    lines = [HEAD]
    for address, own in by_address(actions):
        place = thing(address, words)
        for row in rows_of(own, by_id, words):
            lines.append(_row(row, place))
            place = ""
    return "\n".join(lines)


def thing(address: Address, words: Speech) -> str:
    """A thing by its kind, its name and where it is: secret scope `pricing` in `ml-prod`."""
    where = code(f"{address.provider}/{address.installation}")
    return f"{words.title(address.kind)} {code(address.locator)} in {where}"


def _row(row: Row, place: str) -> str:
    action = row.actions[0]
    why = "; ".join(part for part in (row.why, row.because, *row.notes) if part)
    ident = code(action.id[:SHORT]) if len(row.actions) == 1 else f"{len(row.actions):,} ids in the JSON"
    cells = (verb_cell(action), row.names or row.who, row.change, why, place, _policy(row), ident)
    return "| " + " | ".join(cells) + " |"


def verb_cell(action: Action) -> str:
    """The verb; a loss cannot be overlooked."""
    return f"🔴 **{verb(action)}**" if takes_away(action) else verb(action)


def _policy(row: Row) -> str:
    """The file, without the folder that the heading names, and the line."""
    action = row.actions[0]
    own = f"tenants.d/{action.tenant}/"
    places = dict.fromkeys(str(each.source).removeprefix(own) for each in row.actions)
    return code(listed(places, 1))


def violations(plan: Plan) -> str:
    """What guardrails stop."""
    lines = []
    for each in plan.violations:
        stopped = listed((code(ident[:SHORT]) for ident in each.actions), 12)
        override = "" if each.overridable else ", and no approval can override it"
        number = count(len(each.actions), "action")
        lines.append(f"- **{code(each.rule)}** stops {number}{override}: {prose(each.text)} ({stopped})")
    return "\n".join(lines)


def blocked(plan: Plan, stage: str, words: Speech) -> str:
    """What could not become actions, thing by thing."""
    lines = []
    for address, group in groupby(obstacles(plan, stage, words), lambda each: each.address):
        lines.append(f"- {thing(address, words)}")
        for each in group:
            lines.append(f"  - {each.facts}: {prose(each.reason)} ({code(each.sources)})")
    return "\n".join(lines)


def gaps(plan: Plan, accepted: bool) -> str:
    """What could not be read, and why; the addresses as `accepted-gaps` takes them."""
    chosen = [gap for gap in plan.gaps if bool(gap.accepted) is accepted]
    return "\n".join(
        f"- {code(str(gap.address))}: {prose(gap_reason(gap))}"
        + (f" — {prose(gap.accepted)}" if gap.accepted else "")
        for gap in chosen
    )


def findings(plan: Plan) -> str:
    """Facts without an action, by rule."""
    lines = ["| rule | on | finding |", "| --- | --- | --- |"]
    for rule, group in groupby(plan.findings, lambda finding: finding.rule):
        name = code(rule)
        for finding in group:
            lines.append(f"| {name} | {code(str(finding.address))} | {prose(finding.text)} |")
            name = ""
    return "\n".join(lines)


def problems(plan: Plan) -> str:
    """Errors in the policies."""
    return "\n".join(f"- {prose(problem)}" for problem in plan.problems)
