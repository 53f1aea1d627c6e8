"""Who reaches which right over what, now and at every step of a plan: the rules that its order has to mind.

A right is held by a person on a target (an address and a role), of its own, through groups whatever their
nesting, and where things lie in a tree only with a way to them.  Only rights that two actions touch are
looked at, and only people for whom both do: one action alone leads from before to after and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations, islice
from math import prod
from typing import NamedTuple

from reconciler.core.classes import Class, Classes
from reconciler.core.holdings import Holdings, Target
from reconciler.core.model import Value
from reconciler.core.routes import ALWAYS, UNKNOWN, Routes, Rule, both, rule, sorted_routes
from reconciler.core.stakes import Lists, Table, Ways

EXAMPLES = 3
"""Cases of one rule that are kept to tell of it."""
CHOICES = 4_096
"""Pairs of places on the way to a thing, each in one of its states, of which every one is looked at; and ways
to hold a right over several lists at once."""


class Case(NamedTuple):
    """For whom a rule is made, as an example: others may be in the same place."""

    person: str
    target: Target
    value: Value
    """The least right with which the part that is at stake comes."""


@dataclass(slots=True)
class Rules:
    """Every rule of a plan once, with some of those whom it is about."""

    cases: dict[Rule, Case] = field(default_factory=dict)
    """The first example of each; the order of rules is that in which they are found."""
    examples: dict[Rule, list[Case]] = field(default_factory=dict)
    """A few cases of each, no two of the same person on the same target, in the order of targets."""
    people: dict[Rule, int] = field(default_factory=dict)
    """For how many pairs of a person and a right it is made: one person may count several times."""

    def add(self, found: Rule, cases: Sequence[Case], people: int) -> None:
        """Keep it for so many people, and the first few cases of it."""
        self.people[found] = self.people.get(found, 0) + people
        self.cases.setdefault(found, cases[0])
        examples = self.examples.setdefault(found, [])
        for case in cases:
            if len(examples) < EXAMPLES and all(each[:2] != case[:2] for each in examples):
                examples.append(case)


def rules_of(holdings: Holdings) -> Rules:
    """Everything that the order of a plan's actions has to mind."""
    found, lists = Rules(), Lists(holdings)
    for target in holdings.targets():
        if not lists.crowded(target):
            continue
        for tables, value in _atoms(lists, target):
            classes = Classes(holdings, tables)
            for made, people in _Atom(classes, here=bool(target.address.locator)).rules().items():
                names = islice(holdings.nesting.people(people), EXAMPLES)
                found.add(made, [Case(name, target, value) for name in names], people.bit_count())
    return found


def _atoms(lists: Lists, target: Target) -> Iterator[tuple[list[Table], Value]]:
    """Every part of a right on a target, with the ways there: the first list is its own."""
    gates = lists.gates(target)
    seen: set[tuple[object, ...]] = set()
    for part, value in sorted(lists.parts(target).items()):
        table = lists.table(target, frozenset({part}))
        look = tuple(table.stakes.items())
        if look not in seen:
            seen.add(look)
            yield [table, *gates], value


class _Atom:
    """One part of a right on one target, with everything that may lead to it."""

    def __init__(self, classes: Classes, *, here: bool) -> None:
        self.classes = classes
        self.here = here
        """Whether the target is one thing with one list."""
        self.known: dict[tuple[object, ...], tuple[Rule, ...]] = {}

    def rules(self) -> dict[Rule, int]:
        """What the order has to mind here, each with the people whom it is about."""
        found: dict[Rule, int] = {}
        for each in self._everybody():
            for made in self._minded(each):
                found[made] = found.get(made, 0) | each.people
        return found

    def _everybody(self) -> Iterator[Class]:
        yield from self.classes.split(self.classes.touched_twice())
        # Of a right across many things, unknown people would tie all tenants of a workspace together.
        for tenant in (None,) if self.here else self.classes.losing:
            yield from self.classes.perhaps(tenant)

    def _minded(self, each: Class) -> tuple[Rule, ...]:
        key = each.own, frozenset(each.links.items())
        known = self.known.get(key)
        if known is None:
            made = (self._rule(each, routes) for routes in _demands(self.classes.ways(each)))
            known = self.known[key] = tuple(dict.fromkeys(each for each in made if each is not None))
        return known

    def _rule(self, each: Class, routes: Routes) -> Rule | None:
        return rule(routes, self.classes.actions(each) if routes == UNKNOWN else frozenset())


def _demands(whole: Sequence[Ways]) -> Iterator[Routes]:
    """What the order has to mind of somebody who holds a part by the first list, and gets there by the rest.

    Each of the rest may be open to him by what nobody has read, so every choice of them is looked at.  What
    is held over several lists is kept if it is kept over each.  What is not held is so as long as one of them
    is closed; of any that are closed together before and after, two at most and the first are enough to tell.
    """
    own, *gates = whole
    if any(UNKNOWN in ways for ways in whole) and any(own):
        yield UNKNOWN
    mine = [routes for routes in own if routes and routes != UNKNOWN]
    ways = [
        (place, routes)
        for place, gate in enumerate(gates)
        for routes in gate
        if routes and routes not in (ALWAYS, UNKNOWN)
    ]
    if any(_is_held(routes) for routes in mine):
        yield from (routes for routes in mine if _is_held(routes))
        yield from (routes for _, routes in ways if _is_held(routes))
    if len(mine) * len(ways) ** 2 > CHOICES:
        yield UNKNOWN
        return
    for routes in mine:
        yield from _closed(routes, ways)


def _closed(mine: Routes, ways: Sequence[tuple[int, Routes]]) -> Iterator[Routes]:
    """The smallest choices of ways with which a part is held neither before nor after."""
    if _is_closed([mine]):
        yield mine
        return
    rest = []
    for place, routes in ways:
        if _is_closed([mine, routes]):
            yield from _together([mine, routes])
        else:
            rest.append((place, routes))
    for (place, one), (other, two) in combinations(rest, 2):
        if place != other and _is_closed([mine, one, two]):
            yield from _together([mine, one, two])


def _together(parts: Sequence[Routes]) -> Iterator[Routes]:
    """The ways to hold all of them at once: where they are many, some at a time.

    None of them may ever be open, and each is closed by itself.
    """
    routes = reduce(both, parts)
    if routes != UNKNOWN or prod(map(len, parts)) > CHOICES:
        yield routes
        return
    longest = max(range(len(parts)), key=lambda number: len(parts[number]))
    for route in sorted_routes(parts[longest]):
        yield from _together([*parts[:longest], frozenset({route}), *parts[longest + 1 :]])


def _is_held(routes: Routes) -> bool:
    return _starts(routes) and _ends(routes)


def _is_closed(parts: Iterable[Routes]) -> bool:
    parts = list(parts)
    return not all(map(_starts, parts)) and not all(map(_ends, parts))


def _starts(routes: Routes) -> bool:
    """Whether a way is open before a plan."""
    return any(not route.adds for route in routes)


def _ends(routes: Routes) -> bool:
    """Whether a way is open after it."""
    return any(not route.removals for route in routes)
