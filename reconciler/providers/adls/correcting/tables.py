"""Which sequences of recursive calls make a difference to the paths of a subtree, and what each leaves to do.

Its law: a call is thought about over a subtree only if every path in it may live through that call.

Subtrees that hold the same needs share one table.  A great tree has calls that suit a part of it alone, such
as the right of one deeper folder; the parts do not pay for each other's calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reconciler.providers.adls.correcting.fates import Fate

STATES = 64, 1_000
"""Sequences of calls that are told apart over one subtree, in great trees and in small ones.  Trees of plans
have about as many as overrides are nested.  With more, the plan is still safe and may take more requests than
it has to."""
WORK = 1_000_000
"""Sequences, over all directories of a tree, above which fewer are told apart."""

Vector = tuple[float, ...]
"""Requests by state."""


@dataclass(slots=True, eq=False)
class Table:
    """The states of subtrees that hold these needs, and how calls lead from one to another.

    State 0 is that of no call.  Calls that do the same to every path of these needs are one.
    """

    needs: Sequence[int]
    fates: Sequence[Fate]
    """By number of need, of the whole tree."""
    calls: Sequence[int]
    room: int
    """How many states are told apart."""
    states: list[tuple[int, ...]] = field(default_factory=list)
    """What each sequence comes to, for each of the needs."""
    after: list[list[int]] = field(default_factory=list)
    """By state, and by place in `calls`; -1 where there are more states than are told apart, or where no path
    of some need comes through."""
    before: list[list[int]] = field(default_factory=list)
    numbers: dict[tuple[int, ...], int] = field(default_factory=dict)
    """The states by what they come to."""
    _singles: dict[int, Vector] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._number(tuple(0 for _ in self.needs))
        for state in self.states:  # grows while it is walked
            self.after.append([self._next(state, call, first=False) for call in self.calls])
            self.before.append([self._next(state, call, first=True) for call in self.calls])

    def _next(self, state: tuple[int, ...], call: int, *, first: bool) -> int:
        made = []
        for need, matrix in zip(self.needs, state, strict=True):
            joined = self.fates[need].joined(matrix, call, first=first)
            if joined < 0:
                return -1
            made.append(joined)
        return self._number(tuple(made))

    def _number(self, state: tuple[int, ...]) -> int:
        number = self.numbers.get(state, -1)
        if number < 0 and len(self.states) < self.room:
            number = self.numbers[state] = len(self.states)
            self.states.append(state)
        return number

    def singles(self, need: int) -> Vector:
        """The single writes that each state leaves to a path of one of the needs."""
        if need not in self._singles:
            fate = self.fates[need]
            at = self.needs.index(need) if self.calls else 0
            matrices = [state[at] for state in self.states] if self.calls else [0]
            self._singles[need] = tuple(map(fate.single, matrices))
        return self._singles[need]


@dataclass(slots=True)
class Tables:
    """The tables of one tree."""

    fates: Sequence[Fate]
    room: int
    """How many states each of them tells apart."""
    _idle: Table = field(init=False)
    """That of every subtree that no call suits."""
    _known: dict[int, Table] = field(default_factory=dict)
    _seen: dict[tuple[int, int], Sequence[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._idle = Table((), self.fates, (), self.room)

    def of(self, held: int) -> Table:
        """The table of a subtree by the needs that it holds, as bits."""
        table = self._known.get(held)
        if table is None:
            table = self._known[held] = self._make(held)
        return table

    def _make(self, held: int) -> Table:
        needs, suits, idle = list(_ones(held)), -1, -1
        for need in needs:
            suits &= self.fates[need].suits
            idle &= self.fates[need].idle
            if not suits:
                return self._idle
        told: dict[tuple[int, ...], int] = {}
        for call in _ones(suits & ~idle):
            told.setdefault(tuple(self.fates[need].kinds[call] for need in needs), call)
        return Table(needs, self.fates, list(told.values()), self.room) if told else self._idle

    def seen(self, above: Table, below: Table) -> Sequence[int]:
        """What each state of a subtree is to a part of it; -1 where the part does not tell it apart."""
        key = id(above), id(below)  # `_known` keeps every table alive
        if key not in self._seen:
            self._seen[key] = _seen(above, below)
        return self._seen[key]


def room(directories: int) -> int:
    """How many sequences are told apart over each subtree of a tree with so many directories."""
    few, many = STATES
    return max(few, min(many, WORK // directories))


def _seen(above: Table, below: Table) -> Sequence[int]:
    if not below.calls or not above.calls:
        return [0] * len(above.states)
    places = {need: at for at, need in enumerate(above.needs)}
    shared = [places[need] for need in below.needs]
    return [below.numbers.get(tuple(state[at] for at in shared), -1) for state in above.states]


def _ones(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low
