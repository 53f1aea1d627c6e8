"""The `directory` section of a seed: people, groups, applications and privileged access by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.emulator.directory import DirectoryObject, Group, Relation, ServicePrincipal, User, object_id
from reconciler.emulator.graph.call import State

SECTIONS = frozenset(
    {"tenant-id", "users", "groups", "service-principals", "pim-assignments", "denied", "deleted"}
)
USER = frozenset({"upn", "display-name", "id", "enabled", "password", "roles", "properties"})
GROUP = frozenset(
    {
        "name",
        "id",
        "description",
        "mail-nickname",
        "members",
        "owners",
        "membership-rule",
        "on-premises",
        "mail-enabled",
        "security-enabled",
        "role-assignable",
        "hidden",
        "created",
        "properties",
    }
)
PRINCIPAL = frozenset(
    {
        "name",
        "app-id",
        "id",
        "secret",
        "federated-subject",
        "managed-identity",
        "app-roles",
        "owners",
        "properties",
    }
)


def seed(state: State, section: Mapping[str, Any]) -> None:
    """Add what a section describes; raises ValueError naming the offending entry."""
    _known("directory", section, SECTIONS)
    directory = state.directory
    directory.tenant_id = section.get("tenant-id", directory.tenant_id)
    for entry in section.get("users") or ():
        directory.add(user(entry))
    for entry in section.get("service-principals") or ():
        directory.add(service_principal(entry))
    groups = [(entry, group(entry)) for entry in section.get("groups") or ()]
    for _, thing in groups:
        directory.add(thing)
    for entry, thing in groups:
        for relation in RELATIONS:
            for reference in entry.get(relation) or ():
                directory.link(thing.id, relation, directory.resolve(reference))
    for entry in section.get("service-principals") or ():
        owned = directory.service_principals[service_principal(entry).id]
        owned.owners.update({directory.resolve(owner): None for owner in entry.get("owners") or ()})
    for caller, hidden in (section.get("denied") or {}).items():
        state.denied.setdefault(directory.resolve(caller), set()).update(map(directory.resolve, hidden))


RELATIONS: tuple[Relation, ...] = ("members", "owners")


def _known(where: str, entry: Mapping[str, Any], names: frozenset[str]) -> None:
    unknown = set(entry) - names
    if unknown:
        raise ValueError(
            f"seed: {where} has unknown key {sorted(unknown)[0]!r}; known: {', '.join(sorted(names))}"
        )


def user(entry: Mapping[str, Any]) -> User:
    """A user of a seed."""
    _known(f"user {entry.get('upn')}", entry, USER)
    upn = entry["upn"]
    return User(
        id=entry.get("id") or object_id("user", upn),
        upn=upn,
        display_name=entry.get("display-name", upn.partition("@")[0]),
        enabled=entry.get("enabled", True),
        password=entry.get("password", ""),
        properties=dict(entry.get("properties") or {})
        | ({"roles": entry["roles"]} if entry.get("roles") else {}),
    )


def group(entry: Mapping[str, Any]) -> Group:
    """A group of a seed, still without members and owners."""
    _known(f"group {entry.get('name')}", entry, GROUP)
    return Group(
        id=entry.get("id") or object_id("group", entry["name"]),
        display_name=entry["name"],
        description=entry.get("description"),
        mail_nickname=entry.get("mail-nickname", ""),
        mail_enabled=entry.get("mail-enabled", False),
        security_enabled=entry.get("security-enabled", True),
        membership_rule=entry.get("membership-rule"),
        on_premises=entry.get("on-premises", False),
        role_assignable=entry.get("role-assignable"),
        hidden=entry.get("hidden", False),
        created=entry.get("created", "2024-01-01T00:00:00Z"),
        properties=dict(entry.get("properties") or {}),
    )


def service_principal(entry: Mapping[str, Any]) -> ServicePrincipal:
    """A service principal of a seed."""
    _known(f"service principal {entry.get('name')}", entry, PRINCIPAL)
    name = entry["name"]
    return ServicePrincipal(
        id=entry.get("id") or object_id("sp", name),
        app_id=entry.get("app-id") or object_id("app", name),
        display_name=name,
        secret=entry.get("secret", ""),
        federated_subject=entry.get("federated-subject", ""),
        managed_identity=entry.get("managed-identity", False),
        app_roles=frozenset(entry.get("app-roles") or ()),
        properties=dict(entry.get("properties") or {}),
    )


def dump(state: State) -> dict[str, Any]:
    """The directory in the form of its seed; seeding that again gives the same directory."""
    directory = state.directory
    return {
        "tenant-id": directory.tenant_id,
        "users": [_user(thing) for thing in directory.users.values()],
        "service-principals": [_principal(state, thing) for thing in directory.service_principals.values()],
        "groups": [_group(state, thing) for thing in directory.groups.values()],
        "denied": {
            directory.reference(caller): sorted(map(directory.reference, hidden))
            for caller, hidden in state.denied.items()
        },
    }


def _user(thing: User) -> dict[str, Any]:
    return _sparse(
        {
            "upn": thing.upn,
            "id": thing.id,
            "display-name": thing.display_name,
            "password": thing.password,
            "properties": thing.properties,
        }
    ) | {"enabled": thing.enabled}


def _group(state: State, thing: Group) -> dict[str, Any]:
    name: Callable[[str], str] = state.directory.reference
    return _sparse(
        {
            "name": thing.display_name,
            "id": thing.id,
            "description": thing.description,
            "mail-nickname": thing.mail_nickname,
            "membership-rule": thing.membership_rule,
            "on-premises": thing.on_premises,
            "mail-enabled": thing.mail_enabled,
            "role-assignable": thing.role_assignable,
            "hidden": thing.hidden,
            "members": [name(oid) for oid in thing.members],
            "owners": [name(oid) for oid in thing.owners],
            "properties": thing.properties,
        }
    ) | {"security-enabled": thing.security_enabled, "created": thing.created}


def _principal(state: State, thing: ServicePrincipal) -> dict[str, Any]:
    return _sparse(
        {
            "name": thing.display_name,
            "id": thing.id,
            "app-id": thing.app_id,
            "secret": thing.secret,
            "federated-subject": thing.federated_subject,
            "managed-identity": thing.managed_identity,
            "app-roles": sorted(thing.app_roles),
            "owners": [state.directory.reference(oid) for oid in thing.owners],
            "properties": thing.properties,
        }
    )


def _sparse(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value not in (None, "", [], {}, False)}


__all__ = ["DirectoryObject", "dump", "seed"]
