"""What Databricks answers, in one form: rows with names and ids, whatever the wording, order or letter case.

Nothing here asks anybody anything.  What does not have the documented shape raises Malformed: it is never
taken for an empty answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reconciler.core.model import Value
from reconciler.providers.databricks.kinds import ADMIN, CONSUME, INCLUDES_CONSUME, USER

Payload = Mapping[str, Any]

GROUP = "group"
PERSON = "user"
SERVICE = "sp"
COLLECTIONS = {GROUP: "Groups", PERSON: "Users", SERVICE: "ServicePrincipals"}
"""The SCIM collection of each kind of principal."""
NAMES = {GROUP: "displayName", PERSON: "userName", SERVICE: "applicationId"}
"""The attribute that ACLs and assignments name each kind by (Terraform provider docs: secret_acl)."""
SYSTEM = {"admins": frozenset[str](), "users": INCLUDES_CONSUME}
"""The groups that every workspace has, and what they may hold without anybody having given it (Databricks
docs: entitlements).  `admins` holds everything, and cannot lose it."""


LAST_SECOND = 253_402_300_800.0
"""The end of the year 9999, in seconds since 1970: later times cannot be told."""


class Malformed(ValueError):
    """An answer without the shape that the service documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """Somebody as a workspace's SCIM shows them."""

    kind: str
    id: str
    """The id that Databricks gives, not Entra's."""
    name: str
    """What ACLs call them: a group's display name, a user name, an application id."""
    display: str = ""
    external_id: str = ""
    """Entra's object id, in lower case; "" for somebody whom Databricks does not know from Entra."""
    local: bool = False
    """True for a group that exists in this workspace only."""
    entitlements: frozenset[str] = frozenset()

    @property
    def system(self) -> bool:
        """Whether every workspace has this group by itself."""
        return self.local and self.name in SYSTEM


class Page(NamedTuple):
    """One page of a SCIM list."""

    residents: list[Resident]
    total: int


def page(kind: str, payload: Payload) -> Page:
    """A SCIM list response; an absent `Resources` is an empty page only where the total says so."""
    rows = payload.get("Resources", [])
    total = payload.get("totalResults")
    if not isinstance(rows, list) or not isinstance(total, int):
        raise Malformed(f"a list of {COLLECTIONS[kind]} has no `Resources` and `totalResults`")
    return Page([resident(kind, row) for row in rows], total)


def resident(kind: str, row: Any) -> Resident:
    """One SCIM resource; an absent `entitlements` means that none is held directly."""
    if not isinstance(row, dict) or not row.get("id") or not row.get(NAMES[kind]):
        raise Malformed(f"an entry of {COLLECTIONS[kind]} has no `id` and `{NAMES[kind]}`")
    meta = row.get("meta")
    return Resident(
        kind=kind,
        id=str(row["id"]),
        name=str(row[NAMES[kind]]),
        display=str(row.get("displayName") or row[NAMES[kind]]),
        external_id=str(row.get("externalId") or "").lower(),
        local=isinstance(meta, dict) and meta.get("resourceType") == "WorkspaceGroup",
        entitlements=frozenset(_values(row.get("entitlements") or [])),
    )


def _values(items: Any) -> Iterable[str]:
    if not isinstance(items, list):
        raise Malformed("`entitlements` is no list")
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("value"), str):
            raise Malformed("an entitlement has no `value`")
        if item["value"]:
            yield item["value"]


class Assigned(NamedTuple):
    """One principal's place in a workspace."""

    permission: Value
    kind: str
    name: str
    """What the assignment calls them, as ACLs do; "" where it does not say."""


def assignments(payload: Payload) -> Mapping[str, Assigned]:
    """Who is assigned to a workspace, by Databricks id; permissions that are new to us keep their name."""
    rows = payload.get("permission_assignments", [])
    if not isinstance(rows, list):
        raise Malformed("`permission_assignments` is no list")
    held: dict[str, Assigned] = {}
    for row in rows:
        principal = row.get("principal") if isinstance(row, dict) else None
        if not isinstance(principal, dict) or not principal.get("principal_id"):
            raise Malformed("a permission assignment names no principal")
        listed = row.get("permissions") or []
        if not isinstance(listed, list):
            raise Malformed("the `permissions` of an assignment are no list")
        permissions = {str(each) for each in listed}
        kind, name = next(
            ((kind, str(principal[key])) for kind, key in ASSIGNED_NAMES.items() if principal.get(key)),
            ("", ""),
        )
        if permissions:
            held[str(principal["principal_id"])] = Assigned(_permission(permissions), kind, name)
    return held


