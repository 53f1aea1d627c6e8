"""Which part of an expression of a custom guardrail has no answer.

The engine names the reason and not the place.  A compiled expression holds its tree and where each node
stands, in a public format (`cel.expr.CheckedExpr`); a node whose own parts have answers, and that has none,
is the one that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

CHOICE = b"_?_:_"
_PARTS = {5: (1,), 6: (1, 3), 7: (1,), 9: (2,)}
"""Field of a node to the fields of its parts: selections, calls, lists, and what a loop goes through.

What a loop does each time cannot be asked outside of it, and a map is taken as a whole.
"""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression."""

    start: int
    """The character of the expression where it begins."""
    program: bytes
    """The part as an expression of its own, as the engine reads it."""
    parts: Sequence[Node]
    choice: bool
    """Whether its first part decides which of the other two is asked at all."""


def tree(compiled: bytes, text: str) -> Node:
    """The tree of a compiled expression; raises ValueError for what is none."""
    outer = dict(_fields(compiled))
    checked = list(_fields(_bytes(outer[2])))
    places = dict(_places(checked))
    rest = b"".join(_field(number, _bytes(value)) for number, value in checked if number != 4)

    def node(data: bytes) -> Node:
        fields = dict(_fields(data))
        inner = [
            each for kind in _PARTS.keys() & fields.keys() for each in _inner(kind, _bytes(fields[kind]))
        ]
        call = dict(_fields(_bytes(fields[6]))) if 6 in fields else {}
        parts = [node(each) for each in inner]
        own = places.get(fields.get(2, 0), len(text))
        program = _field(1, _bytes(outer[1])) + _field(2, rest + _field(4, data))
        start = _beginning(text, min([own, *(each.start for each in parts)]))
        return Node(start, program, parts, call.get(2) == CHOICE)

    [root] = [_bytes(value) for number, value in checked if number == 4]
    return node(root)


def failing(node: Node, ask: Callable[[bytes], tuple[object] | None]) -> int:
    """Where the part begins that failed; `ask` gives the answer of a part, None where it has none."""
    parts = node.parts
    if node.choice and (chosen := ask(parts[0].program)):
        parts = [parts[1 if chosen == (True,) else 2]]
    failed = (each for each in parts if ask(each.program) is None)
    part = next(failed, None)
    return node.start if part is None else failing(part, ask)


def _inner(kind: int, data: bytes) -> Iterator[bytes]:
    for number, value in _fields(data):
        if number in _PARTS[kind]:
            yield _bytes(value)


def _places(checked: Sequence[tuple[int, int | bytes]]) -> Iterator[tuple[int | bytes, int]]:
    """The number of a node, and the character where it stands."""
    for number, value in checked:
        if number == 5:
            for inner, entry in _fields(_bytes(value)):
                if inner == 4:
                    pair = dict(_fields(_bytes(entry)))
                    at = pair.get(2, 0)
                    yield pair.get(1, 0), at if isinstance(at, int) else 0


def _beginning(text: str, at: int) -> int:
    """A dotted name stands where its last dot is, and a call where its bracket is."""
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_."):
        at -= 1
    return at


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
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


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number in the place of a message")
    return value
