"""Actions over directory objects: getByIds and the transitive membership checks."""

from __future__ import annotations

from typing import Any

from reconciler.emulator.directory import DirectoryObject, Group, ServicePrincipal, User
from reconciler.emulator.graph import rights, shapes
from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import GraphError, bad_request, denied
from reconciler.emulator.graph.reads import find

IDS_LIMIT = 1000
CHECK_LIMIT = 20
RESULT_LIMIT = 11_000
TYPES: dict[str, type[DirectoryObject]] = {
    "user": User,
    "group": Group,
    "serviceprincipal": ServicePrincipal,
}


def _located(call: Call) -> tuple[tuple[str, str], ...]:
    return (("location", call.base),)


def get_by_ids(state: State, call: Call) -> Reply:
    """`POST /directoryObjects/getByIds`: what exists of up to 1,000 ids; the others are silently absent."""
    body = call.json()
    ids = _strings(body, "ids", IDS_LIMIT)
    types = body.get("types") or []
    kinds = {TYPES[name.lower()] for name in types if str(name).lower() in TYPES} or set(TYPES.values())
    if types and not kinds:
        kinds = set()
    if not any(rights.may_read(state, call, kind) for kind in TYPES.values()):
        raise denied()
    found = (state.see(oid.lower()) for oid in dict.fromkeys(ids))
    value = [_shown(state, call, thing) for thing in found if thing is not None and type(thing) in kinds]
    payload = {"@odata.context": call.context("directoryObjects"), "value": value}
    return Reply(200, payload, _located(call))


def _shown(state: State, call: Call, thing: DirectoryObject) -> dict[str, Any]:
    select = call.query.select
    if rights.may_read(state, call, type(thing)):
        return shapes.chosen(thing, select, call.beta, typed=True)
    return shapes.id_only(thing, select, call.beta)


def member_groups(state: State, call: Call, kind: type[DirectoryObject] | None, key: str) -> Reply:
    """`POST /{objects}/{id}/getMemberGroups` and `/getMemberObjects`: ids of all groups it is in."""
    thing = _subject(state, call, kind, key)
    security_only = bool(call.json().get("securityEnabledOnly", False))
    if security_only and isinstance(thing, Group):
        raise bad_request("Parameter securityEnabledOnly can only be true for users and service principals.")
    found = state.directory.transitive_groups(thing.id)
    ids = [
        group.id
        for group in (state.directory.groups[oid] for oid in _nearest_first(state, thing.id, found))
        if group.security_enabled or not security_only
    ]
    if len(ids) > RESULT_LIMIT:
        raise GraphError(
            400,
            "Directory_ResultSizeLimitExceeded",
            "The result set is too large, and is over the limit for this request.",
        )
    return _ids(call, ids)


def _nearest_first(state: State, oid: str, within: frozenset[str]) -> list[str]:
    order: dict[str, None] = {}
    queue = [oid]
    while queue:
        for parent in state.directory.parents(queue.pop(0)):
            if parent.id in within and parent.id not in order:
                order[parent.id] = None
                queue.append(parent.id)
    return list(order)


def check_member_groups(
    state: State, call: Call, kind: type[DirectoryObject] | None, key: str, name: str = "groupIds"
) -> Reply:
    """`POST /{objects}/{id}/checkMemberGroups`: which of up to 20 groups the object is in."""
    thing = _subject(state, call, kind, key)
    wanted = _strings(call.json(), name, CHECK_LIMIT)
    member = state.directory.transitive_groups(thing.id)
    return _ids(call, [oid for oid in wanted if oid.lower() in member])


def _subject(state: State, call: Call, kind: type[DirectoryObject] | None, key: str) -> DirectoryObject:
    thing = find(state, kind, key)
    rights.need_read(state, call, type(thing), thing.id)
    rights.need_read(state, call, Group)
    return thing


def _ids(call: Call, ids: list[str]) -> Reply:
    payload = {"@odata.context": call.context("Collection(Edm.String)"), "value": ids}
    return Reply(200, payload, _located(call))


def _strings(body: dict[str, Any], name: str, limit: int) -> list[str]:
    found = body.get(name)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise bad_request(f"Invalid value specified for property '{name}' of resource 'DirectoryObject'.")
    if len(found) > limit:
        raise bad_request(f"The number of identifiers in '{name}' exceeds the limit of {limit}.")
    return found
