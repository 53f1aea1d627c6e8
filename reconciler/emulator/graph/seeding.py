"""The `directory` section of a seed: people, groups, applications and privileged access by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reconciler.emulator.directory import (
    Deleted,
    Directory,
    DirectoryObject,
    Group,
    Relation,
    ServicePrincipal,
    User,
    object_id,
)
from reconciler.emulator.graph import privileged
from reconciler.emulator.graph.call import Application, Schedule, State, timestamp

Section = Mapping[str, Any]

SECTIONS = frozenset(
    {
        "tenant-id",
        "users",
        "groups",
        "service-principals",
        "applications",
        "pim-assignments",
        "pim-eligibilities",
        "denied",
        "deleted",
    }
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
APPLICATION = frozenset({"name", "id", "app-id", "created", "owners", "secrets", "properties"})
SCHEDULE = frozenset({"group", "principal", "access", "start", "end", "id", "activated"})
DELETED = frozenset({"user", "group", "service-principal", "at", "member-of", "owner-of"})
RELATIONS: tuple[Relation, ...] = ("members", "owners")


def seed(state: State, section: Section) -> None:
    """Add what a section describes; raises ValueError naming the offending entry."""
    _known("directory", section, SECTIONS)
    directory = state.directory
    directory.tenant_id = section.get("tenant-id", directory.tenant_id)
    for entry in section.get("users") or ():
        directory.add(user(entry))
    principals = [(entry, service_principal(entry)) for entry in section.get("service-principals") or ()]
    for _, principal in principals:
        directory.add(principal)
    groups = [(entry, group(entry)) for entry in section.get("groups") or ()]
    for _, thing in groups:
        directory.add(thing)
    for entry, thing in groups:
        for relation in RELATIONS:
            for reference in entry.get(relation) or ():
                directory.link(
                    thing.id, relation, _resolved(directory, reference, f"group {thing.display_name}")
                )
    for entry, principal in principals:
        principal.owners.update(_owners(directory, entry))
    for entry in section.get("applications") or ():
        one = application(directory, entry)
        state.applications[one.id] = one
    _seed_deleted(directory, section.get("deleted") or ())
    state.schedules += [
        schedule(state, entry, "assignment") for entry in section.get("pim-assignments") or ()
    ]
    state.schedules += [
        schedule(state, entry, "eligibility") for entry in section.get("pim-eligibilities") or ()
    ]
    privileged.settle(state)
    for caller, hidden in (section.get("denied") or {}).items():
        refused = state.denied.setdefault(_resolved(directory, caller, "denied"), set())
        refused.update(_resolved(directory, reference, f"denied to {caller}") for reference in hidden)


def _known(where: str, entry: Section, names: frozenset[str]) -> None:
    unknown = set(entry) - names
    if unknown:
        known = ", ".join(sorted(names))
        raise ValueError(f"seed: {where} has unknown key {sorted(unknown)[0]!r}; known: {known}")


def _resolved(directory: Directory, reference: str, where: str) -> str:
    try:
        return directory.resolve(reference)
    except ValueError as error:
        raise ValueError(f"seed: {where}: {error}") from None


def _owners(directory: Directory, entry: Section) -> dict[str, None]:
    return {_resolved(directory, owner, entry["name"]): None for owner in entry.get("owners") or ()}


def user(entry: Section) -> User:
    """A user of a seed."""
    _known(f"user {entry.get('upn')}", entry, USER)
    upn = entry["upn"]
    roles = {"roles": list(entry["roles"])} if entry.get("roles") else {}
    return User(
        id=entry.get("id") or object_id("user", upn),
        upn=upn,
        display_name=entry.get("display-name", upn.partition("@")[0]),
        enabled=entry.get("enabled", True),
        password=entry.get("password", ""),
        properties=dict(entry.get("properties") or {}) | roles,
    )


def group(entry: Section) -> Group:
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


def service_principal(entry: Section) -> ServicePrincipal:
    """A service principal of a seed, still without owners."""
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


def application(directory: Directory, entry: Section) -> Application:
    """An application object of a seed."""
    _known(f"application {entry.get('name')}", entry, APPLICATION)
    return Application(
        id=entry.get("id") or object_id("application", entry["name"]),
        app_id=entry.get("app-id") or object_id("app", entry["name"]),
        display_name=entry["name"],
        created=entry.get("created", "2024-01-01T00:00:00Z"),
        owners=_owners(directory, entry),
        secrets=list(entry.get("secrets") or ()),
        properties=dict(entry.get("properties") or {}),
    )


def schedule(state: State, entry: Section, kind: Any) -> Schedule:
    """A privileged access schedule of a seed; without `start` it began long ago, without `end` it stays."""
    where = f"pim-{kind} of {entry.get('principal')}"
    _known(where, entry, SCHEDULE)
    access = entry.get("access", "member")
    if access not in privileged.RELATION:
        raise ValueError(f"seed: {where}: access is {access!r}, neither 'member' nor 'owner'")
    target = _resolved(state.directory, entry["group"], where)
    principal = _resolved(state.directory, entry["principal"], where)
    return Schedule(
        id=entry.get("id") or object_id(f"pim-{kind}", f"{target}/{access}/{principal}"),
        kind=kind,
        group=target,
        principal=principal,
        access=access,
        start=_seconds(entry.get("start")) or 0.0,
        end=_seconds(entry.get("end")),
        activated=entry.get("activated", False),
    )


def _seconds(given: Any) -> float | None:
    # YAML turns dates into date objects by itself.
    return None if given is None else privileged.parsed(str(given))


def _seed_deleted(directory: Directory, entries: Iterable[Section]) -> None:
    makers: dict[str, Callable[[Section], DirectoryObject]] = {
        "user": user,
        "group": group,
        "service-principal": service_principal,
    }
    for entry in entries:
        _known("deleted", entry, DELETED)
        made: list[DirectoryObject] = [make(entry[name]) for name, make in makers.items() if name in entry]
        if len(made) != 1:
            raise ValueError(f"seed: a deleted entry holds one of {', '.join(makers)}, not {len(made)}")
        if isinstance(made[0], Group):
            body = entry["group"]
            made[0].members.update(
                {_resolved(directory, one, "deleted"): None for one in body.get("members") or ()}
            )
            made[0].owners.update(_owners(directory, body))
        directory.deleted[made[0].id] = Deleted(
            made[0],
            _seconds(entry.get("at")) or 0.0,
            tuple(entry.get("member-of") or ()),
            tuple(entry.get("owner-of") or ()),
        )


def dump(state: State) -> dict[str, Any]:
    """The directory in the form of its seed; seeding that again gives the same directory."""
    directory = state.directory
    return {
        "tenant-id": directory.tenant_id,
        "users": [_user(thing) for thing in directory.users.values()],
        "service-principals": [_principal(directory, one) for one in directory.service_principals.values()],
        "groups": [_group(state, thing) for thing in directory.groups.values()],
        "applications": [_application(directory, one) for one in state.applications.values()],
        "pim-assignments": [_schedule(state, one) for one in state.schedules if one.kind == "assignment"],
        "pim-eligibilities": [_schedule(state, one) for one in state.schedules if one.kind == "eligibility"],
        "denied": {
            directory.reference(caller): sorted(map(directory.reference, hidden))
            for caller, hidden in state.denied.items()
        },
        "deleted": [_deleted(state, gone) for gone in directory.deleted.values()],
    }


def _user(thing: User) -> dict[str, Any]:
    entry = {
        "upn": thing.upn,
        "id": thing.id,
        "display-name": thing.display_name,
        "password": thing.password,
        "properties": thing.properties,
    }
    return _sparse(entry) | {"enabled": thing.enabled}


def _group(state: State, thing: Group) -> dict[str, Any]:
    name = state.directory.reference
    active = {(one.access, one.principal) for one in state.schedules if one.linked and one.group == thing.id}
    entry = {
        "name": thing.display_name,
        "id": thing.id,
        "description": thing.description,
        "mail-nickname": thing.mail_nickname,
        "membership-rule": thing.membership_rule,
        "on-premises": thing.on_premises,
        "mail-enabled": thing.mail_enabled,
        "role-assignable": thing.role_assignable,
        "hidden": thing.hidden,
        # Who is there by a schedule is told by the schedule.
        "members": [name(oid) for oid in thing.members if ("member", oid) not in active],
        "owners": [name(oid) for oid in thing.owners if ("owner", oid) not in active],
        "properties": thing.properties,
    }
    return _sparse(entry) | {"security-enabled": thing.security_enabled, "created": thing.created}


def _principal(directory: Directory, thing: ServicePrincipal) -> dict[str, Any]:
    return _sparse(
        {
            "name": thing.display_name,
            "id": thing.id,
            "app-id": thing.app_id,
            "secret": thing.secret,
            "federated-subject": thing.federated_subject,
            "managed-identity": thing.managed_identity,
            "app-roles": sorted(thing.app_roles),
            "owners": [directory.reference(oid) for oid in thing.owners],
            "properties": thing.properties,
        }
    )


def _application(directory: Directory, one: Application) -> dict[str, Any]:
    return _sparse(
        {
            "name": one.display_name,
            "id": one.id,
            "app-id": one.app_id,
            "created": one.created,
            "owners": [directory.reference(oid) for oid in one.owners],
            "secrets": one.secrets,
            "properties": one.properties,
        }
    )


def _schedule(state: State, one: Schedule) -> dict[str, Any]:
    name = state.directory.reference
    return _sparse(
        {
            "id": one.id,
            "group": name(one.group),
            "principal": name(one.principal),
            "start": timestamp(one.start),
            "end": timestamp(one.end) if one.end is not None else None,
            "activated": one.activated,
        }
    ) | {"access": one.access}


def _deleted(state: State, gone: Deleted) -> dict[str, Any]:
    thing = gone.thing
    if isinstance(thing, User):
        entry: dict[str, Any] = {"user": _user(thing)}
    elif isinstance(thing, Group):
        entry = {"group": _group(state, thing)}
    else:
        entry = {"service-principal": _principal(state.directory, thing)}
    left = _sparse({"member-of": list(gone.member_of), "owner-of": list(gone.owner_of)})
    return entry | {"at": timestamp(gone.at)} | left


def _sparse(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value not in (None, "", [], {}, False)}
