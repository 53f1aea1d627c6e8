"""What a request costs and how fast an application may spend it.

Source: Microsoft docs, "Microsoft Graph service-specific throttling limits", identity and access: a token
bucket of resource units per application and tenant, whose size follows the tenant's, and one of writes.
"""

from __future__ import annotations

from reconciler.emulator.graph.query import Query
from reconciler.emulator.world import World

PUBLISHED_LIMITS = {
    "graph/read-small": (3_500, 10),
    "graph/read-medium": (5_000, 10),
    "graph/read-large": (8_000, 10),
    "graph/write": (3_000, 150),
}
"""Bucket: (capacity in resource units or writes, seconds).  Small is below 50 users, medium up to 500."""


def tenant_size(world: World) -> str:
    """`small`, `medium` or `large`, by the number of users."""
    users = len(world.directory.users)
    return "small" if users < 50 else "medium" if users <= 500 else "large"


def units(base: int, query: Query, method: str) -> int:
    """Resource units of a request: `$select` and a small `$top` save one each, `$expand` costs one."""
    if method != "GET":
        return base
    saved = bool(query.select) + (query.top is not None and query.top < 20) - bool(query.expand)
    return max(1, base - saved)


def throttled(world: World, read: int, write: int) -> tuple[int, str] | None:
    """Spend units: None when they were there, else seconds to wait and which limit was exceeded.

    The bucket `graph/read` limits reads whatever the tenant's size; `graph/read-<size>` by size.
    """
    now = world.clock.now()
    for bucket in ("graph/read", f"graph/read-{tenant_size(world)}"):
        wait = world.throttle.take(bucket, read, now)
        if wait is not None:
            return wait, "ResourceUnitLimitExceeded"
    wait = world.throttle.take("graph/write", write, now) if write else None
    return (wait, "WriteLimitExceeded") if wait is not None else None


BASE = {
    "members": 3,
    "transitivemembers": 5,
    "memberof": 2,
    "transitivememberof": 2,
    "getmembergroups": 2,
    "getmemberobjects": 2,
    "checkmembergroups": 4,
    "checkmemberobjects": 4,
    "getbyids": 3,
}


def estimate(segments: tuple[str, ...]) -> int:
    """Resource units of a request by its path alone, before `$select`, `$top` and `$expand`."""
    if segments and segments[0].lower() in ("users", "applications") and len(segments) < 3:
        return 2
    return max((BASE.get(part.lower(), 1) for part in segments[1:]), default=1)
