"""What belongs to the account as a whole: service properties, account information, user delegation keys."""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from xml.sax.saxutils import escape

from reconciler.emulator.lake.account import Account
from reconciler.emulator.lake.blob_listing import XML
from reconciler.emulator.lake.call import Call, reply
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.rights import CONTRIBUTOR, DELEGATOR, OWNER, READER
from reconciler.emulator.wire import Response

_OFF = "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>"
_SECTIONS = {
    "Logging": f"<Version>1.0</Version><Read>false</Read><Write>false</Write><Delete>false</Delete>{_OFF}",
    "HourMetrics": (
        "<Version>1.0</Version><Enabled>true</Enabled><IncludeAPIs>true</IncludeAPIs>"
        "<RetentionPolicy><Enabled>true</Enabled><Days>7</Days></RetentionPolicy>"
    ),
    "MinuteMetrics": f"<Version>1.0</Version><Enabled>false</Enabled>{_OFF}",
    "Cors": "",
    "DeleteRetentionPolicy": "<Enabled>false</Enabled><AllowPermanentDelete>false</AllowPermanentDelete>",
    "StaticWebsite": "<Enabled>false</Enabled>",
    "DefaultServiceVersion": "",
}
"""Sections of the service properties in the service's order, with the content of a new account."""
_ORDERS = {
    "Logging": ("Version", "Read", "Write", "Delete", "RetentionPolicy"),
    "CorsRule": ("AllowedMethods", "AllowedOrigins", "AllowedHeaders", "ExposedHeaders", "MaxAgeInSeconds"),
    "DeleteRetentionPolicy": ("Enabled", "Days", "AllowPermanentDelete"),
}
_DAYS = range(1, 366)


def get(call: Call) -> Response:
    """`GET /?restype=service&comp=properties`."""
    call.access.need_role(OWNER, CONTRIBUTOR, READER)
    parts = []
    for name, default in _SECTIONS.items():
        inner = call.account.properties.get(name, default)
        if name == "DefaultServiceVersion" and not inner:
            continue
        parts.append(f"<{name}>{inner}</{name}>" if inner else f"<{name} />")
    body = f"{XML}<StorageServiceProperties>{''.join(parts)}</StorageServiceProperties>"
    return reply(200, [], body.encode(), "application/xml")


def put(call: Call) -> Response:
    """`PUT /?restype=service&comp=properties`: the sections that the body names are replaced."""
    call.access.need_role(OWNER)
    text = call.request.body.decode("utf-8-sig", "replace")
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise StorageError("InvalidXmlDocument") from error
    _check_days(text, tree)
    for section in tree:
        call.account.properties[section.tag] = _inner(section)
    apply_retention(call.account)
    return reply(202)


def apply_retention(account: Account) -> None:
    """Let soft deletion follow the properties."""
    policy = account.properties.get("DeleteRetentionPolicy")
    if policy is not None:
        tree = ElementTree.fromstring(f"<x>{policy}</x>")
        on = tree.findtext("Enabled") == "true"
        account.retention_days = int(tree.findtext("Days", "0")) if on else 0


def _check_days(text: str, tree: ElementTree.Element) -> None:
    days = tree.findtext("DeleteRetentionPolicy/Days")
    if days is None or int(days) in _DAYS:
        return
    before = text[: text.index("</DeleteRetentionPolicy>")]
    raise StorageError(
        "InvalidXmlDocument",
        details=(
            ("LineNumber", str(before.count("\n") + 1)),
            ("LinePosition", str(len(before) - before.rfind("\n") + 2)),
            ("Reason", "Retention days must be greater than 0 and less than or equal to 365 days."),
        ),
    )


def _inner(element: ElementTree.Element) -> str:
    order = _ORDERS.get(element.tag)
    children = list(element)
    if order:
        children.sort(key=lambda child: order.index(child.tag) if child.tag in order else len(order))
    if not children:
        return escape(element.text or "")
    if element.tag == "DeleteRetentionPolicy" and element.find("AllowPermanentDelete") is None:
        return "".join(map(_outer, children)) + "<AllowPermanentDelete>false</AllowPermanentDelete>"
    return "".join(map(_outer, children))


def _outer(element: ElementTree.Element) -> str:
    inner = _inner(element)
    if element.tag in ("AllowedHeaders", "ExposedHeaders"):
        # Recorded: whole names come back before prefixes.
        inner = ",".join(sorted(inner.split(","), key=lambda name: name.endswith("*")))
    return f"<{element.tag}>{inner}</{element.tag}>" if inner else f"<{element.tag} />"


def account_information(call: Call) -> Response:
    """`GET ?restype=account&comp=properties`, which any path of the account answers alike."""
    return reply(
        200,
        [
            ("x-ms-sku-name", "Standard_LRS"),
            ("x-ms-account-kind", "StorageV2"),
            ("x-ms-is-hns-enabled", str(call.account.hns).lower()),
        ],
    )


def user_delegation_key(call: Call) -> Response:
    """`POST /?restype=service&comp=userdelegationkey`: only for a signed-in caller with a data role."""
    if call.access.who.startswith("$"):
        raise StorageError("AuthenticationFailed")
    call.access.need_role(OWNER, CONTRIBUTOR, READER, DELEGATOR)
    try:
        tree = ElementTree.fromstring(call.request.body)
    except ElementTree.ParseError as error:
        raise StorageError("InvalidXmlDocument") from error
    start, expiry = tree.findtext("Start", ""), tree.findtext("Expiry", "")
    secret = hashlib.sha256(f"{call.account.name}/{call.access.who}/{start}/{expiry}".encode()).digest()
    fields: Iterable[tuple[str, str]] = (
        ("SignedOid", call.access.who),
        ("SignedTid", call.tenant),
        ("SignedStart", start),
        ("SignedExpiry", expiry),
        ("SignedService", "b"),
        ("SignedVersion", call.version),
        ("Value", base64.b64encode(secret).decode()),
    )
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields)
    body = f"{XML}<UserDelegationKey>{inner}</UserDelegationKey>"
    return reply(200, [], body.encode(), "application/xml")
