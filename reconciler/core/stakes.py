"""What the entries of a list come to for one part of a right, and the lists that have a say in a thing.

A thing in a tree has lists of its own, and on every place above it one that lets people pass or does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

from reconciler.core.holdings import Entry, Holdings, Target
from reconciler.core.model import Kind, Value
from reconciler.core.nesting import EVERYBODY, PEOPLE, Nesting, is_group
from reconciler.core.routes import ALWAYS, NEVER, UNKNOWN, Routes, both, either, once, until

WAYS = 64
"""Of a tree whose paths differ, ways in which one person may come by one right that are looked at."""

Ways = tuple[Routes, ...]
"""Each is how somebody comes by a right on some path: one, unless the paths of a tree differ."""


class Stake(NamedTuple):
    """What one entry of a list comes to for one part of a right."""

    gives: Routes
    """When the entry gives the part."""
    leaves: Routes
    """When it leaves the part to the groups of its holder; where it gives it, that makes no difference."""

    def actions(self) -> set[int]:
        """The actions that change it."""
        return {action for routes in self for route in routes for actions in route for action in actions}


NO_ENTRY = Stake(NEVER, ALWAYS)
STANDING = Stake(ALWAYS, ALWAYS)
Stakes = tuple[Stake, ...]
"""One; several where the paths of a tree hold different entries."""
NOTHING: Stakes = (NO_ENTRY,)


@dataclass(frozen=True, eq=False)
class Table:
    """What every entry of one list comes to, by principal."""

    stakes: Mapping[str, Stakes]
    nesting: Nesting

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups that it speaks of."""
        return tuple(filter(is_group, self.stakes))

    @cached_property
    def moving(self) -> tuple[str, ...]:
        """Those for whom it changes."""
        return tuple(who for who, stakes in self.stakes.items() if any(stake.actions() for stake in stakes))

    @cached_property
    def moving_twice(self) -> tuple[str, ...]:
        """Those for whom one entry of it changes by several actions."""
        return tuple(
            who for who in self.moving if any(len(stake.actions()) > 1 for stake in self.stakes[who])
        )

    @cached_property
    def people(self) -> Mapping[str, Stakes]:
        """The people whom it speaks of by name."""
        return {who: stakes for who, stakes in self.stakes.items() if not is_group(who)}

    @cached_property
    def lots(self) -> Sequence[tuple[int, Stakes]]:
        """The people whom it speaks of by name and for whom it does not change, by what it comes to."""
        moving = set(self.moving)
        lots: dict[Stakes, list[str]] = {}
        for who, stakes in self.people.items():
            if who not in moving:
                lots.setdefault(stakes, []).append(who)
        return [(self.nesting.crowd(who), stakes) for stakes, who in lots.items()]


def joined(join: Callable[[Routes, Routes], Routes], ones: Ways, others: Ways) -> Ways:
    """What comes of any of these with any of those."""
    found = dict.fromkeys(join(one, other) for one in ones for other in others)
    return tuple(found) if len(found) <= WAYS else (UNKNOWN,)


