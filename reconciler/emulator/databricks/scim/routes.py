"""The SCIM endpoints: list, get, create, replace, patch and delete of the three kinds, and `Me`."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

from reconciler.emulator.databricks.errors import SCIM_JSON, scim
from reconciler.emulator.databricks.scim import filter as scim_filter
from reconciler.emulator.databricks.scim import patch, writes
from reconciler.emulator.databricks.scim.render import (
    SINGULAR,
    Document,
    Wanted,
    editable,
    list_envelope,
    resource,
    sort_key,
)
from reconciler.emulator.databricks.scim.stale import Staleness
from reconciler.emulator.databricks.state import GROUPS, NAME_ATTRIBUTE, PRINCIPALS, USERS, Identity
from reconciler.emulator.databricks.sync import user_attrs
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Response, json_response

DEFAULT_COUNT = 10_000
"""SDK source: the page size that its iterators ask for, and the documented default."""
ALL = Wanted(None, None)
OPEN_TO_ALL = Wanted("userName,displayName,applicationId", None)
"""Databricks docs, "SCIM API 2.0": what those who are no admins are shown in lists, beside the id."""


class Scim:
    """The SCIM endpoints over one account."""

    def __init__(self, staleness: Staleness) -> None:
        self.staleness = staleness
        self._texts: dict[tuple[Any, ...], tuple[int, str]] = {}

    def handle(self, view: View, kind: str, identifier: str | None) -> Response:
        """Answer a request for a collection (no identifier) or one resource of a kind."""
        method = view.request.method
        _check_rights(view, one=identifier is not None)
        if identifier is None:
            if method == "GET":
                return self._list(view, kind)
            if method == "POST":
                return self._create(view, kind)
        elif method == "GET":
            return self._get(view, kind, identifier)
        elif method in ("PATCH", "PUT"):
            return self._change(view, kind, identifier, method)
        elif method == "DELETE":
            return self._delete(view, kind, identifier)
        raise scim(405, f"HTTP method {method} not allowed")

    def me(self, view: View) -> Response:
        """`/Me`: the caller itself, whatever its rights."""
        document = resource(view, view.me, _wanted(view))
        if view.me.kind == PRINCIPALS:
            # A service principal reads itself as a user of that name (Terraform, data_current_user_test).
            document["userName"] = view.me.name
        return _answer(200, document)

    def _find(self, view: View, kind: str, identifier: str) -> Identity:
        found = view.account.identities.get(identifier)
        if found is None or found.kind != kind or not _shown(view, found):
            raise _not_found(kind)
        return found

    def _get(self, view: View, kind: str, identifier: str) -> Response:
        wanted = _wanted(view)
        past = self.staleness.read(view.name, identifier, "get") if kind == GROUPS else None
        if past is not None:
            if past.document is None:
                raise _not_found(kind)
            return _answer(200, wanted.trim(dict(past.document)))
        return _answer(200, resource(view, self._find(view, kind, identifier), wanted))

    def _list(self, view: View, kind: str) -> Response:
        param = view.request.param
        wanted = _wanted(view) if view.admin else OPEN_TO_ALL
        if kind == GROUPS and view.strict and not wanted.only and not param("filter"):
            wanted = Wanted(None, ",".join([*wanted.without, "entitlements", "groups", "roles"]))
        start = max(1, _number(param("startIndex"), 1))
        count = max(0, _number(param("count"), DEFAULT_COUNT))
        past = self._pasts(view, kind)
        text = param("filter")
        found = self._candidates(view, kind, text, bool(past))
        order = param("sortBy")
        if text or order or past:
            documents = self._documents(view, found, past)
            if text:
                predicate = scim_filter.parse(text)
                documents = [document for document in documents if predicate(document)]
            if order:
                backwards = (param("sortOrder") or "ascending").lower() == "descending"
                documents.sort(key=lambda document: sort_key(document, order), reverse=backwards)
            total = len(documents)
            page = documents[start - 1 : start - 1 + count]
            rendered = [_dumps(self._trimmed(view, document, wanted)) for document in page]
        else:
            total = len(found)
            rendered = [
                self._text(view, identity, wanted) for identity in found[start - 1 : start - 1 + count]
            ]
        return Response(200, [SCIM_JSON], list_envelope(total, start, rendered))

    def _pasts(self, view: View, kind: str) -> dict[str, Any]:
        if kind != GROUPS:
            return {}
        told = {}
        for group in self.staleness.behind(view.name):
            past = self.staleness.read(view.name, group, "list")
            if past is not None:
                told[group] = past.document
        return told

    def _candidates(self, view: View, kind: str, text: str | None, everything: bool) -> list[Identity]:
        simple = scim_filter.simple_equality(text) if text and not everything else None
        if simple is not None:
            found = self._indexed(view, kind, *simple)
            if found is not None:
                return [identity for identity in found if _shown(view, identity)]
        identities = view.account.identities
        if view.workspace is None:
            return [each for each in identities.values() if each.kind == kind and not each.home]
        visible = view.identities.visible(view.workspace)
        return [each for each in identities.values() if each.kind == kind and each.id in visible]

    def _indexed(self, view: View, kind: str, attribute: str, value: str) -> list[Identity] | None:
        account = view.account
        if attribute == NAME_ATTRIBUTE[kind].lower():
            ids = {account.by_name.get((kind, value.lower()))}
            if view.workspace is not None and kind == GROUPS:
                ids.add(view.workspace.local_names.get(value.lower()))
        elif attribute == "externalid":
            ids = {account.by_external.get(value)}
        elif attribute == "id":
            ids = {value}
        else:
            return None
        known = (account.identities.get(each) for each in ids if each)
        return [identity for identity in known if identity is not None and identity.kind == kind]

    def _documents(self, view: View, found: list[Identity], past: dict[str, Any]) -> list[Document]:
        listed = _list_members(view)
        documents = [
            past[identity.id] if identity.id in past else resource(view, identity, ALL, listed)
            for identity in found
        ]
        present = {identity.id for identity in found}
        documents += [document for group, document in past.items() if group not in present]
        return [document for document in documents if document is not None]

    def _trimmed(self, view: View, document: Document, wanted: Wanted) -> Document:
        if "members" in document and not _list_members(view):
            document = {key: value for key, value in document.items() if key != "members"}
        return wanted.trim(document)

    def _text(self, view: View, identity: Identity, wanted: Wanted) -> str:
        key = (view.name, identity.id, view.admin, view.strict, wanted.key)
        listed = _list_members(view)
        if identity.kind == GROUPS and listed and wanted.has("members"):
            view.identities.members(identity)
        cached = self._texts.get(key)
        if cached is not None and cached[0] == view.account.version:
            return cached[1]
        text = _dumps(resource(view, identity, wanted, listed))
        self._texts[key] = (view.account.version, text)
        return text

    def _remember(self, view: View, group: Identity) -> None:
        """Keep how a group looked, for caches that have not heard of the coming write."""
        if group.kind != GROUPS:
            return
        places = [view]
        if view.workspace is None:
            assigned = (each for each in view.account.workspaces.values() if group.id in each.assigned)
            places += [replace(view, workspace=each, place="workspace") for each in assigned]
        for place in places:
            self.staleness.wrote(place.name, group.id, resource(place, group, ALL))

    def _change(self, view: View, kind: str, identifier: str, method: str) -> Response:
        identity = self._find(view, kind, identifier)
        body = _body(view)
        if method == "PUT":
            document = _replacement(view, identity, body)
        else:
            document = editable(view, identity)
            _reject_nulls(kind, body)
            patch.apply(document, body)
        self._remember(view, identity)
        writes.save(view, identity, document)
        return _answer(200, resource(view, identity, ALL))

    def _delete(self, view: View, kind: str, identifier: str) -> Response:
        identity = self._find(view, kind, identifier)
        if identity.system:
            raise scim(400, f"Cannot delete the {identity.name} group.", "mutability")
        self._remember(view, identity)
        if view.workspace is not None and not identity.home:
            # An identity of the account leaves the workspace; it stays in the account.
            view.workspace.assigned.pop(identity.id, None)
            view.workspace.entitlements.pop(identity.id, None)
            view.account.version += 1
        else:
            view.account.remove(identity)
        return Response(204)

    def _create(self, view: View, kind: str) -> Response:
        body = _body(view)
        attrs = writes.attributes(body)
        name = _new_name(view, kind, attrs)
        home = view.workspace.name if view.workspace is not None and kind == GROUPS else ""
        if writes.lookup(view, kind, name) is not None:
            raise writes.conflict(view, kind, name)
        existing = None if home else view.account.named(kind, name)
        identity = existing or Identity(kind, view.identities.new_id(kind), _defaults(kind, attrs), home)
        entitlements = writes.by_value(body.get("entitlements"))
        members = writes.members_of(view, body) if kind == GROUPS else {}
        writes.check_entitlements(view, identity, entitlements)
        if members:
            writes.check_members(view, identity, members)
        if existing is None:
            identity.members = members
            view.account.add(identity)
        if view.workspace is not None:
            if not home:
                view.workspace.assigned[identity.id] = ["USER"]
                view.workspace.assigned_at[identity.id] = view.world.clock.now()
            writes.set_entitlements(view, identity, entitlements)
        if kind == GROUPS:
            self.staleness.wrote(view.name, identity.id, None)
        document = resource(view, identity, ALL)
        if view.strict and "meta" in document:
            # Clients of RFC 7643 take this word for the endpoint to send the resource back to.
            document["meta"] = {"resourceType": SINGULAR[kind]}
        return _answer(_created(view), document)


def _dumps(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _answer(status: int, document: Document) -> Response:
    return json_response(status, document, [SCIM_JSON])


def _wanted(view: View) -> Wanted:
    return Wanted(view.request.param("attributes"), view.request.param("excludedAttributes"))


def _number(text: str | None, default: int) -> int:
    if text is None or text == "":
        return default
    try:
        return int(text)
    except ValueError:
        raise scim(400, f"Invalid value for a number: {text}", "invalidValue") from None


def _shown(view: View, identity: Identity) -> bool:
    if view.workspace is None:
        return not identity.home
    return identity.id in view.workspace.assigned or identity.id in view.identities.visible(view.workspace)


def _list_members(view: View) -> bool:
    """Account lists leave members out since August 2025 (SDK docstring of AccountGroupsV2API.list)."""
    return view.workspace is not None or bool(view.switch("account-groups-list-members", False))


def _check_rights(view: View, *, one: bool) -> None:
    """Those who are no admins may list names and ids in a workspace, and nothing else."""
    if view.admin:
        return
    method = view.request.method
    # Terraform issues 4994 and 2193: naming externalId, and getting a single resource, is for admins.
    named = "externalid" in (view.request.param("attributes") or "").lower()
    if method != "GET" or one or named or view.place in ("account", "misplaced"):
        raise scim(403, f"{view.request.path.removeprefix('/api')} is only accessible by admins")


def _not_found(kind: str) -> Exception:
    return scim(404, f"{SINGULAR[kind]} not found.")


def _created(view: View) -> int:
    """201 by the account's API reference and RFC 7644; 200 by the table of SCIM codes for workspaces."""
    return 201 if view.workspace is None or view.strict else 200


