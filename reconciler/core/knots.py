"""Order the actions for which there is no good order so that the bad moment is as short as can be.

Its law: as few writes as possible happen in a bad moment, and of several such orders one is taken in which
somebody lacks something rather than holds it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from reconciler.core.routes import Rule

STATES = 4_000
"""States that are looked at for the shortest moment; beyond, each step is the one that harms least."""
TRIES = 100_000
"""Steps that are tried for the shortest moment; each takes some microseconds."""


class _Cost(NamedTuple):
    """What is compared, the smaller the better."""

    moments: int = 0
    """States in which something is broken."""
    let_in: int = 0
    """States in which somebody holds what he must not."""
    broken: int = 0
    """Rules that are broken, over all states."""


class _Step(NamedTuple):
    """Where an order of some actions leads, the cheapest first."""

    cost: _Cost
    path: tuple[int, ...]
    """Places in the part."""
    state: frozenset[int]
    broken: frozenset[int]
    """Numbers of the rules that are broken there."""


class Knot:
    """Actions that are left once others are done, and the rules that they touch."""

    def __init__(
        self,
        part: Sequence[int],
        done: Collection[int],
        rules: Sequence[Rule],
        touched: Mapping[int, Sequence[int]],
        musts: Mapping[int, Collection[int]],
    ) -> None:
        self.part = part
        self.rules = rules
        self.touched = touched
        among = set(part)
        self.waits = {action: among & set(musts.get(action, ())) for action in part}
        """By action, those of the others that must be done before it."""
        about = {number for action in part for number in touched.get(action, ())}
        self.base = frozenset(done) & _actions(rules, about)

    def shortest(self) -> list[int]:
        """The order with the shortest bad moment, or a short one where there are too many to look at."""
        seen: set[frozenset[int]] = set()
        heap = [_Step(_Cost(), (), frozenset(), frozenset())]
        tries = 0
        while heap and len(seen) < STATES and tries < TRIES:
            cost, path, state, broken = heappop(heap)
            if state in seen:
                continue
            seen.add(state)
            if len(path) == len(self.part):
                return [self.part[each] for each in path]
            for number, action in enumerate(self.part):
                if action in state or not self.waits[action] <= state:
                    continue
                tries += 1
                after = state | {action}
                if after not in seen:
                    now = self._broken(action, after, broken)
                    heappush(heap, _Step(self._plus(cost, now), (*path, number), after, now))
        return list(self._greedily())

    def _broken(self, action: int, after: frozenset[int], broken: frozenset[int]) -> frozenset[int]:
        """The rules that are broken once an action is done as well; only those that it touches may change."""
        done = self.base | after
        mine = self.touched.get(action, ())
        return broken.difference(mine).union([each for each in mine if self.rules[each].broken(done)])

    def _plus(self, cost: _Cost, broken: frozenset[int]) -> _Cost:
        let_in = any(not self.rules[each].kept for each in broken)
        return _Cost(cost.moments + bool(broken), cost.let_in + let_in, cost.broken + len(broken))

    def _greedily(self) -> Iterator[int]:
        """Always the step that harms least."""
        state, broken = frozenset[int](), frozenset[int]()
        waiting = list(self.part)
        while waiting:
            free = [action for action in waiting if self.waits[action] <= state] or waiting
            after = {action: self._broken(action, state | {action}, broken) for action in free}
            best = min(free, key=lambda each: self._plus(_Cost(), after[each]))
            waiting.remove(best)
            state, broken = state | {best}, after[best]
            yield best


def _actions(rules: Sequence[Rule], numbers: Iterable[int]) -> frozenset[int]:
    return frozenset[int]().union(*(rules[number].actions() for number in numbers))
