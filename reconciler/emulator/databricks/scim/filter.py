"""SCIM filters, as far as Databricks takes them: `eq co sw ne` joined by `and` and `or`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.emulator.databricks.errors import scim

Predicate = Callable[[Mapping[str, Any]], bool]
TOKEN = re.compile(r'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([^\s()"\']+))')
MAX_NODES = 200
"""Microsoft docs: Account SCIM v2.1 refuses filters with more nodes (400 INVALID_FILTER)."""
EXACT = frozenset({"id", "externalid", "applicationid"})
"""Attributes that are compared with regard to case; names are not."""


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text.rstrip()):
        match = TOKEN.match(text, position)
        if match is None:
            raise scim(400, f"Unable to parse filter expression: {text}", "invalidFilter")
        opening, closing, quoted, single, word = match.groups()
        if opening or closing:
            found.append(("paren", opening or closing))
        elif quoted is not None or single is not None:
            raw = quoted if quoted is not None else single
            found.append(("text", re.sub(r"\\(.)", r"\1", raw)))
        else:
            found.append(("word", word))
        position = match.end()
    return found


def values_at(document: Any, path: list[str]) -> list[Any]:
    """Every value under a dotted attribute path; names match without regard to case."""
    if not path:
        return document if isinstance(document, list) else [document]
    if isinstance(document, list):
        return [value for item in document for value in values_at(item, path)]
    if not isinstance(document, Mapping):
        return []
    wanted = path[0].lower()
    return [
        value
        for key, inner in document.items()
        if key.lower() == wanted
        for value in values_at(inner, path[1:])
    ]


def _scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("value", "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _comparison(attribute: str, operator: str, literal: str) -> Predicate:
    path = attribute.rpartition(":")[2].split(".")
    exact = path[-1].lower() in EXACT
    wanted = literal if exact else literal.lower()
    tests: dict[str, Callable[[str], bool]] = {
        "eq": lambda held: held == wanted,
        "co": lambda held: wanted in held,
        "sw": lambda held: held.startswith(wanted),
    }
    negated = operator == "ne"
    test = tests.get("eq" if negated else operator)
    if test is None:
        raise scim(400, "Given filter operator is not supported", "invalidFilter")

    def holds(document: Mapping[str, Any]) -> bool:
        held = (_scalar(value) for value in values_at(document, path))
        return any(test(value if exact else value.lower()) for value in held) != negated

    return holds


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.nodes = 0

    def _peek(self) -> str:
        return self.tokens[0][1].lower() if self.tokens and self.tokens[0][0] != "text" else ""

    def _pop(self) -> str:
        if not self.tokens:
            raise scim(400, f"Unable to parse filter expression: {self.text}", "invalidFilter")
        return self.tokens.pop(0)[1]

    def disjunction(self) -> Predicate:
        """One or more conjunctions joined by `or`."""
        parts = [self._conjunction()]
        while self._peek() == "or":
            self._pop()
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda document: any(part(document) for part in parts)

    def _conjunction(self) -> Predicate:
        parts = [self._term()]
        while self._peek() == "and":
            self._pop()
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda document: all(part(document) for part in parts)

    def _term(self) -> Predicate:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise scim(400, "INVALID_FILTER: The filter has too many nodes.", "invalidFilter")
        if self._peek() == "(":
            self._pop()
            inner = self.disjunction()
            if self._pop() != ")":
                raise scim(400, f"Unable to parse filter expression: {self.text}", "invalidFilter")
            return inner
        return _comparison(self._pop(), self._pop().lower(), self._pop())


def parse(text: str) -> Predicate:
    """Compile a filter; raises a SCIM refusal for what Databricks does not take."""
    parser = _Parser(text)
    predicate = parser.disjunction()
    if parser.tokens:
        raise scim(400, f"Unable to parse filter expression: {text}", "invalidFilter")
    return predicate


def simple_equality(text: str) -> tuple[str, str] | None:
    """The attribute and value of a filter that is a single `eq`, so that an index can answer it."""
    match = re.fullmatch(r'\s*(\w+)\s+eq\s+"([^"\\]*)"\s*', text, re.IGNORECASE)
    return (match[1].lower(), match[2]) if match else None
