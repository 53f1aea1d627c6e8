"""Read objects and what they are related to: groups, users, service principals, members, owners, parents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from reconciler.emulator.directory import DirectoryObject, Group, ServicePrincipal, User
from reconciler.emulator.graph import rights, selection, shapes
from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import (
    GraphError,
    denied,
    invalid_identifier,
    not_found,
    unsupported,
)
from reconciler.emulator.graph.paging import page
from reconciler.emulator.graph.query import (
    EXPAND_LIMIT,
    PAGE_DEFAULT,
    check_advanced,
    is_advanced,
    is_eventual,
)

GUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KINDS: dict[str, type[DirectoryObject]] = {
    "groups": Group,
    "users": User,
    "serviceprincipals": ServicePrincipal,
}
CASTS: dict[str, type[DirectoryObject]] = {
    "microsoft.graph.user": User,
    "microsoft.graph.group": Group,
    "microsoft.graph.serviceprincipal": ServicePrincipal,
}


def find(state: State, kind: type[DirectoryObject] | None, key: str) -> DirectoryObject:
    """The object that a path names by id, or a user by UPN; raises GraphError (404)."""
    found = state.see(key.lower())
    if found is None and kind is User:
        user = state.directory.by_upn(key)
        found = state.see(user.id) if user else None
    elif found is None and not GUID.fullmatch(key):
        raise invalid_identifier(key)
    if found is None or (kind is not None and not isinstance(found, kind)):
        raise not_found(key)
    return found


def collection(state: State, call: Call, kind: type[DirectoryObject]) -> Reply:
    """`GET /groups`, `/users`, `/servicePrincipals`."""
    rights.need_read(state, call, kind)
    check_advanced(call.query, call.headers)
    selection.check_select(call.query, kind, call.beta)
    found = selection.listing(state, kind, call.query, call.beta)
    name = shapes.COLLECTIONS[kind]
    limit = min(call.query.limit, PAGE_DEFAULT) if call.query.expand else None
    payload = page(
        state, call, found, lambda thing: _expanded(state, call, thing), _context(call, name), limit
    )
    return Reply(200, payload)


def count(state: State, call: Call, kind: type[DirectoryObject]) -> Reply:
    """`GET /groups/$count`: a bare number, for callers that accept eventual consistency."""
    rights.need_read(state, call, kind)
    need_eventual(call)
    return Reply(200, str(len(selection.listing(state, kind, call.query, call.beta))))


def need_eventual(call: Call) -> None:
    """Raise 400 unless the request declares eventual consistency."""
    if not is_eventual(call.headers):
        raise GraphError(400, "Request_BadRequest", "$count is not currently supported.")


def single(state: State, call: Call, kind: type[DirectoryObject] | None, key: str) -> Reply:
    """`GET /groups/{id}` and the like; `kind` None is `/directoryObjects/{id}`."""
    if kind is not None:
        rights.need_read(state, call, kind)
        selection.check_select(call.query, kind, call.beta)
    thing = find(state, kind, key)
    rights.need_read(state, call, type(thing), thing.id)
    payload = _expanded(state, call, thing, typed=kind is None)
    name = shapes.COLLECTIONS[type(thing)] if kind else "directoryObjects"
    return Reply(200, {"@odata.context": call.context(_context(call, name) + "/$entity")} | payload)


def _context(call: Call, name: str) -> str:
    chosen = ",".join(call.query.select)
    expanded = ",".join(f"{relation}({','.join(names)})" for relation, names in call.query.expand)
    parts = ",".join(filter(None, (chosen, expanded)))
    return f"{name}({parts})" if parts else name


def _expanded(state: State, call: Call, thing: DirectoryObject, typed: bool = False) -> dict[str, Any]:
    payload = shapes.chosen(thing, call.query.select, call.beta, typed)
    for relation, names in call.query.expand:
        # Service principals are here in v1.0 too: `$expand` is the documented way round their absence.
        linked = related(state, thing, relation)[:EXPAND_LIMIT]
        if relation.lower() == "members" and _is_hidden(state, call, thing):
            linked = []
        payload[relation] = [visible(state, call, one, names) for one in linked]
    return payload


def visible(state: State, call: Call, thing: DirectoryObject, select: tuple[str, ...]) -> dict[str, Any]:
    """A related object as this caller may see it: without its properties when the type is not readable."""
    if rights.may_read(state, call, type(thing)):
        return shapes.chosen(thing, select, call.beta, typed=True)
    return shapes.id_only(thing, select, call.beta)


def related(state: State, thing: DirectoryObject, relation: str) -> list[DirectoryObject]:
    """The objects at the other end of a relation; raises GraphError (400) for an unknown one."""
    directory = state.directory
    match relation.lower():
        case "members" if isinstance(thing, Group):
            ids: Iterable[str] = thing.members
        case "owners" if isinstance(thing, Group | ServicePrincipal):
            ids = thing.owners
        case "transitivemembers" if isinstance(thing, Group):
            ids = transitive_members(state, thing)
        case "memberof":
            ids = (group.id for group in directory.parents(thing.id))
        case "transitivememberof":
            ids = sorted(directory.transitive_groups(thing.id))
        case "ownedobjects":
            ids = [one.id for one in directory.groups.values() if thing.id in one.owners]
            ids += [one.id for one in directory.service_principals.values() if thing.id in one.owners]
        case _:
            raise GraphError(400, "BadRequest", f"Resource not found for the segment '{relation}'.")
    found = (directory.find(oid) for oid in ids)
    return [one for one in found if one is not None]


def transitive_members(state: State, group: Group) -> dict[str, None]:
    """Ids of direct and nested members, each once; nesting may be circular."""
    seen: dict[str, None] = {}
    queue = [group]
    while queue:
        for oid in queue.pop(0).members:
            if oid not in seen:
                seen[oid] = None
                nested = state.directory.groups.get(oid)
                if nested is not None:
                    queue.append(nested)
    return seen


def relation(
    state: State, call: Call, thing: DirectoryObject, name: str, cast: str = "", counted: bool = False
) -> Reply:
    """`GET /{objects}/{id}/{relation}`, with a type cast and as `/$count`."""
    rights.need_read(state, call, type(thing), thing.id)
    lowered = name.lower()
    kind = _cast(state, call, name, cast) if cast else None
    if counted:
        need_eventual(call)
    check_advanced(call.query, call.headers, relation=True)
    found = related(state, thing, name)
    if lowered in ("members", "transitivemembers") and _is_hidden(state, call, thing):
        found = []
    if kind is not None:
        found = [one for one in found if isinstance(one, kind)]
    elif _hides_service_principals(state, call, lowered):
        found = [one for one in found if not isinstance(one, ServicePrincipal)]
    if call.query.filter or call.query.search or call.query.orderby:
        found = selection.narrow(found, call.query, call.beta)
    if counted:
        return Reply(200, str(len(found)))
    what = shapes.COLLECTIONS[kind] if kind else "directoryObjects"
    select = call.query.select

    def render(one: DirectoryObject) -> dict[str, Any]:
        if kind is not None:
            return shapes.chosen(one, select, call.beta, typed=False)
        return visible(state, call, one, select)

    return Reply(200, page(state, call, found, render, _context(call, what)))


def links(state: State, call: Call, thing: DirectoryObject, name: str) -> Reply:
    """`GET /groups/{id}/members/$ref`: references only."""
    page = relation(state, call, thing, name)
    payload = page.payload
    refs = [{"@odata.id": f"{call.root}/directoryObjects/{one['id']}"} for one in payload["value"]]
    context = call.context("Collection($ref)")
    return Reply(200, payload | {"@odata.context": context, "value": refs})


def _cast(state: State, call: Call, relation: str, cast: str) -> type[DirectoryObject]:
    kind = CASTS.get(cast.lower())
    if kind is None:
        raise unsupported(f"The type cast '{cast}' is not supported on '{relation}'.")
    # Casts of transitive relations are advanced queries, casts of direct ones are not.
    if relation.lower().startswith("transitive") and not is_advanced(call.query, call.headers):
        raise unsupported("Unsupported Query.")
    if not rights.may_read(state, call, kind):
        raise denied()
    return kind


def _is_hidden(state: State, call: Call, thing: DirectoryObject) -> bool:
    """Whether a hidden membership is to be shown empty; raises 403 where it is refused, the default.

    Switch `graph.hidden-membership`: `deny`, or `empty`.
    """
    if not isinstance(thing, Group) or rights.may_see_members(state, call, thing):
        return False
    if state.world.switches.get("graph.hidden-membership", "deny") == "empty":
        return True
    raise denied()


def _hides_service_principals(state: State, call: Call, name: str) -> bool:
    """v1.0 leaves service principals out of members (Microsoft docs: List group members, known issue).

    Switch `graph.v1-members-include-service-principals`, default False.
    """
    return (
        name in ("members", "transitivemembers")
        and not call.beta
        and not state.world.switches.get("graph.v1-members-include-service-principals", False)
    )
