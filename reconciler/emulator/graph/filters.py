"""The `$filter` language of directory objects: from text to a predicate over a JSON payload.

Covers eq, ne, in, and, or, not, startsWith, endsWith, `any` over collections of values, and `/$count`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reconciler.emulator.graph.errors import GraphError

Payload = Mapping[str, Any]
Predicate = Callable[[Payload], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z?)|(?P<number>-?\d+)|(?P<name>[A-Za-z_@][\w.$/@]*)|(?P<mark>[(),:]))"
)
_COMPARISONS = ("eq", "ne", "ge", "le", "gt", "lt")


@dataclass(frozen=True, slots=True)
class Token:
    """A lexical unit with its position, for syntax errors."""

    kind: str
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter.  `equals` lists (property, value) pairs when it is a plain conjunction of them."""

    matches: Predicate
    properties: frozenset[str]
    equals: tuple[tuple[str, Any], ...]
    alternatives: tuple[tuple[str, Any], ...] = ()
    """(property, value) pairs when the filter is a plain disjunction of equalities."""


def syntax_error(text: str, position: int) -> GraphError:
    """400 in the words of the OData parser."""
    return GraphError(400, "BadRequest", f"Syntax error at position {position} in '{text}'.")


def tokenize(text: str) -> list[Token]:
    """Split a filter into tokens; raises GraphError (400) at the first character that fits none."""
    tokens = []
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            if text[position:].lstrip().startswith("'"):
                raise GraphError(
                    400,
                    "BadRequest",
                    f"There is an unterminated string literal at position {len(text)} in '{text}'.",
                )
            raise syntax_error(text, position)
        tokens.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return tokens


@lru_cache(maxsize=1024)
def compile_filter(text: str) -> Filter:
    """Read a filter; raises GraphError (400) when it is malformed."""
    parser = _Parser(text)
    predicate = parser.disjunction()
    if parser.peek():
        raise syntax_error(text, parser.position())
    plain = not parser.complex
    return Filter(
        predicate,
        frozenset(parser.properties),
        tuple(parser.equalities) if plain and not parser.ors else (),
        tuple(parser.equalities) if plain and not parser.ands else (),
    )


def _fold(value: Any) -> Any:
    # The directory compares strings without regard to case.
    return value.lower() if isinstance(value, str) else value


