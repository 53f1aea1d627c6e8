"""Create, change, delete and restore groups, users and service principals."""

from __future__ import annotations

from typing import Any

from reconciler.emulator.directory import DirectoryObject, Group, Relation, ServicePrincipal, User
from reconciler.emulator.graph import references, rights, shapes
from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import GraphError, bad_request, denied, not_found
from reconciler.emulator.graph.reads import find

RELATIONS: tuple[Relation, ...] = ("owners", "members")


def create(state: State, call: Call, kind: type[DirectoryObject]) -> Reply:
    """`POST /groups`, `/users`, `/servicePrincipals`."""
    rights.need_write(state, call, kind)
    body = call.json()
    thing = _new(state, kind, body)
    state.note(thing.id)
    state.directory.add(thing)
    if isinstance(thing, Group):
        try:
            _bind(state, call, thing, body)
        except GraphError:
            # Created and bound in one request, or not at all.
            state.directory.remove(thing.id, 0)
            del state.directory.deleted[thing.id]
            raise
    name = shapes.COLLECTIONS[kind]
    shown = shapes.chosen(thing, (), call.beta, typed=False)
    payload = {"@odata.context": call.context(f"{name}/$entity"), "id": thing.id} | shown
    where = (
        f"{call.base}/v2/{state.directory.tenant_id}/directoryObjects/{thing.id}"
        f"/Microsoft.DirectoryServices.{shapes.SERVICE_NAMES[kind]}"
    )
    return Reply(201, payload, (("location", where),))


def _new(state: State, kind: type[DirectoryObject], body: dict[str, Any]) -> DirectoryObject:
    if kind is Group:
        return new_group(state, body)
    return new_user(state, body) if kind is User else new_service_principal(state, body)


def _required(body: dict[str, Any], kind: str, *names: str) -> None:
    for name in names:
        if body.get(name) in (None, ""):
            raise bad_request(f"A value is required for property '{name}' of resource '{kind}'.")


def new_group(state: State, body: dict[str, Any]) -> Group:
    """A group as the body of a create request describes it; raises GraphError (400)."""
    _required(body, "Group", "displayName", "mailEnabled", "mailNickname", "securityEnabled")
    known = (
        "displayName",
        "description",
        "mailNickname",
        "mailEnabled",
        "securityEnabled",
        "membershipRule",
        "isAssignableToRole",
        "visibility",
    )
    extra = {name: value for name, value in body.items() if name not in known and "@" not in name}
    return Group(
        id=state.new_id(),
        display_name=body["displayName"],
        description=body.get("description"),
        mail_nickname=body["mailNickname"],
        mail_enabled=bool(body["mailEnabled"]),
        security_enabled=bool(body["securityEnabled"]),
        membership_rule=body.get("membershipRule"),
        role_assignable=body.get("isAssignableToRole"),
        hidden=body.get("visibility") == "HiddenMembership",
        created=state.now(),
        properties=extra | ({"visibility": body["visibility"]} if body.get("visibility") else {}),
    )


def new_user(state: State, body: dict[str, Any]) -> User:
    """A user as the body of a create request describes it; raises GraphError (400)."""
    _required(body, "User", "displayName", "userPrincipalName", "mailNickname", "passwordProfile")
    if state.directory.by_upn(body["userPrincipalName"]):
        raise bad_request("Another object with the same value for property userPrincipalName already exists.")
    known = ("displayName", "userPrincipalName", "accountEnabled", "passwordProfile")
    return User(
        id=state.new_id(),
        upn=body["userPrincipalName"],
        display_name=body["displayName"],
        enabled=bool(body.get("accountEnabled", True)),
        password=str(body["passwordProfile"].get("password", "")),
        properties={name: value for name, value in body.items() if name not in known and "@" not in name}
        | {"createdDateTime": state.now()},
    )


def new_service_principal(state: State, body: dict[str, Any]) -> ServicePrincipal:
    """A service principal of an application; raises GraphError (400)."""
    _required(body, "ServicePrincipal", "appId")
    app_id = str(body["appId"])
    if state.directory.by_app_id(app_id):
        raise GraphError(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "The service principal cannot be created, updated, or restored because the service principal "
            f"name {app_id} is already in use.",
        )
    application = next((one for one in state.applications.values() if one.app_id == app_id), None)
    return ServicePrincipal(
        id=state.new_id(),
        app_id=app_id,
        display_name=application.display_name if application else str(body.get("displayName") or app_id),
        secret=str(application.properties.get("secret", "")) if application else "",
        properties={
            "createdDateTime": state.now(),
            "appOwnerOrganizationId": state.directory.tenant_id if application else None,
            "accountEnabled": body.get("accountEnabled", True),
            "tags": body.get("tags", []),
        },
    )


