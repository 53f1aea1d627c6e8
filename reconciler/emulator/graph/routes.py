"""From method and path to the handler: the whole surface of the emulated Graph on one screen."""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.emulator.directory import DirectoryObject
from reconciler.emulator.graph import (
    actions,
    applications,
    deleted,
    delta,
    objects,
    organization,
    privileged,
    reads,
    references,
)
from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import GraphError, no_segment, not_found

_KEYED = re.compile(r"(?P<name>[A-Za-z]+)\((?:(?P<by>[A-Za-z]+)=)?'(?P<key>.*)'\)$")
ACTIONS = ("getmembergroups", "getmemberobjects", "checkmembergroups", "checkmemberobjects")


def dispatch(state: State, call: Call) -> Reply:
    """Answer one call; raises GraphError for a path, or a method on it, that the service does not have."""
    if any("(" in segment for segment in call.segments):
        call = replace(call, segments=_spread(state, call.segments))
    if not call.segments:
        raise no_segment("")
    head = call.segments[0].lower()
    if head == "me":
        call = replace(call, segments=("users", organization.me(state, call), *call.segments[1:]))
        head = "users"
    if head in reads.KINDS:
        if _plain(call.segments[-1]) == "delta" and head == "groups":
            return delta.groups(state, call)
        return _objects(state, call, reads.KINDS[head])
    if head == "directoryobjects":
        return _directory_objects(state, call)
    if head == "applications":
        return applications.route(state, call)
    if head == "organization":
        return organization.describe(state, call)
    if head == "directory":
        return _deleted_items(state, call)
    if tuple(segment.lower() for segment in call.segments[:3]) == privileged.ROOT:
        return privileged.route(state, call)
    raise no_segment(call.segments[0])


def _spread(state: State, segments: tuple[str, ...]) -> tuple[str, ...]:
    """`users('x')` as `users/x`, `servicePrincipals(appId='x')` as its object id's path."""
    spread: list[str] = []
    for segment in segments:
        match = _KEYED.match(segment)
        if match is None:
            spread.append(segment.removesuffix("()"))
            continue
        key = match["key"].replace("''", "'")
        if (match["by"] or "").lower() == "appid":
            key = _by_app_id(state, match["name"].lower(), key)
        spread += [match["name"], key]
    return tuple(spread)


def _by_app_id(state: State, collection: str, app_id: str) -> str:
    if collection == "applications":
        found = [one.id for one in state.applications.values() if one.app_id == app_id.lower()]
    else:
        principal = state.directory.by_app_id(app_id)
        found = [principal.id] if principal else []
    if not found:
        raise not_found(app_id)
    return found[0]


def _plain(name: str) -> str:
    # Actions and functions may be qualified with their namespace.
    return name.lower().removeprefix("microsoft.graph.")


def _objects(state: State, call: Call, kind: type[DirectoryObject]) -> Reply:
    match (call.method, *call.segments[1:]):
        case ("GET",):
            return reads.collection(state, call, kind)
        case ("POST",):
            return objects.create(state, call, kind)
        case ("GET", "$count"):
            return reads.count(state, call, kind)
        case ("GET", key):
            return reads.single(state, call, kind, key)
        case ("PATCH", key):
            return objects.update(state, call, kind, key)
        case ("DELETE", key):
            return objects.delete(state, call, kind, key)
        case ("POST", key, action) if _plain(action) in ACTIONS:
            return _action(state, call, kind, key, _plain(action))
        case (_, key, relation, *rest):
            return _relation(state, call, kind, key, relation, tuple(rest))
    raise _not_allowed()


def _action(state: State, call: Call, kind: type[DirectoryObject] | None, key: str, name: str) -> Reply:
    if name.startswith("get"):
        return actions.member_groups(state, call, kind, key)
    field = "groupIds" if name.endswith("groups") else "ids"
    return actions.check_member_groups(state, call, kind, key, field)


def _relation(
    state: State, call: Call, kind: type[DirectoryObject] | None, key: str, name: str, rest: tuple[str, ...]
) -> Reply:
    match (call.method, *rest):
        case ("GET",):
            return reads.relation(state, call, reads.find(state, kind, key), name)
        case ("GET", "$count"):
            return reads.relation(state, call, reads.find(state, kind, key), name, counted=True)
        case ("GET", "$ref"):
            return reads.links(state, call, reads.find(state, kind, key), name)
        case ("GET", cast):
            return reads.relation(state, call, reads.find(state, kind, key), name, cast)
        case ("GET", cast, "$count"):
            return reads.relation(state, call, reads.find(state, kind, key), name, cast, counted=True)
        case ("POST", "$ref"):
            return references.add(state, call, key, name)
        case ("DELETE", oid, "$ref"):
            return references.remove(state, call, key, name, oid)
        case ("DELETE", oid):
            return objects.delete_through_relation(state, call, oid)
    raise _not_allowed()


def _directory_objects(state: State, call: Call) -> Reply:
    match (call.method, *call.segments[1:]):
        case ("POST", action) if _plain(action) == "getbyids":
            return actions.get_by_ids(state, call)
        case ("GET", key):
            return reads.single(state, call, None, key)
        case ("DELETE", key):
            return objects.delete_through_relation(state, call, key)
        case ("POST", key, action) if _plain(action) in ACTIONS:
            return _action(state, call, None, key, _plain(action))
        case ("GET", key, relation, *rest):
            return _relation(state, call, None, key, relation, tuple(rest))
    raise _not_allowed()


def _deleted_items(state: State, call: Call) -> Reply:
    if len(call.segments) < 2 or call.segments[1].lower() != "deleteditems":
        raise no_segment(call.segments[-1])
    match (call.method, *call.segments[2:]):
        case ("GET", name) if name.lower().startswith("microsoft.graph."):
            return deleted.listing(state, call, name)
        case ("GET", oid):
            return deleted.single(state, call, oid)
        case ("POST", oid, action) if _plain(action) == "restore":
            return deleted.restore(state, call, oid)
        case ("DELETE", oid):
            return deleted.purge(state, call, oid)
    raise _not_allowed()


def _not_allowed() -> GraphError:
    return GraphError(
        405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."
    )