class _Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.at = 0
        self.properties: set[str] = set()
        self.equalities: list[tuple[str, Any]] = []
        self.ors = self.ands = 0
        self.complex = False

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def position(self) -> int:
        token = self.peek()
        return token.position if token else len(self.text)

    def take(self, text: str | None = None) -> Token:
        token = self.peek()
        if token is None or (text is not None and token.text.lower() != text):
            raise syntax_error(self.text, self.position())
        self.at += 1
        return token

    def word(self, *words: str) -> str | None:
        token = self.peek()
        if token is not None and token.kind == "name" and token.text.lower() in words:
            self.at += 1
            return token.text.lower()
        return None

    def disjunction(self) -> Predicate:
        parts = [self.conjunction()]
        while self.word("or"):
            self.ors += 1
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def conjunction(self) -> Predicate:
        parts = [self.term()]
        while self.word("and"):
            self.ands += 1
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def term(self) -> Predicate:
        if self.word("not"):
            self.complex = True
            inner = self.term()
            return lambda item: not inner(item)
        token = self.peek()
        if token is not None and token.text == "(":
            self.take("(")
            found = self.disjunction()
            self.take(")")
            return found
        return self.comparison()

    def comparison(self) -> Predicate:
        token = self.take()
        if token.kind != "name":
            raise syntax_error(self.text, token.position)
        lowered = token.text.lower()
        following = self.peek()
        if following is not None and following.text == "(":
            if lowered.endswith(("/any", "/all")):
                return self.lambda_over(token.text.rpartition("/")[0], lowered.endswith("/all"))
            if lowered in ("startswith", "endswith", "contains"):
                return self.string_function(lowered)
            raise GraphError(
                400,
                "BadRequest",
                f"An unknown function with name '{token.text}' was found. This may also be a "
                "function call with a missing parameter list.",
            )
        return self.relation(token.text)

    def string_function(self, name: str) -> Predicate:
        self.complex = True
        self.take("(")
        path = self.property(self.take().text)
        self.take(",")
        wanted = str(_fold(self.literal()))
        self.take(")")
        test = {"startswith": str.startswith, "endswith": str.endswith, "contains": str.__contains__}[name]

        def holds(item: Payload) -> bool:
            value = _fold(path(item))
            values = value if isinstance(value, list) else [value]
            return any(isinstance(one, str) and bool(test(one.lower(), wanted)) for one in values)

        return holds

    def relation(self, name: str) -> Predicate:
        path = self.property(name)
        if self.word("in"):
            return self.membership(name, path)
        operator = self.word(*_COMPARISONS)
        if operator is None:
            raise syntax_error(self.text, self.position())
        value = self.literal()
        if operator == "eq" and not name.endswith("/$count"):
            self.equalities.append((name, value))
        else:
            self.complex = True
        return _compare(path, operator, _fold(value))

    def membership(self, name: str, path: Callable[[Payload], Any]) -> Predicate:
        self.take("(")
        values = [self.literal()]
        while self.peek() and self.tokens[self.at].text == ",":
            self.take(",")
            values.append(self.literal())
        self.take(")")
        # As good as equalities joined by `or`.
        self.ors += len(values) - 1
        self.equalities += [(name, value) for value in values]
        wanted = [_fold(value) for value in values]
        return lambda item: _fold(path(item)) in wanted

    def lambda_over(self, name: str, every: bool) -> Predicate:
        self.complex = True
        path = self.property(name)
        self.take("(")
        variable = self.take().text
        self.take(":")
        inner = _Parser.__new__(_Parser)
        inner.text, inner.tokens, inner.at = self.text, self.tokens, self.at
        inner.properties, inner.equalities = set(), []
        inner.ors = inner.ands = 0
        inner.complex = False
        predicate = inner.disjunction()
        self.at = inner.at
        self.take(")")
        quantifier = all if every else any
        return lambda item: quantifier(
            predicate({variable: one, **{f"{variable}/{key}": part for key, part in one.items()}})
            if isinstance(one, Mapping)
            else predicate({variable: one})
            for one in path(item) or ()
        )

    def property(self, name: str) -> Callable[[Payload], Any]:
        counted = name.endswith("/$count")
        plain = name.removesuffix("/$count")
        self.properties.add(plain.partition("/")[0])
        if counted:
            return lambda item: len(item.get(plain) or ())
        if "/" not in plain:
            return lambda item: item.get(plain)
        first, _, rest = plain.partition("/")

        def nested(item: Payload) -> Any:
            if plain in item:
                return item[plain]
            inner = item.get(first)
            return inner.get(rest) if isinstance(inner, Mapping) else None

        return nested

    def literal(self) -> Any:
        token = self.take()
        if token.kind == "string":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "number":
            return int(token.text)
        if token.kind in ("guid", "time"):
            return token.text
        constants = {"true": True, "false": False, "null": None}
        if token.kind == "name" and token.text.lower() in constants:
            return constants[token.text.lower()]
        raise syntax_error(self.text, token.position)


def _compare(path: Callable[[Payload], Any], operator: str, wanted: Any) -> Predicate:
    if operator == "eq":
        return lambda item: bool(_fold(path(item)) == wanted)
    if operator == "ne":
        return lambda item: bool(_fold(path(item)) != wanted)
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "ge": lambda a, b: bool(a >= b),
        "le": lambda a, b: bool(a <= b),
        "gt": lambda a, b: bool(a > b),
        "lt": lambda a, b: bool(a < b),
    }
    test = tests[operator]

    def holds(item: Payload) -> bool:
        value = _fold(path(item))
        return value is not None and test(value, wanted)

    return holds
