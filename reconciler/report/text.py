"""The plan as text for a person: by tenant and thing, names rather than ids, removals impossible to miss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from reconciler.core.model import Gap, Kind
from reconciler.core.plan import Plan
from reconciler.report.clean import plain
from reconciler.report.counts import by_tenant, by_verb, gap_reason, losses, obstacles, removed
from reconciler.report.duty import next_steps
from reconciler.report.lines import Line, beside, cells, count, folded, line, listed, padded, width, wrapped
from reconciler.report.readings import told as readings_told
from reconciler.report.rows import SHORT, laid_out, shorter, things
from reconciler.report.verdict import verdict
from reconciler.report.words import LEGEND, Speech

NARROWEST = 64
PROSE = 120
"""Sentences are not drawn out any further, however wide the screen is."""


def plan_lines(plan: Plan, kinds: Mapping[str, Kind], columns: int = 80) -> list[Line]:
    """The whole plan, its summary last; `columns` is what fits on a line, at least 64."""
    return _report(plan, kinds, columns, f"Plan for {plain(plan.environment)}")


def drift_lines(plan: Plan, kinds: Mapping[str, Kind], columns: int = 80) -> list[Line]:
    """The nightly report for the person on duty: the same, with what to do about it at the end."""
    lines = _report(plan, kinds, columns, f"Drift report for {plain(plan.environment)}")
    steps = next_steps(plan)
    if steps:
        lines += [line(), line(("heading", "What to do now"))]
    for number, step in enumerate(steps, 1):
        lines += _hanging(f"  {number}. ", step, max(NARROWEST, min(columns, PROSE)))
    return lines


def _report(plan: Plan, kinds: Mapping[str, Kind], columns: int, title: str) -> list[Line]:
    columns = max(NARROWEST, columns)
    speech = Speech(kinds)
    readable = min(columns, PROSE)
    lines = [*_title(plan, title, columns)]
    for style, text in readings_told(plan.readings):
        pieces = enumerate(folded(text, readable - 2))
        lines.extend(line("  " * (at > 0), (style, piece)) for at, piece in pieces)
    lines.extend(_tenants(plan, speech, columns))
    lines.extend(_violations(plan, readable))
    for stage, heading in STAGES.items():
        lines.extend(_obstacles(plan, stage, heading, speech, readable))
    lines.extend(_gaps(plan, readable))
    lines.extend(_findings(plan, columns))
    for section in (_problems, _unpinned):
        lines.extend(section(plan, readable))
    lines.append(line())
    lines.extend(_summary(plan, speech, readable))
    return lines


def _title(plan: Plan, title: str, columns: int) -> Iterator[Line]:
    losses = removed(plan.actions)
    spans = [("heading", title)]
    if plan.actions:
        spans.append(("heading", f": {count(len(plan.actions), 'action')}"))
    if losses:
        spans += [("heading", ", "), ("remove", count(losses, "REMOVAL", "S"))]
    digest = f"digest {plain(plan.digest)[:12]}"
    apart = width(spans) + 2 + cells(digest) > columns
    yield tuple(spans) if apart else (*spans, ("dim", f"  {digest}"))
    revision = plan.revision if plan.revision == "working tree" else plan.revision[:10]
    facts = f"{count(plan.managed, 'thing')} compared, policies at {plain(revision)}, as of {plan.as_of}"
    facts += f", {digest}" if apart else ""
    yield from wrapped("dim", facts, 0, columns)


def _tenants(plan: Plan, speech: Speech, columns: int) -> Iterator[Line]:
    by_id = {action.id: action for action in plan.actions}
    tenants = by_tenant(plan.actions)
    tables = laid_out([things(actions, by_id, speech) for _, actions in tenants], speech, columns)
    for (tenant, actions), table in zip(tenants, tables, strict=True):
        losses = removed(actions)
        spans = [("heading", plain(tenant)), ("dim", f"  {count(len(actions), 'action')}")]
        if losses:
            spans.append(("remove", f"  {count(losses, 'REMOVAL', 'S')}"))
        yield line()
        yield tuple(spans)
        yield from table


def _violations(plan: Plan, columns: int) -> Iterator[Line]:
    if plan.violations:
        yield line()
        yield line(("bad", f"Refused by guardrails ({len(plan.violations):,})"))
    for violation in plan.violations:
        override = "" if violation.overridable else ", and no approval can override it"
        yield from _hanging("  ", f"{plain(violation.rule)}: {plain(violation.text)}", columns, 2)
        stopped = listed((plain(ident)[:SHORT] for ident in violation.actions), 12)
        number = count(len(violation.actions), "action")
        yield from wrapped("dim", f"stops {number}{override}: {stopped}", 4, columns)


STAGES = {"blocked": "Blocked", "next": "Next stage, to be planned once this plan is applied"}


def _obstacles(plan: Plan, stage: str, heading: str, speech: Speech, columns: int) -> Iterator[Line]:
    found = obstacles(plan, stage, speech)
    if found:
        number = sum(each.stage == stage for each in plan.blocked)
        yield line()
        yield line(("warn", f"{heading} ({number:,})"))
    for address, group in groupby(found, lambda each: each.address):
        here = list(group)
        sources = plain("; ".join(dict.fromkeys(each.sources for each in here)))
        head = line("  ", ("name", plain(str(address))))
        fitting = (beside(head, [("dim", place)], columns) for place in (sources, shorter(sources)))
        yield next(filter(None, fitting), head)
        for each in here:
            yield from _hanging("    ", f"{each.facts}: {plain(each.reason)}", columns, 2)


def _gaps(plan: Plan, columns: int) -> Iterator[Line]:
    refused = [gap for gap in plan.gaps if not gap.accepted]
    accepted = [gap for gap in plan.gaps if gap.accepted]
    if refused:
        yield line()
        yield line(("bad", f"Unknown ({len(refused):,}): not read, so nothing there is touched"))
        yield from _gap_lines(refused, columns)
    if accepted:
        yield line()
        yield line(("warn", f"Accepted gaps ({len(accepted):,}): not read, so nothing there is touched"))
        yield from _gap_lines(accepted, columns)


def _gap_lines(gaps: Iterable[Gap], columns: int) -> Iterator[Line]:
    """Things that could not be read, by reason: one cause often hides many of them."""
    told: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        told.setdefault((gap_reason(gap), gap.accepted), []).append(plain(str(gap.address)))
    for (reason, accepted), addresses in told.items():
        for address in addresses:
            yield line("  ", ("name", address))
        yield from wrapped("", plain(reason), 4, columns)
        if accepted:
            yield from wrapped("dim", plain(accepted), 4, columns)


def _findings(plan: Plan, columns: int) -> Iterator[Line]:
    if not plan.findings:
        return
    yield line()
    yield line(("warn", f"Findings ({len(plan.findings):,}), for which there is no action"))
    names = [cells(plain(str(finding.address))) for finding in plan.findings]
    # Side by side where every text keeps half of the line, else one above the other.
    column = max(names) if max(names) + 6 <= columns // 2 else 0
    for rule, group in groupby(plan.findings, lambda finding: finding.rule):
        yield line("  ", ("warn", plain(rule)))
        for address, own in groupby(group, lambda finding: finding.address):
            yield from _told(plain(str(address)), [plain(each.text) for each in own], column, columns)


def _told(name: str, texts: Sequence[str], column: int, columns: int) -> Iterator[Line]:
    """A name with what is told of it, beside it or below it."""
    if not column:
        yield line("    ", ("name", name))
        for text in texts:
            yield from wrapped("", text, 6, columns)
        return
    left = name
    for text in texts:
        for piece in folded(text, columns - column - 6):
            yield line("    ", ("name", left), " " * (column - cells(left) + 2), piece)
            left = ""


def _problems(plan: Plan, columns: int) -> Iterator[Line]:
    if plan.problems:
        yield line()
        yield line(("bad", f"Errors in the policies ({len(plan.problems):,}); their tenants are left alone"))
    for problem in plan.problems:
        yield from _hanging("  ", plain(problem), columns, 2)


def _unpinned(plan: Plan, columns: int) -> Iterator[Line]:
    if plan.unpinned:
        yield line()
        names = listed(map(plain, plan.unpinned), 5)
        verbs = "names are" if len(plan.unpinned) > 1 else "name is"
        text = f"{len(plan.unpinned):,} {verbs} not pinned to an object id: {names}; run `reconciler pin`"
        yield from wrapped("warn", text, 0, columns)


def _hanging(head: str, text: str, columns: int, deeper: int = 0) -> Iterator[Line]:
    """A paragraph whose later lines begin below its text, or as much deeper as is said."""
    indent = " " * (len(head) + deeper)
    for number, piece in enumerate(folded(text, columns - len(indent))):
        yield line(indent if number else head, piece)


def _summary(plan: Plan, speech: Speech, columns: int) -> Iterator[Line]:
    if plan.actions:
        yield line(("dim", LEGEND))
        yield from wrapped("dim", "; ".join(speech.explained(plan.actions)), 0, columns)
        yield from _counted(plan, columns)
    yield from _losses(plan)
    for style, text in verdict(plan):
        yield from wrapped(style, text, 0, columns)


def _counted(plan: Plan, columns: int) -> Iterator[Line]:
    """How many actions of each verb."""
    spans = [("heading", "Plan:")]
    parts = by_verb(plan.actions)
    for number, (text, taken) in enumerate(parts, 1):
        part = ("remove" if taken else "add", text + ("," if number < len(parts) else ""))
        if width([*spans, part]) + 1 > columns:
            yield tuple(spans)
            spans = [("", "     ")]
        spans += [("", " "), part]
    yield tuple(spans)


def _losses(plan: Plan) -> Iterator[Line]:
    """Who loses how much, tenant by tenant."""
    taken = losses(plan.actions)
    names = max((cells(plain(loss.tenant)) for loss in taken), default=0)
    if taken:
        yield line(("remove", f"REMOVALS: {sum(loss.actions for loss in taken):,}"))
    for loss in taken:
        yield line(("remove", f"  {padded(plain(loss.tenant), names)}  {loss.actions:>3,}: {loss.told()}"))