def update(state: State, call: Call, kind: type[DirectoryObject], key: str) -> Reply:
    """`PATCH /groups/{id}`, `/users/{id}`, `/servicePrincipals/{id}`: properties, and binds of groups."""
    body = call.json()
    bound = {name for name in RELATIONS if f"{name}@odata.bind" in body}
    plain = {name: value for name, value in body.items() if "@" not in name}
    if plain or not bound:
        rights.need_write(state, call, kind)
    for name in bound:
        references.need_relation(state, call, name)
    thing = find(state, kind, key)
    present = state.directory.find(thing.id)
    if present is None:
        raise not_found(key)
    state.note(present.id)
    if isinstance(present, Group):
        _bind(state, call, present, body)
        _change_group(state, call, present, plain)
    elif isinstance(present, User):
        _change_user(state, present, plain)
    else:
        present.display_name = str(plain.pop("displayName", present.display_name))
        present.properties.update(plain)
    return Reply(204)


def _bind(state: State, call: Call, group: Group, body: dict[str, Any]) -> None:
    for relation in RELATIONS:
        bound = body.get(f"{relation}@odata.bind")
        if bound is None:
            continue
        if not isinstance(bound, list):
            raise bad_request(f"The value of '{relation}@odata.bind' must be a collection of references.")
        references.link_all(state, call, group, relation, bound)


GROUP_FIELDS = {
    "description": "description",
    "mailNickname": "mail_nickname",
    "securityEnabled": "security_enabled",
    "mailEnabled": "mail_enabled",
    "membershipRule": "membership_rule",
}


def _change_group(state: State, call: Call, group: Group, plain: dict[str, Any]) -> None:
    if not plain:
        return
    if group.on_premises:
        raise bad_request(
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or "
            "objects currently undergoing migration."
        )
    if "isAssignableToRole" in plain:
        raise bad_request("The property 'isAssignableToRole' cannot be changed after the group was created.")
    if "displayName" in plain and not plain["displayName"]:
        raise bad_request("Invalid value specified for property 'displayName' of resource 'Group'.")
    if group.role_assignable:
        rights.need_permission(state, call, frozenset({rights.ROLE_MANAGEMENT}))
    if "displayName" in plain:
        state.directory.rename(group, str(plain.pop("displayName")))
    for name, value in plain.items():
        if name in GROUP_FIELDS:
            setattr(group, GROUP_FIELDS[name], value)
        else:
            group.properties[name] = value
    state.directory.touched(group)


def _change_user(state: State, user: User, plain: dict[str, Any]) -> None:
    profile = plain.pop("passwordProfile", None) or {}
    user.password = str(profile.get("password", user.password))
    upn = plain.pop("userPrincipalName", None)
    if upn and upn.lower() != user.upn.lower() and state.directory.by_upn(upn):
        raise bad_request("Another object with the same value for property userPrincipalName already exists.")
    if upn:
        state.directory.rename(user, str(upn))
    user.display_name = plain.pop("displayName", user.display_name)
    user.enabled = bool(plain.pop("accountEnabled", user.enabled))
    user.properties.update(plain)


def delete(state: State, call: Call, kind: type[DirectoryObject], key: str) -> Reply:
    """`DELETE /groups/{id}` and the like; the object can be restored for 30 days."""
    rights.need_write(state, call, kind)
    thing = find(state, kind, key)
    if isinstance(thing, Group) and thing.role_assignable:
        rights.need_permission(state, call, frozenset({rights.ROLE_MANAGEMENT}))
    return _erase(state, thing)


def delete_through_relation(state: State, call: Call, oid: str) -> Reply:
    """`DELETE /groups/{id}/members/{id}` without `/$ref`: deletes the member itself, if the caller may.

    Source: Microsoft docs, Remove member, the caution about `/$ref`.
    """
    thing = find(state, None, oid)
    rights.need_write(state, call, type(thing))
    return _erase(state, thing)


def _erase(state: State, thing: DirectoryObject) -> Reply:
    if state.directory.find(thing.id) is None:
        raise not_found(thing.id)
    if isinstance(thing, Group) and thing.on_premises:
        raise denied()
    state.note(thing.id)
    for parent in state.directory.parents(thing.id):
        state.note(parent.id)
    state.directory.remove(thing.id, state.world.clock.now())
    return Reply(204)
