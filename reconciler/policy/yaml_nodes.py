"""Read YAML into plain values that keep their places.

Its laws: no text raises, every fault has a line and a column; and a scalar stays the text that was
written.  YAML 1.1 would turn `no` into false, `1.10` into 1.1 and `2027-01-31` into a date before
anybody could say what was meant; here the model of the document decides.  Only an unquoted empty
value, `~` or `null` is no text: it is None.

The C parser's events are used and never its composer, which overflows the stack on 100 KB of `[`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from yaml import MarkedYAMLError, YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.core.model import Source

MAX_DEPTH = 20
"""Documents need five levels; a deeper one is a mistake or an attack."""
MAX_ENTRIES = 50_000
"""Of one list: more of them than fit into a file, if they are names that anybody bears."""
MAX_FAULTS = 100
"""Per file: whoever mends a hundred runs the check again anyway."""

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = r"true|True|TRUE|false|False|FALSE"
_NUMBERS = r"[-+]?(?:0x[0-9a-fA-F]+|0o?[0-7]+|(?:\d[\d_]*\.?[\d_]*|\.\d+)(?:[eE][-+]?\d+)?)"
_NOT_TEXT = re.compile(rf"{_BOOLEANS}|{_NUMBERS}")

# A place packs line, column of the value and column of its key into one integer: an estate holds
# hundreds of thousands of them, and as many objects would cost more than reading the text.
_COLUMN = (1 << 20) - 1

Mark = Any
"""A place, or for a mapping or list the pair of its place and the marks of what is in it."""


class Fault(NamedTuple):
    """Something wrong in a text; line and column count from 1, and columns count characters."""

    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where each value of one document stands: `places("grants", 2, "who")`."""

    file: str
    root: Mark

    def __call__(self, *path: str | int) -> Source:
        """The place of a value, or of the nearest enclosing one; a mapping or list is at its key."""
        place = self._place(path)
        return Source(self.file, place >> 40, place >> 20 & _COLUMN)

    def key(self, *path: str | int) -> Source:
        """The place of the key under which a value stands; of the value itself in a list."""
        place = self._place(path)
        return Source(self.file, place >> 40, place & _COLUMN or place >> 20 & _COLUMN)

    def _place(self, path: tuple[str | int, ...]) -> int:
        node = self.root
        for step in path:
            if node.__class__ is int:
                break
            try:
                node = node[1][step]
            except (KeyError, IndexError, TypeError):
                break
        place: int = node if node.__class__ is int else node[0]
        return place


@dataclass(slots=True)
class Document:
    """One YAML document as plain dicts, lists, text and None, with the place of each."""

    value: Any
    mark: Mark
    sound: bool
    """False when a fault was found in it: its value is not what somebody meant."""
    empty: list[int] = field(default_factory=list)
    """Places of the values that are None."""


def read(text: str) -> tuple[list[Document], list[Fault]]:
    """Every document of a text, and every fault; documents without content are left out."""
    reader = _Reader(text)
    try:
        reader.run()
    except _EnoughError:
        pass
    except YAMLError as error:
        reader.faults.append(_syntax(error, text))
    return reader.documents, reader.faults


class _EnoughError(Exception):
    """The rest of the file is not worth reading; the fault is already told."""


