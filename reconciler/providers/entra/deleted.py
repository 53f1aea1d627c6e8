"""Objects that were deleted and can still be restored: they look absent, and are not.

Entra keeps deleted users, groups and applications for 30 days (Microsoft docs: directory deletedItems).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.providers.entra.batch import batch
from reconciler.providers.entra.client import Failed, GraphClient
from reconciler.providers.entra.wire import Call, literal, objects, query

FEW = 200
"""Names that are asked for in one run: the answer explains, and decides nothing."""

_MANGLED = re.compile(r"^[0-9a-f]{32}")
"""A deleted user's name gets its id as a prefix, so that the name is free for somebody else."""
_KINDS = {"user": "user", "group": "group", "sp": "servicePrincipal"}


async def soft_deleted(client: GraphClient, names: Mapping[str, str]) -> dict[str, str]:
    """Words for each name whose object is soft-deleted; `names` gives the id that it is pinned to, or "".

    What cannot be asked is left out: nothing rests on it but an explanation.
    """
    asked = dict(sorted(names.items())[:FEW])
    calls = [_call(name, pin) for name, pin in asked.items()]
    found: dict[str, str] = {}
    for name, reply in zip(asked, await batch(client, calls), strict=True):
        if isinstance(reply, Failed) or not reply.ok or not isinstance(reply.payload, dict):
            continue
        values = [reply.payload] if reply.payload.get("id") else objects(reply) or []
        match = next((one for one in values if pinned_or_named(one, name, asked[name])), None)
        if match is not None:
            when = str(match.get("deletedDateTime") or "").partition("T")[0]
            found[name] = (
                f"was deleted{' on ' + when if when else ''} as {match['id']} and can be restored for 30 "
                "days; restore it, or remove it from the policies"
            )
    return found


def pinned_or_named(payload: Mapping[str, Any], principal: str, pin: str) -> bool:
    """Whether a deleted object is the one that is missed: filters are optional for the service, here not."""
    kind, _, plain = principal.partition(":")
    if pin:
        return str(payload.get("id", "")).lower() == pin.lower()
    if kind == "user":
        name = str(payload.get("userPrincipalName") or "").lower()
        return plain.lower() in (name, _MANGLED.sub("", name))
    return payload.get("displayName") == plain


def _call(name: str, pin: str) -> Call:
    kind, _, plain = name.partition(":")
    if pin:
        return Call(path=f"/directory/deletedItems/{pin}")
    condition = (
        f"endsWith(userPrincipalName,{literal(plain)})"
        if kind == "user"
        else f"displayName%20eq%20{literal(plain)}"
    )
    path = f"/directory/deletedItems/microsoft.graph.{_KINDS.get(kind, 'user')}"
    select = "id,deletedDateTime," + ("userPrincipalName" if kind == "user" else "displayName")
    options = query(filter=condition, select=select, count="true")
    return Call(path=path + options, advanced=True)
