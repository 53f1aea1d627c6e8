"""The place a request speaks to: the account, or one workspace of it, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.emulator.databricks.identities import Identities
from reconciler.emulator.databricks.state import Account, Identity, Workspace
from reconciler.emulator.wire import Request
from reconciler.emulator.world import World

Place = Literal["workspace", "account", "proxy", "misplaced"]
"""`workspace`: a path of a workspace's host.  `account`: one that names the account.  `proxy`: the account
seen through a workspace's host.  `misplaced`: a workspace's path that the account's host was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One authenticated request in its place."""

    world: World
    account: Account
    identities: Identities
    request: Request
    me: Identity
    workspace: Workspace | None
    """None on the account's own host and on the account paths of a workspace host."""
    place: Place
    admin: bool
    """Whether the caller administers this place."""
    entra: bool
    """Whether the caller came with an Entra token."""

    @property
    def name(self) -> str:
        """The key of this place for caches."""
        return self.workspace.name if self.workspace else ""

    @property
    def here(self) -> Workspace:
        """The workspace of a path that only workspaces have."""
        workspace = self.workspace
        assert workspace is not None
        return workspace

    @property
    def strict(self) -> bool:
        """Whether to keep to RFC 7643 and 7644 where Databricks is known, or not known, to depart from them.

        Then a created resource is answered 201, and a group in an unfiltered list has no attribute that the
        RFC does not know.  Switch `databricks.strict-scim`: `always`, `never`, or `auto` (the default): for
        clients that do not ask for `application/json`, which all of Databricks' own clients do.
        """
        rule = self.switch("strict-scim", "auto")
        return rule == "always" or (
            rule == "auto" and "application/json" not in self.request.headers.get("accept", "")
        )

    def switch(self, name: str, default: object) -> object:
        """A behaviour switch of this service."""
        return self.world.switches.get(f"databricks.{name}", default)
