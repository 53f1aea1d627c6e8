"""Put actions into an order, and say which must be seen to work before others may be sent.

Widen access before narrowing it, so that nobody is locked out midway: create, grant, raise, set, lower,
revoke, delete, then by kind.  That alone still passes through bad moments (a user moved between two groups
holds both for a while); this is the one room that a better order replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.core.model import EXISTS, Address, Kind, Verb, Wanted
from reconciler.core.plan import Action

RANK = {verb: place for place, verb in enumerate(Verb)}
WIDENING = frozenset({Verb.CREATE, Verb.GRANT, Verb.RAISE, Verb.SET})
NARROWING = frozenset({Verb.LOWER, Verb.REVOKE})


def order(
    actions: Iterable[Action], kinds: Mapping[str, Kind], wanted: Iterable[Wanted] = ()
) -> tuple[Action, ...]:
    """The actions in the order in which they run, each with the ids that it needs verified first."""
    ordered = sorted(actions, key=lambda action: _place(action, kinds))
    narrowing = any(action.verb in NARROWING for action in ordered)
    members = _memberships(wanted) if narrowing else {}
    admissions = _admissions(ordered)
    surroundings: dict[Address, _Surroundings] = {}
    for action in ordered:
        place = surroundings.setdefault(action.address, _Surroundings(kinds[action.address.kind].first))
        place.add(action)
    return tuple(
        replace(action, needs=needs) if needs else action
        for action in ordered
        for needs in [surroundings[action.address].needs(action, members, admissions)]
    )


def _place(action: Action, kinds: Mapping[str, Kind]) -> tuple[object, ...]:
    start = tuple(value or "" for value in action.before)
    kind = kinds[action.address.kind]
    # What must hold first (an assignment) goes before what rests on it, and away after it.
    leads = (action.attribute.role == kind.first) is (action.verb not in WIDENING)
    return RANK[action.verb], kind.rank, leads, action.address, action.attribute, start


class _Surroundings:
    """The actions of one address, indexed by what others of the same address may need of them."""

    def __init__(self, first: str) -> None:
        self.first = first
        self.founding: dict[str, str] = {}
        """Role (`exists`, `name`, the kind's first role) to the id of its widening action."""
        self.narrowing: list[str] = []
        self.grants: dict[tuple[str, str], str] = {}
        """(role, principal) to the id of the action that gives it."""

    def add(self, action: Action) -> None:
        role = action.attribute.role
        if action.verb in WIDENING and role in (EXISTS, "name", self.first):
            self.founding[role] = action.id
        if action.verb in NARROWING:
            self.narrowing.append(action.id)
        if action.verb in (Verb.GRANT, Verb.RAISE):
            self.grants[role, action.attribute.principal] = action.id

    def needs(
        self,
        action: Action,
        members: Mapping[str, frozenset[str]],
        admissions: Mapping[tuple[str, str], str],
    ) -> tuple[str, ...]:
        """What must be verified first; what rests on a thing is narrowed before the thing itself goes."""
        if action.verb in WIDENING:
            return tuple(sorted(set(self._founding(action.attribute.role))))
        leaving = action.verb is Verb.REVOKE and action.attribute.role == self.first
        needs = (
            {other for other in self.narrowing if other != action.id}
            if (leaving or action.verb is Verb.DELETE)
            else set()
        )
        for group in members.get(action.attribute.principal, ()):
            replacing = self.grants.get((action.attribute.role, group))
            if replacing:
                needs.add(replacing)
                admission = admissions.get((action.attribute.principal, group))
                needs.update([admission] if admission else [])
        return tuple(sorted(needs))

    def _founding(self, role: str) -> Iterator[str]:
        for founding in (EXISTS, "name", self.first):
            if role == founding:
                return
            if founding in self.founding:
                yield self.founding[founding]


def _memberships(wanted: Iterable[Wanted]) -> dict[str, frozenset[str]]:
    """Per principal, the groups that the policies put it in, through whatever nesting."""
    parents: dict[str, set[str]] = {}
    for want in wanted:
        if want.address.kind != "group":
            continue
        for attribute in want.grants:
            if attribute.role == "member":
                parents.setdefault(attribute.principal, set()).add(f"group:{want.address.locator}")
    return {principal: _closure(principal, parents) for principal in parents}


def _closure(principal: str, parents: Mapping[str, set[str]]) -> frozenset[str]:
    seen: set[str] = set()
    queue = [principal]
    while queue:
        for group in parents.get(queue.pop(), ()):
            if group not in seen:
                seen.add(group)
                queue.append(group)
    return frozenset(seen)


def _admissions(actions: Iterable[Action]) -> dict[tuple[str, str], str]:
    """The membership grants of this plan: (principal, group) to the action's id."""
    return {
        (action.attribute.principal, f"group:{action.address.locator}"): action.id
        for action in actions
        if action.verb is Verb.GRANT and action.attribute.role == "member"
    }


def takes_away(action: Action) -> bool:
    """Whether somebody may hold less after this action: what removal guardrails count."""
    if action.verb is Verb.DELETE:
        return True
    if action.verb is Verb.SET:
        return bool(action.attribute.principal) and action.attribute.role != EXISTS
    return action.verb in NARROWING
