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
EFFORT = 1_000_000
"""Routes that are looked at for the same, some microseconds each."""
LARGE = 32
"""Actions of a knot beyond which the shortest moment is not looked for: there are too many states."""
AT_ONCE = 64
"""Actions that are compared with each other for the next step where each step is the one that harms least."""


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


class Tied(NamedTuple):
    """An order of a knot."""

    core: list[int]
    """What leads through bad moments, in order: all of it goes, or nothing.  Empty for a good order."""
    rest: list[int]
    """What can go without a bad moment once the core is done."""
    shortest: bool
    """Whether no order has fewer states in a bad moment."""


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
        self.weight = {action: weight(action, rules, touched) for action in part}
        self.base = frozenset(done) & _actions(rules, about)

    def order(self) -> Tied:
        """The order with the shortest bad moment, or a short one where there are too many to look at."""
        path = self._shortest() if len(self.part) <= LARGE else None
        whole = path if path is not None else list(self._greedily())
        mended = self._last_broken(whole) + 2
        if mended == 1:
            return Tied([], whole, True)
        return Tied(whole[:mended], whole[mended:], path is not None)

    def _last_broken(self, path: Sequence[int]) -> int:
        """The place of the last action after which something is broken; -1 for none."""
        state, broken, last = frozenset[int](), frozenset[int](), -1
        for place, action in enumerate(path):
            state |= {action}
            broken = self._broken(action, state, broken)
            last = place if broken else last
        return last

    def _shortest(self) -> list[int] | None:
        seen: set[frozenset[int]] = set()
        heap = [_Step(_Cost(), (), frozenset(), frozenset())]
        effort = 0
        while heap and len(seen) < STATES and effort < EFFORT:
            cost, path, state, broken = heappop(heap)
            if state in seen:
                continue
            seen.add(state)
            if len(path) == len(self.part):
                return [self.part[each] for each in path]
            for number, action in enumerate(self.part):
                if action in state or not self.waits[action] <= state:
                    continue
                effort += self.weight[action]
                after = state | {action}
                if after not in seen:
                    now = self._broken(action, after, broken)
                    heappush(heap, _Step(self._plus(cost, now), (*path, number), after, now))
        return None

    def _broken(self, action: int, after: frozenset[int], broken: frozenset[int]) -> frozenset[int]:
        """The rules that are broken once an action is done as well; only those that it touches may change."""
        done = self.base | after
        mine = self.touched.get(action, ())
        return broken.difference(mine).union([each for each in mine if self.rules[each].broken(done)])

    def _plus(self, cost: _Cost, broken: frozenset[int]) -> _Cost:
        let_in = any(not self.rules[each].kept for each in broken)
        return _Cost(cost.moments + bool(broken), cost.let_in + let_in, cost.broken + len(broken))

    def _greedily(self) -> Iterator[int]:
        """Always the step that harms least, of the first few that there are."""
        done, broken = set(self.base), frozenset[int]()
        waiting = list(self.part)
        while waiting:
            free = [action for action in waiting if self.waits[action] <= done] or waiting
            after = {action: self._trying(action, done, broken) for action in free[:AT_ONCE]}
            best = min(after, key=lambda each: self._plus(_Cost(), after[each]))
            waiting.remove(best)
            done.add(best)
            broken = after[best]
            yield best

    def _trying(self, action: int, done: set[int], broken: frozenset[int]) -> frozenset[int]:
        mine = self.touched.get(action, ())
        done.add(action)
        now = [each for each in mine if self.rules[each].broken(done)]
        done.discard(action)
        return broken.difference(mine).union(now)


def weight(action: int, rules: Sequence[Rule], touched: Mapping[int, Sequence[int]]) -> int:
    """How many routes are looked at to see what an action breaks."""
    return 1 + sum(max(1, len(rules[each].routes)) for each in touched.get(action, ()))


def _actions(rules: Sequence[Rule], numbers: Iterable[int]) -> frozenset[int]:
    return frozenset[int]().union(*(rules[number].actions() for number in numbers))
