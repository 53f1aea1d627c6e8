"""The plan as text for a person: by tenant and thing, names rather than ids, removals impossible to miss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from reconciler.core.model import Kind, Verb
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Plan
from reconciler.report.clean import plain
from reconciler.report.lines import Line, count, line, width, wrapped
from reconciler.report.verdict import verdict
from reconciler.report.words import LEGEND, SYMBOLS, Speech, reason, role, verb, who

STYLES = {Verb.CREATE: "add", Verb.GRANT: "add", Verb.RAISE: "change", Verb.SET: "change"}
SHORT = 10
"""Characters of an action's id that are shown: enough for `approve --only`."""


def plan_lines(plan: Plan, kinds: Mapping[str, Kind], columns: int = 80) -> list[Line]:
    """The whole plan; `columns` is what fits on a line, at least 60."""
    columns = max(60, columns)
    speech = Speech(kinds)
    lines = [_title(plan)]
    by_id = {action.id: action for action in plan.actions}
    for tenant, actions in groupby(_by_place(plan.actions), lambda action: action.tenant):
        lines.extend(_tenant(tenant, list(actions), by_id, speech, columns))
    for section in (_violations, _blocked, _next, _gaps, _findings, _problems, _unpinned):
        lines.extend(section(plan, columns))
    lines.append(line())
    lines.extend(_summary(plan, columns))
    return lines


def _title(plan: Plan) -> Line:
    revision = plan.revision if plan.revision == "working tree" else plan.revision[:10]
    return line(
        ("heading", f"Plan for {plain(plan.environment)}"),
        ("dim", f"  policies at {revision}, as of {plan.as_of}, {plan.managed} things compared"),
    )


def _by_place(actions: Sequence[Action]) -> list[Action]:
    places = {action.id: number for number, action in enumerate(actions)}
    return sorted(actions, key=lambda action: (action.tenant, action.address, places[action.id]))


def _tenant(
    tenant: str, actions: list[Action], by_id: Mapping[str, Action], speech: Speech, columns: int
) -> Iterator[Line]:
    losses = sum(takes_away(action) for action in actions)
    note = f"  {count(len(actions), 'action')}"
    yield line()
    spans = [("heading", plain(tenant)), ("dim", note)]
    if losses:
        spans.append(("remove", f"  {count(losses, 'REMOVAL', 'S')}"))
    yield tuple(spans)
    for address, group in groupby(actions, lambda action: action.address):
        here = list(group)
        yield line("  ", ("name", plain(str(address))))
        names = min(max(len(who(action)) for action in here), max(24, columns - 52))
        for action in here:
            yield from _action(action, names, by_id, speech, columns)


def _action(
    action: Action, names: int, by_id: Mapping[str, Action], speech: Speech, columns: int
) -> Iterator[Line]:
    style = STYLES.get(action.verb, "remove")
    change = " ".join(word for word in (role(action), speech.change(action)) if word)
    head = [
        ("", "    "),
        (style, f"{SYMBOLS[action.verb]} {verb(action):<6} "),
        ("", f"{who(action):<{names}}  "),
        (style, change),
    ]
    why = reason(action)
    if why:
        head.append(("dim", f"  {why}"))
    tail = f"{action.source}  {action.id[:SHORT]}"
    if width(head) + len(tail) + 2 <= columns:
        gap = columns - width(head) - len(tail)
        yield (*head, ("", " " * gap), ("dim", tail))
    elif width(head) <= columns:
        yield tuple(head)
        yield line(" " * 13, ("dim", tail))
    else:
        yield tuple(head[:4])
        yield from wrapped("dim", f"{why}  {tail}" if why else tail, 13, columns)
    yield from _notes(action, by_id, columns)


def _notes(action: Action, by_id: Mapping[str, Action], columns: int) -> Iterator[Line]:
    evidence = action.evidence
    if evidence.counts:
        total = sum(evidence.counts.values())
        met = ", ".join(
            f"{number} with {'nothing' if value == '-' else value}"
            for value, number in sorted(evidence.counts.items())
        )
        samples = (
            f"; e.g. {', '.join(plain(sample) for sample in evidence.samples)}" if evidence.samples else ""
        )
        yield from wrapped("dim", f"{count(total, 'path')}: {met}{samples}", 13, columns)
    if action.needs:
        first = by_id.get(action.needs[0])
        what = f"{first.verb} {who(first)}" if first else action.needs[0][:SHORT]
        more = f" and {len(action.needs) - 1} more" if len(action.needs) > 1 else ""
        yield from wrapped("dim", f"after: {what}{more}", 13, columns)


