"""The rules that a SCIM write must pass before it becomes state."""

from __future__ import annotations

from typing import Any

from reconciler.emulator.databricks.errors import scim
from reconciler.emulator.databricks.scim import patch
from reconciler.emulator.databricks.scim.render import SINGULAR, Document
from reconciler.emulator.databricks.state import (
    ACCOUNT_ADMIN,
    GROUPS,
    NAME_ATTRIBUTE,
    USERS,
    Entitlements,
    Identity,
    Members,
)
from reconciler.emulator.databricks.view import View

ENTITLEMENTS = (
    "workspace-access",
    "databricks-sql-access",
    "workspace-consume",
    "allow-cluster-create",
    "allow-instance-pool-create",
)
"""Source of the Terraform provider, scim/scim.go: the API names of workspace entitlements."""
DEFAULTS = ("workspace-access", "databricks-sql-access")
"""Microsoft docs, "Manage entitlements": what `users` and `admins` hold from the start."""
COMPUTED = frozenset({"schemas", "id", "meta", "groups", "members", "entitlements", "password"})


def broken_patch(kind: str) -> Exception:
    """The catch-all 500, which also answers what will never work."""
    return scim(500, f"Error in performing the patch operation on {SINGULAR[kind].lower()} resource.")


def attributes(body: Document) -> Document:
    """The client-written attributes of a POST or PUT body."""
    kept: Document = {}
    for key, value in body.items():
        name = key[0].lower() + key[1:] if key[:1].isupper() else key
        if name in COMPUTED or value is None:
            continue
        kept[name] = patch.flag(value) if name == "active" else value
    return kept


def by_value(items: Any) -> dict[str, Document]:
    """The items of a multi-valued attribute by their `value`, each once, in order."""
    found = patch.as_items(items if items is not None else [])
    return {str(item["value"]): item for item in found if item.get("value")}


def check_entitlements(view: View, identity: Identity, wanted: Entitlements) -> None:
    """Refuse entitlements of unknown name, in the account, or taken from the admins."""
    if view.workspace is None:
        # The account takes entitlements and forgets them (Terraform issues 2132, 4888, SDK issue 269).
        # Only when asked by a workspace's path does its host say so.
        said = view.place == "misplaced" or view.switch("account-entitlements", "ignore") == "refuse"
        if wanted and said:
            raise scim(400, "entitlements can only be managed at the workspace level", "invalidValue")
        return
    known = view.switch("unknown-entitlements", "accept") == "accept"
    for value in wanted:
        if value not in ENTITLEMENTS and not known:
            raise scim(400, f"Entitlement {value} is not supported.", "invalidValue")
    if identity.system and identity.name == "admins" and not set(DEFAULTS) <= set(wanted):
        raise scim(400, "Entitlements of the admins group cannot be removed.", "invalidValue")


def check_members(view: View, group: Identity, wanted: Members) -> None:
    """Refuse any change of a group that Entra owns, and a group as a member of itself.

    Switch `databricks.unknown-members`: `accept` (the default) takes ids of nobody; `refuse` answers 400.
    What the real service says to such an id is not known.
    Switch `databricks.external-groups`: `workspace-read-only` (the default: the workspace API refuses, the
    account API obeys, as Databricks' knowledge base has it), `read-only`, or `writable`.
    """
    present = dict.fromkeys(view.identities.members(group))
    if wanted.keys() == present.keys():
        return
    rule = view.switch("external-groups", "workspace-read-only")
    owned = group.external_id is not None and not group.home
    if owned and (rule == "read-only" or (rule == "workspace-read-only" and view.workspace is not None)):
        raise broken_patch(GROUPS)
    strict = view.switch("unknown-members", "accept") == "refuse"
    for member in wanted:
        if strict and member not in view.account.identities:
            raise scim(400, f"Invalid member value: {member}", "invalidValue")
        if member == group.id:
            raise scim(400, f"Group {group.name} cannot be a member of itself.", "invalidValue")


