"""What becomes of a path under several recursive calls, and how few single writes mend it on the way.

A path goes from list to list: a recursive call takes it to one other, a single write between two calls takes
it to the list that it is to hold.  For every sequence of calls the fewest single writes are a matrix over the
lists that the path may pass through, with sums for products and minima for sums; sequences of equal matrices
are the same to every path of its need, and are told apart no further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from typing import NamedTuple

from reconciler.providers.adls.acl import Acl, Entry
from reconciler.providers.adls.correcting.candidates import Candidate
from reconciler.providers.adls.correcting.requests import Need
from reconciler.providers.adls.correcting.semantics import between, effect, same, spoken

Matrix = tuple[tuple[float, ...], ...]
Named = tuple[bool, Entry]
"""A named entry, of the default list or of the access list."""


@dataclass(slots=True)
class Fate:
    """The lists that paths of one need may pass through."""

    need: Need
    calls: Sequence[Candidate]
    values: list[Acl] = field(default_factory=list)
    steps: list[dict[int, int]] = field(default_factory=list)
    """By value and call, the value that follows; none where nobody may pass through it."""
    kinds: dict[int, int] = field(default_factory=dict)
    """By call that some value may go through, a number: equal for calls that do the same to all of them."""
    suits: int = 0
    """The calls that some value may go through, as bits."""
    idle: int = 0
    """The calls that change no value, as bits."""
    matrices: list[Matrix] = field(default_factory=list)
    """The first is that of no call at all."""
    written: int | None = None
    """The value that a single write gives; None where none may be sent."""
    _numbers: dict[Matrix, int] = field(default_factory=dict)
    _joined: dict[tuple[int, int, bool], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._value(self.need.before)
        if self.need.after is not None:
            self.written = self._value(self.need.after)
        self._walk()
        size = range(len(self.values))
        self._number(tuple(tuple(self._write(a, b) for b in size) for a in size))

    def _walk(self) -> None:
        """Follow every call from every value; most concern somebody else, and are seen through at once."""
        bounds = _Bounds.of(self.need)
        hopeful = [call for call, wish in enumerate(self.calls) if bounds.hold(wish)]
        for value in self.values:  # grows while it is walked
            found = ((call, self._follow(value, self.calls[call])) for call in hopeful)
            self.steps.append({call: following for call, following in found if following >= 0})
        kinds: dict[tuple[int, ...], int] = {}
        still = tuple(range(len(self.values)))
        for call in hopeful:
            does = tuple(step.get(call, -1) for step in self.steps)
            if max(does) >= 0:
                self.kinds[call] = kinds.setdefault(does, len(kinds))
                self.suits |= 1 << call
                self.idle |= (does == still) << call

    def single(self, matrix: int) -> float:
        """The fewest single writes with which such a path ends as it should; infinite where it cannot."""
        row = self.matrices[matrix][0]
        return min((row[at] for at in range(len(row)) if self.fine(at)), default=inf)

    def fine(self, value: int) -> bool:
        """Whether a path may end with this list."""
        return same(self.values[value], self.need.after or self.need.before, self.need.directory)

    def joined(self, matrix: int, call: int, *, first: bool) -> int:
        """The matrix with one more call, before all others or after them; -1 where no value comes through."""
        key = matrix, self.kinds[call], first
        if key not in self._joined:
            made = self._begun(matrix, call) if first else self._continued(matrix, call)
            self._joined[key] = -1 if min(map(min, made)) == inf else self._number(made)
        return self._joined[key]

    def _begun(self, matrix: int, call: int) -> Matrix:
        """One more call before all others, and a write before it where that is cheaper."""
        rows, none = self.matrices[matrix], (inf,) * len(self.values)
        made = [rows[step[call]] if call in step else none for step in self.steps]
        if self.written is None:
            return tuple(made)
        rest = [1 + cost for cost in made[self.written]]
        return tuple(tuple(map(min, row, rest)) for row in made)

    def _continued(self, matrix: int, call: int) -> Matrix:
        """One more call after all others, and a write after it where that is cheaper."""
        made = []
        for row in self.matrices[matrix]:
            ends = [inf] * len(row)
            for step, cost in zip(self.steps, row, strict=True):
                if call in step and cost < ends[step[call]]:
                    ends[step[call]] = cost
            if self.written is not None:
                ends[self.written] = min(ends[self.written], 1 + min(ends))
            made.append(tuple(ends))
        return tuple(made)

    def slots(self, calls: Sequence[int]) -> tuple[int, ...]:
        """Before which of these calls single writes are sent, the fewest and the latest; `len` is the end."""
        ways: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
        for slot in range(len(calls) + 1):
            ways = self._written(ways, slot)
            if slot < len(calls):
                following: dict[int, tuple[int, tuple[int, ...]]] = {}
                for value, way in ways.items():
                    self._take(following, self.steps[value].get(calls[slot], -1), way)
                ways = following
        ends = [way for value, way in ways.items() if self.fine(value)]
        return min(ends, key=_preference)[1]

    def _written(
        self, ways: dict[int, tuple[int, tuple[int, ...]]], slot: int
    ) -> dict[int, tuple[int, tuple[int, ...]]]:
        found = dict(ways)
        if self.written is not None:
            for number, slots in ways.values():
                self._take(found, self.written, (number + 1, (*slots, slot)))
        return found

    def _take(
        self, ways: dict[int, tuple[int, tuple[int, ...]]], value: int, way: tuple[int, tuple[int, ...]]
    ) -> None:
        if value >= 0 and (value not in ways or _preference(way) < _preference(ways[value])):
            ways[value] = way

    def _write(self, one: int, two: int) -> float:
        return 0.0 if one == two else 1.0 if two == self.written else inf

    def _follow(self, value: Acl, call: Candidate) -> int:
        made = effect(call.mode, call.entries, value.text, self.need.directory)
        if made is None:
            return -1
        need = self.need
        if need.after is None:
            return self._value(made) if same(made, need.before, need.directory) else -1
        return self._value(made) if between(need.before, made, need.after, need.directory) else -1

    def _value(self, acl: Acl) -> int:
        if acl not in self.values:
            self.values.append(acl)
        return self.values.index(acl)

    def _number(self, matrix: Matrix) -> int:
        number = self._numbers.setdefault(matrix, len(self.matrices))
        if number == len(self.matrices):
            self.matrices.append(matrix)
        return number


class _Bounds(NamedTuple):
    """Which named entries a path has at both ends, and at either: it may not lose the ones or get others."""

    both: frozenset[Named]
    either: frozenset[Named]
    directory: bool

    @staticmethod
    def of(need: Need) -> _Bounds:
        """Those of paths of one need."""
        before = _named(need.before, need.directory)
        after = before if need.after is None else _named(need.after, need.directory)
        return _Bounds(before & after, before | after, need.directory)

    def hold(self, call: Candidate) -> bool:
        """Whether a call may be one that such a path passes through."""
        named = _touched(call.entries, self.directory)
        if call.mode == "remove":
            return named.isdisjoint(self.both)
        return named <= self.either and (call.mode == "modify" or self.both <= named)


@lru_cache(maxsize=10_000)
def _touched(entries: str, directory: bool) -> frozenset[Named]:
    access, default = spoken(entries)
    named = {(False, entry) for entry in access if entry.who}
    return frozenset(named | {(True, entry) for entry in default if entry.who and directory})


def _named(acl: Acl, directory: bool) -> frozenset[Named]:
    access = {(False, entry) for entry in acl.access.named}
    default = acl.default.named if directory and acl.default is not None else ()
    return frozenset(access | {(True, entry) for entry in default})


def _preference(way: tuple[int, tuple[int, ...]]) -> tuple[int, tuple[int, ...]]:
    number, slots = way
    return number, tuple(-slot for slot in slots)
