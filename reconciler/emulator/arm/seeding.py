"""The `arm` section of a seed: where storage accounts live, and who holds which role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.emulator.arm.assignments import TYPES, Assignment, Assignments, deterministic_name
from reconciler.emulator.arm.definitions import Definition
from reconciler.emulator.arm.scopes import DEFAULT_GROUP, Estate

SECTIONS = frozenset({"subscriptions", "storage-accounts", "role-definitions", "role-assignments", "readers"})


def seed(
    estate: Estate, assignments: Assignments, readers: dict[str, None], section: Mapping[str, Any]
) -> None:
    """Add what a section describes; raises ValueError naming the offending entry."""
    unknown = set(section) - SECTIONS
    if unknown:
        raise ValueError(
            f"seed: arm has unknown key {sorted(unknown)[0]!r}; known: {', '.join(sorted(SECTIONS))}"
        )
    for name, entry in (section.get("subscriptions") or {}).items():
        estate.subscriptions[str(name).lower()] = dict(entry or {})
    for name, entry in (section.get("storage-accounts") or {}).items():
        entry = entry or {}
        subscription = str(entry.get("subscription", estate.subscription))
        estate.accounts[name] = (subscription, entry.get("resource-group", DEFAULT_GROUP))
    for entry in section.get("role-definitions") or ():
        definition = _definition(entry)
        assignments.definitions[definition.id] = definition
    for entry in section.get("role-assignments") or ():
        one = _assignment(estate, assignments, entry)
        assignments.by_name[one.name] = one
    for reader in section.get("readers") or ():
        readers[assignments.directory.resolve(reader)] = None
    assignments.version += 1


def _definition(entry: Mapping[str, Any]) -> Definition:
    return Definition(
        id=str(entry.get("id") or deterministic_name("role", entry["name"])).lower(),
        name=entry["name"],
        description=entry.get("description", ""),
        actions=tuple(entry.get("actions") or ()),
        not_actions=tuple(entry.get("not-actions") or ()),
        data_actions=tuple(entry.get("data-actions") or ()),
        not_data_actions=tuple(entry.get("not-data-actions") or ()),
        custom=True,
    )


def _assignment(estate: Estate, assignments: Assignments, entry: Mapping[str, Any]) -> Assignment:
    try:
        role = assignments.definition(entry["role"])
    except StopIteration:
        raise ValueError(f"seed: role assignment names an unknown role {entry['role']!r}") from None
    scope = estate.resolve(entry["scope"])
    principal = entry["principal"]
    kind = entry.get("principal-type")
    if kind is None:
        # Assignments outlive their principals: one to a deleted object states its type.
        principal = assignments.directory.resolve(principal)
        found = assignments.directory.find(principal)
        kind = TYPES[type(found)] if found else "User"
    name = str(entry.get("name") or deterministic_name(scope, principal, role.id)).lower()
    return Assignment(
        name=name,
        scope=scope,
        role=role.id,
        principal=principal.lower(),
        principal_type=kind,
        condition=entry.get("condition"),
        condition_version=entry.get("condition-version", "2.0" if entry.get("condition") else None),
        description=entry.get("description"),
        created=entry.get("created", Assignment.__dataclass_fields__["created"].default),
        updated=entry.get("updated", Assignment.__dataclass_fields__["updated"].default),
        created_by=entry.get("created-by"),
        updated_by=entry.get("updated-by"),
    )


def dump(estate: Estate, assignments: Assignments, readers: Mapping[str, None]) -> dict[str, Any]:
    """The state in the form of its seed; seeding that again gives the same state."""
    reference = assignments.directory.reference
    return {
        "subscriptions": {name: dict(entry) for name, entry in estate.subscriptions.items()},
        "storage-accounts": {
            name: {"subscription": subscription, "resource-group": group}
            for name, (subscription, group) in estate.accounts.items()
        },
        "role-definitions": [
            {
                "id": one.id,
                "name": one.name,
                "description": one.description,
                "actions": list(one.actions),
                "not-actions": list(one.not_actions),
                "data-actions": list(one.data_actions),
                "not-data-actions": list(one.not_data_actions),
            }
            for one in assignments.definitions.values()
            if one.custom
        ],
        "role-assignments": [_entry(assignments, one) for one in assignments.by_name.values()],
        "readers": [reference(oid) for oid in readers],
    }


def _entry(assignments: Assignments, one: Assignment) -> dict[str, Any]:
    known = assignments.directory.find(one.principal) is not None
    entry = {
        "name": one.name,
        "scope": one.scope,
        "role": assignments.definitions[one.role].name,
        "principal": assignments.directory.reference(one.principal),
        "principal-type": None if known else one.principal_type,
        "condition": one.condition,
        "condition-version": one.condition_version,
        "description": one.description,
        "created": one.created,
        "updated": one.updated,
        "created-by": one.created_by,
        "updated-by": one.updated_by,
    }
    return {key: value for key, value in entry.items() if value is not None}
