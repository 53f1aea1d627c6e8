"""Order what was approved of a plan for itself: what nobody approved happens neither before nor after.

Its law: nothing is taken away before what replaces it, approved or not, and no part of a plan leads through a
bad moment that nobody consented to.  What would only keep somebody from being let in for a moment is not
waited for where nobody approved it: he is let in by what stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core.model import Kind, Live, Wanted
from reconciler.core.moments import BAD_MOMENT, IN_PART, Knot, in_words, shown, unbroken, violations
from reconciler.core.order import arrange
from reconciler.core.plan import Action, ApprovedPlan, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a plan's order was found from, and what of it a part of the plan may do without."""

    kinds: Mapping[str, Kind]
    wanted: Sequence[Wanted] = ()
    live: Live
    lenient: Mapping[str, frozenset[str]]
    """See `core.order.Order.lenient`."""


def consented(plan: Plan, approve: Callable[[Plan], ApprovedPlan], ground: Ground) -> ApprovedPlan:
    """What is approved of a plan, in an order without a bad moment that nobody consented to.

    Where what is approved has none by itself, the rule `bad-moment-in-part` speaks of these actions as
    `bad-moment` does of a whole plan, and `approve` is asked again: they are refused unless it is overridden
    for each of them.
    """
    while True:
        approved = unbroken(approve(plan))
        if len(approved.actions) == len(plan.actions):
            return approved
        part, knots = _arranged(approved, ground)
        if not knots:
            return part
        left = [action for action in plan.actions if action.id not in approved.sought]
        told = violations(knots, ground.kinds, left)
        plan = replace(plan, violations=(*plan.violations, *told))


def _arranged(approved: ApprovedPlan, ground: Ground) -> tuple[ApprovedPlan, list[Knot]]:
    """What is approved in its own order, and those knots in it that not everybody consented to."""
    present = {action.id: action for action in approved.plan.actions}
    actions, remarks = [], {}
    for action in approved.actions:
        passed = ground.lenient.get(action.id, frozenset()).intersection(action.needs) - approved.sought
        actions.append(_without(action, passed))
        if passed:
            remarks[action.id] = _remark([present[ident] for ident in sorted(passed)], approved)
    sent = _sent(actions)
    # What the whole plan needs of these is not what they need of each other without the rest of it.
    bare = [replace(action, needs=()) for action in sent]
    found = arrange(bare, ground.kinds, ground.wanted, ground.live)
    again = {action.id for action in found.actions}
    rest = [action for action in actions if action.id not in again]
    unheard = []
    for knot in found.knots:
        if _overridden(knot, approved):
            last = knot.actions[-1].id
            told = f"{in_words(knot, ground.kinds)}: that was agreed to"
            remarks[last] = "; ".join(filter(None, (remarks.get(last, ""), told)))
        else:
            unheard.append(knot)
    return replace(approved, actions=(*found.actions, *rest), remarks=remarks), unheard


def _overridden(knot: Knot, approved: ApprovedPlan) -> bool:
    """Whether whoever approved some of it agreed to this moment, or to whatever a part leads through."""
    ids = {action.id for action in knot.actions}
    given = [approved.consents[ident].overrides for ident in ids]
    if all(IN_PART in overrides for overrides in given):
        return True
    told = [whole for (rule, _), whole in shown(approved.plan).items() if rule == BAD_MOMENT]
    return any(ids <= whole for whole in told) and all(BAD_MOMENT in overrides for overrides in given)


def _without(action: Action, left_out: frozenset[str]) -> Action:
    if not left_out:
        return action
    return replace(action, needs=tuple(need for need in action.needs if need not in left_out))


def _sent(actions: Sequence[Action]) -> list[Action]:
    """Those of the actions that are not bound to be deferred, as what they need is not among them."""
    left = list(actions)
    while True:
        ids = {action.id for action in left}
        kept = [action for action in left if ids.issuperset(action.needs)]
        if len(kept) == len(left):
            return kept
        left = kept


def _remark(passed: Sequence[Action], approved: ApprovedPlan) -> str:
    """What somebody who approved a grant has to know of the removals that nobody approved."""
    first = passed[0]
    more = f" and {len(passed) - 1} more" if len(passed) > 1 else ""
    who = first.attribute.principal or first.attribute.role
    return (
        f"{first.verb} {who} on {first.address}{more} was to come first and is {approved.absence(first.id)}: "
        "whoever would have lost the way to this by that now holds it as well"
    )
