"""Choose the calls that bring a tree where it belongs with the fewest requests and without a bad moment.

Its law: no path passes through a list that is not between the one that it holds and the one that it is to
hold, and a path on which nothing may change keeps what it grants through every call.

A dynamic program from the leaves up.  A state says which recursive calls of the directories above a path will
have gone over it; a directory may add calls of its own before all of these or after them, for the price of
visiting its subtree once, and what then remains is written path by path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from reconciler.providers.adls.correcting.candidates import WISHES, Candidate, candidates
from reconciler.providers.adls.correcting.fates import Fate
from reconciler.providers.adls.correcting.outline import Leaves, Outline, outline, walk
from reconciler.providers.adls.correcting.requests import PAGE, Call, Need, Recursive, Single
from reconciler.providers.adls.correcting.semantics import same

STATES = 64
"""Sequences of calls that are told apart for one tree.  Nested overrides need about as many as they are deep;
with more, the plan is still safe and may take more requests than it has to."""

Price = Callable[[int], int]
"""Requests that a recursive call takes for so many paths."""
Vector = tuple[float, ...]
"""Requests by state."""
Turn = tuple[float, int]
"""When a call is sent: calls of a directory go before or after all calls of those above it."""


def pages(page: int = PAGE) -> Price:
    """The price of the call alone, without looking before and after it."""
    return lambda paths: -(-paths // page)


def plan(
    paths: Iterable[tuple[str, int]],
    needs: Sequence[Need],
    price: Price | None = None,
    page: int = PAGE,
    wishes: int = WISHES,
) -> list[Call]:
    """The calls in the order of sending.  `paths` come in listing order and are walked twice.

    Raises ValueError where they are not in that order.  A tree with nothing to change needs no call.
    """
    if all(need.after is None or same(need.before, need.after, need.directory) for need in needs):
        return []
    tree = outline(paths, needs)
    chosen = candidates(needs, tree.counts, wishes)
    table = _Table([Fate(need, chosen) for need in needs], len(chosen))
    program = _Program(tree, table, price or pages(page))
    return _Script(tree, table, program, chosen, page).calls(paths, needs)


@dataclass(slots=True)
class _Table:
    """States and how calls lead from one to another; state 0 is that of no call."""

    fates: Sequence[Fate]
    calls: int
    states: list[tuple[int, ...]] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)
    """By state and call; -1 where there are more states than are told apart."""
    before: list[list[int]] = field(default_factory=list)
    singles: list[Vector] = field(default_factory=list)
    """By need, the single writes that each state leaves to a path."""

    def __post_init__(self) -> None:
        numbers = {tuple(0 for _ in self.fates): 0}
        self.states = list(numbers)
        for state in self.states:  # grows while it is walked
            self.after.append([self._next(state, call, False, numbers) for call in range(self.calls)])
            self.before.append([self._next(state, call, True, numbers) for call in range(self.calls)])
        self.singles = [
            tuple(fate.single(state[at]) for state in self.states) for at, fate in enumerate(self.fates)
        ]

    def _next(
        self, state: tuple[int, ...], call: int, first: bool, numbers: dict[tuple[int, ...], int]
    ) -> int:
        made = tuple(
            fate.joined(matrix, call, first=first) for fate, matrix in zip(self.fates, state, strict=True)
        )
        if made not in numbers:
            if len(self.states) >= STATES:
                return -1
            numbers[made] = len(self.states)
            self.states.append(made)
        return numbers[made]


Move = tuple[int, bool]
"""A call that a directory adds, and whether it goes before all others."""


@dataclass(slots=True)
class _Program:
    """The fewest requests of every directory in every state."""

    tree: Outline
    table: _Table
    price: Price
    without: list[Vector] = field(default_factory=list)
    """By directory, what its subtree takes where it adds no call of its own."""
    _known: dict[Vector, Vector] = field(default_factory=dict)
    _relaxed: dict[tuple[int, int], Vector] = field(default_factory=dict)
    _leaves: dict[tuple[int, Leaves], Vector] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tree = self.tree
        below: list[list[float] | None] = [None] * len(tree)
        self.without = [()] * len(tree)
        for number in range(len(tree) - 1, -1, -1):
            own = self._own(tree.needs[number], tree.leaves[number])
            children = below[number]
            below[number] = None
            vector = own if children is None else tuple(map(float.__add__, own, children))
            vector = self.without[number] = self._known.setdefault(vector, vector)
            if number:
                best = self.best(vector, self.price(tree.sizes[number]))
                parent = tree.parents[number]
                around = below[parent]
                below[parent] = list(best if around is None else map(float.__add__, around, best))

    def _own(self, need: int, leaves: Leaves) -> Vector:
        key = need, leaves
        if key not in self._leaves:
            total = list(self.table.singles[need])
            for leaf, count in leaves:
                total = [a + count * b for a, b in zip(total, self.table.singles[leaf], strict=True)]
            self._leaves[key] = tuple(total)
        return self._leaves[key]

    def best(self, vector: Vector, price: int) -> Vector:
        """The same with as many calls of the directory's own as pay."""
        key = id(vector), price  # `without` keeps every vector alive
        if key not in self._relaxed:
            self._relaxed[key] = self._relax(vector, price)
        return self._relaxed[key]

    def _relax(self, vector: Vector, price: int) -> Vector:
        if min(vector) + price >= max(vector):
            return vector
        best = list(vector)
        changed = True
        while changed:
            changed = False
            for state in range(len(best)):
                for other in (*self.table.after[state], *self.table.before[state]):
                    if other >= 0 and best[other] + price < best[state]:
                        best[state] = best[other] + price
                        changed = True
        return tuple(best)

    def moves(self, number: int, state: int) -> tuple[list[Move], int]:
        """The calls that a directory adds to a state, in the order of adding, and the state after them."""
        vector, price = self.without[number], self.price(self.tree.sizes[number])
        best = self.best(vector, price)
        found: list[Move] = []
        while best[state] < vector[state]:
            move, state = self._move(state, best, price)
            found.append(move)
        return found, state

    def _move(self, state: int, best: Vector, price: int) -> tuple[Move, int]:
        for call in range(self.table.calls):
            for first, others in ((False, self.table.after), (True, self.table.before)):
                other = others[state][call]
                if other >= 0 and best[other] + price == best[state]:
                    return (call, first), other
        raise AssertionError("a cheaper plan without a first step")


