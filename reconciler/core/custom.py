"""Guardrails that the platform writes itself: one expression each, asked of every action of a plan.

Its law: an action passes only where every rule answers true; what has no answer is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from reconciler.core.model import Source, Verb
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Plan, Violation

Facts = Mapping[str, object]
"""Every variable of `VARIABLES` with its value: text, numbers, truths, None, lists and maps of these."""

MOST_ANSWERS = 5_000_000
"""Answers per plan.  A count and not a clock bounds the work, as equal inputs have to give equal plans."""

MOST_PLACED = 1_000
"""Failures of one rule in one plan whose place is looked for: each takes as long as some answers."""

VARIABLES: Mapping[str, str] = {
    "action.id": "string",
    "action.verb": "string",
    "action.address": "string",
    "action.provider": "string",
    "action.installation": "string",
    "action.kind": "string",
    "action.locator": "string",
    "action.role": "string",
    "action.principal": "string",
    "action.before": "list of string or null",
    "action.after": "string or null",
    "action.until": "string or null",
    "action.days": "int or null",
    "action.removes": "bool",
    "action.tenant": "string",
    "action.cause": "string",
    "action.because": "string",
    "action.file": "string",
    "plan.environment": "string",
    "plan.as_of": "string",
    "plan.actions": "int",
    "plan.removals": "int",
    "plan.gaps": "int",
    "plan.verbs": "map of int",
    "plan.kinds": "map of int",
    "plan.removals_by_kind": "map of int",
    "tenant.actions": "int",
    "tenant.removals": "int",
    "principal.actions": "int",
    "principal.removals": "int",
}
"""What an expression may speak of, with its type.  A name that is not here is an error before any plan."""


class Unanswered(Exception):
    """An expression has no answer for this action; the text says why."""

    def __init__(self, reason: str, find: Callable[[], int | None] = lambda: None) -> None:
        super().__init__(reason)
        self.find = find
        """Looks for the character of the expression where the part begins that failed; None if not found."""


class Expression(Protocol):
    """A compiled expression."""

    def __call__(self, bound: object) -> object:
        """Its value for facts that its engine has bound; raises Unanswered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRule:
    """One rule of the platform's own: an action passes where its expression is true."""

    name: str
    source: Source
    """Where its expression stands."""
    message: str
    """What is told of an action that does not pass."""
    expression: Expression
    wording: Expression | None = None
    """Makes a message of the action; `message` stands in for it where it fails."""
    place: Callable[[int], Source] | None = None
    """Where a character of the expression stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """All rules of the platform's own, with the engine that answers them."""

    rules: Sequence[CustomRule]
    bind: Callable[[Facts], object]
    """Makes facts ready for the expressions: once per action, as that costs more than one answer."""


def custom(book: RuleBook, actions: Sequence[Action], whole: Sums) -> Iterator[Violation]:
    """A violation for each rule, tenant and reason, with all the actions that it refuses.

    `whole` is what the plan that the actions are from comes to.
    """
    refused: dict[tuple[str, str, str], list[Action]] = {}
    for rule, action, reason in answers(book, actions, whole):
        if reason:
            refused.setdefault((rule.name, action.tenant, reason), []).append(action)
    for (name, tenant, reason), group in refused.items():
        first = group[0]
        who = first.attribute.principal or first.attribute.role
        more = f", and {len(group) - 1} more like it" if len(group) > 1 else ""
        yield Violation(
            rule=name,
            tenant=tenant,
            text=f"{first.verb} {who} on {first.address}{more}: {reason}",
            actions=tuple(action.id for action in group),
        )


def answers(
    book: RuleBook, actions: Sequence[Action], whole: Sums
) -> Iterator[tuple[CustomRule, Action, str]]:
    """Every rule's verdict on every action: why it refuses it, "" where it lets it pass."""
    asked = MOST_ANSWERS // max(1, len(book.rules))
    failed: Counter[str] = Counter()
    for number, action in enumerate(actions):
        bound = book.bind(facts(action, whole)) if number < asked else None
        for rule in book.rules:
            if number < asked:
                yield rule, action, _refusal(rule, bound, failed)
            else:
                yield rule, action, f"not asked: over {MOST_ANSWERS:,} answers in one plan ({rule.source})"


