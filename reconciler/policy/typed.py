"""What an expression of a custom guardrail must not do although an engine of CEL lets it.

Values of two types are never equal, so a comparison of them is a rule that says the same of every action.
The engine tells such a comparison where it knows both types.  Here is told what hides a type from it, and
questions whose answer is the same for every plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.policy.checked import CheckedExpression, beginning, fields, message
from reconciler.policy.suggest import did_you_mean

COMPARISONS = ("_==_", "_!=_", "@in")
_NAMES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_DYN, _NULL, _PRIMITIVE, _WRAPPER, _LIST = 1, 2, 3, 4, 6
_MIXED = "a list of values of several types hides what is compared; give all of them one type, or null"
_HIDDEN = "this hides its type, so a wrong comparison would not be found; write it without dyn() and type()"
_HAS = "every verb and kind is always there, so has() tells nothing; compare its count with 0"
_IN = "every verb and kind is always there, so `in` tells nothing; compare its count with 0"


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of an expression, of whatever shape."""

    number: int
    name: str
    """Of a variable, a function or a selected key."""
    parts: Sequence[_Node]
    is_list: bool = False
    is_call: bool = False
    is_selection: bool = False
    is_test: bool = False
    """Whether it asks has()."""
    constant: str | None = None
    """The text, if it is one that is written there."""


def objection(
    checked: CheckedExpression, text: str, maps: Mapping[str, Collection[str]]
) -> tuple[int, str] | None:
    """The character and the words of the first fault; `maps` are variables with the keys that each has.

    A map with no keys is one whose keys are not known.
    """
    walk = _Walk(checked, maps)
    found = next(walk.faults(_node(checked.root)), None)
    if found is None:
        return None
    node, said = found
    return beginning(text, min(_places(node, checked.places, len(text)))), said


def _places(node: _Node, places: Mapping[int | bytes, int], end: int) -> Iterator[int]:
    yield places.get(node.number, end)
    for part in node.parts:
        yield from _places(part, places, end)


@dataclass(frozen=True, slots=True)
class _Walk:
    checked: CheckedExpression
    maps: Mapping[str, Collection[str]]

    def faults(self, node: _Node, compared: bool = False) -> Iterator[tuple[_Node, str]]:
        """Faults from the inside out; `compared` says that a list is one side of a comparison."""
        comparison = node.is_call and node.name in COMPARISONS
        for at, part in enumerate(node.parts):
            yield from self.faults(part, comparison and (at == 1 or node.name != "@in"))
        yield from self._empty_questions(node)
        if comparison:
            yield from self._compared(node)
        hidden = _hides(self._type(node)) and not (node.is_list and (compared or not node.parts))
        if hidden:
            yield node, _MIXED if node.is_list else _HIDDEN

    def _empty_questions(self, node: _Node) -> Iterator[tuple[_Node, str]]:
        if node.is_test:
            yield node, _HAS
        elif node.is_call and node.name == "type":
            yield node, _HIDDEN
        elif node.is_call and node.name == "@in" and node.parts[1].name in self.maps:
            yield node, _IN
        elif (node.is_selection or (node.is_call and node.name == "_[_]")) and node.parts[
            0
        ].name in self.maps:
            key = node.name if node.is_selection else node.parts[1].constant
            keys = self.maps[node.parts[0].name]
            if key is not None and keys and key not in keys:
                yield node, f"{node.parts[0].name} has no {key!r}{did_you_mean(key, keys)}"

    def _compared(self, node: _Node) -> Iterator[tuple[_Node, str]]:
        """A list with null in it has no type for the engine, so it is compared here."""
        left, right = node.parts
        if not any(each.is_list and each.parts and _hides(self._type(each)) for each in node.parts):
            return
        lists = [right] if node.name == "@in" else [left, right]
        inside = [self._members(each) for each in lists]
        if mixed := [each for each, members in zip(lists, inside, strict=True) if len(members) > 1]:
            yield mixed[0], _MIXED
            return
        if node.name == "@in":
            inside.append({_bare(self._type(left))} - {b""})
        known = set().union(*inside)
        if len(known) > 1:
            names = " with ".join(sorted(map(_named, known)))
            yield node, f"compares {names}, which are never equal"

    def _type(self, node: _Node) -> bytes:
        return self.checked.types.get(node.number, b"")

    def _members(self, node: _Node) -> set[bytes]:
        """The types of a list's values, null aside."""
        if node.is_list:
            return {_bare(self._type(each)) for each in node.parts} - {b""}
        listed = dict(fields(self._type(node))).get(_LIST)
        if listed is None:
            return set()
        return {_bare(message(dict(fields(message(listed)))[1]))} - {b""}


def _bare(kind: bytes) -> bytes:
    """A type without its null; empty for null alone."""
    [(number, value)] = list(fields(kind)) or [(_NULL, 0)]
    if number == _NULL:
        return b""
    if number == _WRAPPER and isinstance(value, int):
        return bytes([_PRIMITIVE << 3, value])
    return kind


def _named(kind: bytes) -> str:
    [(number, value)] = list(fields(kind))
    return _NAMES.get(value, "a value") if number == _PRIMITIVE and isinstance(value, int) else "a value"


def _hides(kind: bytes) -> bool:
    """Whether a type, or one inside of it, is that of anything."""
    for number, value in fields(kind):
        if number == _DYN:
            return True
        if number in (_LIST, 7) and any(_hides(message(each)) for _, each in fields(message(value))):
            return True
    return False


def _node(data: bytes) -> _Node:
    outer = dict(fields(data))
    number = outer.get(2, 0)
    number = number if isinstance(number, int) else 0
    if 3 in outer:
        constant = dict(fields(message(outer[3]))).get(6)
        return _Node(number, "", (), constant=None if constant is None else message(constant).decode())
    if 4 in outer:
        return _Node(number, _text(outer[4], 1), ())
    if 5 in outer:
        test = bool(dict(fields(message(outer[5]))).get(3))
        return _Node(number, _text(outer[5], 2), _inner(outer[5], 1), is_selection=not test, is_test=test)
    if 6 in outer:
        return _Node(number, _text(outer[6], 2), _inner(outer[6], 1, 3), is_call=True)
    if 7 in outer:
        return _Node(number, "", _inner(outer[7], 1), is_list=True)
    if 8 in outer:
        entries = [message(value) for key, value in fields(message(outer[8])) if key == 2]
        return _Node(number, "", [part for each in entries for part in _inner(each, 3, 4)])
    if 9 in outer:
        return _Node(number, "", _inner(outer[9], 2, 4, 5, 6, 7))
    return _Node(number, "", ())


def _text(data: int | bytes, number: int) -> str:
    return message(dict(fields(message(data))).get(number, b"")).decode()


def _inner(data: int | bytes, *numbers: int) -> list[_Node]:
    return [_node(message(value)) for number, value in fields(message(data)) if number in numbers]
