"""Who is in which group, through whatever nesting, now and as a plan changes it; and sets of people.

People are numbered as they are met, and a set of them is the bits of one number: of 50,000 people at once it
is asked as fast as of a few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain

from reconciler.core.model import Found, Live
from reconciler.core.routes import ALWAYS, NEVER, Routes, both, either, once, until

GROUP, MEMBER = "group", "member"
PEOPLE = ("user:", "sp:", "id:")
EVERYBODY = "other"
"""The principal of what a list of a lake grants to whoever it does not speak of."""
FEW = 64
"""So many groups are asked one by one for a person, and so many members set one by one into a set."""

Cone = Mapping[str, list[tuple[str, Routes]]]
"""Groups and all that are in them, each with those of them that it is in itself."""


def is_group(principal: str) -> bool:
    """Whether somebody else may stand behind a name."""
    return not principal.startswith(PEOPLE)


class Nesting:
    """Groups as they were read, under the names that they are to have, and what a plan does to them."""

    def __init__(
        self, live: Live, declared: Mapping[tuple[str, str, str], set[str]], renamed: Mapping[str, str]
    ) -> None:
        self.live = live
        self.declared = declared
        self.renamed = renamed
        self.flipped: dict[str, dict[str, Routes]] = {}
        """By group, whoever comes into it or leaves it, and when they are in it."""
        self._members: dict[str, frozenset[str]] = {}
        self._bits: dict[str, int] = {}
        self._inside: dict[str, int] = {}
        self._number: dict[str, int] = {}
        self._names: list[str] = []
        self._inners: dict[str, Sequence[tuple[str, Routes]]] = {}
        self._cones: dict[frozenset[str], Cone] = {}
        self._reaches: dict[frozenset[str], Mapping[str, Mapping[str, Routes]]] = {}

    def name(self, principal: str) -> str:
        """The name that a principal has once the plan is done."""
        return self.renamed.get(principal, principal) if self.renamed else principal

    def join(self, who: str, group: str, action: int) -> None:
        """Note that an action puts somebody into a group."""
        # Else it is the same member, who is about to be renamed.
        if who not in self.members(group):
            self.flipped.setdefault(group, {})[who] = once(action)

    def leave(self, who: str, group: str, action: int) -> None:
        """Note that an action takes somebody out of a group."""
        self.flipped.setdefault(group, {})[who] = until(action)

    def known(self, group: str) -> bool:
        """Whether it is known who is in a group: it was read, or is to be made."""
        return group == EVERYBODY or group in self._groups or group in self._declared_groups

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

    def members(self, group: str) -> frozenset[str]:
        """Who is in a group itself, as it was read."""
        known = self._members.get(group)
        if known is None:
            found = self._groups.get(group)
            facts = found.grants if found else {}
            members = [who for role, who in facts if role == MEMBER]
            known = self._members[group] = frozenset(map(self.name, members) if self.renamed else members)
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

    def joined(self, person: str, cone: Cone) -> Iterator[tuple[str, Routes]]:
        """The groups of a cone that somebody is in, or comes into, themselves."""
        near: Iterable[str] = cone
        if len(cone) > FEW:
            near = sorted({*self._containing.get(person, ()), person, EVERYBODY} & cone.keys())
        for group in near:
            link = ALWAYS if group == person else self.link(person, group)
            if link is not None:
                yield group, link

    @cached_property
    def _containing(self) -> dict[str, list[str]]:
        """The groups that somebody is in at any time."""
        containing: dict[str, list[str]] = {}
        for group in {**self._groups, **self.flipped}:
            for member in {*self.members(group), *self.flips(group)}:
                containing.setdefault(member, []).append(group)
        return containing

    def outer(self, groups: Iterable[str]) -> set[str]:
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
        flipped = ((group, list(filter(is_group, flips))) for group, flips in self.flipped.items())
        for group, children in chain(self._nested.items(), flipped):
            for child in children:
                parents.setdefault(child, set()).add(group)
        return parents

    @cached_property
    def _nested(self) -> dict[str, list[str]]:
        """By group, the groups that are in it: most have none, and are of no further interest."""
        nested: dict[str, list[str]] = {}
        for group, found in self._groups.items():
            for role, who in found.grants:
                if role == MEMBER and not who.startswith(PEOPLE):
                    nested.setdefault(group, []).append(self.name(who))
        return nested

    def cone(self, groups: Iterable[str]) -> Cone:
        """These groups and all that are in them, each with those of them that it is in itself."""
        key = frozenset(groups)
        known = self._cones.get(key)
        if known is None:
            known = self._cones[key] = self._cone(key)
        return known

    def changes(self, groups: Iterable[str]) -> int:
        """How many people and groups come into these groups or leave them, however deep."""
        cone, flipped = self.cone(groups), self.flipped
        return sum(len(flipped[group]) for group in cone if group in flipped) if flipped else 0

    def _cone(self, groups: Iterable[str]) -> Cone:
        cone: dict[str, list[tuple[str, Routes]]] = {group: [] for group in sorted(groups)}
        queue = list(cone)
        while queue:
            group = queue.pop()
            for child, link in self._inner(group):
                if child not in cone:
                    cone[child] = []
                    queue.append(child)
                cone[child].append((group, link))
        return cone

    def _inner(self, group: str) -> Sequence[tuple[str, Routes]]:
        """The groups that are in a group themselves, by name, and when."""
        known = self._inners.get(group)
        if known is None:
            # Where no membership changes, few groups are looked at, and not all have to be.
            nested = self._nested.get(group, ()) if self.flipped else filter(is_group, self.members(group))
            inside = sorted({*nested, *filter(is_group, self.flips(group))})
            links = ((child, self.link(child, group)) for child in inside)
            known = self._inners[group] = [(child, link) for child, link in links if link is not None]
        return known

    def reach(self, groups: Iterable[str]) -> Mapping[str, Mapping[str, Routes]]:
        """By group of their cone, in which of these groups whoever is in it is, through whatever nesting."""
        key = frozenset(groups)
        known = self._reaches.get(key)
        if known is None:
            known = self._reaches[key] = self._reach(key)
        return known

    def _reach(self, groups: frozenset[str]) -> Mapping[str, Mapping[str, Routes]]:
        cone = self.cone(groups)
        inside: dict[str, list[tuple[str, Routes]]] = {}
        for child, parents in cone.items():
            for parent, link in parents:
                inside.setdefault(parent, []).append((child, link))
        reach: dict[str, dict[str, Routes]] = {
            group: {group: ALWAYS} if group in groups else {} for group in cone
        }
        queue = list(cone)
        while queue:
            outer = queue.pop()
            for child, link in inside.get(outer, ()):
                changed = False
                for group, routes in tuple(reach[outer].items()):
                    present = reach[child].get(group, NEVER)
                    wider = either(present, both(routes, link))
                    if wider != present:
                        reach[child][group], changed = wider, True
                if changed:
                    queue.append(child)
        return reach

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
        # By name, as the numbers decide in which order people are looked at.
        return _set([self._number_of(person) for person in sorted(people)])

    def staying(self, groups: Iterable[str], among: int) -> int:
        """Which of these people are in one of these groups themselves; for people who stay where they are."""
        found, numbers = 0, list[int]()
        for group in groups:
            if group == EVERYBODY:
                return among
            if len(self.members(group)) > FEW:
                found |= self._all_in(group)
            else:
                numbers += self._numbers(group)
        return (found | _set(numbers)) & among

    def _all_in(self, group: str) -> int:
        known = self._inside.get(group)
        if known is None:
            # Gives a number to each of them: what is kept has to stay true.
            self.bits(group)
            known = self._inside[group] = _set(self._numbers(group))
        return known

    def _numbers(self, group: str) -> list[int]:
        return [self._number[who] for who in self.members(group) if who in self._number]

    def _number_of(self, person: str) -> int:
        number = self._number.get(person)
        if number is None:
            number = self._number[person] = len(self._names)
            self._names.append(person)
        return number

    def crowd(self, people: Iterable[str]) -> int:
        """The set of these people alone, be they some of whom nothing is known."""
        return _set([self._number_of(person) for person in people])

    def people(self, bits: int) -> Iterator[str]:
        """Who is in a set of numbers, by number."""
        while bits:
            lowest = bits & -bits
            yield self._names[lowest.bit_length() - 1]
            bits ^= lowest


def _set(numbers: Collection[int]) -> int:
    """These numbers as a set."""
    flags = bytearray(max(numbers, default=0) // 8 + 1)
    for number in numbers:
        flags[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(flags, "little")


def lowest(bits: int) -> int:
    """The first of a set of numbers that is not empty."""
    return (bits & -bits).bit_length() - 1
