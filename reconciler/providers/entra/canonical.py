"""From Graph's payloads to canonical things: who an object is, and what a group grants.

Pure: equal payloads give equal things, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reconciler.core.model import (
    EXISTS,
    PRESENT,
    Address,
    Attribute,
    Finding,
    Found,
    Value,
    Wanted,
)
from reconciler.core.spelling import PRINCIPAL
from reconciler.providers.entra.documents import DESCRIPTION, MEMBER, NAME, OWNER, OWNERS_MANAGED

USER, GROUP, SP = "user", "group", "sp"
TYPES = {
    "#microsoft.graph.user": USER,
    "#microsoft.graph.group": GROUP,
    "#microsoft.graph.serviceprincipal": SP,
}
ID = "id:"
"""What a principal's name begins with when all that can be said of it is its object id."""


class Entry(NamedTuple):
    """A directory object as far as access goes."""

    id: str
    kind: str
    """`user`, `group`, `sp`; another type's own name otherwise, such as `device`."""
    name: str = ""
    """User principal name in lower case, or display name; "" when it may not be read."""
    app_id: str = ""
    enabled: bool = True
    display: str = ""

    @property
    def principal(self) -> str:
        """How policies would name it if the name is its alone; `id:…` where they cannot."""
        spelt = f"{self.kind}:{self.name}"
        if self.kind in (USER, GROUP, SP) and PRINCIPAL.fullmatch(spelt):
            return spelt
        return ID + self.id

    @property
    def readable(self) -> bool:
        """False when the service showed no more than type and id, for want of a right."""
        return bool(self.name) or self.kind not in (USER, GROUP, SP)

    def answers_to(self, principal: str) -> bool:
        """Whether this name means this object: by display name, user name, application id or object id."""
        if principal == ID + self.id or principal == self.principal:
            return True
        return self.kind == SP and bool(self.app_id) and principal.lower() == f"sp:{self.app_id}"


def entry(payload: Mapping[str, Any], kind: str = "") -> Entry:
    """A directory object from its JSON; `kind` where the collection's type is not in the payload."""
    spelt = str(payload.get("@odata.type") or "")
    kind = kind or TYPES.get(spelt.lower(), spelt.rpartition(".")[2] or "object")
    display = str(payload.get("displayName") or "")
    name = str(payload.get("userPrincipalName") or "").lower() if kind == USER else display
    return Entry(
        id=str(payload["id"]).lower(),
        kind=kind,
        name=name,
        app_id=str(payload.get("appId") or "").lower(),
        enabled=payload.get("accountEnabled") is not False,
        display=display,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group without its members."""

    id: str
    name: str
    description: str | None = None
    read_only: str = ""
    """Why its members cannot be written; "" when they can."""
    role_assignable: bool = False
    hidden: bool = False
    """Whether who is in it is shown only to those with a right of their own."""


GROUP_SELECT = (
    "id,displayName,description,groupTypes,mailEnabled,onPremisesSyncEnabled,isAssignableToRole,visibility"
)


def group(payload: Mapping[str, Any]) -> Group:
    """A group from its JSON."""
    return Group(
        id=str(payload["id"]).lower(),
        name=str(payload.get("displayName") or ""),
        description=described if isinstance(described := payload.get("description"), str) else None,
        read_only=_read_only(payload),
        role_assignable=bool(payload.get("isAssignableToRole")),
        hidden=payload.get("visibility") == "HiddenMembership",
    )


def _read_only(payload: Mapping[str, Any]) -> str:
    """Source: Microsoft docs, Add members: dynamic, synchronised and mail-enabled groups refuse it."""
    listed = payload.get("groupTypes")
    types = listed if isinstance(listed, list) else ()
    if "DynamicMembership" in types:
        return "its membership follows a rule in Entra: declare no members, or make it an assigned group"
    if payload.get("onPremisesSyncEnabled"):
        return "it is synchronised from on-premises Active Directory: change it there, or declare another"
    if payload.get("mailEnabled") and "Unified" not in types:
        return "it is mail-enabled: Exchange manages it; declare a security group"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything that was read of one group."""

    group: Group
    members: tuple[Entry, ...]
    owners: tuple[Entry, ...] | None
    """None where the document does not declare owners, so that they were not read."""


def found(
    address: Address,
    reading: Reading,
    name: Callable[[Entry], str],
    kept: Mapping[Attribute, str],
    wanted: Wanted,
) -> Found:
    """A group in canonical form, with the properties that the policies speak of."""
    grants: dict[Attribute, Value] = {Attribute(EXISTS): PRESENT}
    if wanted.was:
        grants[Attribute(NAME)] = reading.group.name
    if Attribute(DESCRIPTION) in wanted.grants and reading.group.description:
        grants[Attribute(DESCRIPTION)] = reading.group.description
    grants.update((Attribute(MEMBER, name(each)), MEMBER) for each in reading.members)
    grants.update((Attribute(OWNER, name(each)), OWNER) for each in reading.owners or ())
    return Found(
        address=address,
        grants=grants,
        object_id=reading.group.id,
        read_only=reading.group.read_only,
        kept=kept,
    )


def holders(reading: Reading) -> Iterable[tuple[str, Entry]]:
    """Role and holder of every membership and ownership."""
    yield from ((MEMBER, each) for each in reading.members)
    yield from ((OWNER, each) for each in reading.owners or ())


def speaks_of_owners(wanted: Wanted) -> bool:
    """Whether the document declares owners, be it as none."""
    return OWNERS_MANAGED in wanted.details


def leavers(wanted: Wanted, reading: Reading, name: Callable[[Entry], str]) -> Iterable[Finding]:
    """Accounts that were disabled and still hold something."""
    for role, each in holders(reading):
        if not each.enabled:
            listed = Attribute(role, name(each)) in wanted.grants
            step = "take it out of the document" if listed else "no document lists it"
            yield Finding(
                rule="leaver",
                address=wanted.address,
                tenant=wanted.tenant,
                source=wanted.source,
                text=f"{name(each)} is a {role} and its account is disabled in Entra: {step}",
            )
