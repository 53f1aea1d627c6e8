"""Scopes: which one lies above which, and the resources that give them meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulator.arm import errors

DEFAULT_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
DEFAULT_GROUP = "lake"
ACCOUNT = "Microsoft.Storage/storageAccounts"
MANAGEMENT = "/providers/Microsoft.Management/managementGroups/"
_SUBSCRIPTION = re.compile(r"(?i)^/subscriptions/([^/]+)")
_ACCOUNT = re.compile(
    r"(?i)^/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Storage/storageAccounts/([^/]+)"
)


def none() -> Collection[str]:
    """No account is known from elsewhere."""
    return ()


@dataclass(slots=True)
class Estate:
    """Subscriptions with their management groups, resource groups and storage accounts.

    A subscription, or a resource group, that no seed names is taken to exist as long as none of its kind is
    named; storage accounts of emulated lakes exist in the default subscription unless a seed places them.
    """

    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id: `management-groups` (from the nearest up) and `resource-groups` by name."""
    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Subscription and resource group by storage account."""
    lakes: Callable[[], Collection[str]] = none
    """Names of storage accounts that another service serves."""

    @property
    def subscription(self) -> str:
        """The subscription that is meant where none is given."""
        return next(iter(self.subscriptions), DEFAULT_SUBSCRIPTION)

    def account_id(self, name: str) -> str:
        """The resource id of a storage account, known or not."""
        subscription, group = self.accounts.get(name, (self.subscription, DEFAULT_GROUP))
        return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{ACCOUNT}/{name}"

    def container_id(self, account: str, container: str) -> str:
        """The resource id of a container."""
        return f"{self.account_id(account)}/blobServices/default/containers/{container}"

    def knows_account(self, name: str) -> bool:
        """Whether a storage account exists."""
        return name in self.accounts or name in self.lakes()

    def resolve(self, scope: str) -> str:
        """A scope of a seed: a resource id, `subscription`, `<account>` or `<account>/<container>`."""
        if scope.startswith("/"):
            return scope.rstrip("/") or "/"
        if scope == "subscription":
            return f"/subscriptions/{self.subscription}"
        account, _, container = scope.partition("/")
        return self.container_id(account, container) if container else self.account_id(account)

    def need(self, scope: str) -> None:
        """Raise ArmError (404) for a scope in a subscription, or a storage account, that does not exist."""
        match = _SUBSCRIPTION.match(scope)
        known = {subscription.lower() for subscription in self.subscriptions}
        if match and known and match[1].lower() not in known:
            raise errors.subscription_not_found(match[1])
        match = _ACCOUNT.match(scope)
        if match is None:
            return
        placed = self.account_id(match[3])
        if not self.knows_account(match[3]) or placed.lower() != match[0].lower():
            raise errors.resource_not_found(ACCOUNT, match[3], match[2])

    def above(self, scope: str) -> tuple[str, ...]:
        """Management groups above a scope's subscription, as scopes in lower case."""
        match = _SUBSCRIPTION.match(scope)
        found = self.subscriptions.get(match[1].lower(), {}) if match else {}
        return tuple(f"{MANAGEMENT}{name}".lower() for name in found.get("management-groups", ()))

    def covers(self, outer: str, inner: str) -> bool:
        """Whether what is assigned at `outer` holds at `inner`."""
        outer, inner = outer.lower().rstrip("/"), inner.lower().rstrip("/")
        return not outer or outer == inner or inner.startswith(f"{outer}/") or outer in self.above(inner)


def subscription_prefix(scope: str) -> str:
    """The part of a scope that names its subscription, or nothing."""
    match = _SUBSCRIPTION.match(scope)
    return match[0] if match else ""


def rank(scope: str) -> tuple[int, int]:
    """The order of listings: tenant root first, then the subscription and below, then management groups."""
    if scope == "/":
        return 0, 0
    return (2, 0) if scope.lower().startswith(MANAGEMENT.lower()) else (1, scope.count("/"))
