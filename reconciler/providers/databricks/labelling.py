"""Find out whom the names in a workspace's ACLs mean, asking no more than needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.core.model import Identity, Presence
from reconciler.providers.contract import Directory
from reconciler.providers.databricks.canonical import GROUP, PERSON, SERVICE
from reconciler.providers.databricks.people import People
from reconciler.providers.databricks.roster import Labels, guess_kind, wire_name
from reconciler.providers.databricks.site import Site


def labels_for(
    site: Site,
    people: People,
    identities: Mapping[str, Identity],
    directory: Directory,
    wires: Iterable[str],
    granted: Iterable[str],
) -> Labels:
    """How to tell whom names in ACLs mean; raises Failure or Malformed where it cannot be told.

    `wires` are the names that are there, `granted` the principals of the policies.
    """
    wires = frozenset(wires)
    principals = {**site.services, **known_principals(identities)}
    names: dict[str, set[str]] = {GROUP: set(), PERSON: set(), SERVICE: set()}
    for principal in granted:
        kind = principal.partition(":")[0]
        if kind in names:
            names[kind].add(wire_name(principal, identities[principal]))
    for wire in wires:
        # A group may be called like a person or an application; the other way round it cannot happen.
        names[GROUP].add(wire)
        if guess_kind(wire) == SERVICE and (SERVICE, wire.lower()) not in principals:
            names[SERVICE].add(wire)
    for kind, asked in names.items():
        people.some(kind, asked)
    unknown = {
        each.external_id
        for wire in wires
        for each in people.roster.owner(wire)
        if each.external_id and (each.kind, each.external_id) not in principals
    }
    doubts, unread = {}, {}
    for object_id, identity in directory.name(sorted(unknown)).items():
        if identity.presence is Presence.UNREADABLE:
            unread[object_id.lower()] = identity.reason or "the directory did not say"
        elif identity.presence is Presence.KNOWN and identity.principal.startswith("id:"):
            doubts[identity.principal] = "its name in Entra is not its alone, pin it to tell it apart"
        for kind in names:
            principals.setdefault((kind, object_id.lower()), identity.principal)
    labels = Labels(people.roster, principals, doubts, unread)
    for wire in wires:
        key = (SERVICE, wire.lower())
        if guess_kind(wire) == SERVICE and not people.roster.named(GROUP, wire) and not unread:
            site.services[key] = labels.of(wire)
    return labels


def known_principals(identities: Mapping[str, Identity]) -> dict[tuple[str, str], str]:
    """By kind, and by Entra's object id or the application id: what the policies call somebody."""
    known = {}
    for principal, identity in identities.items():
        kind = principal.partition(":")[0]
        if identity.object_id:
            known[kind, identity.object_id.lower()] = principal
        if kind == SERVICE and identity.app_id:
            known[kind, identity.app_id.lower()] = principal
    return known
