"""What a request costs and how fast an application may spend it.

Source: Microsoft docs, "Microsoft Graph service-specific throttling limits", identity and access: a token
bucket of resource units per application and tenant, whose size follows the tenant's, and one of writes.
Costs that the recordings show are theirs: a user by id costs 1, the collection 2.
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

COLLECTIONS = {"users": 2, "applications": 2, "oauth2permissiongrants": 2}
RELATIONS = {"members": 3, "transitivemembers": 5, "memberof": 2, "transitivememberof": 2}
ACTIONS = {
    "getmembergroups": 2,
    "getmemberobjects": 2,
    "checkmembergroups": 4,
    "checkmemberobjects": 4,
    "getbyids": 3,
}


def units(method: str, segments: tuple[str, ...], query: Query) -> int:
    """Resource units of a request: `$select` and a small `$top` save one each, `$expand` costs one."""
    if method != "GET":
        return ACTIONS.get(_last(segments), 1)
    base = COLLECTIONS.get(segments[0].lower(), 1) if len(segments) == 1 else 1
    for segment in segments[1:]:
        base = RELATIONS.get(segment.lower(), base)
    saved = bool(query.select) + (query.top is not None and query.top < 20) - bool(query.expand)
    return max(1, base - saved)


def writes(method: str, segments: tuple[str, ...]) -> int:
    """Write units of a request: one, except for reads and for actions that only read."""
    return 0 if method == "GET" or _last(segments) in ACTIONS else 1


def _last(segments: tuple[str, ...]) -> str:
    return segments[-1].lower().removeprefix("microsoft.graph.") if segments else ""


def read_bucket(world: World) -> str:
    """The bucket of resource units that fits the tenant's size."""
    users = len(world.directory.users)
    return f"graph/read-{'small' if users < 50 else 'medium' if users <= 500 else 'large'}"


def throttled(world: World, read: int, write: int) -> tuple[int, str] | None:
    """Spend units: None when they were there, else seconds to wait and which limit was exceeded.

    A limit named `graph/read` holds whatever the tenant's size.
    """
    if not world.throttle.buckets:
        return None
    now = world.clock.now()
    for bucket in ("graph/read", read_bucket(world)):
        wait = world.throttle.take(bucket, read, now)
        if wait is not None:
            return wait, "ResourceUnitLimitExceeded"
    wait = world.throttle.take("graph/write", write, now) if write else None
    return (wait, "WriteLimitExceeded") if wait is not None else None


def used(world: World) -> float:
    """The share of the fullest bucket that is spent, for `x-ms-throttle-limit-percentage`."""
    buckets = [
        world.throttle.buckets[name]
        for name in ("graph/read", read_bucket(world), "graph/write")
        if name in world.throttle.buckets
    ]
    return max((1 - bucket.level / bucket.capacity for bucket in buckets), default=0.0)