@dataclass(slots=True)
class _Script:
    """Writes the chosen calls down in the order of sending."""

    tree: Outline
    table: _Table
    program: _Program
    chosen: Sequence[Candidate]
    page: int
    turns: list[tuple[Turn, int, int]] = field(default_factory=list)
    """When, number of the directory, number of the candidate."""
    _sequences: list[tuple[tuple[Turn, int], ...]] = field(default_factory=list)
    """By directory, the calls that go over what is directly in it, in order."""
    _slots: dict[tuple[int, tuple[tuple[Turn, int], ...]], list[tuple[float, float, int]]] = field(
        default_factory=dict
    )

    def calls(self, paths: Iterable[tuple[str, int]], needs: Sequence[Need]) -> list[Call]:
        self._descend()
        script: list[tuple[tuple[float, float, int], bool, int, Call]] = []
        calls: dict[int, list[tuple[Turn, int]]] = {}
        for turn, number, call in self.turns:
            calls.setdefault(number, []).append((turn, call))
        writes: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
        for at, (path, need, around, number) in enumerate(walk(paths, needs)):
            for turn, call in calls.get(number, ()):
                script.append(((*turn, 1), False, at, self._recursive(path, number, call)))
            key = need, around if number < 0 else number
            slots = writes.get(key)
            if slots is None:
                slots = writes[key] = self._singles(*key)
            after = needs[need].after
            if after is not None:
                # What is created meanwhile inherits from directories that have their new list already.
                script += ((slot, number < 0, at, Single(path, after)) for slot in slots)
        script.sort(key=lambda line: line[:3])
        return [call for *_, call in script]

    def _descend(self) -> None:
        states: list[int] = []
        known: dict[tuple[tuple[Turn, int], ...], tuple[tuple[Turn, int], ...]] = {}
        for number, parent in enumerate(self.tree.parents):
            state = states[parent] if parent >= 0 else 0
            sequence = self._sequences[parent] if parent >= 0 else ()
            moves, state = self.program.moves(number, state)
            for place, (call, first) in enumerate(moves, 1):
                depth = float(self.tree.depths[number])
                turn = (-depth, -place) if first else (depth, place)
                self.turns.append((turn, number, call))
                step = ((turn, call),)
                sequence = step + sequence if first else sequence + step
            states.append(state)
            self._sequences.append(known.setdefault(sequence, sequence))

    def _singles(self, need: int, directory: int) -> list[tuple[float, float, int]]:
        sequence = self._sequences[directory]
        key = need, sequence
        if key not in self._slots:
            slots = self.table.fates[need].slots([call for _, call in sequence])
            ends = [*((*turn, 0) for turn, _ in sequence), (inf, 0.0, 0)]
            self._slots[key] = [ends[slot] for slot in slots]
        return self._slots[key]

    def _recursive(self, path: str, number: int, call: int) -> Recursive:
        size = self.tree.sizes[number]
        wish = self.chosen[call]
        return Recursive(path, wish.mode, wish.entries, size, pages(self.page)(size))
