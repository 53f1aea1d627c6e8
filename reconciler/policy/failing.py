"""Which part of an expression of a custom guardrail has no answer.

The engine names the reason and not the place: a node of the tree whose own parts have answers, and that has
none, is the one that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.policy.checked import beginning, fields, message, read

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
    checked = read(compiled)
    rest = b"".join(_field(number, message(value)) for number, value in checked.rest)

    def node(data: bytes) -> Node:
        whole = dict(fields(data))
        inner = [each for kind in _PARTS.keys() & whole.keys() for each in _inner(kind, message(whole[kind]))]
        call = dict(fields(message(whole[6]))) if 6 in whole else {}
        parts = [node(each) for each in inner]
        own = checked.places.get(whole.get(2, 0), len(text))
        program = _field(1, checked.kind) + _field(2, rest + _field(4, data))
        start = beginning(text, min([own, *(each.start for each in parts)]))
        return Node(start, program, parts, call.get(2) == CHOICE)

    return node(checked.root)


def failing(node: Node, ask: Callable[[bytes], tuple[object] | None]) -> int:
    """Where the part begins that failed; `ask` gives the answer of a part, None where it has none."""
    parts = node.parts
    if node.choice and (chosen := ask(parts[0].program)):
        parts = [parts[1 if chosen == (True,) else 2]]
    failed = (each for each in parts if ask(each.program) is None)
    part = next(failed, None)
    return node.start if part is None else failing(part, ask)


def _inner(kind: int, data: bytes) -> Iterator[bytes]:
    for number, value in fields(data):
        if number in _PARTS[kind]:
            yield message(value)


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
