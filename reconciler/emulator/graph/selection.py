"""Narrow a listing as the query options say: filter, search, order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reconciler.emulator.directory import DirectoryObject, Group, ServicePrincipal, User
from reconciler.emulator.graph import shapes
from reconciler.emulator.graph.call import State
from reconciler.emulator.graph.errors import GraphError, bad_request
from reconciler.emulator.graph.filters import Filter, compile_filter
from reconciler.emulator.graph.query import Query


def listing(state: State, kind: type[DirectoryObject], query: Query, beta: bool) -> list[DirectoryObject]:
    """Objects of a type that the query asks for, in order; raises GraphError for an unusable query."""
    filters = compile_filter(query.filter) if query.filter else None
    check(query, kind, beta)
    source = _indexed(state, kind, filters) if filters else None
    return narrow(state.see_all(kind) if source is None else source, query, beta)


def check(query: Query, kind: type[DirectoryObject], beta: bool) -> None:
    """Refuse (400) a filter or an order over properties that the type does not have."""
    known = shapes.known_properties(kind, beta)
    asked = set(compile_filter(query.filter).properties if query.filter else ())
    for name in sorted(asked | {name for name, _ in query.orderby}):
        if name.lower() not in known:
            raise GraphError(
                400,
                "BadRequest",
                f"Could not find a property named '{name}' on type "
                f"'microsoft.graph.{shapes.TYPES[kind][17:]}'.",
            )


def check_select(query: Query, kind: type[DirectoryObject], beta: bool) -> None:
    """Refuse (400) a selection of properties that the type does not have."""
    known = shapes.known_properties(kind, beta)
    for name in query.select:
        if name.lower() not in known and "/" not in name:
            raise GraphError(
                400,
                "BadRequest",
                f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type "
                f"'microsoft.graph.{shapes.TYPES[kind][17:]}'.",
            )


def narrow(things: Iterable[DirectoryObject], query: Query, beta: bool) -> list[DirectoryObject]:
    """Keep of some objects what filter and search match, ordered as asked."""
    found = list(things)
    if query.filter:
        matches = compile_filter(query.filter).matches
        found = [thing for thing in found if matches(shapes.full(thing, beta))]
    if query.search:
        wanted = searching(query.search)
        found = [thing for thing in found if wanted(shapes.full(thing, beta))]
    for name, descending in reversed(query.orderby):
        found.sort(
            key=lambda thing: str(shapes.full(thing, beta).get(name) or "").lower(), reverse=descending
        )
    return found


def _indexed(state: State, kind: type[DirectoryObject], filters: Filter) -> list[DirectoryObject] | None:
    """Candidates by index where the filter pins a name or an id, so that look-ups do not scan."""
    if state.history.changes:
        return None
    for pairs in (*((pair,) for pair in filters.equals), filters.alternatives):
        found: list[DirectoryObject] = []
        for name, value in pairs:
            candidates = _candidates(state, kind, name, str(value))
            if candidates is None:
                break
            found += candidates
        else:
            if pairs:
                return list({thing.id: thing for thing in found if isinstance(thing, kind)}.values())
    return None


def _candidates(
    state: State, kind: type[DirectoryObject], name: str, value: str
) -> list[DirectoryObject] | None:
    directory = state.directory
    one: DirectoryObject | None
    if name == "id":
        one = directory.find(value.lower())
    elif name == "userPrincipalName" and kind is User:
        one = directory.by_upn(value)
    elif name == "appId" and kind is ServicePrincipal:
        one = directory.by_app_id(value)
    elif name == "displayName" and kind is Group:
        return list(directory.by_group_name_folded(value))
    else:
        return None
    return [one] if one is not None else []


_TERM = re.compile(r'\s*(?:"(?P<property>[^":]+):(?P<value>(?:[^"\\]|\\.)*)"|(?P<joint>AND|OR)\b)')


def searching(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A predicate for `$search`: terms `"property:value"` joined by AND or OR, read from left to right.

    A term matches where a word of the property begins with the value, without regard to case.  Raises
    GraphError (400) for anything else (Microsoft docs: $search query parameter).
    """
    alternatives: list[list[tuple[str, str]]] = [[]]
    position = 0
    while position < len(text.rstrip()):
        match = _TERM.match(text, position)
        if match is None:
            raise bad_request(f"Invalid $search clause '{text}'.")
        if match["joint"] == "OR":
            alternatives.append([])
        elif match["property"]:
            alternatives[-1].append((match["property"].strip(), match["value"].lower()))
        position = match.end()

    def holds(item: Mapping[str, Any]) -> bool:
        return any(all(_begins(item.get(name), value) for name, value in terms) for terms in alternatives)

    return holds


def _begins(value: Any, wanted: str) -> bool:
    lowered = str(value or "").lower()
    starts = [0] + [match.end() for match in re.finditer(r"[^0-9a-z]+|(?<=[a-z])(?=[0-9])", lowered)]
    return any(lowered.startswith(wanted, start) for start in starts)
