"""What no order avoids: a right that somebody lacks or holds for a moment, and neither before nor after.

Its law: such actions go together or not at all, and only where an approval overrides the rule `bad-moment`,
or `bad-moment-in-part` where no plan has shown it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core.effective import Case
from reconciler.core.holdings import PEOPLE
from reconciler.core.model import Kind
from reconciler.core.plan import Action, ApprovedPlan, Outcome, Plan, Status, Violation

BAD_MOMENT = "bad-moment"
IN_PART = "bad-moment-in-part"
"""The same of what was approved of a plan, where the plan as a whole does not show it."""
SHOWN = 3
"""Moments that are spelt out of one knot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One right that is not as it should be at some moment."""

    case: Case
    kept: bool
    """True where somebody lacks it for the moment; False where he holds it."""
    unknown: bool = False
    """True where neither is known, as too many ways lead to it."""
    rights: int = 1
    """How many rights of people are concerned in the same way."""
    examples: Sequence[Case] = ()
    """The first few of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The time between two actions in which rights are not as they should be."""

    after: Action
    until: Action
    broken: Sequence[Broken]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knot:
    """Actions of which no order without a bad moment was found, in the order with the shortest one."""

    actions: Sequence[Action]
    moments: Sequence[Moment]
    shortest: bool = True
    """False where another order may have a shorter bad moment."""
    sure: bool = True
    """False where the search ended before every order was looked at."""


def violations(
    knots: Iterable[Knot], kinds: Mapping[str, Kind], left: Sequence[Action] | None = None
) -> Iterator[Violation]:
    """One for each knot and tenant, as whoever approves for a tenant has to know of it.

    `left` is given where not the whole of a plan is looked at: what of it nobody approved.
    """
    for knot in knots:
        text = _told(knot, kinds, left)
        for tenant in sorted({action.tenant for action in knot.actions}):
            yield Violation(
                rule=BAD_MOMENT if left is None else IN_PART,
                tenant=tenant,
                text=text,
                actions=tuple(action.id for action in knot.actions if action.tenant == tenant),
            )


def _told(knot: Knot, kinds: Mapping[str, Kind], left: Sequence[Action] | None) -> str:
    best = "the shortest" if knot.shortest else "the shortest that was found"
    none = "is" if knot.sure else "was found that is"
    of, rule = ("actions", BAD_MOMENT) if left is None else ("approved actions", IN_PART)
    rest = [_rest(knot, left)] if left is not None else []
    override = f"override rule '{rule}' for all of them in an approval with a reason"
    advice = ", or ".join([*rest, _bridge(knot, kinds), override])
    return (
        f"no order of these {len(knot.actions)} {of} {none} without a bad moment; in {best}, "
        f"{in_words(knot, kinds)}. {advice[0].upper()}{advice[1:]}"
    )


def in_words(knot: Knot, kinds: Mapping[str, Kind]) -> str:
    """The moments of a knot: who lacks or holds what, and between which actions."""
    parts = [_moment(moment, kinds) for moment in knot.moments[:SHOWN]]
    more = len(knot.moments) - SHOWN
    if more > 0:
        parts.append(f"and {more} more such moments")
    return "; ".join(parts)


def _rest(knot: Knot, left: Sequence[Action]) -> str:
    """What else the plan does where the moment is, which nobody approved."""
    places = {each.case.target.address for moment in knot.moments for each in moment.broken}
    there = [action for action in left if action.address in places]
    if not there:
        return "approve the rest of the plan as well"
    more = f" and {len(there) - 1} more there" if len(there) > 1 else ""
    return f"approve {_named(there[0])} ({there[0].id[:12]}){more} as well"


def _bridge(knot: Knot, kinds: Mapping[str, Kind]) -> str:
    """What can be done so that the moment does not come."""
    broken = [each for moment in knot.moments for each in moment.broken]
    cases = dict.fromkeys(case for each in broken for case in each.examples)
    alone = all(each.kept and not each.unknown and len(each.examples) == each.rights for each in broken)
    people = all(_is_named(case) and case.person.startswith(PEOPLE) for case in cases)
    people &= all(case.target.address.locator for case in cases)
    if not alone or not people or not 0 < len(cases) <= SHOWN:
        return "make the change in two steps, with a grant in between"
    grants = dict.fromkeys(f"{case.person} {_right(case, kinds)}" for case in cases)
    return f"grant {' and '.join(grants)} directly first, make this change, and take that back"


def _moment(moment: Moment, kinds: Mapping[str, Kind]) -> str:
    first = min(moment.broken, key=lambda each: (each.kept, each.case))
    rest = sum(each.rights for each in moment.broken) - 1
    others = f" (and {rest} more such {'right' if rest == 1 else 'rights'})" if rest else ""
    who = first.case.person if _is_named(first.case) else "somebody whom nothing names"
    who = f"a member of {who}" if who.startswith("group:") else who
    right = f"{_right(first.case, kinds)}{others}"
    between = f"between {_named(moment.after)} and {_named(moment.until)}"
    if first.unknown:
        many = "more ways than are looked at lead"
        return f"{many} {who} to {right}, and it is not known which are open {between}"
    did = "lacks" if first.kept else "holds"
    why = "which he holds before and after" if first.kept else "which he holds neither before nor after"
    return f"{who} {did} {right}, {why}, {between}"


def _is_named(case: Case) -> bool:
    """Whether the example is anybody; else it stands for all whom no list and no group speaks of."""
    return bool(case.person.partition(":")[2])


def _right(case: Case, kinds: Mapping[str, Kind]) -> str:
    kind = kinds[case.target.address.kind]
    word = kind.words.get(case.value, case.value).partition(": ")[0] or case.target.role
    role = kind.roles.get(case.target.role, "")
    address = case.target.address
    where = f"{address.provider}/{address.installation}/{address.kind}/{address.locator or '*'}"
    return " ".join(filter(None, (word, role, "on", where)))


def _named(action: Action) -> str:
    return f"{action.verb} {action.attribute.principal or action.attribute.role} on {action.address}"


def unbroken(approved: ApprovedPlan) -> ApprovedPlan:
    """The approved actions, without those of a knot of which another action is not approved.

    Half of a knot would leave somebody for good where it is bad to be for a moment.
    """
    chosen = {action.id for action in approved.actions}
    gone: dict[str, str] = {}
    for rule, missing, ids in _halves(approved.plan, chosen):
        reason = (
            f"guardrail {rule}: it goes together with {missing[:12]}, which is {approved.absence(missing)}; "
            "approve all of them or none"
        )
        gone.update((ident, reason) for ident in ids & chosen)
    if not gone:
        return approved
    return replace(
        approved,
        actions=tuple(action for action in approved.actions if action.id not in gone),
        refused=(
            *approved.refused,
            *(
                Outcome(action=action.id, status=Status.REFUSED, reason=gone[action.id])
                for action in approved.actions
                if action.id in gone
            ),
        ),
    )


def _halves(plan: Plan, chosen: set[str]) -> Iterator[tuple[str, str, set[str]]]:
    """Knots of which a part is missing: the rule, the missing action, and all that go with it."""
    for (rule, _), ids in shown(plan).items():
        missing = sorted(ids - chosen)
        if missing and len(missing) < len(ids):
            yield rule, missing[0], ids


def shown(plan: Plan) -> Mapping[tuple[str, str], set[str]]:
    """The actions of every knot that a plan tells, by rule and text."""
    knots: dict[tuple[str, str], set[str]] = {}
    for violation in plan.violations:
        if violation.rule in (BAD_MOMENT, IN_PART):
            knots.setdefault((violation.rule, violation.text), set()).update(violation.actions)
    return knots
