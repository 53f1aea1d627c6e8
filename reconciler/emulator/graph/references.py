"""Add and remove members and owners: by `$ref`, in bulk by bind, and the rules of read-only groups."""

from __future__ import annotations

import re
from typing import Any

from reconciler.emulator.directory import DirectoryObject, Group, Relation, ServicePrincipal, User
from reconciler.emulator.graph import rights
from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import (
    already_linked,
    bad_request,
    denied,
    invalid_identifier,
    no_segment,
    not_found,
    not_linked,
)
from reconciler.emulator.graph.reads import GUID

BIND_LIMIT = 20
_REFERENCE = re.compile(
    r"(?i)^(?:https://[^/]+)?/*(?:v1\.0/+|beta/+)?(?:directoryObjects|users|groups|servicePrincipals)"
    r"(?:/+|\(')(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:'\))?/?$"
)


def add(state: State, call: Call, key: str, relation: str) -> Reply:
    """`POST /groups/{id}/members/$ref`: one more member or owner."""
    name = _relation(relation)
    need_relation(state, call, name)
    group = _group(state, key)
    reference = call.json().get("@odata.id")
    if not isinstance(reference, str):
        raise bad_request("The request body must contain an '@odata.id' reference.")
    link_all(state, call, group, name, [reference])
    return Reply(204)


def remove(state: State, call: Call, key: str, relation: str, oid: str) -> Reply:
    """`DELETE /groups/{id}/members/{id}/$ref`: one fewer member or owner."""
    name = _relation(relation)
    need_relation(state, call, name)
    group = _group(state, key)
    holders = group.members if name == "members" else group.owners
    if oid.lower() not in holders:
        known = state.directory.find(oid.lower()) is not None
        if known and state.world.switches.get("graph.remove-absent", 404) == 400:
            raise not_linked(name)
        raise not_found(oid)
    need_writable(state, call, group, name)
    if name == "owners" and _is_last_user(state, group, oid.lower()):
        raise bad_request("The group must have at least one owner, hence this owner cannot be removed.")
    state.note(group.id)
    state.directory.unlink(group.id, name, oid.lower())
    return Reply(204)


def _is_last_user(state: State, group: Group, oid: str) -> bool:
    # The rule counts users only: a service principal beside the last user does not help.
    users = [owner for owner in group.owners if owner in state.directory.users]
    return users == [oid]


def need_relation(state: State, call: Call, relation: Relation) -> None:
    """Raise 403 unless the caller may write members, or owners, of groups."""
    rights.need_permission(
        state, call, rights.WRITE_MEMBERS if relation == "members" else rights.WRITE[Group]
    )


def need_writable(state: State, call: Call, group: Group, relation: Relation) -> None:
    """Refuse writes to memberships that another authority keeps.

    Dynamic groups answer 403, groups of an on-premises directory and mail-enabled ones 400.  Sources:
    public threads, quoted in the recordings; role-assignable groups: Microsoft docs, Add member.
    """
    if group.on_premises:
        raise bad_request(
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or "
            "objects currently undergoing migration."
        )
    if group.mail_enabled and "Unified" not in group.properties.get("groupTypes", ()):
        raise bad_request("Cannot Update a mail-enabled security groups and or distribution list.")
    if relation == "members" and group.membership_rule is not None:
        raise denied()
    if group.role_assignable:
        rights.need_permission(state, call, frozenset({rights.ROLE_MANAGEMENT}))


def link_all(state: State, call: Call, group: Group, relation: Relation, references: list[Any]) -> None:
    """Link every reference or none; raises GraphError at the first that cannot be linked."""
    if len(references) > BIND_LIMIT:
        raise bad_request(
            f"The number of references in the '{relation}@odata.bind' is {len(references)}, which exceeds "
            "the "
            f"limit of {BIND_LIMIT}."
        )
    holders = group.members if relation == "members" else group.owners
    found = [referenced(state, reference) for reference in references]
    need_writable(state, call, group, relation)
    for thing in found:
        _need_linkable(state, call, group, relation, thing)
    ids = [thing.id for thing in found]
    if len(set(ids)) != len(ids) or any(oid in holders for oid in ids):
        raise already_linked(relation)
    state.note(group.id)
    for oid in ids:
        state.directory.link(group.id, relation, oid)


def _need_linkable(
    state: State, call: Call, group: Group, relation: Relation, thing: DirectoryObject
) -> None:
    if relation == "owners" and isinstance(thing, Group):
        raise bad_request("The specified object type is not supported as an owner of this group.")
    if thing.id == group.id:
        raise bad_request("An object cannot be a member of itself.")
    if group.role_assignable and isinstance(thing, Group):
        raise bad_request("Nested groups are not supported in role-assignable groups.")
    if state.world.switches.get("graph.member-type-permissions", False):
        extra = {
            ServicePrincipal: frozenset({"Application.ReadWrite.All", "Directory.ReadWrite.All"}),
            Group: rights.WRITE[Group],
            User: rights.WRITE_MEMBERS,
        }
        rights.need_permission(state, call, extra[type(thing)])


def referenced(state: State, reference: Any) -> DirectoryObject:
    """The object that an `@odata.id` names; raises GraphError (400, 404)."""
    match = _REFERENCE.match(reference) if isinstance(reference, str) else None
    if match is None:
        raise bad_request("The URI '" + str(reference) + "' is not a valid reference to a directory object.")
    thing = state.directory.find(match["id"].lower())
    if thing is None:
        raise not_found(match["id"])
    return thing


def _group(state: State, key: str) -> Group:
    # Writes are decided on the present state: what lags is only what reads show.
    present = state.directory.groups.get(key.lower())
    if present is not None:
        return present
    raise not_found(key) if GUID.fullmatch(key) else invalid_identifier(key)


def _relation(name: str) -> Relation:
    match name.lower():
        case "members":
            return "members"
        case "owners":
            return "owners"
    raise no_segment(name)