class _Reader:
    """One pass over the events of a text."""

    def __init__(self, text: str) -> None:
        self.next_event: Callable[[], Any] = CParser(text).get_event
        self.documents: list[Document] = []
        self.faults: list[Fault] = []
        self.good_keys: set[str] = set()

    def run(self) -> None:
        while True:
            kind = self.next_event().__class__
            if kind is DocumentStartEvent:
                self._document()
            elif kind is StreamEndEvent:
                return

    def _document(self) -> None:
        """Build one document.  This loop is what loading an estate spends most of its time in."""
        next_event, good_keys = self.next_event, self.good_keys
        faults = len(self.faults)
        values: Any = []
        marks: Any = []
        key: str | None = None
        key_place = 0
        empty: list[int] = []
        stack: list[tuple[Any, Any]] = []
        while True:
            event = next_event()
            kind = event.__class__
            if kind is ScalarEvent:
                start = event.start_mark
                place = (start.line + 1 << 40) | (start.column + 1 << 20)
                if event.tag is not None or event.anchor is not None:
                    self._decorated(event, place)
                text = event.value
                if key is None and values.__class__ is dict:
                    if text in values or text not in good_keys:
                        self._key(text, event, marks, place)
                    key, key_place = text, place
                    continue
                if text in NULLS and event.implicit[0]:
                    text = None
                    empty.append(place)
                if key is None:
                    values.append(text)
                    marks.append(place)
                else:
                    values[key] = text
                    same_line = place >> 40 == key_place >> 40
                    marks[key] = place | (key_place >> 20 & _COLUMN) if same_line else key_place
                    key = None
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                child, child_marks, place = self._open(event, key is None and values.__class__ is dict)
                if key is None:
                    values.append(child)
                    marks.append((place, child_marks))
                else:
                    values[key] = child
                    marks[key] = (key_place, child_marks)
                    key = None
                stack.append((values, marks))
                values, marks = child, child_marks
                if len(stack) > MAX_DEPTH:
                    self._give_up(place, f"nested deeper than {MAX_DEPTH} levels; no document needs that")
            elif kind is AliasEvent:
                self._give_up(_place(event), f"*{event.anchor}: aliases are not allowed; write the value out")
            elif kind is DocumentEndEvent:
                break
            else:
                self._closed(values, event)
                values, marks = stack.pop()
        self._keep(values[0], marks[0], empty, faults)

    def _closed(self, values: Any, event: Any) -> None:
        """Refuse a list that would be told of entry by entry for long."""
        if len(values) > MAX_ENTRIES and values.__class__ is list:
            text = f"a list of {len(values):,} entries, and {MAX_ENTRIES:,} is the limit; split it"
            self._give_up(_place(event), text)

    def _open(self, event: Any, is_key: bool) -> tuple[Any, Any, int]:
        """An empty mapping or list with its empty marks, and its place."""
        place = _place(event)
        if event.tag is not None or event.anchor is not None:
            self._decorated(event, place)
        if is_key:
            self._give_up(place, "a key has to be text, not a mapping or a list")
        if event.__class__ is MappingStartEvent:
            return {}, {}, place
        return [], [], place

    def _keep(self, value: Any, mark: Mark, empty: list[int], faults: int) -> None:
        if value is None:
            return
        if value.__class__ is not dict:
            self._fault(
                mark if mark.__class__ is int else mark[0],
                "a document is a mapping that begins with `kind:`, not "
                + ("a list" if value.__class__ is list else f"the text {shorten(value)}"),
            )
            return
        self.documents.append(Document(value, mark, len(self.faults) == faults, empty))

    def _key(self, text: str, event: ScalarEvent, marks: Any, place: int) -> None:
        """Refuse a key that is a duplicate, no text, or a merge; remember a good one."""
        if text in marks:
            first = marks[text] if marks[text].__class__ is int else marks[text][0]
            self._fault(place, f"the key {shorten(text)} is already given in line {first >> 40}")
        elif event.implicit[0] and text == "<<":
            self._fault(place, "merge keys (`<<`) are not allowed; write the keys out")
        elif event.implicit[0] and (text in NULLS or _NOT_TEXT.fullmatch(text)):
            self._fault(place, f'a key has to be text: `{text}` is none; quote it ("{text}") if it is meant')
        else:
            self.good_keys.add(text)

    def _decorated(self, event: Any, place: int) -> None:
        if event.anchor is not None:
            self._fault(place, f"&{event.anchor}: anchors are not allowed; write the value where it is used")
        if event.tag is not None:
            self._fault(place, f"the tag {shorten(event.tag)} is not allowed; write the plain value")

    def _fault(self, place: int, text: str) -> None:
        self.faults.append(Fault(place >> 40, place >> 20 & _COLUMN, text))
        if len(self.faults) >= MAX_FAULTS:
            raise _EnoughError

    def _give_up(self, place: int, text: str) -> None:
        self._fault(place, f"{text}; the rest of this file was not read")
        raise _EnoughError


def shorten(text: str, limit: int = 60) -> str:
    """The text in quotes as one printable line that a message can hold."""
    return repr(text if len(text) <= limit else f"{text[:limit]}…")


def _place(event: Any) -> int:
    start = event.start_mark
    place: int = (start.line + 1 << 40) | (start.column + 1 << 20)
    return place


_HINTS = {
    "mapping values are not allowed": "quote a value that contains ': '",
    "could not find expected ':'": "a key needs ': ' behind it and begins in the column of its neighbours",
    "did not find expected key": "begin it in the column of its neighbours; quote a value with special signs",
    "did not find expected '-' indicator": "begin it in the column of its neighbours",
    "cannot start any token": "quote a value that begins with a special sign",
    "did not find expected ',' or": "close the bracket, or separate the values with commas",
    "unexpected end of stream": "close the quotation mark",
}


def _syntax(error: YAMLError, text: str) -> Fault:
    """What the parser stumbled over, with what usually mends it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    problem = (error.problem if isinstance(error, MarkedYAMLError) else None) or "unreadable"
    lines = text.split("\n", line + 1)
    indent = re.match(r"[ \t]*", lines[line] if line < len(lines) else "")
    if indent is not None and "\t" in indent.group():
        hint = "a tab indents this line; use spaces"
    else:
        hint = next((hint for sign, hint in _HINTS.items() if sign in problem), "")
    context = getattr(error, "context", None)
    where = getattr(error, "context_mark", None)
    inside = f" {context} that begins in line {where.line + 1}" if context and where is not None else ""
    said = f"not valid YAML: {problem}{inside}"
    return Fault(line + 1, column + 1, f"{said}; {hint}" if hint else said)
