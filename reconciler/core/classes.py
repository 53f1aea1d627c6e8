"""Classes of people who stand alike to a right: the same entries of their own, the same ways through groups.

Whoever is of one class is in the same place at every moment of a plan, so one of them is looked at for all.
The number of classes depends on the plan and on the lists that it touches, and not on the directory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from itertools import chain
from operator import or_
from typing import NamedTuple

from reconciler.core.holdings import Holdings
from reconciler.core.nesting import EVERYBODY, is_group, lowest
from reconciler.core.routes import ALWAYS, NEVER, UNKNOWN, Routes, both, either
from reconciler.core.stakes import NOTHING, Stakes, Table, Ways, joined

STRANGER = "user:"
"""Somebody of whom no list and no group speaks."""
ALONE = 8
"""So many groups of unknown members are each taken for a replacement alone; of more, all together are."""


class Footprint(NamedTuple):
    """What being in a group comes to, list by list: groups of one footprint are as good as one group."""

    plain: tuple[Routes, ...]
    """When each list grants the part."""
    forks: tuple[tuple[str, Routes], ...]
    """Groups that it leads into whose entries differ from path to path, with the ways there."""
    name: str = ""
    """Of a group that is not as good as any other, as more ways lead on from it than are looked at."""

    def changes(self) -> bool:
        """Whether a plan may change what being in the group comes to."""
        return bool(self.forks) or any(routes not in (NEVER, ALWAYS) for routes in self.plain)


Links = Mapping[Footprint, Routes]
"""When somebody is in groups of each footprint."""


class Class(NamedTuple):
    """People who stand alike to a right."""

    people: int
    """Their numbers, as a set."""
    own: tuple[Stakes, ...]
    """What the entries of their own come to, list by list."""
    links: Links


class Classes:
    """Everybody whom these lists may concern."""

    def __init__(self, holdings: Holdings, tables: Sequence[Table]) -> None:
        self.nesting = holdings.nesting
        self.tenants = holdings.tenants
        self.tables = tables
        self.listed = frozenset(group for table in tables for group in table.groups)
        self.cone = self.nesting.cone(self.listed)
        flipped = self.nesting.flipped
        few, many = sorted((self.cone.keys(), flipped.keys()), key=len)
        self.flips = {group: flipped[group] for group in sorted(group for group in few if group in many)}
        """Who comes into groups of the cone, or leaves them."""

    def touched_twice(self) -> int:
        """Whoever two actions may concern, as a set of people."""
        touched, twice = 0, 0
        # The entry that lists of one place have in common changes by more than one action.
        moving = (who for table in self.tables for who in (*table.moving, *table.moving_twice))
        for who in chain(moving, *self.flips.values()):
            bits = self.nesting.bits(who)
            touched, twice = touched | bits, twice | touched & bits
        return twice if twice >= 0 else twice & self._everybody

    @cached_property
    def _everybody(self) -> int:
        """All who may be told apart here, and somebody who is none of them."""
        named = {who for table in self.tables for who in table.stakes} | self.cone.keys() | {STRANGER}
        everybody = 0
        for who in sorted(named - {EVERYBODY}):
            everybody |= self.nesting.bits(who)
        return everybody

    @cached_property
    def _unknown(self) -> frozenset[str]:
        """Groups of the cone whose members nobody has read."""
        return frozenset(group for group in self.cone if not self.nesting.known(group))

    @cached_property
    def losing(self) -> Mapping[str, int]:
        """By tenant whose action takes it, the people who lose an entry, or a group, that leads here."""
        losing: dict[str, int] = {}
        for who, routes in self._changes():
            if any(not route.adds for route in routes):
                for action in sorted(_of(routes)):
                    tenant = self.tenants[action]
                    losing[tenant] = losing.get(tenant, 0) | self.nesting.bits(who)
        return {who: bits if bits >= 0 else bits & self._everybody for who, bits in sorted(losing.items())}

    def _changes(self) -> Iterator[tuple[str, Routes]]:
        """What entries that change give, and when whoever comes or goes is in a group."""
        for table in self.tables:
            for who in table.moving:
                yield from ((who, stake.gives) for stake in table.stakes[who] if stake.gives != ALWAYS)
        for flips in self.flips.values():
            yield from flips.items()

    def perhaps(self, tenant: str | None) -> Iterator[Class]:
        """Whoever loses something, as if they were in groups of unknown members through which something comes
        or goes; with a tenant, only what its actions take and give.

        What such a group holds throughout is not looked at: whoever is in it lacks nothing here.
        """
        prints = [
            each
            for each, groups in (self.footprints.items() if self._unknown else ())
            if each.changes() and not self._unknown.isdisjoint(groups)
            if tenant is None or any(self.tenants[action] == tenant for action in self._moving(each))
        ]
        sets = [[each] for each in prints] if len(prints) <= ALONE else []
        losing = self.split(self._losing(tenant)) if prints else []
        for some in sets if len(prints) < 2 else [*sets, prints]:
            for each in losing:
                yield each._replace(links={**each.links, **dict.fromkeys(some, ALWAYS)})

    def _losing(self, tenant: str | None) -> int:
        if tenant is not None:
            return self.losing.get(tenant, 0)
        return reduce(or_, self.losing.values(), 0)

    @cached_property
    def footprints(self) -> Mapping[Footprint, list[str]]:
        """Groups by what being in them comes to; without those that lead to nothing."""
        reach = self.nesting.reach(self.listed)
        forked = {who for table in self.tables for who in table.groups if len(table.stakes[who]) > 1}
        prints: dict[Footprint, list[str]] = {}
        for group in self.cone:
            made = self._footprint(group, reach[group], forked)
            if any(made.plain) or made.forks:
                prints.setdefault(made, []).append(group)
        return prints

    def _footprint(self, group: str, into: Mapping[str, Routes], forked: set[str]) -> Footprint:
        plain = []
        for table in self.tables:
            routes = NEVER
            for listed, way in into.items():
                stakes = table.stakes.get(listed, ())
                if len(stakes) == 1:
                    routes = either(routes, both(way, stakes[0].gives))
            plain.append(routes)
        forks = tuple((listed, into[listed]) for listed in sorted(forked & into.keys()))
        name = group if UNKNOWN in plain or any(way == UNKNOWN for _, way in forks) else ""
        return Footprint(tuple(plain), forks, name)

    @cached_property
    def _print_of(self) -> Mapping[str, Footprint]:
        return {group: each for each, groups in self.footprints.items() for group in groups}

    def split(self, among: int) -> list[Class]:
        """These people by class, in the order of the first person of each."""
        if not among:
            return []
        nesting = self.nesting
        single = {who for table in self.tables for who in table.moving if not is_group(who)}
        single |= {who for flips in self.flips.values() for who in flips if not is_group(who)}
        single |= self._unknown
        alone = nesting.crowd(sorted(single)) & among
        found = [
            Class(nesting.crowd([who]), self._own(who), self._links(nesting.joined(who, self.cone)))
            for who in nesting.people(alone)
        ]
        rest = among & ~alone
        lots = [Class(rest, (NOTHING,) * len(self.tables), {})] if rest else []
        for number, table in enumerate(self.tables if rest else ()):
            for people, stakes in table.lots:
                lots = list(_parted(lots, people, number, stakes))
        for each, groups in self.footprints.items() if rest else ():
            staying = nesting.staying(groups, rest)
            lots = list(_parted(lots, staying, each)) if staying else lots
        return sorted((each for each in (*found, *lots) if each.people), key=lambda each: lowest(each.people))

    def _own(self, who: str) -> tuple[Stakes, ...]:
        if is_group(who):
            return (NOTHING,) * len(self.tables)
        return tuple(table.stakes.get(who, NOTHING) for table in self.tables)

    def _links(self, groups: Iterable[tuple[str, Routes]]) -> Links:
        links: dict[Footprint, Routes] = {}
        for group, link in groups:
            each = self._print_of.get(group)
            if each is not None:
                links[each] = either(links.get(each, NEVER), link)
        return links

    def ways(self, each: Class) -> list[Ways]:
        """List by list, the ways in which people of a class may come by the part."""
        into: dict[str, Routes] = {}
        for footprint, link in each.links.items():
            for group, way in footprint.forks:
                into[group] = either(into.get(group, NEVER), both(link, way))
        return [self._listed(number, table, each, into) for number, table in enumerate(self.tables)]

    def _listed(self, number: int, table: Table, each: Class, into: Mapping[str, Routes]) -> Ways:
        plain = NEVER
        for footprint, link in each.links.items():
            plain = either(plain, both(link, footprint.plain[number]))
        shared: Ways = (plain,)
        for group, routes in sorted(into.items()):
            stakes = table.stakes.get(group, ())
            if len(stakes) > 1:
                shared = joined(either, shared, tuple(both(routes, stake.gives) for stake in stakes))
        return tuple(
            dict.fromkeys(
                either(stake.gives, both(routes, stake.leaves))
                for stake in each.own[number]
                for routes in shared
            )
        )

    def actions(self, each: Class) -> frozenset[int]:
        """Every action that has a say in what people of a class hold: for when nobody knows the ways."""
        own = (routes for stakes in each.own for stake in stakes for routes in stake)
        found = {action for routes in chain(own, each.links.values()) for action in _of(routes)}
        return frozenset(found.union(*map(self._moving, each.links)))

    def _moving(self, footprint: Footprint) -> set[int]:
        """The actions that have a say in what being in a group of a footprint comes to."""
        if footprint.name:
            return self._beyond(footprint.name)
        ways = (way for _, way in footprint.forks)
        found = {action for routes in chain(footprint.plain, ways) for action in _of(routes)}
        return found.union(*(self._on(group) for group, _ in footprint.forks))

    def _on(self, group: str) -> set[int]:
        stakes = (stake for table in self.tables for stake in table.stakes.get(group, ()))
        return {action for stake in stakes for action in _of(stake.gives)}

    def _beyond(self, group: str) -> set[int]:
        found, inside, queue = set[int](), {group}, [group]
        while queue:
            group = queue.pop()
            found |= self._on(group)
            for outer, link in self.cone[group]:
                found |= _of(link)
                if outer not in inside:
                    inside.add(outer)
                    queue.append(outer)
        return found


def _parted(
    lots: Iterable[Class], people: int, what: Footprint | int, stakes: Stakes = NOTHING
) -> Iterator[Class]:
    """These classes, of which some people also have an entry in a list, or are in groups of a footprint."""
    for each in lots:
        inside = each.people & people
        if not inside:
            yield each
            continue
        if inside != each.people:
            yield each._replace(people=each.people ^ inside)
        if isinstance(what, Footprint):
            yield each._replace(people=inside, links={**each.links, what: ALWAYS})
        else:
            own = (*each.own[:what], stakes, *each.own[what + 1 :])
            yield each._replace(people=inside, own=own)


def _of(routes: Routes) -> set[int]:
    return {action for route in routes for actions in route for action in actions if action >= 0}
