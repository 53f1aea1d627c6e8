"""Put actions into an order, and say which must be seen to work before others may be sent.

Widen access before narrowing it, so that nobody is locked out midway: create, grant, raise, set, lower,
revoke, delete, then by kind.  That alone still passes through bad moments (a user moved between two groups
holds both for a while); this is the one room that a better order replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.core.model import EXISTS, Address, Attribute, Kind, Verb, Wanted
from reconciler.core.plan import Action

RANK = {verb: place for place, verb in enumerate(Verb)}
WIDENING = frozenset({Verb.CREATE, Verb.GRANT, Verb.RAISE, Verb.SET})
NARROWING = frozenset({Verb.LOWER, Verb.REVOKE})


def order(
    actions: Iterable[Action], kinds: Mapping[str, Kind], wanted: Iterable[Wanted] = ()
) -> tuple[Action, ...]:
    """The actions in the order in which they run, each with the ids that it needs verified first."""
    # In two steps, as what comes from a comparison is in order of address already, however much it is.
    ordered = sorted(actions, key=_place)
    ordered.sort(key=lambda action: _band(action, kinds))
    members = _memberships(wanted) if any(action.verb in NARROWING for action in ordered) else {}
    surroundings: dict[Address, _Surroundings] = {}
    for action in ordered:
        place = surroundings.get(action.address)
        if place is None:
            place = surroundings[action.address] = _Surroundings(kinds[action.address.kind].first)
        place.add(action)
    groups = {f"group:{at.locator}": each for at, each in surroundings.items() if at.kind == "group"}
    return tuple(
        replace(action, needs=needs) if needs else action
        for action in ordered
        for needs in [surroundings[action.address].needs(action, members, groups)]
    )


def _place(action: Action) -> tuple[object, ...]:
    return action.address, action.attribute, tuple(value or "" for value in action.before)


def _band(action: Action, kinds: Mapping[str, Kind]) -> tuple[int, int, bool]:
    kind = kinds[action.address.kind]
    # What must hold first (an assignment) goes before what rests on it, and away after it.
    leads = (action.attribute.role == kind.first) is (action.verb not in WIDENING)
    return RANK[action.verb], kind.rank, leads


class _Surroundings:
    """The actions of one address, indexed by what others of the same address may need of them."""

    def __init__(self, first: str) -> None:
        self.first = first
        self.founding: dict[str, str] = {}
        """Role (`exists`, `name`, the kind's first role) to the id of its widening action."""
        self.narrowing: list[str] = []
        self.grants: dict[Attribute, str] = {}
        """The facts that are given, each with the id of its action."""

    def add(self, action: Action) -> None:
        role = action.attribute.role
        if action.verb in WIDENING and role in (EXISTS, "name", self.first):
            self.founding[role] = action.id
        if action.verb in NARROWING:
            self.narrowing.append(action.id)
        if action.verb in (Verb.GRANT, Verb.RAISE):
            self.grants[action.attribute] = action.id

    def needs(
        self,
        action: Action,
        members: Mapping[str, frozenset[str]],
        groups: Mapping[str, _Surroundings],
    ) -> tuple[str, ...]:
        """What must be verified first; what rests on a thing is narrowed before the thing itself goes."""
        role, principal = action.attribute
        if action.verb in WIDENING:
            return tuple(sorted(set(self._founding(role)))) if self.founding else ()
        leaving = action.verb is Verb.REVOKE and role == self.first
        needs = (
            {other for other in self.narrowing if other != action.id}
            if (leaving or action.verb is Verb.DELETE)
            else set()
        )
        for group in members.get(principal, ()):
            replacing = self.grants.get(Attribute(role, group))
            if replacing:
                needs.add(replacing)
                joins = groups[group].grants if group in groups else {}
                admission = joins.get(Attribute("member", principal))
                needs |= {admission} if admission else set()
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


def takes_away(action: Action) -> bool:
    """Whether somebody may hold less after this action: what removal guardrails count."""
    if action.verb is Verb.DELETE:
        return True
    if action.verb is Verb.SET:
        return bool(action.attribute.principal) and action.attribute.role != EXISTS
    return action.verb in NARROWING
