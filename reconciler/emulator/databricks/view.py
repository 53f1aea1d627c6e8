"""The place a request speaks to: the account, or one workspace of it, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.emulator.databricks.identities import Identities
from reconciler.emulator.databricks.state import Account, Identity, Workspace
from reconciler.emulator.wire import Request
from reconciler.emulator.world import World


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
    host: Workspace | None
    """The workspace whose host was asked, whatever the path; None on the account's host."""
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

    def switch(self, name: str, default: object) -> object:
        """A behaviour switch of this service."""
        return self.world.switches.get(f"databricks.{name}", default)
