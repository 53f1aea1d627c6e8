"""The plan as Markdown for a forge: a pull-request comment that is kept up to date, and the nightly report.

Both fit into what GitHub takes, and say what was left out; the number of removals never is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.core.model import Kind
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Plan
from reconciler.report import tables
from reconciler.report.clean import code, html, prose
from reconciler.report.counts import by_tenant, by_verb, losses, removed
from reconciler.report.duty import next_steps
from reconciler.report.fitting import Section, fitted
from reconciler.report.lines import count, listed
from reconciler.report.readings import told as readings_told
from reconciler.report.verdict import IN_STEP, exit_code, verdict
from reconciler.report.words import Speech

UNFOLDED = 40
"""More actions than this are folded, tenant by tenant; tenants that lose something stay open."""
BEGINNING = 20
"""Lines of a list that are kept when it is too long."""
KEPT = ((4, 300), (5, 120), (6, 40), (8, 10))
"""When nothing less important is left, how many actions of a tenant are told, and at which rank."""
NAMED = 20
"""How many tenants or files a heading names."""
LONGEST_NAME = 200

STOPPED = "Refused by guardrails"
BLOCKED = "Blocked"
WAITING = "Next stage, to be planned once this plan is applied"
UNREAD = "Unknown: not read, so nothing there is touched"
ACCEPTED = "Accepted gaps: not read, so nothing there is touched"
TOLD = "Findings, for which there is no action"
WRONG = "Errors in the policies"
UNPINNED = "Names not pinned to an object id; run `reconciler pin`"


def marker(environment: str) -> str:
    """The first line of the comment, by which a workflow finds it again."""
    return _marker("plan", environment)


def _marker(what: str, environment: str) -> str:
    # Two hyphens in a row would end an HTML comment.
    name = re.sub(r"[^A-Za-z0-9._]+", "-", environment[:LONGEST_NAME])
    return f"<!-- reconciler {what} {name or 'unnamed'} -->"


def comment(plan: Plan, kinds: Mapping[str, Kind], changed: frozenset[str] | None = None) -> str:
    """A pull request's comment; `changed` are the files that it changes, from the policies' root."""
    plan = _named(plan)
    head = [marker(plan.environment), f"## Plan for {code(plan.environment)}: {_headline(plan)}"]
    head += _counted(plan, kinds)
    head += _elsewhere(plan, changed) if changed is not None else []
    return fitted(head, _sections(plan, kinds), _left_out(plan))


def drift_report(plan: Plan, kinds: Mapping[str, Kind]) -> str:
    """The nightly report, for a run's summary or an issue: the verdict first, then what to do, then why."""
    plan = _named(plan)
    head = [_marker("drift", plan.environment), f"# Drift in {code(plan.environment)}: {_headline(plan)}"]
    head += _counted(plan, kinds)
    steps = next_steps(plan, code)
    if steps:
        head += ["## What to do now", "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))]
    return fitted(head, _sections(plan, kinds), _left_out(plan))


def _named(plan: Plan) -> Plan:
    """The plan with a name that has room in a heading, whatever a plan file says."""
    return replace(plan, environment=plan.environment[:LONGEST_NAME])


def _headline(plan: Plan) -> str:
    taken = removed(plan.actions)
    if not plan.actions:
        return "in step" if exit_code(plan) == IN_STEP else "no actions"
    return count(len(plan.actions), "action") + (f", 🔴 {count(taken, 'REMOVAL', 'S')}" if taken else "")


def _counted(plan: Plan, kinds: Mapping[str, Kind]) -> list[str]:
    """Who loses how much, what the plan comes to, and what it was made from."""
    parts = []
    taken = losses(plan.actions)
    if taken:
        lines = [
            f"> - {code(loss.tenant[:LONGEST_NAME])}: {loss.actions:,} ({loss.told()})" for loss in taken
        ]
        more = [f"> - and {len(lines) - NAMED:,} more tenants"] if len(lines) > NAMED else []
        total = sum(loss.actions for loss in taken)
        parts.append("\n".join(["> [!CAUTION]", f"> **REMOVALS: {total:,}**", *lines[:NAMED], *more]))
    if plan.actions:
        parts.append(
            "Plan: " + ", ".join(f"**{text}**" if taken_ else text for text, taken_ in by_verb(plan.actions))
        )
    parts.append("\n".join(f"- {_strong(prose(text))}" for _, text in verdict(plan)))
    parts.append("; ".join(tables.speech(kinds).explained(plan.actions)))
    revision = plan.revision if plan.revision == "working tree" else plan.revision[:10]
    parts.append(
        f"{count(plan.managed, 'thing')} compared, policies at {code(revision)}, as of {plan.as_of}, "
        f"digest {code(plan.digest[:12])}."
    )
    parts.append("\n".join(f"- {text}" for _, text in readings_told(plan.readings, code, prose)))
    return parts


def _strong(text: str) -> str:
    """The sentence with its leading word in bold, where that is in capitals."""
    return re.sub(r"^([A-Z]{3,}):", r"**\1**:", text)


def _elsewhere(plan: Plan, changed: frozenset[str]) -> list[str]:
    """The warning that a plan does more than the pull request asks for."""
    others = [action for action in plan.actions if action.source.file not in changed]
    if not others:
        return ["All of it comes from files that this pull request changes."] if plan.actions else []
    files = Counter(action.source.file for action in others)
    named = [f"{code(file[:LONGEST_NAME])} ({number:,})" for file, number in sorted(files.items())]
    taken = removed(others)
    told = f", **🔴 {count(taken, 'REMOVAL', 'S')} among them**" if taken else ""
    return [
        f"> [!WARNING]\n> {len(others):,} of {count(len(plan.actions), 'action')} come from files that this "
        f"pull request does not change{told}: {listed(named, NAMED)}. That drift was there before; approving "
        "it is a decision of its own."
    ]


def _sections(plan: Plan, kinds: Mapping[str, Kind]) -> list[Section]:
    words = tables.speech(kinds)
    waiting = sum(each.stage == "next" for each in plan.blocked)
    unread = sum(not gap.accepted for gap in plan.gaps)
    lists: list[tuple[int, str, int, Callable[[], str]]] = [
        (7, STOPPED, len(plan.violations), lambda: tables.violations(plan)),
        (5, BLOCKED, len(plan.blocked) - waiting, lambda: tables.blocked(plan, "blocked", words)),
        (2, WAITING, waiting, lambda: tables.blocked(plan, "next", words)),
        (5, UNREAD, unread, lambda: tables.gaps(plan, accepted=False)),
        (2, ACCEPTED, len(plan.gaps) - unread, lambda: tables.gaps(plan, accepted=True)),
        (1, TOLD, len(plan.findings), lambda: tables.findings(plan)),
        (7, WRONG, len(plan.problems), lambda: tables.problems(plan)),
        (1, UNPINNED, len(plan.unpinned), lambda: listed(map(code, plan.unpinned), 50)),
    ]
    return [*_tenants(plan, words), *(_listing(*each) for each in lists if each[2])]


def _tenants(plan: Plan, words: Speech) -> Iterator[Section]:
    by_id = {action.id: action for action in plan.actions}
    folded = len(plan.actions) > UNFOLDED
    for tenant, actions in by_tenant(plan.actions):
        heading = tables.tenant_heading(tenant, actions)
        title = _title(tenant, actions) if folded else f"### {heading}"
        taken = [action for action in actions if takes_away(action)]
        whole = tables.tenant_table(actions, by_id, words)
        forms = [(0, _fold(title, whole, is_open=bool(taken)))]
        others = [action for action in actions if not takes_away(action)]
        for rank, most in _shorter(len(actions), len(taken)):
            kept = [*taken[:most], *others[: max(0, most - len(taken))]]
            table = f"{tables.tenant_table(kept, by_id, words)}\n\n{_missing(actions, kept)}"
            forms.append((rank, _fold(title, table, is_open=bool(taken))))
        forms.append((9, f"{heading}; its table is left out for length."))
        yield Section(forms)


def _shorter(actions: int, losses: int) -> list[tuple[int, int]]:
    """Ranks at which a tenant's table is shortened, each with how many actions it keeps: losses first."""
    steps = [(3, losses)] if losses else []
    return steps + [(rank, most) for rank, most in KEPT if most < (losses or actions)]


def _missing(actions: Sequence[Action], kept: Sequence[Action]) -> str:
    taken = removed(actions) - removed(kept)
    told = f", 🔴 {count(taken, 'REMOVAL', 'S')} among them," if taken else ""
    return f"{count(len(actions) - len(kept), 'more action')}{told} left out for length."


def _title(tenant: str, actions: Sequence[Action]) -> str:
    return f"<summary>{tables.tenant_heading(tenant, actions, html)}</summary>"


def _fold(title: str, body: str, is_open: bool) -> str:
    if not title.startswith("<summary>"):
        return f"{title}\n\n{body}"
    return f"<details{' open' if is_open else ''}>{title}\n\n{body}\n\n</details>"


def _listing(rank: int, heading: str, number: int, body: Callable[[], str]) -> Section:
    """A list in full, then its beginning, then its heading."""
    title = f"### {heading} ({number:,})"
    full = body()
    begin = "\n".join(full.split("\n")[:BEGINNING])
    return Section(
        [
            (0, f"{title}\n\n{full}"),
            (rank, f"{title}\n\n{begin}\n\nThe rest is left out for length."),
            (rank + 5, f"{title}\n\nLeft out for length."),
        ]
    )


def _left_out(plan: Plan) -> Callable[[int], str]:
    command = code(f"reconciler plan --env {plan.environment}")
    return lambda number: (
        f"> [!NOTE]\n> {count(number, 'section')} shortened or left out, to fit into a comment. The whole "
        f"plan is what {command} prints, and the JSON of digest {code(plan.digest[:12])} that the run saved."
    )
