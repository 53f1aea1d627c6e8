"""Lists of entries and memberships of groups, as they are and as a plan changes them.

Only what an action may reach is looked up; a million grants that nobody's group has a share in cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from reconciler.core.model import EXISTS, Address, Attribute, Found, Kind, Live, Value, Wanted
from reconciler.core.plan import Action
from reconciler.core.routes import ALWAYS, Routes, once, until

GROUP, MEMBER = "group", "member"
PEOPLE = ("user:", "sp:", "id:")
EVERYBODY = "other"
"""The principal of what a list of a lake grants to whoever it does not speak of."""


def is_group(principal: str) -> bool:
    """Whether somebody else may stand behind a name."""
    return not principal.startswith(PEOPLE)


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
        self.flipped: dict[str, dict[str, Routes]] = {}
        self.moved: dict[Target, dict[str, list[Move]]] = {}
        self._members: dict[str, frozenset[str]] = {}
        self._bits: dict[str, int] = {}
        self._number: dict[str, int] = {}
        self._lines: dict[Target, dict[str, Entry]] = {}
        self._cones: dict[frozenset[str], dict[str, list[tuple[str, Routes]]]] = {}
        for number, action in enumerate(actions):
            self._take(number, action)

    def _declare(self, want: Wanted) -> None:
        address = want.address
        self.declared.setdefault(address[:3], set()).add(address.locator)
        if want.was and address not in self.live.found:
            self.former[address] = Address(*address[:3], want.was)
            if address.kind == GROUP:
                self.renamed[f"group:{want.was}"] = f"group:{address.locator}"

    def name(self, principal: str) -> str:
        """The name that a principal has once the plan is done."""
        return self.renamed.get(principal, principal) if self.renamed else principal

    def found(self, address: Address) -> Found | None:
        """The thing as it was read, under its former name where it is about to be renamed."""
        return self.live.found.get(address) or self.live.found.get(self.former.get(address, address))

    def _take(self, number: int, action: Action) -> None:
        address, (role, principal) = action.address, action.attribute
        if not principal or role == EXISTS:
            return
        who = self.name(principal)
        if address.kind == GROUP and role == MEMBER:
            group = f"group:{address.locator}"
            if action.after is None:
                self.flipped.setdefault(group, {})[who] = until(number)
            elif who not in self.members(group):
                # Else it is the same member, who is about to be renamed.
                self.flipped.setdefault(group, {})[who] = once(number)
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
        return sorted(chosen | reached | set(self._beyond(changed)))

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
        reached = self._outer(self.flipped)
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

    def _outer(self, groups: Iterable[str]) -> set[str]:
        """These groups and all that they are in, now or then."""
        seen = set(groups)
        queue = list(seen)
        while queue:
            for parent in self._parents.get(queue.pop(), ()):
                if parent not in seen:
                    seen.add(parent)
                    queue.append(parent)
        return seen

    @cached_property
    def _parents(self) -> dict[str, set[str]]:
        parents: dict[str, set[str]] = {}
        for address in self.live.found:
            if address.kind == GROUP:
                group = self.name(f"group:{address.locator}")
                for child in self.members(group):
                    if is_group(child):
                        parents.setdefault(child, set()).add(group)
        for group, children in self.flipped.items():
            for child in filter(is_group, children):
                parents.setdefault(child, set()).add(group)
        return parents

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
                    starts[self.name(principal)] = (value,)
            for (role, principal), values in found.mixed.items():
                if role == target.role and principal:
                    starts[self.name(principal)] = values
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

    def known(self, group: str) -> bool:
        """Whether it is known who is in a group: it was read, or is to be made."""
        if group == EVERYBODY or self._group(group) is not None:
            return True
        return group in self._declared_groups

    @cached_property
    def _declared_groups(self) -> frozenset[str]:
        unread = {address.locator for address in self.live.gaps if address.kind == GROUP}
        named = (locators for (_, _, kind), locators in self.declared.items() if kind == GROUP)
        return frozenset(f"group:{each}" for locators in named for each in locators - unread)

    @cached_property
    def _groups(self) -> dict[str, Found]:
        return {
            self.name(f"group:{address.locator}"): found
            for address, found in self.live.found.items()
            if address.kind == GROUP
        }

    def _group(self, group: str) -> Found | None:
        return self._groups.get(group)

    def members(self, group: str) -> frozenset[str]:
        """Who is in a group itself, as it was read."""
        known = self._members.get(group)
        if known is None:
            found = self._group(group)
            facts = found.grants if found else {}
            known = frozenset(self.name(who) for role, who in facts if role == MEMBER)
            self._members[group] = known
        return known

    def flips(self, group: str) -> Collection[str]:
        """Who comes into a group, or leaves it."""
        return self.flipped.get(group, ())

    def link(self, person: str, group: str) -> Routes | None:
        """When somebody is in a group themselves; None for never."""
        if group == EVERYBODY:
            return ALWAYS
        flipped = self.flipped.get(group)
        if flipped is not None and person in flipped:
            return flipped[person]
        return ALWAYS if person in self.members(group) else None

    def cone(self, groups: Iterable[str]) -> dict[str, list[tuple[str, Routes]]]:
        """These groups and all that are in them, each with those of them that it is in itself."""
        key = frozenset(groups)
        known = self._cones.get(key)
        if known is None:
            known = self._cones[key] = self._cone(key)
        return known

    def _cone(self, groups: Iterable[str]) -> dict[str, list[tuple[str, Routes]]]:
        cone: dict[str, list[tuple[str, Routes]]] = {group: [] for group in sorted(groups)}
        queue = list(cone)
        while queue:
            group = queue.pop()
            for child in sorted(
                {*filter(is_group, self.members(group)), *filter(is_group, self.flips(group))}
            ):
                if child not in cone:
                    cone[child] = []
                    queue.append(child)
                link = self.link(child, group)
                if link is not None:
                    cone[child].append((group, link))
        return cone

    def bits(self, who: str) -> int:
        """Everybody who may stand behind a name at some time, as a set of numbers; -1 for all there are."""
        if who == EVERYBODY:
            return -1
        known = self._bits.get(who)
        if known is None:
            known = self._bits[who] = self._behind(who)
        return known

    def _behind(self, who: str) -> int:
        if not is_group(who):
            return 1 << self._number_of(who)
        inside, people = {who}, set[str]()
        queue = [who]
        while queue:
            group = queue.pop()
            if not self.known(group):
                people.add(group)
            for child in (*self.members(group), *self.flips(group)):
                if not is_group(child):
                    people.add(child)
                elif child not in inside:
                    inside.add(child)
                    queue.append(child)
        numbers = [self._number_of(person) for person in sorted(people)]
        flags = bytearray(max(numbers, default=0) // 8 + 1)
        for number in numbers:
            flags[number >> 3] |= 1 << (number & 7)
        return int.from_bytes(flags, "little")

    def _number_of(self, person: str) -> int:
        return self._number.setdefault(person, len(self._number))

    def people(self, bits: int) -> Iterator[str]:
        """Who is in a set of numbers."""
        names = list(self._number)
        text = f"{bits:b}"[::-1]
        place = text.find("1")
        while place >= 0:
            yield names[place]
            place = text.find("1", place + 1)
