"""A compiled expression as its engine writes it down: `cel.expr.CheckedExpr`, a public format.

It holds the tree, and where each node stands and of what type it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckedExpression:
    """An expression in parts, each still written as the engine writes it."""

    kind: bytes
    """What the whole says that it is."""
    root: bytes
    rest: Sequence[tuple[int, int | bytes]]
    """Everything beside the tree."""
    places: Mapping[int | bytes, int]
    """The number of a node, and the character where it stands."""
    types: Mapping[int | bytes, bytes]


def read(compiled: bytes) -> CheckedExpression:
    """The parts of a compiled expression; raises ValueError for what is none."""
    outer = dict(fields(compiled))
    checked = list(fields(message(outer[2])))
    [root] = [message(value) for number, value in checked if number == 4]
    return CheckedExpression(
        kind=message(outer[1]),
        root=root,
        rest=[(number, value) for number, value in checked if number != 4],
        places=dict(_places(checked)),
        types=dict(_types(checked)),
    )


def _types(checked: Sequence[tuple[int, int | bytes]]) -> Iterator[tuple[int | bytes, bytes]]:
    for number, value in checked:
        if number == 3:
            pair = dict(fields(message(value)))
            yield pair.get(1, 0), message(pair.get(2, b""))


def _places(checked: Sequence[tuple[int, int | bytes]]) -> Iterator[tuple[int | bytes, int]]:
    for number, value in checked:
        if number == 5:
            for inner, entry in fields(message(value)):
                if inner == 4:
                    pair = dict(fields(message(entry)))
                    at = pair.get(2, 0)
                    yield pair.get(1, 0), at if isinstance(at, int) else 0


def beginning(text: str, at: int) -> int:
    """A dotted name stands where its last dot is, and a call where its bracket is."""
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_."):
        at -= 1
    return at


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """What a message of protocol buffers holds, in order."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(data, at)
            yield key >> 3, value
            continue
        size = 8
        if kind == 2:
            size, at = _number(data, at)
        elif kind != 1:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


def message(value: int | bytes) -> bytes:
    """What a field holds that is no number; raises ValueError for one."""
    if isinstance(value, int):
        raise ValueError("a number in the place of a message")
    return value
