"""Public access and stored access policies of a container: Set and Get Container ACL, no POSIX list."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

from reconciler.emulator.lake import conditions, leases
from reconciler.emulator.lake.blob_listing import XML
from reconciler.emulator.lake.call import Call, Headers, changed_headers, reply
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.rights import OWNER
from reconciler.emulator.wire import Response

LIMIT = 5
"""Stored access policies of one container at most (Microsoft docs: Set Container ACL)."""
_SECONDS = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z")


def put(call: Call) -> Response:
    """`PUT ?restype=container&comp=acl`."""
    call.access.need_role(OWNER)
    store = call.store()
    conditions.check(call.request.headers, store.changed)
    leases.guard(store.lease, call.header("x-ms-lease-id"), call.now, "container")
    try:
        tree = ElementTree.fromstring(call.request.body or b"<SignedIdentifiers />")
    except ElementTree.ParseError as error:
        raise StorageError("InvalidXmlDocument") from error
    if len(tree) > LIMIT:
        raise StorageError("InvalidXmlDocument")
    store.policies = "".join(map(_identifier, tree))
    store.public_access = call.header("x-ms-blob-public-access") or ""
    store.changed = call.account.tick()
    return reply(200, changed_headers(store.changed))


def get(call: Call) -> Response:
    """`GET ?restype=container&comp=acl`."""
    call.access.need_role(OWNER)
    store = call.store()
    found: Headers = changed_headers(store.changed)
    if store.public_access:
        found.append(("x-ms-blob-public-access", store.public_access))
    inner = store.policies
    body = f"<SignedIdentifiers>{inner}</SignedIdentifiers>" if inner else "<SignedIdentifiers />"
    return reply(200, found, f"{XML}{body}".encode(), "application/xml")


def _identifier(element: ElementTree.Element) -> str:
    name = f"<Id>{escape(element.findtext('Id', ''))}</Id>"
    policy = element.find("AccessPolicy")
    if policy is None or not len(policy):
        return f"<SignedIdentifier>{name}</SignedIdentifier>"
    inner = "".join(f"<{child.tag}>{escape(_precise(child.text or ''))}</{child.tag}>" for child in policy)
    return f"<SignedIdentifier>{name}<AccessPolicy>{inner}</AccessPolicy></SignedIdentifier>"


def _precise(text: str) -> str:
    match = _SECONDS.fullmatch(text)
    return f"{match[1]}.{(match[2] or '').ljust(7, '0')}Z" if match else text
