"""Role assignments: who holds which role where, and the rules of listing, writing and deleting them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from reconciler.emulator.arm import errors
from reconciler.emulator.arm.definitions import BUILT_IN, Definition
from reconciler.emulator.arm.scopes import Estate, rank, subscription_prefix
from reconciler.emulator.directory import Directory, Group, ServicePrincipal, User

LIMIT = 4_000
"""Role assignments per subscription (Microsoft docs: Azure RBAC limits)."""
TYPES = {User: "User", Group: "Group", ServicePrincipal: "ServicePrincipal"}
_GUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One role assignment; `role` is the GUID of its definition."""

    name: str
    scope: str
    role: str
    principal: str
    principal_type: str
    condition: str | None = None
    condition_version: str | None = None
    description: str | None = None
    created: str = "2024-01-01T00:00:00.0000000Z"
    updated: str = "2024-01-01T00:00:00.0000000Z"
    created_by: str | None = None
    updated_by: str | None = None

    def payload(self, prefix: str) -> dict[str, Any]:
        """The assignment as the API shows it; `prefix` is the subscription's path of the scope asked."""
        at = "" if self.scope == "/" else self.scope
        return {
            "properties": {
                "roleDefinitionId": f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{self.role}",
                "principalId": self.principal,
                "principalType": self.principal_type,
                "scope": self.scope,
                "condition": self.condition,
                "conditionVersion": self.condition_version,
                "createdOn": self.created,
                "updatedOn": self.updated,
                "createdBy": self.created_by,
                "updatedBy": self.updated_by,
                "delegatedManagedIdentityResourceId": None,
                "description": self.description,
            },
            "id": f"{at}/providers/Microsoft.Authorization/roleAssignments/{self.name}",
            "type": "Microsoft.Authorization/roleAssignments",
            "name": self.name,
        }