def _refusal(rule: CustomRule, bound: object, failed: Counter[str]) -> str:
    """Why a rule refuses an action; "" only where its expression is true, and not merely like it.

    `failed` counts by rule.
    """
    try:
        answer = rule.expression(bound)
    except Unanswered as error:
        failed[rule.name] += 1
        at = error.find() if rule.place and failed[rule.name] <= MOST_PLACED else None
        place = rule.place(at) if rule.place and at is not None else rule.source
        return f"could not be judged: {error} ({_place(place)})"
    if answer is True:
        return ""
    if answer is not False:
        said = type(answer).__name__
        return f"could not be judged: the answer is {said}, not true or false ({_place(rule.source)})"
    return f"{_message(rule, bound)} ({_place(rule.source)})"


def _place(source: Source) -> str:
    return f"{source.file}:{source.line}:{source.column}"


def _message(rule: CustomRule, bound: object) -> str:
    if rule.wording is None:
        return rule.message
    try:
        said = rule.wording(bound)
    except Unanswered:
        return rule.message
    return " ".join(said.split())[:500] if isinstance(said, str) and said.strip() else rule.message


@dataclass(frozen=True, slots=True)
class Sums:
    """What a plan comes to as a whole."""

    as_of: date
    plan: Facts
    """Of the whole plan."""
    tenants: Mapping[str, Facts]
    principals: Mapping[str, Facts]


def sums(environment: str, as_of: date, actions: Sequence[Action], gaps: int, kinds: Iterable[str]) -> Sums:
    """What rules may ask of the plan that these actions are; each known verb and kind has its count."""
    removing = [action for action in actions if takes_away(action)]
    none = dict.fromkeys(kinds, 0)
    return Sums(
        as_of=as_of,
        plan={
            "plan.environment": environment,
            "plan.as_of": as_of.isoformat(),
            "plan.actions": len(actions),
            "plan.removals": len(removing),
            "plan.gaps": gaps,
            "plan.verbs": {verb.value: 0 for verb in Verb} | Counter(each.verb.value for each in actions),
            "plan.kinds": none | Counter(each.address.kind for each in actions),
            "plan.removals_by_kind": none | Counter(each.address.kind for each in removing),
        },
        tenants=_counted("tenant", actions, removing, lambda action: action.tenant),
        principals=_counted("principal", actions, removing, lambda action: action.attribute.principal),
    )


def _counted(
    what: str, actions: Iterable[Action], removing: Iterable[Action], of: Callable[[Action], str]
) -> dict[str, Facts]:
    """Numbers and no maps: an engine would take over a map of a thousand tenants for every action."""
    lost = Counter(map(of, removing))
    return {
        name: {f"{what}.actions": count, f"{what}.removals": lost[name]}
        for name, count in Counter(map(of, actions)).items()
    }


def sums_of(plan: Plan, kinds: Iterable[str]) -> Sums:
    """What a plan that was made before comes to."""
    gaps = sum(not gap.accepted for gap in plan.gaps)
    return sums(plan.environment, plan.as_of, plan.actions, gaps, kinds)


def facts(action: Action, whole: Sums) -> Facts:
    """What rules may ask when they judge one action."""
    return {
        **whole.plan,
        **whole.tenants[action.tenant],
        **whole.principals[action.attribute.principal],
        "action.id": action.id,
        "action.verb": action.verb.value,
        "action.address": str(action.address),
        "action.provider": action.address.provider,
        "action.installation": action.address.installation,
        "action.kind": action.address.kind,
        "action.locator": action.address.locator,
        "action.role": action.attribute.role,
        "action.principal": action.attribute.principal,
        "action.before": list(action.before),
        "action.after": action.after,
        "action.until": action.until.isoformat() if action.until else None,
        # The last day counts.
        "action.days": (action.until - whole.as_of).days + 1 if action.until else None,
        "action.removes": takes_away(action),
        "action.tenant": action.tenant,
        "action.cause": action.cause.value,
        "action.because": action.because,
        "action.file": action.source.file,
    }
