"""Who is who in one workspace: from a principal of the policies to a resident, and from a bare name back.

Its law: Entra's object id decides.  A name alone is never enough to take somebody for a group of Entra.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.core.model import Identity
from reconciler.providers.databricks.canonical import GROUP, PERSON, SERVICE, Resident

APPLICATION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
STRANGER = "databricks"
"""`databricks:x` is a group that Entra knows nothing of: it belongs to the account or to the workspace."""


class Ambiguous(Exception):
    """A bare name of which it cannot be told whom it means; the text says why and what to do."""


class Match(NamedTuple):
    """Who a principal is in the workspace: a resident, or why nobody may be taken for them, or nobody."""

    resident: Resident | None = None
    conflict: str = ""


@dataclass(slots=True)
class Roster:
    """The residents that were read so far, found by id, by Entra's id and by name."""

    by_id: dict[str, Resident] = field(default_factory=dict)
    by_external: dict[tuple[str, str], Resident] = field(default_factory=dict)
    by_name: dict[tuple[str, str], list[Resident]] = field(default_factory=dict)

    def add(self, residents: Iterable[Resident]) -> None:
        """Take residents in; one who is known already stays as first read."""
        for each in residents:
            if each.id in self.by_id:
                continue
            self.by_id[each.id] = each
            self.by_name.setdefault((each.kind, each.name.casefold()), []).append(each)
            if each.external_id:
                self.by_external.setdefault((each.kind, each.external_id), each)

    def named(self, kind: str, name: str) -> list[Resident]:
        """Everybody of this kind and name; Databricks compares names without regard to case."""
        return self.by_name.get((kind, name.casefold()), [])

    def match(self, principal: str, identity: Identity) -> Match:
        """Who a principal of the policies is here."""
        kind, _, name = principal.partition(":")
        found = self.by_external.get((kind, identity.object_id.lower()))
        if found is not None and identity.object_id:
            return Match(found)
        wire = wire_name(principal, identity)
        for namesake in self.named(kind, wire) if wire else ():
            conflict = _conflict(namesake, name, identity.object_id)
            if conflict:
                return Match(conflict=conflict)
            return Match(namesake)
        return Match()

    def namesake(self, principal: str, identity: Identity) -> str:
        """Why an ACL entry of this name would not, or not surely, be the principal's; "" when it would."""
        kind, _, name = principal.partition(":")
        own = self.match(principal, identity)
        if own.conflict:
            return own.conflict
        wire = own.resident.name if own.resident else wire_name(principal, identity)
        others = [each for each in self.named(kind, wire) if each is not own.resident]
        return next(filter(None, (_conflict(each, name, identity.object_id) for each in others)), "")

    def owner(self, wire: str) -> list[Resident]:
        """Everybody whom a bare name in an ACL may mean."""
        return [each for kind in (GROUP, PERSON, SERVICE) for each in self.named(kind, wire)]


def wire_name(principal: str, identity: Identity) -> str:
    """What Databricks calls a principal when it is in step with Entra; "" when that is not known."""
    kind, _, name = principal.partition(":")
    return identity.app_id if kind == SERVICE else name


def _conflict(namesake: Resident, name: str, object_id: str) -> str:
    """Why a resident of the same name is not the one whom Entra means; "" when it may be taken for it."""
    entra = f"Entra's {name} is {object_id}" if object_id else f"Entra knows no single {name}"
    if namesake.local:
        return (
            f"the workspace has a group of its own called {namesake.name} (id {namesake.id}), and {entra}: "
            "rename or delete the workspace's group"
        )
    if namesake.external_id:
        return (
            f"Databricks' {namesake.name} (id {namesake.id}) carries the external id {namesake.external_id}, "
            f"and {entra}: correct its externalId in the account"
        )
    if namesake.kind == GROUP:
        return (
            f"Databricks' group {namesake.name} (id {namesake.id}) carries no external id, and {entra}: set "
            "its externalId in the account; where no group shows one, this identity is no workspace admin"
        )
    return ""


def stranger(resident: Resident) -> str:
    """How somebody is called of whom Entra is not known to know anything."""
    if resident.kind == GROUP:
        return f"{STRANGER}:{resident.name}"
    if resident.kind == PERSON:
        return f"user:{resident.name.lower()}"
    return f"sp:{resident.display}"


def guess_kind(wire: str) -> str:
    """What a bare name looks like, where no resident bears it."""
    if APPLICATION_ID.fullmatch(wire):
        return SERVICE
    return PERSON if "@" in wire else GROUP


@dataclass(frozen=True, slots=True)
class Labels:
    """From bare names in ACLs to principals, and back to the names to write."""

    roster: Roster
    principals: Mapping[tuple[str, str], str]
    """By kind and Entra's object id: what the policies, or else the directory, call them."""
    doubts: Mapping[str, str] = field(default_factory=dict)
    """Principals that cannot be told by name, with the reason: nobody may plan to take anything from them."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Entra's object ids whose names could not be read, with the reason."""

    def of(self, wire: str) -> str:
        """The principal that a bare name stands for; raises Ambiguous where that cannot be told."""
        owners = self.roster.owner(wire)
        if len(owners) > 1:
            ids = ", ".join(f"{each.kind} {each.id}" for each in owners)
            raise Ambiguous(f"{wire!r} may mean any of {ids}: give all but one of them another name")
        if owners:
            (owner,) = owners
            if owner.external_id in self.unread:
                raise Ambiguous(f"who {wire!r} is could not be read: {self.unread[owner.external_id]}")
            known = self.principals.get((owner.kind, owner.external_id)) if owner.external_id else None
            if known is None and owner.kind == SERVICE:
                known = self.principals.get((SERVICE, owner.name.lower()))
            return known or stranger(owner)
        kind = guess_kind(wire)
        if kind == SERVICE:
            return self.principals.get((SERVICE, wire.lower()), f"id:{wire.lower()}")
        return f"user:{wire.lower()}" if kind == PERSON else f"{STRANGER}:{wire}"