def timestamp(seconds: float) -> str:
    """Seconds since the epoch with the seven digits that ARM writes."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


@dataclass(slots=True)
class Assignments:
    """All role assignments of the tenant, by name."""

    estate: Estate
    directory: Directory
    by_name: dict[str, Assignment] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=lambda: {one.id: one for one in BUILT_IN})
    version: int = 0
    """Counts changes, so that what is derived from them can be kept."""

    def definition(self, name_or_id: str) -> Definition:
        """A role by id or name; raises KeyError."""
        lowered = name_or_id.lower()
        if lowered in self.definitions:
            return self.definitions[lowered]
        return next(one for one in self.definitions.values() if one.name.lower() == lowered)

    def at(self, scope: str, below: bool = False) -> list[Assignment]:
        """Assignments that hold at a scope and, if asked, those made below it, in the order of listings."""
        covers = self.estate.covers
        found = [
            one
            for one in self.by_name.values()
            if covers(one.scope, scope) or (below and covers(scope, one.scope))
        ]
        return sorted(found, key=lambda one: rank(one.scope))

    def subjects(self, oid: str) -> frozenset[str]:
        """A principal with all groups that it is in."""
        return self.directory.transitive_groups(oid) | {oid}

    def roles_of(self, oid: str, scope: str) -> Iterable[Definition]:
        """The roles that a principal holds at a scope, by itself or through groups."""
        subjects = self.subjects(oid)
        for one in self.by_name.values():
            if one.principal in subjects and self.estate.covers(one.scope, scope):
                yield self.definitions[one.role]

    def may(self, oid: str, action: str, scope: str) -> bool:
        """Whether a principal may perform a control-plane action at a scope."""
        return any(role.allows(action) for role in self.roles_of(oid, scope))

    def list(self, scope: str, filter_text: str) -> list[Assignment]:
        """What a listing shows: `atScope()`, `principalId eq '…'` and `assignedTo('…')`, joined by `and`.

        Without `atScope()` assignments below the scope are included.  Raises ArmError (400).
        """
        at_scope, principal, assignee = _conditions(filter_text)
        found = self.at(scope, below=not at_scope)
        if principal is not None:
            found = [one for one in found if one.principal == principal]
        if assignee is not None:
            subjects = self.subjects(assignee)
            found = [one for one in found if one.principal in subjects]
        return found

    def put(
        self,
        scope: str,
        name: str,
        properties: Mapping[str, Any],
        caller: str,
        now: float,
        limit: int = LIMIT,
    ) -> Assignment:
        """Create an assignment, or change condition and description of one; the answer to a PUT.

        The answer differs from what is read afterwards: it names no creator and the present time as creation.
        Raises ArmError (400, 409).
        """
        if not _GUID.fullmatch(name):
            raise errors.bad_name(name)
        asked = self._asked(scope, name, properties)
        old = self.by_name.get(name.lower())
        if old is not None:
            _need_update(old, asked)
        else:
            self._need_new(asked, limit)
        stamp = timestamp(now)
        kept = replace(
            asked,
            created=old.created if old else stamp,
            updated=stamp,
            created_by=old.created_by if old else caller,
            updated_by=caller,
        )
        self.by_name[name.lower()] = kept
        self.version += 1
        return replace(kept, created=stamp, created_by=None)

    def delete(self, name: str, now: float, caller: str) -> Assignment | None:
        """Remove an assignment and return it as it last was; None when there is none."""
        old = self.by_name.pop(name.lower(), None)
        if old is None:
            return None
        self.version += 1
        return replace(old, updated=timestamp(now), updated_by=caller)

    def _asked(self, scope: str, name: str, properties: Mapping[str, Any]) -> Assignment:
        definition = properties.get("roleDefinitionId")
        principal = properties.get("principalId")
        if not isinstance(definition, str) or not isinstance(principal, str):
            raise errors.malformed()
        role = definition.rpartition("/")[2].lower()
        if role not in self.definitions:
            raise errors.unknown_role(role)
        return Assignment(
            name=name,
            scope=scope,
            role=role,
            principal=principal.lower(),
            principal_type=self._principal_type(principal.lower(), properties.get("principalType")),
            condition=properties.get("condition"),
            condition_version=properties.get("conditionVersion"),
            description=properties.get("description"),
        )

    def _principal_type(self, oid: str, given: Any) -> str:
        found = self.directory.find(oid)
        if found is None:
            # With a type given, the service trusts the caller that the principal is on its way.
            if not given:
                raise errors.principal_not_found(oid, self.directory.tenant_id)
            return str(given)
        actual = TYPES[type(found)]
        if given and str(given).lower() != actual.lower():
            raise errors.wrong_principal_type(oid, actual, str(given))
        return actual

    def _need_new(self, asked: Assignment, limit: int) -> None:
        subscription = subscription_prefix(asked.scope).lower()
        count = 0
        for one in self.by_name.values():
            if _same(one, asked):
                raise errors.assignment_exists(one.name)
            count += bool(subscription) and one.scope.lower().startswith(subscription)
        if count >= limit:
            raise errors.limit_exceeded()


def _same(one: Assignment, other: Assignment) -> bool:
    return (
        one.principal == other.principal
        and one.role == other.role
        and one.scope.lower() == other.scope.lower()
    )


def _need_update(old: Assignment, asked: Assignment) -> None:
    if not _same(old, asked):
        raise errors.update_not_permitted()
    if (old.condition, old.condition_version, old.description) == (
        asked.condition,
        asked.condition_version,
        asked.description,
    ):
        raise errors.assignment_exists(old.name)


_CONDITION = re.compile(
    r"(?i)\s*(?:(?P<at>atScope\(\))|principalId\s+eq\s+'(?P<principal>[^']*)'"
    r"|assignedTo\('(?P<assignee>[^']*)'\)|(?P<own>asTarget\(\)))\s*"
)


def _conditions(text: str) -> tuple[bool, str | None, str | None]:
    at_scope, principal, assignee = False, None, None
    for part in re.split(r"(?i)\s+and\s+", text) if text.strip() else ():
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise errors.ArmError(
                400,
                "UnsupportedFilter",
                f"The filter '{text}' is not supported. Supported filters are either 'atScope()' or "
                "'principalId eq '{value}' or assignedTo('{value}')'.",
            )
        at_scope = at_scope or match["at"] is not None
        principal = match["principal"].lower() if match["principal"] is not None else principal
        assignee = match["assignee"].lower() if match["assignee"] is not None else assignee
    return at_scope, principal, assignee


def deterministic_name(*parts: str) -> str:
    """ARM's `guid()` of some strings, as templates name role assignments with it."""
    return str(uuid.uuid5(uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830"), "-".join(parts)))