def save(view: View, identity: Identity, document: Document) -> None:
    """Check a whole changed document and take it over; nothing changes when anything is refused."""
    entitlements = by_value(document.get("entitlements"))
    members = members_of(view, document) if identity.kind == GROUPS else {}
    changed = attributes(document)
    if entitlements != held_by(view, identity) or view.workspace is None:
        check_entitlements(view, identity, entitlements)
    if identity.kind == GROUPS:
        check_members(view, identity, members)
    name = changed.get(NAME_ATTRIBUTE[identity.kind]) or identity.name
    _check_name(view, identity, str(name))
    _check_last_admin(view, identity, changed)
    _take(view, identity, {**changed, NAME_ATTRIBUTE[identity.kind]: name})
    if identity.kind == GROUPS:
        _take_members(view, identity, members)
    if view.workspace is not None:
        set_entitlements(view, identity, entitlements)


def members_of(view: View, document: Document) -> Members:
    """The members that a document names; of known ones, only the id is kept."""
    named = by_value(document.get("members"))
    known = view.account.identities
    return {member: {} if member in known else item for member, item in named.items()}


def held_by(view: View, identity: Identity) -> Entitlements:
    """The entitlements that an identity holds directly in this place."""
    return view.workspace.entitlements.get(identity.id, {}) if view.workspace else {}


def set_entitlements(view: View, identity: Identity, wanted: Entitlements) -> None:
    """Replace the directly held entitlements of an identity in this workspace."""
    held = view.here.entitlements
    if wanted:
        held[identity.id] = wanted
    else:
        held.pop(identity.id, None)
    view.account.version += 1


def _check_last_admin(view: View, identity: Identity, changed: Document) -> None:
    """The account keeps at least one admin (Terraform issue 1732)."""
    kept = any(role.get("value") == ACCOUNT_ADMIN for role in changed.get("roles") or ())
    if kept or ACCOUNT_ADMIN not in identity.roles:
        return
    others = (each for each in view.account.identities.values() if each.id != identity.id)
    if not any(ACCOUNT_ADMIN in each.roles for each in others):
        raise scim(400, f"PERMISSION_DENIED: Cannot remove roles for {identity.id}", "invalidValue")


def _check_name(view: View, identity: Identity, name: str) -> None:
    if name.lower() == identity.name.lower():
        return
    if identity.system:
        raise scim(400, f"Group {identity.name} is a system group and cannot be renamed.", "mutability")
    taken = lookup(view, identity.kind, name)
    if taken is not None and taken.id != identity.id:
        raise conflict(view, identity.kind, name)


def conflict(view: View, kind: str, name: str) -> Exception:
    """409 in the words that clients match on (Terraform provider, scim/resource_*.go)."""
    if kind == GROUPS:
        return scim(409, f"Group with name {name} already exists.")
    if kind == USERS:
        place = "" if view.workspace is not None else " in this account"
        return scim(
            409, f"User with {'username' if view.workspace else 'email'} {name} already exists{place}"
        )
    return scim(409, f"Service principal with application ID {name} already exists.")


def lookup(view: View, kind: str, name: str) -> Identity | None:
    """Who has this name in this place."""
    account = view.account
    if view.workspace is None:
        return account.named(kind, name)
    local = view.workspace.local_names.get(name.lower()) if kind == GROUPS else None
    if local is not None:
        return account.identities[local]
    found = account.named(kind, name)
    if found is None or found.id not in view.identities.visible(view.workspace):
        return None
    return found


def _take(view: View, identity: Identity, attrs: Document) -> None:
    view.account.unindex(identity)
    identity.attrs = attrs
    view.account.index(identity)
    view.account.version += 1


def _take_members(view: View, group: Identity, members: Members) -> None:
    if not group.system:
        view.account.set_members(group, members)
        return
    if not group.home:
        raise scim(400, f"Members of {group.name} cannot be changed.", "mutability")
    assigned = view.account.workspaces[group.home].assigned
    for gone in [member for member in assigned if member not in members]:
        if group.name == "users":
            raise scim(400, "Cannot remove members from the users group.", "mutability")
        if "ADMIN" in assigned[gone]:
            assigned[gone] = ["USER"]
    for member in members:
        held = assigned.get(member, [])
        if group.name == "admins" and "ADMIN" not in held:
            assigned[member] = ["ADMIN"]
        elif not held:
            assigned[member] = ["USER"]
    view.account.version += 1
