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
from reconciler.providers.adls.correcting.tables import Table, Tables, Vector, room

Price = Callable[[int], int]
"""Requests that a recursive call takes for so many paths."""
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
    tables = Tables([Fate(need, chosen) for need in needs], room(len(tree)))
    program = _Program(tree, tables, price or pages(page))
    return _Script(tree, program, chosen, page).calls(paths, needs)


Move = tuple[int, bool]
"""A call that a directory adds, and whether it goes before all others."""


@dataclass(slots=True)
class _Program:
    """The fewest requests of every directory in every state."""

    tree: Outline
    tables: Tables
    price: Price
    here: list[Table] = field(default_factory=list)
    """By directory, the table of its subtree."""
    without: list[Vector] = field(default_factory=list)
    """By directory, what its subtree takes where it adds no call of its own."""
    _known: dict[Vector, Vector] = field(default_factory=dict)
    _relaxed: dict[tuple[int, int, int], Vector] = field(default_factory=dict)
    _leaves: dict[tuple[int, int, Leaves], Vector] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tree = self.tree
        self.here = [self.tables.of(held) for held in tree.held()]
        below: list[list[float] | None] = [None] * len(tree)
        self.without = [()] * len(tree)
        for number in range(len(tree) - 1, -1, -1):
            table = self.here[number]
            own = self._own(table, tree.needs[number], tree.leaves[number])
            children = below[number]
            below[number] = None
            vector = own if children is None else tuple(map(float.__add__, own, children))
            vector = self.without[number] = self._known.setdefault(vector, vector)
            if number:
                best = self.best(table, vector, self.price(tree.sizes[number]))
                parent = tree.parents[number]
                seen = self.tables.seen(self.here[parent], table)
                there = [best[state] if state >= 0 else inf for state in seen]
                around = below[parent]
                below[parent] = there if around is None else list(map(float.__add__, around, there))

    def _own(self, table: Table, need: int, leaves: Leaves) -> Vector:
        key = id(table), need, leaves
        if key not in self._leaves:
            total = list(table.singles(need))
            for leaf, count in leaves:
                total = [a + count * b for a, b in zip(total, table.singles(leaf), strict=True)]
            self._leaves[key] = tuple(total)
        return self._leaves[key]

    def best(self, table: Table, vector: Vector, price: int) -> Vector:
        """The same with as many calls of the directory's own as pay."""
        key = id(table), id(vector), price  # `here` and `without` keep them alive
        if key not in self._relaxed:
            self._relaxed[key] = _relaxed(table, vector, price)
        return self._relaxed[key]

    def moves(self, number: int, state: int) -> tuple[list[Move], int]:
        """The calls that a directory adds to a state, in the order of adding, and the state after them."""
        table, vector = self.here[number], self.without[number]
        price = self.price(self.tree.sizes[number])
        best = self.best(table, vector, price)
        found: list[Move] = []
        while best[state] < vector[state]:
            move, state = _move(table, state, best, price)
            found.append(move)
        return found, state


def _relaxed(table: Table, vector: Vector, price: int) -> Vector:
    if min(vector) + price >= max(vector):
        return vector
    best = list(vector)
    changed = True
    while changed:
        changed = False
        for state in range(len(best)):
            for other in (*table.after[state], *table.before[state]):
                if other >= 0 and best[other] + price < best[state]:
                    best[state] = best[other] + price
                    changed = True
    return tuple(best)


def _move(table: Table, state: int, best: Vector, price: int) -> tuple[Move, int]:
    for at, call in enumerate(table.calls):
        for first, others in ((False, table.after), (True, table.before)):
            other = others[state][at]
            if other >= 0 and best[other] + price == best[state]:
                return (call, first), other
    raise AssertionError("a cheaper plan without a first step")


@dataclass(slots=True)
class _Script:
    """Writes the chosen calls down in the order of sending."""

    tree: Outline
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
        here, tables = self.program.here, self.program.tables
        for number, parent in enumerate(self.tree.parents):
            state = tables.seen(here[parent], here[number])[states[parent]] if parent >= 0 else 0
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
            slots = self.program.tables.fates[need].slots([call for _, call in sequence])
            ends = [*((*turn, 0) for turn, _ in sequence), (inf, 0.0, 0)]
            self._slots[key] = [ends[slot] for slot in slots]
        return self._slots[key]

    def _recursive(self, path: str, number: int, call: int) -> Recursive:
        size = self.tree.sizes[number]
        wish = self.chosen[call]
        return Recursive(path, wish.mode, wish.entries, size, pages(self.page)(size))
