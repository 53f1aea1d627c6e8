"""Lists of entries and memberships of groups, as they are and as a plan changes them.

Only what an action may reach is looked up; a million grants that nobody's group has a share in cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from reconciler.core.model import EXISTS, Address, Attribute, Found, Kind, Live, Value, Wanted
from reconciler.core.nesting import GROUP, MEMBER, PEOPLE, Nesting, is_group
from reconciler.core.plan import Action

__all__ = ["PEOPLE", "Entry", "Holdings", "Line", "Move", "Target", "simple"]


class Target(NamedTuple):
    """What rights are held over: a thing and a role.

    Of things that are one principal's each, such as entitlements, the locator is "" and stands for all.
    """

    address: Address
    role: str


class Move(NamedTuple):
    """One action on one entry; `action` is its place in the plan."""

    action: int
    befores: frozenset[Value | None]
    after: Value | None


class Entry(NamedTuple):
    """What somebody holds on a target, and what becomes of it."""

    starts: tuple[Value | None, ...]
    """One value; several where the paths of a tree disagree."""
    moves: tuple[Move, ...]

    def move(self, start: Value | None) -> tuple[Value | None, int]:
        """What comes of a starting value, and through which action; itself and -1 where nothing does."""
        for each in self.moves:
            if start in each.befores:
                return each.after, each.action
        return start, -1

    def values(self) -> Iterator[Value | None]:
        """Every value that is there at some time."""
        yield from self.starts
        yield from (each.after for each in self.moves)


Line = Mapping[str, Entry]
"""The entries of one target by principal."""


def simple(actions: Sequence[Action], kinds: Mapping[str, Kind]) -> bool:
    """Whether no two of these actions can concern the same right of the same person, seen at a glance."""
    names = {action.address.kind for action in actions}
    ways = {name for kind in kinds.values() if kind.passage for name in (kind.name, *kind.passage.kinds)}
    if GROUP in names or not names.isdisjoint(ways):
        return False
    if any(below and below[0] in names for below in (kinds[name].below for name in names)):
        return False
    return all(action.attribute.principal.startswith(PEOPLE) for action in actions)


class Holdings:
    """Live state with the moves of a plan."""

    def __init__(
        self, actions: Sequence[Action], kinds: Mapping[str, Kind], live: Live, wanted: Iterable[Wanted]
    ) -> None:
        self.kinds = kinds
        self.live = live
        self.renamed: dict[str, str] = {}
        """By present name of a principal, the one that it is to have."""
        self.former: dict[Address, Address] = {}
        self.declared: dict[tuple[str, str, str], set[str]] = {}
        """By provider, installation and kind, the locators of which documents speak."""
        for want in wanted:
            self._declare(want)
        for address in live.found:
            self.declared.setdefault(address[:3], set()).add(address.locator)
        self.nesting = Nesting(live, self.declared, self.renamed)
        self.tenants = [action.tenant for action in actions]
        """By action, whose it is."""
        self.moving: dict[Address, int] = {}
        """Things of a tree that are about to be renamed, by the action that does it."""
        self.moved: dict[Target, dict[str, list[Move]]] = {}
        self._lines: dict[Target, dict[str, Entry]] = {}
        for number, action in enumerate(actions):
            self._take(number, action)

    def _declare(self, want: Wanted) -> None:
        address = want.address
        self.declared.setdefault(address[:3], set()).add(address.locator)
        if want.was and address not in self.live.found:
            self.former[address] = Address(*address[:3], want.was)
            if address.kind == GROUP:
                self.renamed[f"group:{want.was}"] = f"group:{address.locator}"

    def found(self, address: Address) -> Found | None:
        """The thing as it was read, under its former name where it is about to be renamed."""
        return self.live.found.get(address) or self.live.found.get(self.former.get(address, address))

    def _take(self, number: int, action: Action) -> None:
        address, (role, principal) = action.address, action.attribute
        if role == "name" and address in self.former and self.kinds[address.kind].passage:
            self.moving[address] = number
        if not principal or role == EXISTS:
            return
        who = self.nesting.name(principal)
        if address.kind == GROUP and role == MEMBER:
            group = f"group:{address.locator}"
            change = self.nesting.leave if action.after is None else self.nesting.join
            change(who, group, number)
            return
        target = self._target(address, action.attribute)
        move = Move(number, frozenset(action.before), action.after)
        self.moved.setdefault(target, {}).setdefault(who, []).append(move)

    def _target(self, address: Address, attribute: Attribute) -> Target:
        if self.kinds[address.kind].first and attribute.principal == address.locator:
            return self.across(address, address.kind, attribute.role)
        return Target(address, attribute.role)

    def across(self, address: Address, kind: str, role: str) -> Target:
        """A role of a kind whose things are one principal's each, in the installation of an address."""
        return Target(Address(address.provider, address.installation, kind, ""), role)

    def targets(self) -> list[Target]:
        """Everything on which two actions may concern the same person."""
        reached = set(self._reached())
        changed = reached | self.moved.keys()
        chosen = {target for target, moves in self.moved.items() if self._shared(target, moves, changed)}
        renamed = {target for address in self.moving for target in self._roles(address)}
        return sorted(chosen | reached | renamed | set(self._beyond(changed)))

    def _beyond(self, changed: Collection[Target]) -> Iterator[Target]:
        """What lies below things of a tree through which somebody else may pass."""
        for kind in self.kinds.values():
            passing = kind.passage.kinds if kind.passage else ()
            places = {
                (*at[:2], at.locator) for at in (target.address for target in changed) if at.kind in passing
            }
            for (provider, installation, name), locators in self.declared.items():
                if not places or name != kind.name:
                    continue
                for locator in locators:
                    address = Address(provider, installation, name, locator)
                    if any((provider, installation, place) in places for place in self.above(address)):
                        yield from self._roles(address)

    def _roles(self, address: Address) -> Iterator[Target]:
        found = self.found(address)
        if found is not None:
            for role in {fact.role for fact in (*found.grants, *found.mixed) if fact.principal}:
                yield Target(address, role)

    def _shared(self, target: Target, moves: Iterable[str], changed: Collection[Target]) -> bool:
        kind = self.kinds[target.address.kind]
        below = kind.below and self.across(target.address, *kind.below) in changed
        return bool(kind.passage or below) or any(map(is_group, moves))

    def _reached(self) -> Iterator[Target]:
        """Groups whose members change, and where they are granted something.

        Being in a group is a right of its own: it may be granted what nobody reads here.
        """
        reached = self.nesting.outer(self.nesting.flipped)
        if not reached:
            return
        for (provider, installation, kind), locators in self.declared.items():
            if kind == GROUP:
                for locator in locators:
                    if f"group:{locator}" in reached:
                        yield Target(Address(provider, installation, GROUP, locator), MEMBER)
        former = {name for name, present in self.renamed.items() if present in reached}
        names = reached | former
        for address, found in self.live.found.items():
            for attribute in (*found.grants, *found.mixed):
                if attribute.principal in names and not (address.kind == GROUP and attribute.role == MEMBER):
                    yield self._target(self._present(address), attribute)

    def _present(self, address: Address) -> Address:
        return next((now for now, was in self.former.items() if was == address), address)

    def line(self, target: Target) -> Line:
        """Every entry on a target."""
        line = self._lines.get(target)
        if line is None:
            line = self._lines[target] = self._line(target)
        return line

    def _line(self, target: Target) -> dict[str, Entry]:
        if target.address.kind == GROUP and target.role == MEMBER:
            return {f"group:{target.address.locator}": Entry((MEMBER,), ())}
        starts: dict[str, tuple[Value | None, ...]] = {}
        for found in self._things(target):
            for (role, principal), value in found.grants.items():
                if role == target.role and principal:
                    starts[self.nesting.name(principal)] = (value,)
            for (role, principal), values in found.mixed.items():
                if role == target.role and principal:
                    starts[self.nesting.name(principal)] = values
        moves = self.moved.get(target, {})
        return {
            who: Entry(starts.get(who, (None,)), tuple(moves.get(who, ())))
            for who in sorted(starts.keys() | moves.keys())
        }

    def _things(self, target: Target) -> Iterable[Found]:
        if target.address.locator:
            found = self.found(target.address)
            return (found,) if found is not None else ()
        return self._by_kind.get(target.address[:3], ())

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str, str], list[Found]]:
        """Everything of the kinds whose things are one principal's each."""
        things: dict[tuple[str, str, str], list[Found]] = {}
        for address, found in self.live.found.items():
            if self.kinds[address.kind].first:
                things.setdefault(address[:3], []).append(found)
        return things

    def above(self, address: Address) -> list[str]:
        """The places that lie above a thing in its tree, the nearest first."""
        names = address.locator.split("/")
        return ["/".join(names[:count]) for count in range(len(names) - 1, 0, -1)]

    def governing(self, address: Address, kind: str, place: str, *, tree: bool) -> Address | None:
        """The thing of a kind that says what is held on a place: there, or of trees also above it."""
        start = (address.provider, address.installation, kind)
        known: Collection[str] = self.declared.get(start, ())
        while place:
            if place in known:
                return Address(*start, place)
            if not tree:
                return None
            place = place.rpartition("/")[0]
        return None
