"""OData query options as directory objects take them, and the rules of advanced queries.

Source: Microsoft docs, "Use query parameters to customize responses" and "Advanced query capabilities on
Microsoft Entra ID objects".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from reconciler.emulator.graph.errors import GraphError, bad_request, unsupported

PAGE_DEFAULT = 100
PAGE_LIMIT = 999
EXPAND_LIMIT = 20

KNOWN = frozenset(
    [
        "$select",
        "$filter",
        "$top",
        "$count",
        "$search",
        "$orderby",
        "$expand",
        "$skiptoken",
        "$deltatoken",
        "$format",
        "$skip",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The query options of one request, checked for form but not yet for whether they may be combined."""

    select: tuple[str, ...] = ()
    filter: str = ""
    top: int | None = None
    count: bool = False
    search: str = ""
    orderby: tuple[tuple[str, bool], ...] = ()
    """Property and whether descending."""
    expand: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Relation and the properties selected of it."""
    skiptoken: str = ""
    deltatoken: str | None = None
    raw: tuple[tuple[str, str], ...] = ()
    """Name and value as given, in order: what a nextLink repeats."""

    @property
    def limit(self) -> int:
        """Objects per page."""
        return PAGE_DEFAULT if self.top is None else self.top


@lru_cache(maxsize=2048)
def parse(raw_query: str) -> Query:
    """Read the query string; raises GraphError (400) for a malformed or unknown option."""
    pairs = tuple(parse_qsl(raw_query, keep_blank_values=True))
    options: dict[str, str] = {}
    for name, value in pairs:
        key = name.strip().lower()
        # Both spellings are accepted since OData 4.01, `top=5` as well as `$top=5`.
        key = key if key.startswith("$") or f"${key}" not in KNOWN else f"${key}"
        if key.startswith("$") and key not in KNOWN:
            raise bad_request(f"Query option '{name}' was specified but is not supported.")
        if key in options:
            raise bad_request(
                f"Query option '{key}' was specified more than once, but it must be specified at most once."
            )
        options[key] = value
    return Query(
        select=_names(options.get("$select", "")),
        filter=options.get("$filter", "").strip(),
        top=_top(options.get("$top")),
        count=options.get("$count", "").lower() == "true",
        search=options.get("$search", "").strip(),
        orderby=_orderby(options.get("$orderby", "")),
        expand=_expand(options.get("$expand", "")),
        skiptoken=options.get("$skiptoken", "").strip("'"),
        deltatoken=options.get("$deltatoken"),
        raw=pairs,
    )


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    return () if "*" in names else names


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"-?\d+", text.strip()) or int(text) < 0:
        raise GraphError(
            400,
            "BadRequest",
            f"Invalid value '{text}' for $top query option found. "
            "The $top query option requires a non-negative integer value.",
        )
    top = int(text)
    if top == 0 or top > PAGE_LIMIT:
        raise GraphError(
            400,
            "Request_UnsupportedQuery",
            f"Invalid page size specified: '{top}'. Must be between 1 and {PAGE_LIMIT} inclusive.",
        )
    return top


def _orderby(text: str) -> tuple[tuple[str, bool], ...]:
    found = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        words = item.split()
        if len(words) > 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
            raise GraphError(400, "BadRequest", f"Syntax error at position {len(item)} in '{item}'.")
        found.append((words[0], len(words) == 2 and words[1].lower() == "desc"))
    return tuple(found)


_EXPANDED = re.compile(r"\s*([A-Za-z]+)\s*(?:\(([^()]*)\))?\s*(?:,|$)")


def _expand(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    position = 0
    while position < len(text):
        match = _EXPANDED.match(text, position)
        if match is None:
            raise GraphError(400, "BadRequest", f"Syntax error at position {position} in '{text}'.")
        inner = dict(part.split("=", 1) for part in (match[2] or "").split(";") if "=" in part)
        found.append((match[1], _names(inner.get("$select", ""))))
        position = match.end()
    return tuple(found)


_REFUSALS = (
    # In the order in which the service notices them; the wording is the service's own, from public threads.
    (
        re.compile(r"(?i)\bendswith\s*\("),
        "Operator 'endsWith' is not supported because the 'ConsistencyLevel:eventual' header is missing. "
        "Refer to https://aka.ms/graph-docs/advanced-queries for more information",
    ),
    (
        re.compile(r"(?i)\bnot\b"),
        "Operator 'not' is not supported because the 'ConsistencyLevel:eventual' header is missing. "
        "Refer to https://aka.ms/graph-docs/advanced-queries for more information",
    ),
    (re.compile(r"(?i)\bne\b"), "Filter operator 'NotEqualsMatch' is not supported."),
    (re.compile(r"(?i)/\$count"), "Unsupported Query."),
)
ORDERED_BY_DEFAULT = frozenset({"displayname", "userprincipalname"})
_LITERAL = re.compile(r"'(?:[^']|'')*'")


def is_advanced(query: Query, headers: Mapping[str, str]) -> bool:
    """Whether the request declares itself an advanced query."""
    return query.count and is_eventual(headers)


def is_eventual(headers: Mapping[str, str]) -> bool:
    """Whether the request accepts eventual consistency."""
    return headers.get("consistencylevel", "").lower() == "eventual"


def check_advanced(query: Query, headers: Mapping[str, str], relation: bool = False) -> None:
    """Refuse (400) what only advanced queries may ask when the request does not declare itself one.

    An advanced query says `ConsistencyLevel: eventual` and, except for `$search`, `$count=true`.  On
    relations every `$filter` and `$orderby` is advanced.
    """
    if query.search and not is_eventual(headers):
        raise unsupported(
            "Request with $search query parameter only works through MSGraph with a special request header: "
            "'ConsistencyLevel: eventual'"
        )
    if is_advanced(query, headers):
        if query.expand:
            raise unsupported("Unsupported Query.")
        return
    plain = _LITERAL.sub("''", query.filter)
    for pattern, message in _REFUSALS:
        if pattern.search(plain):
            raise unsupported(message)
    if query.orderby and (query.filter or query.search):
        raise unsupported("Sorting not supported for current query.")
    if any(name.lower() not in ORDERED_BY_DEFAULT for name, _ in query.orderby):
        raise unsupported("Sorting not supported for current query.")
    if relation and (query.filter or query.orderby):
        raise unsupported("Unsupported Query.")
