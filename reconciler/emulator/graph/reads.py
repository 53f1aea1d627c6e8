"""Read objects and what they are related to: groups, users, service principals, members, owners, parents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.emulator.directory import DirectoryObject, Group, ServicePrincipal, User
from reconciler.emulator.graph import rights, selection, shapes
from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import GraphError, denied, not_found, unsupported
from reconciler.emulator.graph.filters import compile_filter
from reconciler.emulator.graph.paging import page
from reconciler.emulator.graph.query import EXPAND_LIMIT, PAGE_DEFAULT, check_advanced

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
    if found is None or (kind is not None and not isinstance(found, kind)):
        raise not_found(key)
    return found


def collection(state: State, call: Call, kind: type[DirectoryObject]) -> Reply:
    """`GET /groups`, `/users`, `/servicePrincipals`."""
    rights.need_read(state, call, kind)
    check_advanced(call.query, call.headers)
    found = selection.listing(state, kind, call.query, call.beta)
    name = shapes.COLLECTIONS[kind]
    limit = min(call.query.limit, PAGE_DEFAULT) if call.query.expand else None
    payload = page(
        state, call, found, lambda thing: _expanded(state, call, thing), _context(call, name), limit
    )
    return Reply(200, payload, cost=2 if kind is User else 1)


def count(state: State, call: Call, kind: type[DirectoryObject]) -> Reply:
    """`GET /groups/$count`: a bare number, for callers that accept eventual consistency."""
    rights.need_read(state, call, kind)
    need_eventual(call)
    return Reply(200, str(len(selection.listing(state, kind, call.query, call.beta))))


def need_eventual(call: Call) -> None:
    """Raise 400 unless the request declares eventual consistency."""
    if call.headers.get("consistencylevel", "").lower() != "eventual":
        raise GraphError(400, "Request_BadRequest", "$count is not currently supported.")


def single(state: State, call: Call, kind: type[DirectoryObject] | None, key: str) -> Reply:
    """`GET /groups/{id}` and the like; `kind` None is `/directoryObjects/{id}`."""
    if kind is not None:
        rights.need_read(state, call, kind)
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
        linked = [one for one in related(state, thing, relation) if one is not None][:EXPAND_LIMIT]
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


COSTS = {"members": 3, "transitivemembers": 5, "memberof": 2, "transitivememberof": 2}


def relation(
    state: State, call: Call, thing: DirectoryObject, name: str, cast: str = "", counted: bool = False
) -> Reply:
    """`GET /{objects}/{id}/{relation}`, with a type cast and as `/$count`."""
    rights.need_read(state, call, type(thing), thing.id)
    lowered = name.lower()
    if lowered in ("members", "transitivemembers") and isinstance(thing, Group):
        rights.need_hidden(state, call, thing)
    kind = CASTS.get(cast.lower()) if cast else None
    if cast and kind is None:
        raise unsupported(f"The type cast '{cast}' is not supported on '{name}'.")
    if kind is not None and not rights.may_read(state, call, kind):
        raise denied()
    if counted:
        need_eventual(call)
    check_advanced(call.query, call.headers, cast=False)
    if call.query.filter:
        compile_filter(call.query.filter)
    found = related(state, thing, name)
    if kind is not None:
        found = [one for one in found if isinstance(one, kind)]
    elif _hides_service_principals(state, call, lowered):
        found = [one for one in found if not isinstance(one, ServicePrincipal)]
    found = selection.narrow(found, call.query, call.beta)
    cost = COSTS.get(lowered, 1)
    if counted:
        return Reply(200, str(len(found)), cost=cost)
    what = shapes.COLLECTIONS[kind] if kind else "directoryObjects"
    typed = kind is None
    select = call.query.select

    def render(one: DirectoryObject) -> dict[str, Any]:
        return visible(state, call, one, select) if typed else shapes.chosen(one, select, call.beta, False)

    return Reply(200, page(state, call, found, render, _context(call, what)), cost=cost)


def _hides_service_principals(state: State, call: Call, name: str) -> bool:
    """v1.0 leaves service principals out of members (Microsoft docs: List group members, known issue).

    Switch `graph.v1-members-include-service-principals`, default False.
    """
    return (
        name in ("members", "transitivemembers")
        and not call.beta
        and not state.world.switches.get("graph.v1-members-include-service-principals", False)
    )