class Lists:
    """The lists of an estate as tables, each worked out once."""

    def __init__(self, holdings: Holdings) -> None:
        self.holdings = holdings
        self._known: dict[tuple[Target, frozenset[str] | None], Table] = {}
        self._crowds: dict[Target, tuple[set[int], set[str]]] = {}

    def table(self, target: Target, parts: frozenset[str] | None) -> Table:
        """What a list comes to; any of these parts is enough, and without any, whatever is held on it."""
        key = target, parts
        known = self._known.get(key)
        if known is None:
            kind = self.holdings.kinds[target.address.kind]
            line = self.holdings.line(target)
            known = self._known[key] = Table(
                {who: _stakes(entry, kind, target.role, parts) for who, entry in line.items()},
                self.holdings.nesting,
            )
        return known

    def parts(self, target: Target) -> dict[str, Value]:
        """Every part of a right that a list speaks of, with the least right that has it."""
        kind, line = self.holdings.kinds[target.address.kind], self.holdings.line(target)
        values = {value for entry in line.values() for value in entry.values() if value is not None}
        parts: dict[str, Value] = {}
        for value in sorted(values, key=lambda each: (len(kind.parts(target.role, each)), each)):
            for part in kind.parts(target.role, value):
                parts.setdefault(part, value)
        return parts

    def crowded(self, target: Target) -> bool:
        """Whether more than one action may have a say in a target at all."""
        kind, nesting = self.holdings.kinds[target.address.kind], self.holdings.nesting
        actions, groups = self._about(target)
        if target.address in self.holdings.moving:
            return True
        for at, _ in self._gate_lines(target, kind):
            if at not in self._crowds:
                self._crowds[at] = self._about(at)
            more, others = self._crowds[at]
            actions, groups = actions | more, groups | others
        return len(actions) > 1 or len(actions) + nesting.changes(groups) > 1

    def _about(self, target: Target) -> tuple[set[int], set[str]]:
        """The actions on a list, and the groups that it speaks of."""
        line = self.holdings.line(target)
        actions = {move.action for entry in line.values() for move in entry.moves}
        return actions, {who for who in line if not who.startswith(PEOPLE)}

    def gates(self, target: Target) -> list[Table]:
        """The ways to a thing, as far as they change."""
        kind = self.holdings.kinds[target.address.kind]
        move = self.holdings.moving.get(target.address)
        here = self._places(target, kind)
        if move is None:
            return [gate for gate in here.values() if self._changes(gate)]
        former = self._places(Target(self.holdings.former[target.address], target.role), kind)
        for place in here.keys() ^ former.keys():
            # The way to where it will be matters once it is there, and that to where it was until then.
            side, free = (here, until(move)) if place in here else (former, once(move))
            side[place] = _but(side[place], free)
        gates = {**former, **here}
        return [gates[place] for place in sorted(gates) if self._changes(gates[place])]

    def _places(self, target: Target, kind: Kind) -> dict[str, Table]:
        """The list of every place on the way to a thing."""
        places: dict[str, list[Table]] = {}
        for at, place in self._gate_lines(target, kind):
            if not self.holdings.line(at):
                continue
            parts = None
            if place and kind.passage is not None:
                # On the place itself, what is granted there alone is enough as well.
                here = at.address.locator == place
                parts = frozenset({kind.passage.part, *([kind.passage.own] if here else [])})
            places.setdefault(place, []).append(self.table(at, parts))
        return {place: tables[0] if len(tables) == 1 else _merged(tables) for place, tables in places.items()}

    def _changes(self, table: Table) -> bool:
        return bool(table.moving) or self.holdings.nesting.changes(table.groups) > 0

    def _gate_lines(self, target: Target, kind: Kind) -> Iterator[tuple[Target, str]]:
        """The lists that have a say in the way to a thing, each with the place that it speaks of."""
        holdings = self.holdings
        if kind.below is not None and target.role != kind.below[1]:
            yield holdings.across(target.address, *kind.below), ""
        if kind.passage is None:
            return
        for place in holdings.above(target.address):
            for name in kind.passage.kinds:
                tree = name in holdings.kinds and holdings.kinds[name].passage is not None
                at = holdings.governing(target.address, name, place, tree=tree)
                if at is not None:
                    yield Target(at, kind.passage.role), place


def _stakes(entry: Entry, kind: Kind, role: str, parts: frozenset[str] | None) -> Stakes:
    return tuple(dict.fromkeys(_stake(entry, start, kind, role, parts) for start in entry.starts))


def _stake(entry: Entry, start: Value | None, kind: Kind, role: str, parts: frozenset[str] | None) -> Stake:
    after, action = entry.move(start)
    if parts is None:
        had, has = start is not None, after is not None
    else:
        had = not parts.isdisjoint(kind.parts(role, start))
        has = had if after == start else not parts.isdisjoint(kind.parts(role, after))
    if after == start and not kind.own_first:
        return STANDING if had else NO_ENTRY
    gives = (ALWAYS if has else until(action)) if had else (once(action) if has else NEVER)
    if not kind.own_first:
        return Stake(gives, ALWAYS)
    # What is granted on one place of a tree alone outranks nothing below it.
    own = kind.passage.own if kind.passage else None
    there, stays = (value not in (None, own) for value in (start, after))
    if there:
        leaves = NEVER if stays else ALWAYS if had else once(action)
    else:
        leaves = ALWAYS if has or not stays else until(action)
    return Stake(gives, leaves)


def _merged(tables: Iterable[Table]) -> Table:
    """Lists of one place as the one that they are: whoever is named in any of them has an entry there."""
    whole, *rest = tables
    for table in rest:
        whole = Table(
            {
                who: _together(whole.stakes.get(who, NOTHING), table.stakes.get(who, NOTHING))
                for who in sorted({*whole.stakes, *table.stakes})
            },
            whole.nesting,
        )
    return whole


def _but(table: Table, free: Routes) -> Table:
    """The list of a place, where whoever it is passes as long as this holds."""
    entries = {EVERYBODY: NOTHING, **table.stakes}
    return Table(
        {
            who: tuple(Stake(either(stake.gives, free), stake.leaves) for stake in stakes)
            for who, stakes in sorted(entries.items())
        },
        table.nesting,
    )


def _together(ones: Stakes, others: Stakes) -> Stakes:
    return tuple(
        dict.fromkeys(
            Stake(either(one.gives, other.gives), both(one.leaves, other.leaves))
            for one, other in product(ones, others)
        )
    )
