"""Order what was approved of a plan for itself: what nobody approved happens neither before nor after.

Its law: nothing is taken away before what replaces it, approved or not.  What would only keep somebody from
being let in for a moment is not waited for where nobody approved it: he is let in by what stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.core.model import Kind, Live, Wanted
from reconciler.core.order import arrange
from reconciler.core.plan import Action, ApprovedPlan


def reordered(
    approved: ApprovedPlan,
    lenient: Mapping[str, frozenset[str]],
    kinds: Mapping[str, Kind],
    wanted: Sequence[Wanted],
    live: Live,
) -> ApprovedPlan:
    """The same actions, in an order without a bad moment as measured by what they alone come to.

    Where there is none, that of the whole plan stands: then somebody may gain or lose for a moment what the
    rest of the plan would give or take for good.
    """
    if len(approved.actions) == len(approved.plan.actions):
        return approved
    ids = {action.id for action in approved.actions}
    actions = [_firm(action, lenient.get(action.id, frozenset()) - ids) for action in approved.actions]
    sent = _sent(actions)
    found = arrange(sent, kinds, wanted, live)
    knotted = {action.id for knot in found.knots for action in knot.actions}
    again = {action.id: action for action in found.actions if action.id not in knotted}
    rest = [action for action in actions if action.id not in again]
    return replace(approved, actions=(*again.values(), *rest))


def _firm(action: Action, left_out: frozenset[str]) -> Action:
    if left_out.isdisjoint(action.needs):
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
