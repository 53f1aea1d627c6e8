"""From method and path to the handler: the whole surface of the emulated Graph on one screen."""

from __future__ import annotations

import re

from reconciler.emulator.directory import DirectoryObject, User
from reconciler.emulator.graph import actions, objects, reads, references
from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import GraphError, no_segment

_KEYED = re.compile(r"(?P<name>[A-Za-z]+)\((?:(?P<by>[A-Za-z]+)=)?'(?P<key>.*)'\)$")


def dispatch(state: State, call: Call) -> Reply:
    """Answer one call; raises GraphError for a path, or a method on it, that the service does not have."""
    segments = _spread(state, call.segments)
    if not segments:
        raise GraphError(400, "BadRequest", "Invalid version: " + call.version)
    head = segments[0].lower()
    if head in reads.KINDS:
        return _objects(state, call, reads.KINDS[head], segments)
    if head == "directoryobjects":
        return _directory_objects(state, call, segments)
    raise no_segment(segments[0])


def _spread(state: State, segments: tuple[str, ...]) -> tuple[str, ...]:
    """`users('x')` as `users/x`, `servicePrincipals(appId='x')` as its object id's path."""
    if not any("(" in segment for segment in segments):
        return segments
    spread: list[str] = []
    for segment in segments:
        match = _KEYED.match(segment)
        if match is None:
            spread.append(segment.removesuffix("()"))
            continue
        key = match["key"].replace("''", "'")
        if (match["by"] or "").lower() == "appid":
            found = state.directory.by_app_id(key)
            if found is None:
                raise GraphError(
                    404,
                    "Request_ResourceNotFound",
                    f"Resource '{key}' does not exist or one of its queried reference-property objects are not present.",
                )
            key = found.id
        spread += [match["name"], key]
    return tuple(spread)


def _plain(name: str) -> str:
    # Actions and functions may be qualified with their namespace.
    return name.lower().removeprefix("microsoft.graph.")


def _objects(state: State, call: Call, kind: type[DirectoryObject], segments: tuple[str, ...]) -> Reply:
    method = call.method
    match segments[1:]:
        case () if method == "GET":
            return reads.collection(state, call, kind)
        case () if method == "POST":
            return objects.create(state, call, kind)
        case ("$count",) if method == "GET":
            return reads.count(state, call, kind)
        case (key,) if method == "GET":
            return reads.single(state, call, kind, key)
        case (key,) if method == "PATCH":
            return objects.update(state, call, kind, key)
        case (key,) if method == "DELETE":
            return objects.delete(state, call, kind, key)
        case (key, action) if method == "POST" and _plain(action) in ACTIONS:
            return _action(state, call, kind, key, _plain(action))
        case (key, relation, *rest):
            return _relation(state, call, kind, key, relation, tuple(rest))
    raise _not_allowed(call)


ACTIONS = ("getmembergroups", "getmemberobjects", "checkmembergroups", "checkmemberobjects")


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
    raise _not_allowed(call)


def _directory_objects(state: State, call: Call, segments: tuple[str, ...]) -> Reply:
    match (call.method, *segments[1:]):
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
    raise _not_allowed(call)


def _not_allowed(call: Call) -> GraphError:
    return GraphError(
        405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."
    )


__all__ = ["User", "dispatch"]
