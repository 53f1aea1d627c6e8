"""Who is in which group, before a plan and after it, as far as the groups were read.

A group that no document speaks of is not read: nothing is said of it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.model import Address, Attribute, Live
from reconciler.core.plan import Action

GROUP, MEMBER = "group", "member"
NAME = Attribute("name")


@dataclass(frozen=True, slots=True)
class Membership:
    """Direct members of every group that was read, at one moment; groups that are gaps are not among them."""

    members: Mapping[str, frozenset[str]]
    """`group:x` to the principals in it."""
    unread: frozenset[str] = frozenset()
    """Groups that are gaps."""
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Principal to the groups that it is in directly."""

    def within(self, group: str) -> Iterator[str]:
        """Everybody and every group in it, through whatever nesting, the nearest first."""
        return _reached(group, self.members)

    def around(self, principal: str) -> Iterator[str]:
        """Every group that it is in, through whatever nesting, the nearest first."""
        return _reached(principal, self.groups)

    def anybody(self, principal: str) -> bool:
        """Whether somebody stands behind a name: a group that was read and is empty is nobody, and one that
        could not be read cannot be counted on."""
        if principal in self.unread:
            return False
        if principal not in self.members:
            return True
        inside = list(self.within(principal))
        return any(each not in self.members and each not in self.unread for each in inside)


def memberships(live: Live, actions: Sequence[Action]) -> tuple[Membership, Membership]:
    """Before the actions, and after all of them."""
    unread = frozenset(f"{GROUP}:{at.locator}" for at in live.gaps if at.kind == GROUP)
    before: dict[str, set[str]] = {}
    for address, found in live.found.items():
        if address.kind == GROUP:
            inside = (fact.principal for fact in found.grants if fact.role == MEMBER)
            before[f"{GROUP}:{address.locator}"] = set(inside)
    names = {f"{GROUP}:{was.locator}": f"{GROUP}:{now.locator}" for was, now in renamed(actions).items()}
    before.update({now: before[was] for was, now in names.items() if was in before})
    after = {name: set(inside) for name, inside in before.items()}
    for action in actions:
        if action.address.kind == GROUP and action.attribute.role == MEMBER:
            inside_now = after.setdefault(f"{GROUP}:{action.address.locator}", set())
            if action.after is None:
                inside_now.discard(action.attribute.principal)
            else:
                inside_now.add(action.attribute.principal)
    # Grants go by the old name until the rename is done, so the group is known by both.
    after.update({was: after[now] for was, now in names.items() if now in after})
    return _membership(before, unread), _membership(after, unread)


def renamed(actions: Iterable[Action]) -> dict[Address, Address]:
    """Where things that the plan renames are today, and where they will be: actions speak of the latter."""
    return {
        action.address._replace(locator=name): action.address
        for action in actions
        if action.attribute == NAME
        for name in action.before
        if name
    }


def _membership(members: Mapping[str, Iterable[str]], unread: frozenset[str]) -> Membership:
    groups: dict[str, set[str]] = {}
    for group, inside in members.items():
        for principal in inside:
            groups.setdefault(principal, set()).add(group)
    return Membership(
        members={group: frozenset(inside) for group, inside in members.items()},
        unread=unread,
        groups={principal: frozenset(around) for principal, around in groups.items()},
    )


def _reached(start: str, edges: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What can be reached, each once; groups may be in each other."""
    seen = {start}
    queue = [start]
    for place in queue:
        for each in sorted(edges.get(place, ())):
            if each not in seen:
                seen.add(each)
                queue.append(each)
                yield each