def _violations(plan: Plan, columns: int) -> Iterator[Line]:
    if plan.violations:
        yield line()
        yield line(("bad", f"Refused by guardrails ({len(plan.violations)})"))
    for violation in plan.violations:
        yield line(
            "  ", ("bad", violation.rule), ("dim", f"  refuses {count(len(violation.actions), 'action')}")
        )
        yield from wrapped("", plain(violation.text), 4, columns)


def _blocked(plan: Plan, columns: int) -> Iterator[Line]:
    yield from _obstacles(plan, "blocked", "Blocked", columns)


def _next(plan: Plan, columns: int) -> Iterator[Line]:
    yield from _obstacles(plan, "next", "Next stage, once this plan is applied", columns)


def _obstacles(plan: Plan, stage: str, title: str, columns: int) -> Iterator[Line]:
    chosen = [each for each in plan.blocked if each.stage == stage]
    if chosen:
        yield line()
        yield line(("warn", f"{title} ({len(chosen)})"))
    for (address, reason_), group in groupby(chosen, lambda each: (each.address, each.reason)):
        here = list(group)
        yield line("  ", ("name", plain(str(address))), ("dim", f"  {here[0].source}"))
        facts = ", ".join(plain(each.attribute.principal or each.attribute.role) for each in here)
        yield from wrapped("", f"{facts}: {plain(reason_)}", 4, columns)


def _gaps(plan: Plan, columns: int) -> Iterator[Line]:
    if plan.gaps:
        yield line()
        yield line(("bad", f"Unknown: {len(plan.gaps)} could not be read, and nothing there is touched"))
    for gap in plan.gaps:
        yield line("  ", ("name", plain(str(gap.address))), ("dim", f"  {plain(gap.status)}"))
        yield from wrapped("", plain(gap.reason), 4, columns)
        if gap.accepted:
            yield from wrapped("dim", plain(gap.accepted), 4, columns)


def _findings(plan: Plan, columns: int) -> Iterator[Line]:
    if plan.findings:
        yield line()
        yield line(("warn", f"Findings ({len(plan.findings)}), for which there is no action"))
    for rule, group in groupby(plan.findings, lambda finding: finding.rule):
        yield line("  ", ("warn", plain(rule)))
        for finding in group:
            yield from wrapped("", f"{plain(str(finding.address))}: {plain(finding.text)}", 4, columns)


def _problems(plan: Plan, columns: int) -> Iterator[Line]:
    if plan.problems:
        yield line()
        yield line(("bad", f"Errors in the policies ({len(plan.problems)}); their tenants are left alone"))
    for problem in plan.problems:
        yield from wrapped("", plain(problem), 2, columns)


def _unpinned(plan: Plan, columns: int) -> Iterator[Line]:
    if plan.unpinned:
        yield line()
        shown = ", ".join(plain(name) for name in plan.unpinned[:5])
        more = f" and {len(plan.unpinned) - 5} more" if len(plan.unpinned) > 5 else ""
        text = f"not pinned to an object id: {shown}{more}; run `reconciler pin`"
        yield from wrapped("warn", f"{count(len(plan.unpinned), 'name')} {text}", 0, columns)


def _summary(plan: Plan, columns: int) -> Iterator[Line]:
    counts = Counter(action.verb for action in plan.actions)
    gains = [f"{counts[each]} to {each}" for each in Verb if counts[each] and each in STYLES]
    losses = [
        f"{counts[each]} to {each.value.upper()}" for each in Verb if counts[each] and each not in STYLES
    ]
    if plan.actions:
        spans = [("heading", "Plan: ")]
        spans += [("add", ", ".join(gains))] if gains else []
        spans += [("", ", ")] if gains and losses else []
        spans += [("remove", ", ".join(losses))] if losses else []
        yield tuple(spans)
        yield line(("dim", LEGEND))
    yield from (line((style, text)) for style, text in verdict(plan))
