"""Order what was approved of a plan for itself: what nobody approved happens neither before nor after.

Its law: it only ever adds to what an action of the plan needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.core.model import Kind, Live, Wanted
from reconciler.core.order import arrange
from reconciler.core.plan import Action, ApprovedPlan


def reordered(
    approved: ApprovedPlan, kinds: Mapping[str, Kind], wanted: Sequence[Wanted], live: Live
) -> ApprovedPlan:
    """The same actions, in an order without a bad moment as measured by what they alone come to.

    Where there is none, that of the whole plan stands: then somebody may gain or lose for a moment what the
    rest of the plan would give or take for good.
    """
    sent = _sent(approved.actions)
    if len(approved.actions) == len(approved.plan.actions) or len(sent) < 2:
        return approved
    found = arrange(sent, kinds, wanted, live)
    knotted = {action.id for knot in found.knots for action in knot.actions}
    needs = {action.id: action for action in found.actions if action.id not in knotted}
    rest = [action for action in approved.actions if action.id not in needs]
    return replace(approved, actions=(*needs.values(), *rest))


def _sent(actions: Sequence[Action]) -> list[Action]:
    """Those of the actions that are not bound to be deferred, as what they need is not among them."""
    left = list(actions)
    while True:
        ids = {action.id for action in left}
        kept = [action for action in left if ids.issuperset(action.needs)]
        if len(kept) == len(left):
            return kept
        left = kept
