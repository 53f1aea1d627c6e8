"""Lease requests on paths and containers, and what a lease asks of a write."""

from __future__ import annotations

import re
import uuid
from typing import Protocol

from reconciler.emulator.lake import conditions, leases, paths
from reconciler.emulator.lake.acl import WRITE
from reconciler.emulator.lake.call import Call, Headers, changed_headers, reply
from reconciler.emulator.lake.errors import bad_header, no_header
from reconciler.emulator.lake.leases import Lease
from reconciler.emulator.lake.rights import CONTRIBUTOR, OWNER
from reconciler.emulator.lake.tree import Node
from reconciler.emulator.wire import Response

_GUID = re.compile(r"[{(]?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}[)}]?")


class Leased(Protocol):
    """Whatever holds a lease: a path's details or a filesystem."""

    lease: Lease | None


def on_path(call: Call) -> Response:
    """`PUT ?comp=lease` of a blob and `POST` with `x-ms-lease-action` of a path."""
    chain = paths.existing(call)
    node = chain[-1]
    call.access.need(chain, WRITE, OWNER, CONTRIBUTOR)
    conditions.check(call.request.headers, node.changed)
    return _act(call, node.detail(), node.changed, "blob" if call.dialect == "blob" else "resource")


def on_container(call: Call) -> Response:
    """`PUT ?restype=container&comp=lease`."""
    store = call.store()
    call.access.need_role(OWNER, CONTRIBUTOR)
    conditions.check(call.request.headers, store.changed)
    return _act(call, store, store.changed, "container")


def lease_id(call: Call, name: str) -> str | None:
    """A header that holds a lease id; raises StorageError when it is not a GUID."""
    value = call.header(name)
    if value is not None and not _GUID.fullmatch(value):
        raise bad_header(name, value)
    return value


def _seconds(call: Call, name: str, low: int, high: int) -> int | None:
    text = call.header(name)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not (low <= number <= high or (name == "x-ms-lease-duration" and number == leases.INFINITE)):
        raise bad_header(name, text)
    return number


def _act(call: Call, held: Leased, changed: int, kind: str) -> Response:
    given = lease_id(call, "x-ms-lease-id")
    proposed = lease_id(call, "x-ms-proposed-lease-id")
    found: Headers = changed_headers(changed)
    match (call.header("x-ms-lease-action") or "").lower():
        case "acquire":
            duration = _seconds(call, "x-ms-lease-duration", 15, 60)
            if duration is None:
                raise no_header("x-ms-lease-duration")
            name = proposed or str(uuid.uuid5(uuid.NAMESPACE_URL, call.request_id))
            held.lease = leases.acquire(held.lease, name, duration, call.now)
            return reply(201, [*found, ("x-ms-lease-id", held.lease.id)])
        case "renew":
            return reply(200, [*found, ("x-ms-lease-id", leases.renew(held.lease, given, call.now).id)])
        case "change":
            if proposed is None:
                raise no_header("x-ms-proposed-lease-id")
            lease = leases.change(held.lease, given, proposed, call.now)
            return reply(200, [*found, ("x-ms-lease-id", lease.id)])
        case "release":
            leases.release(held.lease, given, call.now)
            return reply(200, found)
        case "break":
            period = _seconds(call, "x-ms-lease-break-period", 0, 60)
            left = leases.break_(held.lease, period, call.now, kind)
            return reply(202, [*found, ("x-ms-lease-time", str(left))])
    raise bad_header("x-ms-lease-action", call.header("x-ms-lease-action") or "")


def guard_blob(call: Call, node: Node) -> None:
    """Refuse a Blob write that ignores the path's lease, in that endpoint's words."""
    lease = node.details.lease if node.details else None
    leases.guard(lease, lease_id(call, "x-ms-lease-id"), call.now, "blob")


def on_write(call: Call, node: Node) -> None:
    """Respect the lease of a file that data is written to; `x-ms-lease-action` may take or renew it first."""
    action = (call.header("x-ms-lease-action") or "").lower()
    details = node.detail()
    if action in ("acquire", "acquire-release"):
        proposed = lease_id(call, "x-ms-proposed-lease-id")
        duration = _seconds(call, "x-ms-lease-duration", 15, 60)
        if proposed is None:
            raise no_header("x-ms-proposed-lease-id")
        details.lease = leases.acquire(details.lease, proposed, duration or leases.INFINITE, call.now)
        return
    paths.respect_lease(call, node)
    if action == "auto-renew" and details.lease is not None:
        leases.renew(details.lease, call.header("x-ms-lease-id"), call.now)


def after_flush(call: Call, node: Node) -> None:
    """Give the lease back where the write that just ended asked for it."""
    details = node.detail()
    action = (call.header("x-ms-lease-action") or "").lower()
    if action in ("release", "acquire-release") and details.lease is not None:
        details.lease.released = True
