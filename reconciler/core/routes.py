"""The ways in which somebody may come to hold a right, by what has been done of a plan.

A route leads from a person to a right: over memberships and grants.  It is open once all its additions are
done, and until one of its removals is.  Sets of routes are kept minimal: one that is open whenever another
one is says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

LIMIT = 256
"""Routes of one person to one right that are looked at, those of the fewest actions first."""


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
    return minimal(one | two) if one else two


def both(one: Routes, two: Routes) -> Routes:
    """Held while both are."""
    if one == ALWAYS:
        return two
    if two == ALWAYS:
        return one
    joined = (Route(a.adds | b.adds, a.removals | b.removals) for a in one for b in two)
    return minimal(route for route in joined if route.adds.isdisjoint(route.removals))


def minimal(routes: Iterable[Route]) -> Routes:
    """These routes without those that another one makes needless."""
    found = set(routes)
    if STANDING in found:
        return ALWAYS
    if len(found) < 2:
        return frozenset(found)
    kept: list[Route] = []
    for route in sorted(found, key=_size):
        if not any(each.adds <= route.adds and each.removals <= route.removals for each in kept):
            kept.append(route)
            if len(kept) == LIMIT:
                break
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

    def actions(self) -> frozenset[int]:
        """Every action that has a say in it."""
        return frozenset().union(*(each for route in self.routes for each in route))

    def broken(self, done: Collection[int]) -> bool:
        """Whether it is broken once exactly these actions are done."""
        return self.kept is not any(route.is_open(done) for route in self.routes)


def rule(routes: Routes) -> Rule | None:
    """What the order of actions has to mind of a right; None where no order can do wrong."""
    if routes == ALWAYS or not routes:
        return None
    before = any(not route.adds for route in routes)
    after = any(not route.removals for route in routes)
    if before is not after:
        # Whoever gains or loses it may do so at any time.
        return None
    return Rule(before, sorted_routes(routes))