ASSIGNED_NAMES = {GROUP: "group_name", PERSON: "user_name", SERVICE: "service_principal_name"}


def _permission(permissions: set[str]) -> Value:
    """ADMIN wins over USER (SDK docstring: workspace_assignment.update)."""
    if ADMIN in permissions:
        return ADMIN
    return USER if permissions == {USER} else "+".join(sorted(permissions))


def settle(held: frozenset[str], assignment: Value | None, listed: bool) -> frozenset[str]:
    """Entitlements without the consumer access that others include, unless a document asks for it.

    The service shows it beside them for some and not for others: a drift that would never end (Terraform
    provider, issues 4769 and 5138).
    """
    included = assignment == ADMIN or not held.isdisjoint(INCLUDES_CONSUME)
    return held - {CONSUME} if included and not listed else held


class Scope(NamedTuple):
    """A secret scope as the list shows it."""

    name: str
    backend: str
    vault: tuple[str, str] = ("", "")
    """ARM id and address of the key vault behind it."""


def scopes(payload: Payload) -> Mapping[str, Scope]:
    """All scopes by lower-case name, which is how Databricks compares them; `{}` says that there are none."""
    rows = payload.get("scopes", [])
    if not isinstance(rows, list):
        raise Malformed("`scopes` is no list")
    found = {}
    for row in rows:
        if not isinstance(row, dict) or not row.get("name"):
            raise Malformed("a secret scope has no `name`")
        vault = row.get("keyvault_metadata") or {}
        if not isinstance(vault, dict):
            raise Malformed(f"the key vault of secret scope {row['name']!r} is no object")
        found[str(row["name"]).lower()] = Scope(
            str(row["name"]),
            str(row.get("backend_type") or "DATABRICKS"),
            (str(vault.get("resource_id") or ""), str(vault.get("dns_name") or "")),
        )
    return found


def acl(payload: Payload) -> list[tuple[str, Value]]:
    """Who may use a scope, as (name on the wire, permission); `{}` says that nobody was given anything."""
    rows = payload.get("items", [])
    if not isinstance(rows, list):
        raise Malformed("`items` is no list")
    entries = []
    for row in rows:
        if not isinstance(row, dict) or not row.get("principal") or not row.get("permission"):
            raise Malformed("an entry of a secret ACL has no `principal` and `permission`")
        entries.append((str(row["principal"]), str(row["permission"]).upper()))
    return entries


def secrets(payload: Payload) -> Mapping[str, float]:
    """When each secret was last set, in seconds since 1970, by lower-case key.

    The timestamp is in milliseconds, a number or a text of one (recordings show both).
    """
    rows = payload.get("secrets", [])
    if not isinstance(rows, list):
        raise Malformed("`secrets` is no list")
    found = {}
    for row in rows:
        if not isinstance(row, dict) or not row.get("key"):
            raise Malformed("a secret has no `key`")
        try:
            changed = float(row.get("last_updated_timestamp") or 0) / 1000
        except (TypeError, ValueError, OverflowError):
            raise Malformed(f"the age of secret {row['key']!r} is no number") from None
        if not 0 <= changed < LAST_SECOND:
            raise Malformed(f"the age of secret {row['key']!r} is no time")
        found[str(row["key"]).lower()] = changed
    return found


def own_names(payload: Payload) -> frozenset[str]:
    """What ACLs may call the caller, in lower case: `Me` shows a service principal as a user of that name."""
    names = (payload.get("userName"), payload.get("applicationId"))
    found = frozenset(str(name).lower() for name in names if name)
    if not found:
        raise Malformed("`Me` has no `userName` and no `applicationId`")
    return found
