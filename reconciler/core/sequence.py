"""Find an order in which no rule is broken between any two actions, or the one that breaks them least.

Its law: what it says an action needs is enough.  Any actions may be done in any order, and any may fail, as
long as nothing is done before what it needs: no rule is broken at any moment.  For a right that is kept, the
last removal that was done has a route left, made of what it needed; for a right that nobody is to hold, the
last addition that was done was cut off by what it needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.knots import Knot, Tied, weight
from reconciler.core.routes import Rule

STATES = 4_000
"""States of one part that are looked at before it counts as one without a good order."""
EFFORT = 1_000_000
"""Routes that are looked at in the search of one part; each takes some microseconds."""
ROUNDS = 32
"""Times that passes begin anew with what was left the last time."""
PASSES = 4
"""Passes over the same actions that are reckoned with each time."""

Musts = Mapping[int, Collection[int]]
"""By action, those that must be done before it whatever the rules say."""


@dataclass(slots=True)
class Arranged:
    """What was found: an order for every action that some rule or must is about."""

    keeps: dict[int, set[int]] = field(default_factory=dict)
    """By action, those that must be verified before it so that nobody loses what he is to keep."""
    cuts: dict[int, set[int]] = field(default_factory=dict)
    """By action, those that must be verified before it so that nobody is let in."""
    chain: dict[int, set[int]] = field(default_factory=dict)
    """By action of a knot, what goes before it."""
    knots: list[tuple[int, ...]] = field(default_factory=list)
    """Actions for which no good order was found, each in the order of the shortest bad moment."""
    roundabout: set[int] = field(default_factory=set)
    """Actions of knots for which there may be an order with a shorter bad moment."""
    unsure: set[int] = field(default_factory=set)
    """Actions of knots for which there may be a good order: the search ended before all were looked at."""


def sequence(order: Iterable[int], rules: Sequence[Rule], musts: Musts) -> Arranged:
    """Look for an order of these actions, the given one where it does no harm.

    First whole passes, in which every action is done that can be; then, where actions are left, passes that
    begin with these, and a bounded search among those that hang together.
    """
    return _Search(list(order), rules, musts).run()


class _Search:
    """The actions of one plan, and the rules that each of them touches."""

    def __init__(self, order: list[int], rules: Sequence[Rule], musts: Musts) -> None:
        self.rules = rules
        self.musts = musts
        self.touched: dict[int, list[int]] = {}
        self.harmful: set[int] = set()
        """Actions that may break a rule at some time: all others can be done as soon as they may."""
        for number, rule in enumerate(rules):
            for action in rule.actions():
                self.touched.setdefault(action, []).append(number)
                if rule.is_harmed_by(action):
                    self.harmful.add(action)
        self.weights: dict[int, int] = {}
        involved = self._involved()
        self.order = [action for action in order if action in involved]
        self.rank = {action: place for place, action in enumerate(self.order)}
        self.found = Arranged()

    def _involved(self) -> set[int]:
        """Actions that a rule is about, and everything that has to go before or between them."""
        involved = set(self.touched)
        queue = list(involved)
        while queue:
            for must in self.musts.get(queue.pop(), ()):
                if must not in involved:
                    involved.add(must)
                    queue.append(must)
        return involved

    def run(self) -> Arranged:
        done: set[int] = set()
        chosen = self.pass_through(self.order, done)
        if len(chosen) == len(self.order):
            self._explain(chosen, ())
            return self.found
        place = {action: number for number, action in enumerate(chosen)}
        for part in self._parts(self.order):
            begun = sorted((action for action in part if action in place), key=place.__getitem__)
            left = [action for action in part if action not in place]
            if not left:
                self._explain(begun, ())
                continue
            good = self._anew(part, left)
            good, sure = (good, True) if good else self._search(part)
            if good is not None:
                self._explain(good, ())
                continue
            if not sure:
                self.found.unsure.update(left)
            self._explain(begun, left)
        return self.found

    def _anew(self, part: Sequence[int], left: Sequence[int]) -> list[int] | None:
        """A good order of a part by beginning with what was left the last time, pass after pass."""
        order = list(part)
        effort = sum(self.weight(action) for action in part)
        for _ in range(min(ROUNDS, EFFORT // (effort * PASSES))):
            late = set(left)
            order = [*left, *(action for action in order if action not in late)]
            chosen = self.pass_through(order, set())
            if len(chosen) == len(part):
                return chosen
            done = set(chosen)
            left = [action for action in order if action not in done]
        return None

    def weight(self, action: int) -> int:
        """How many routes are looked at to see whether an action may go."""
        known = self.weights.get(action)
        if known is None:
            known = self.weights[action] = weight(action, self.rules, self.touched)
        return known

    def pass_through(self, actions: Iterable[int], done: set[int]) -> list[int]:
        """Do whatever can be done, pass after pass, until nothing moves; what was done, in order."""
        chosen: list[int] = []
        waiting, before = list(actions), -1
        while waiting and len(waiting) != before:
            before, left = len(waiting), []
            for action in waiting:
                if self._may(action, done):
                    done.add(action)
                    chosen.append(action)
                else:
                    left.append(action)
            waiting = left
        return chosen

    def _may(self, action: int, done: set[int]) -> bool:
        if any(must not in done for must in self.musts.get(action, ())):
            return False
        done.add(action)
        fine = not any(self.rules[number].broken(done) for number in self.touched.get(action, ()))
        done.discard(action)
        return fine

    def _parts(self, actions: Sequence[int]) -> list[list[int]]:
        """Actions that hang together, over rules and musts, each part in order."""
        among = set(actions)
        above = {action: action for action in actions}

        def top(action: int) -> int:
            while above[action] != action:
                above[action] = above[above[action]]
                action = above[action]
            return action

        for action in actions:
            for must in self.musts.get(action, ()):
                if must in among:
                    above[top(action)] = top(must)
        for number in sorted({number for action in actions for number in self.touched.get(action, ())}):
            first, *rest = (action for action in sorted(self.rules[number].actions()) if action in among)
            for action in rest:
                above[top(action)] = top(first)
        parts: dict[int, list[int]] = {}
        for action in actions:
            parts.setdefault(top(action), []).append(action)
        return list(parts.values())

    def _search(self, part: Sequence[int]) -> tuple[list[int] | None, bool]:
        """A good order of a part, by going back where it leads nowhere; and whether None is the last word."""
        seen: set[frozenset[int]] = set()
        done: set[int] = set()
        chosen: list[int] = []
        effort = 0
        stack = [self._steps(part, done)]
        while stack:
            action = next(stack[-1], None)
            if action is None:
                stack.pop()
                if chosen:
                    done.discard(chosen.pop())
                continue
            effort += self.weight(action)
            state = frozenset(done | {action})
            if state in seen:
                continue
            if len(seen) >= STATES or effort > EFFORT:
                return None, False
            seen.add(state)
            done.add(action)
            chosen.append(action)
            if len(chosen) == len(part):
                return chosen, True
            stack.append(self._steps(part, done))
        return None, True

    def _steps(self, part: Sequence[int], done: set[int]) -> Iterator[int]:
        """What may be done next.

        What harms nothing is done at once and is no choice: an order in which it comes later stays good when
        it is moved to here.
        """
        waiting = [action for action in part if action not in done]
        for action in waiting:
            if action not in self.harmful and self._may(action, done):
                yield action
                return
        for action in waiting:
            if action in self.harmful and self._may(action, done):
                yield action

    def _explain(self, good: Sequence[int], left: Sequence[int]) -> None:
        """Say what each action of a good beginning needs, and tie up what is left."""
        done: set[int] = set()
        self._justify(good, done)
        for part in self._parts(left):
            knot = Knot(part, done, self.rules, self.touched, self.musts).order()
            self._tie(knot, done)
            done.update(knot.core)
            self._justify(knot.rest, done)

    def _justify(self, good: Sequence[int], done: set[int]) -> None:
        """Say what each of these needs of what is done before it, in order."""
        for action in good:
            done.add(action)
            keeps, cuts = set[int](), set[int]()
            for number in self.touched.get(action, ()):
                _keep(self.rules[number], action, done, keeps)
            for number in self.touched.get(action, ()):
                _cut(self.rules[number], action, done, cuts, self.rank)
            keeps -= {action, *self.musts.get(action, ())}
            if keeps:
                self.found.keeps[action] = keeps
            if cuts:
                self.found.cuts[action] = cuts

    def _tie(self, knot: Tied, done: Collection[int]) -> None:
        """A core goes step by step; what can go after it without harm waits for the last of it."""
        if not knot.core:
            return
        rules = {number for action in knot.core for number in self.touched.get(action, ())}
        first = {each for number in rules for each in self.rules[number].actions() if each in done}
        self.found.knots.append(tuple(knot.core))
        for before, action in zip((None, *knot.core), knot.core, strict=False):
            self.found.chain[action] = first if before is None else {before}
        for action in knot.rest:
            self.found.chain[action] = {knot.core[-1]}
        if not knot.shortest:
            self.found.roundabout.update(knot.core)


def _keep(rule: Rule, action: int, done: Collection[int], needs: set[int]) -> None:
    """Add what an action that takes something away needs, given what was done up to and with it."""
    if rule.kept and any(action in route.removals for route in rule.routes):
        open_ = [route for route in rule.routes if route.is_open(done)]
        needs |= min(open_, key=lambda route: len(route.adds - needs - {action})).adds


def _cut(rule: Rule, action: int, done: set[int], needs: set[int], rank: Mapping[int, int]) -> None:
    """Add what an action that gives something needs, so that no route opens with it."""
    if rule.kept or not any(action in route.adds for route in rule.routes):
        return
    for route in rule.routes:
        if route.adds <= done and route.removals.isdisjoint({action, *needs}):
            needs.add(min(route.removals & done, key=rank.__getitem__))


def moments(
    knot: Sequence[int], rules: Sequence[Rule], done: Collection[int]
) -> Iterator[tuple[int, int, list[int]]]:
    """Between which two actions of a knot which rules are broken; what stays the same is one moment."""
    state = set(done)
    first, broken = -1, list[int]()
    for action in knot:
        state.add(action)
        now = [number for number, rule in enumerate(rules) if rule.broken(state)]
        if now == broken:
            continue
        if broken:
            yield first, action, broken
        first, broken = action, now
