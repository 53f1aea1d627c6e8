"""What a SCIM resource looks like on the wire, in the account and in a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.emulator.databricks.scim.filter import values_at
from reconciler.emulator.databricks.state import GROUPS, PRINCIPALS, USERS, Identity
from reconciler.emulator.databricks.view import View

Document = dict[str, Any]
CORE = "urn:ietf:params:scim:schemas:core:2.0:"
SCHEMAS = {
    USERS: [CORE + "User"],
    GROUPS: [CORE + "Group"],
    PRINCIPALS: [CORE + "ServicePrincipal"],
}
SINGULAR = {USERS: "User", GROUPS: "Group", PRINCIPALS: "ServicePrincipal"}
ALWAYS = frozenset({"schemas", "id"})


def member_items(view: View, group: Identity) -> list[Document]:
    """The `members` of a group; their kind can only be told from `$ref`."""
    identities = view.account.identities
    items = []
    for member in view.identities.members(group):
        known = identities.get(member)
        if known is None:
            items.append({"value": member, **group.members.get(member, {})})
        else:
            items.append({"display": known.display_name, "value": member, "$ref": known.ref})
    return items


def _parent_items(view: View, identity: Identity) -> list[Document]:
    parents = view.identities.parents(identity)
    if view.workspace is not None and identity.kind != GROUPS:
        held = view.workspace.assigned.get(identity.id, ())
        for name, inside in (("admins", "ADMIN" in held), ("users", bool(held))):
            if inside:
                parents.append(view.account.identities[view.workspace.local_names[name]])
    return [
        {"display": group.name, "type": "direct", "value": group.id, "$ref": group.ref}
        for group in parents
        if not group.home or group.home == view.name
    ]


def entitlement_items(view: View, identity: Identity) -> list[Document]:
    """The entitlements held directly; only workspaces have any."""
    held = view.workspace.entitlements.get(identity.id, {}) if view.workspace else {}
    return list(held.values())


def editable(view: View, identity: Identity) -> Document:
    """The part of a resource that PATCH works on, as a copy."""
    document: Document = {key: _copy(value) for key, value in identity.attrs.items()}
    if identity.kind == GROUPS:
        document["members"] = member_items(view, identity)
    entitlements = entitlement_items(view, identity)
    if entitlements:
        document["entitlements"] = entitlements
    return document


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copy(inner) for inner in value]
    return value


class Wanted:
    """Which attributes a request asks for: `attributes`, else all but `excludedAttributes`."""

    def __init__(self, attributes: str | None, excluded: str | None) -> None:
        self.only = _names(attributes)
        self.without = _names(excluded)
        self.key = (attributes or "", excluded or "")

    def also(self, name: str) -> Wanted:
        """The same with one attribute more (a lower-case name)."""
        return Wanted(",".join([*self.only, name]), ",".join(self.without))

    def has(self, name: str) -> bool:
        """Whether a top-level attribute is to be returned, at least in part."""
        lowered = name.lower()
        if self.only:
            return lowered in self.only or any(held.startswith(lowered + ".") for held in self.only)
        return lowered not in self.without

    def trim(self, document: Document) -> Document:
        """Drop what was not asked for; `id` and `schemas` always stay."""
        if not self.only and not self.without:
            return document
        kept = {}
        for key, value in document.items():
            if key in ALWAYS:
                kept[key] = value
            elif self.has(key):
                kept[key] = self._inner(key.lower(), value)
        return kept

    def _inner(self, name: str, value: Any) -> Any:
        parts = {held.partition(".")[2] for held in self.only if held.startswith(name + ".")}
        if name in self.only:
            parts = set()
        gone = {held.partition(".")[2] for held in self.without if held.startswith(name + ".")}
        if not parts and not gone:
            return value
        if isinstance(value, list):
            return [self._inner(name, item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: inner
            for key, inner in value.items()
            if (key.lower() in parts if parts else key.lower() not in gone)
        }


def _names(text: str | None) -> frozenset[str]:
    return frozenset(
        part.strip().rpartition(":")[2].lower() for part in (text or "").split(",") if part.strip()
    )


def resource(view: View, identity: Identity, wanted: Wanted, members: bool = True) -> Document:
    """A resource as this place shows it to this caller; empty attributes are left out."""
    kind = identity.kind
    document: Document = {"schemas": _schemas(identity), "id": identity.id}
    document.update(identity.attrs)
    if kind == GROUPS:
        document["meta"] = {"resourceType": "WorkspaceGroup" if identity.home else "Group"}
        if members and view.admin and wanted.has("members"):
            document["members"] = member_items(view, identity)
    if wanted.has("groups") and (view.workspace is not None or kind != USERS):
        # Terraform provider, pull request 2398: the account's Users API does not return groups.
        document["groups"] = _parent_items(view, identity)
    if wanted.has("entitlements"):
        document["entitlements"] = entitlement_items(view, identity)
    if kind == PRINCIPALS and "username" in wanted.only:
        # Terraform asks for userName and reads applicationId: to the service they are one attribute.
        wanted = wanted.also("applicationid")
    return wanted.trim({key: value for key, value in document.items() if value not in (None, [], "")})


def _schemas(identity: Identity) -> list[str]:
    base = SCHEMAS[identity.kind]
    extensions = [key for key in identity.attrs if key.startswith("urn:") and key not in base]
    return [*base, *extensions] if extensions else base


def list_envelope(total: int, start: int, resources: list[str]) -> bytes:
    """A ListResponse around resources that are already JSON."""
    head = (
        f'{{"totalResults":{total},"startIndex":{start},"itemsPerPage":{len(resources)},'
        '"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"Resources":['
    )
    return (head + ",".join(resources) + "]}").encode()


def sort_key(document: Mapping[str, Any], attribute: str) -> str:
    """By what a list is sorted: the first value of an attribute, without regard to case."""
    found = values_at(document, attribute.split("."))
    return str(found[0]).lower() if found else ""
