"""The ways in which somebody may come to hold a right, by what has been done of a plan.

A route leads from a person to a right: over memberships and grants.  It is open once all its additions are
done, and until one of its removals is.  Sets of routes are kept minimal: one that is open whenever another
one is says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

LIMIT = 256
"""Routes of one person to one right that are looked at: of more, nobody knows when one of them is open."""


class Route(NamedTuple):
    """One way to a right; actions are known by their place in the plan."""

    adds: frozenset[int]
    """Actions that must be done."""
    removals: frozenset[int]
    """Actions that must not be done."""

    def is_open(self, done: Collection[int]) -> bool:
        """Whether the right is held this way once exactly these actions are done."""
        return self.adds.issubset(done) and self.removals.isdisjoint(done)


Routes = frozenset[Route]
"""Any of them is enough."""

NOTHING: frozenset[int] = frozenset()
STANDING = Route(NOTHING, NOTHING)
"""A route on which nothing changes."""
ALWAYS: Routes = frozenset({STANDING})
NEVER: Routes = frozenset()
UNKNOWN: Routes = frozenset({Route(frozenset({-1}), frozenset({-1}))})
"""More routes than are looked at: what is between before and after is not known."""


def once(action: int) -> Routes:
    """What opens when this action is done."""
    return frozenset({Route(frozenset({action}), NOTHING)})


def until(action: int) -> Routes:
    """What closes when this action is done."""
    return frozenset({Route(NOTHING, frozenset({action}))})


def either(one: Routes, two: Routes) -> Routes:
    """Held if one of the two is."""
    if one is two or not two:
        return one
    if not one:
        return two
    if ALWAYS in (one, two):
        return ALWAYS
    return UNKNOWN if UNKNOWN in (one, two) else minimal(one | two)


def both(one: Routes, two: Routes) -> Routes:
    """Held while both are."""
    if one == ALWAYS:
        return two
    if two == ALWAYS:
        return one
    if not one or not two:
        return NEVER
    if UNKNOWN in (one, two):
        return UNKNOWN
    joined = (Route(a.adds | b.adds, a.removals | b.removals) for a in one for b in two)
    return minimal(route for route in joined if route.adds.isdisjoint(route.removals))


def minimal(routes: Iterable[Route]) -> Routes:
    """These routes without those that another one makes needless; UNKNOWN when too many are left."""
    found = set(routes)
    if STANDING in found:
        return ALWAYS
    if len(found) < 2:
        return frozenset(found)
    kept: list[Route] = []
    for route in sorted(found, key=_size):
        if not any(each.adds <= route.adds and each.removals <= route.removals for each in kept):
            if len(kept) == LIMIT:
                return UNKNOWN
            kept.append(route)
    return frozenset(kept)


def _size(route: Route) -> tuple[int, list[int], list[int]]:
    return len(route.adds) + len(route.removals), sorted(route.adds), sorted(route.removals)


def sorted_routes(routes: Routes) -> tuple[Route, ...]:
    """These routes, the shortest first and always in the same order."""
    return tuple(sorted(routes, key=_size))


class Rule(NamedTuple):
    """Something that must hold, or must not, between any two writes."""

    kept: bool
    """True for a right that is held before and after; False for one that is held neither before nor after."""
    routes: tuple[Route, ...]
    unknown: frozenset[int] = NOTHING
    """Actions of which nobody knows what some without the others come to; there are no routes then."""

    def actions(self) -> frozenset[int]:
        """Every action that has a say in it."""
        return self.unknown.union(*(each for route in self.routes for each in route))

    def broken(self, done: Collection[int]) -> bool:
        """Whether it is broken, or may be, once exactly these actions are done."""
        if self.unknown:
            return not self.unknown.isdisjoint(done) and not self.unknown.issubset(done)
        for adds, removals in self.routes:
            if adds.issubset(done) and removals.isdisjoint(done):
                return not self.kept
        return self.kept

    def is_harmed_by(self, action: int) -> bool:
        """Whether doing this action may ever break it."""
        if self.unknown:
            return action in self.unknown
        return any(action in (route.removals if self.kept else route.adds) for route in self.routes)


def rule(routes: Routes, actions: frozenset[int]) -> Rule | None:
    """What the order of actions has to mind of a right; None where no order can do wrong.

    `actions` are all that have a say in it, for when there are too many routes to tell.
    """
    if routes == UNKNOWN:
        return Rule(False, (), actions)
    if routes == ALWAYS or not routes:
        return None
    before = any(not route.adds for route in routes)
    after = any(not route.removals for route in routes)
    if before is not after:
        # Whoever gains or loses it may do so at any time.
        return None
    return Rule(before, sorted_routes(routes))
