"""Rate limits of the Databricks APIs, and in which words each turns a caller away.

Switch `databricks.scim-throttle`: `500` (default; databricks-sdk-go pull request 721: SCIM throttling arrives
as an internal error without Retry-After), `token-bucket` (the other text that is seen), or `429`.
"""

from __future__ import annotations

from reconciler.emulator.databricks.errors import Refusal, rest, scim
from reconciler.emulator.databricks.state import Account, Workspace
from reconciler.emulator.world import World

PUBLISHED_LIMITS: dict[str, tuple[float, float]] = {
    "databricks/scim-get": (255, 60),
    "databricks/scim-group-patch": (10, 60),
    "databricks/scim-group-delete": (35, 60),
    "databricks/account-scim-get": (20, 1),
    "databricks/account-scim-list": (240, 60),
    "databricks/account-scim-patch": (2, 1),
    "databricks/account-scim-write": (5, 1),
    "databricks/assignment-put": (5, 1),
    "databricks/permissions-get": (100, 1),
    "databricks/permissions-write": (30, 1),
    "databricks/secrets": (1100, 60),
}
"""Requests per seconds by API class, per workspace or per account.

Source: databrickslabs/ucx, the `rate_limited` decorators of workspace_access ("updated per the limits
page of Microsoft docs"); the account SCIM list and write classes are from a secondary source.
"""
CONCURRENCY = 4
"""databricks-sdk-go pull request 721: SCIM requests of one workspace under way at once."""


def bucket_of(method: str, area: str, kind: str, one: bool, workspace: Workspace | None) -> str | None:
    """The class that a request counts in, or None for an unlimited one."""
    if area == "scim" and workspace is None:
        if method == "GET":
            return "databricks/account-scim-get" if one else "databricks/account-scim-list"
        return "databricks/account-scim-patch" if method == "PATCH" else "databricks/account-scim-write"
    if area == "scim":
        if method == "GET":
            return "databricks/scim-get"
        if kind == "Groups" and method in ("PATCH", "DELETE"):
            return f"databricks/scim-group-{method.lower()}"
        return None
    if area == "assignment":
        return "databricks/assignment-put" if method != "GET" else None
    if area == "permissions":
        return "databricks/permissions-get" if method == "GET" else "databricks/permissions-write"
    return "databricks/secrets" if area == "secrets" else None


def check(world: World, account: Account, workspace: Workspace | None, area: str, bucket: str | None) -> None:
    """Take one unit of a class; raises the refusal in the class's own words."""
    if bucket is None or bucket not in world.throttle.buckets:
        return
    wait = world.throttle.take(bucket, 1, world.clock.now())
    if wait is not None:
        raise _refusal(world, account, workspace, area, wait)


def _refusal(world: World, account: Account, workspace: Workspace | None, area: str, wait: int) -> Refusal:
    place = f"Workspace {workspace.id}" if workspace is not None else f"Account {account.id}"
    form = str(world.switches.get("databricks.scim-throttle", "500")) if area == "scim" else "429"
    if form == "500":
        text = f"REQUEST_LIMIT_EXCEEDED: {place} exceeded the concurrent limit of {CONCURRENCY} requests."
        return scim(500, text)
    if form == "token-bucket":
        return scim(
            500,
            "REQUEST_LIMIT_EXCEEDED: GetUserPermissionsRequest RPC token bucket limit has been exceeded.",
        )
    return rest(
        429,
        "REQUEST_LIMIT_EXCEEDED",
        f"{place} exceeded the rate limit. Please try again later.",
        retry_after=wait,
    )
