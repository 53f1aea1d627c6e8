"""What no order avoids: a right that somebody lacks or holds for a moment, and neither before nor after.

Its law: such actions go together or not at all, and only where an approval overrides the rule `bad-moment`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core.effective import Case
from reconciler.core.holdings import PEOPLE
from reconciler.core.model import Kind
from reconciler.core.plan import Action, ApprovedPlan, Outcome, Plan, Status, Violation

BAD_MOMENT = "bad-moment"
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
    people: int
    """How many rights of people are concerned in the same way."""


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
                rule=BAD_MOMENT,
                tenant=tenant,
                text=text,
                actions=tuple(action.id for action in knot.actions if action.tenant == tenant),
            )


def _told(knot: Knot, kinds: Mapping[str, Kind], left: Sequence[Action] | None) -> str:
    parts = [_moment(moment, kinds) for moment in knot.moments[:SHOWN]]
    more = len(knot.moments) - SHOWN
    if more > 0:
        parts.append(f"and {more} more such moments")
    none = "is" if knot.sure else "was found that is"
    of = "actions" if left is None else "approved actions"
    rest = [_rest(knot, left)] if left is not None else []
    override = f"override rule '{BAD_MOMENT}' for all of them in an approval with a reason"
    advice = ", or ".join([*rest, _bridge(knot, kinds), override])
    return (
        f"no order of these {len(knot.actions)} {of} {none} without a bad moment; in the shortest, "
        f"{'; '.join(parts)}. {advice[0].upper()}{advice[1:]}"
    )


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
    alone = all(
        each.kept and each.people == 1 and each.case.person.startswith(PEOPLE) and not each.unknown
        for each in broken
    )
    lacking = dict.fromkeys(f"{each.case.person} {_right(each.case, kinds)}" for each in broken)
    if not alone or len(lacking) > SHOWN:
        return "make the change in two steps, with a grant in between"
    return f"grant {' and '.join(lacking)} directly first, make this change, and take that back"


def _moment(moment: Moment, kinds: Mapping[str, Kind]) -> str:
    first = min(moment.broken, key=lambda each: (each.kept, each.case))
    rest = sum(each.people for each in moment.broken) - 1
    others = f" (and {rest} more)" if rest else ""
    who = first.case.person if ":" in first.case.person else "somebody"
    who = f"a member of {who}" if who.startswith("group:") else who
    if first.unknown:
        return (
            f"more ways than are looked at lead {who}{others} to {_right(first.case, kinds)}, and it is not "
            f"known which are open between {_named(moment.after)} and {_named(moment.until)}"
        )
    did = "lacks" if first.kept else "holds"
    why = "which he holds before and after" if first.kept else "which he holds neither before nor after"
    return (
        f"{who}{others} {did} {_right(first.case, kinds)}, {why}, between {_named(moment.after)} and "
        f"{_named(moment.until)}"
    )


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
    for missing, ids in _halves(approved.plan, chosen):
        reason = (
            f"guardrail {BAD_MOMENT}: it goes together with {missing[:12]}, which is not approved; approve "
            "all of them or none"
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


def _halves(plan: Plan, chosen: set[str]) -> Iterator[tuple[str, set[str]]]:
    """Knots of which a part is missing: the missing action, and all that go with it."""
    knots: dict[str, set[str]] = {}
    for violation in plan.violations:
        if violation.rule == BAD_MOMENT:
            knots.setdefault(violation.text, set()).update(violation.actions)
    for ids in knots.values():
        missing = sorted(ids - chosen)
        if missing and len(missing) < len(ids):
            yield missing[0], ids
