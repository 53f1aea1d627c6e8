"""Read who is in a workspace with which entitlements.

Its law: a principal is matched by Entra's object id; a namesake is a gap with both ids, never a match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.core.model import Attribute, Found, Identity, Lifecycle, Presence, Value, Wanted
from reconciler.providers.databricks.boundaries import tenants, watches
from reconciler.providers.databricks.canonical import (
    COLLECTIONS,
    GROUP,
    SYSTEM,
    Assigned,
    Malformed,
    Resident,
    settle,
)
from reconciler.providers.databricks.client import Failure
from reconciler.providers.databricks.kinds import ASSIGNMENT, CONSUME, ENTITLEMENTS, HELD
from reconciler.providers.databricks.roster import stranger, wire_name
from reconciler.providers.databricks.site import Reading

ACCOUNT_QUESTIONS = 25
"""So many principals that are not in the workspace are looked for in the account, one request each."""


def read_entitlements(reading: Reading, wanted: Sequence[Wanted], identities: Mapping[str, Identity]) -> None:
    """Fill in everything about entitlements; what fails becomes gaps."""
    watched = watches(reading.boundaries, ENTITLEMENTS)
    if not wanted and not watched:
        return
    try:
        assigned = reading.site.assigned()
    except (Failure, Malformed) as error:
        reading.gap_all(ENTITLEMENTS, wanted, error)
        return
    failed = _load(reading, wanted, identities, watched)
    claimed: set[str] = set()
    absent: list[Wanted] = []
    for want in wanted:
        resident = _read_one(reading, want, identities[want.address.locator], assigned, failed)
        if resident is not None:
            claimed.add(resident.id)
        elif want.address in reading.found:
            absent.append(want)
    _tell_absent(reading, absent, identities)
    if watched:
        for reason in failed.values():
            reading.gap(reading.site.address(ENTITLEMENTS, "*"), reason)
        _tell_unmanaged(reading, assigned, claimed)


def _load(
    reading: Reading, wanted: Sequence[Wanted], identities: Mapping[str, Identity], watched: bool
) -> dict[str, Exception]:
    """Fetch the people that the answer needs; the kinds that could not be read, with the reason."""
    if watched:
        return reading.load(COLLECTIONS)
    failed: dict[str, Exception] = {}
    for kind in COLLECTIONS:
        names = [want.address.locator for want in wanted if want.address.locator.startswith(f"{kind}:")]
        try:
            reading.people.some(kind, [wire_name(name, identities[name]) for name in names])
            roster = reading.people.roster
            if any(_unmatched(roster.match(name, identities[name])) for name in names):
                # Somebody may still be there under a former name: only the whole list can tell.
                reading.people.whole(kind)
        except (Failure, Malformed) as error:
            failed[kind] = error
    return failed


def _unmatched(match: tuple[Resident | None, str]) -> bool:
    return match[0] is None


def _read_one(
    reading: Reading,
    want: Wanted,
    identity: Identity,
    assigned: Mapping[str, Assigned],
    failed: Mapping[str, Exception],
) -> Resident | None:
    """Enter one wanted principal as found or as a gap; the resident that it was matched with."""
    address, principal = want.address, want.address.locator
    kind = principal.partition(":")[0]
    if identity.presence is Presence.UNREADABLE:
        reading.gap(address, f"who {principal} is could not be read: {identity.reason}")
        return None
    if kind in failed:
        reading.gap(address, failed[kind])
        return None
    match = reading.people.roster.match(principal, identity)
    if match.conflict and identity.object_id:
        reading.gap(address, match.conflict)
        return None
    if match.conflict:
        reading.tell("dangling", address, match.conflict, want)
    if match.resident is None:
        hidden = _hidden(principal, identity, assigned)
        if hidden:
            reading.gap(address, hidden)
        else:
            reading.found[address] = Found(address=address, grants={})
        return None
    held = assigned.get(match.resident.id)
    facts = facts_of(principal, match.resident, held.permission if held else None, want.grants)
    reading.found[address] = Found(address=address, grants=facts)
    return match.resident


def facts_of(
    principal: str, resident: Resident, permission: Value | None, wanted: Mapping[Attribute, Value]
) -> dict[Attribute, Value]:
    """What a resident holds, as facts: assignment, and one role per entitlement."""
    listed = Attribute(CONSUME, principal) in wanted
    facts = {
        Attribute(entitlement, principal): HELD
        for entitlement in sorted(settle(resident.entitlements, permission, listed))
    }
    if permission is not None:
        facts[Attribute(ASSIGNMENT, principal)] = permission
    return facts


def _hidden(principal: str, identity: Identity, assigned: Mapping[str, Assigned]) -> str:
    """Why somebody whom SCIM does not show is in the workspace all the same; "" when they are not."""
    kind, wire = principal.partition(":")[0], wire_name(principal, identity).casefold()
    for ident, held in assigned.items():
        if wire and held.kind == kind and held.name.casefold() == wire:
            return (
                f"{principal} is assigned (id {ident}), and the workspace's SCIM does not show it: "
                "lists lag behind assignments by up to a minute, read again"
            )
    return ""


def _tell_absent(reading: Reading, absent: Sequence[Wanted], identities: Mapping[str, Identity]) -> None:
    """Say of principals that are not in the workspace whether the account knows them at all."""
    asked = 0
    for want in absent:
        identity = identities[want.address.locator]
        if identity.presence is not Presence.KNOWN or want.lifecycle is not Lifecycle.ACTIVE:
            continue
        if not want.grants:
            continue
        asked += 1
        if asked > ACCOUNT_QUESTIONS:
            return
        text = _unresolved(reading, want.address.locator, identity)
        if text:
            reading.tell("unresolved", want.address, text, want)


def _unresolved(reading: Reading, principal: str, identity: Identity) -> str:
    kind = principal.partition(":")[0]
    try:
        people = reading.site.in_account(kind, wire_name(principal, identity))
    except (Failure, Malformed) as error:
        return f"whether the account knows {principal} could not be read: {error}"
    ours = [each for each in people if each.external_id == identity.object_id.lower()]
    if ours:
        return ""
    if people:
        theirs = people[0]
        return (
            f"the account knows {principal} as id {theirs.id} with external id {theirs.external_id or '-'}, "
            f"and Entra's is {identity.object_id}: correct the externalId before it is assigned"
        )
    if reading.site.sync == "aim":
        return f"{principal} is in Entra and not yet in the account: assigning it will bring it there"
    return (
        f"{principal} is in Entra and not in the account: add it to the provisioning application's scope, "
        "and wait for its next cycle"
    )


def _tell_unmanaged(reading: Reading, assigned: Mapping[str, Assigned], claimed: set[str]) -> None:
    """Everybody who is in the workspace, or holds something there, and whom no document names."""
    try:
        myself = reading.site.myself()
    except (Failure, Malformed) as error:
        reading.gap(reading.site.address(ENTITLEMENTS, "*"), error)
        return
    for resident in sorted(reading.people.roster.by_id.values(), key=lambda each: (each.kind, each.name)):
        place = assigned.get(resident.id)
        held = resident.entitlements - (SYSTEM[resident.name] if resident.system else frozenset())
        ours = resident.id in claimed or resident.name.lower() in myself
        if ours or (resident.system and resident.name == "admins") or not (held or place):
            continue
        entra = resident.kind == GROUP and resident.external_id
        name = f"{GROUP}:{resident.name}" if entra else stranger(resident)
        tenant = tenants(reading.boundaries, ENTITLEMENTS, name)
        if tenant is None:
            continue
        what = [f"assigned as {place.permission}"] if place else []
        what += [f"holds {', '.join(sorted(held))}"] if held else []
        reading.tell(
            "unmanaged",
            reading.site.address(ENTITLEMENTS, name),
            f"is {' and '.join(what)}, and no document names it",
            tenant=tenant,
        )