def _body(view: View) -> Document:
    try:
        body = view.request.json()
    except ValueError:
        raise patch.unparsable() from None
    if not isinstance(body, dict):
        raise patch.unparsable()
    return body


def _reject_nulls(kind: str, body: Any) -> None:
    for operation in patch.operations(body):
        path = str(operation.get("path", "")).lower()
        if path == "entitlements" and "value" in operation and operation["value"] is None:
            raise writes.broken_patch(kind)


def _replacement(view: View, identity: Identity, body: Document) -> Document:
    document = dict(body)
    name = NAME_ATTRIBUTE[identity.kind]
    if identity.kind == GROUPS and "members" in document:
        document["members"] = patch.as_items(document["members"] or [])
    document.setdefault(name, identity.name)
    if identity.kind != GROUPS:
        document.setdefault("active", identity.attrs.get("active", True))
    if identity.kind == USERS:
        for kept in ("name", "emails", "displayName"):
            if kept in identity.attrs:
                document.setdefault(kept, identity.attrs[kept])
    if identity.external_id and "externalId" not in document:
        document["externalId"] = identity.external_id
    return document


def _new_name(view: View, kind: str, attrs: Document) -> str:
    attribute = NAME_ATTRIBUTE[kind]
    if kind == PRINCIPALS and not attrs.get(attribute):
        attrs[attribute] = str(uuid.UUID(int=view.world.random.getrandbits(128), version=4))
    name = attrs.get(attribute)
    if not isinstance(name, str) or not name:
        raise scim(400, f"Attribute {attribute} is required.", "invalidValue")
    return name


def _defaults(kind: str, attrs: Document) -> Document:
    if kind == USERS:
        display = str(attrs.get("displayName") or attrs["userName"])
        return {**user_attrs(str(attrs["userName"]), display), **attrs}
    if kind == PRINCIPALS:
        return {"active": True, **attrs}
    return attrs
