"""One installation of the platform as the policies describe it: where things are, never any secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraSettings:
    """The Entra tenant and the endpoints that it is reached through."""

    name: str
    """The installation's name in addresses: `entra/<name>/group/…`."""
    tenant_id: str
    authority: str = "https://login.microsoftonline.com"
    graph: str = "https://graph.microsoft.com"
    arm: str = "https://management.azure.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """One Databricks workspace under its logical name."""

    name: str
    host: str
    workspace_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabricksSettings:
    """The Databricks account and the workspaces that policies may name."""

    account_id: str
    account_host: str = "https://accounts.azuredatabricks.net"
    identity_sync: str = "aim"
    """How Databricks learns of Entra: `aim`, or `scim` (which copies no nested groups)."""
    workspaces: Mapping[str, WorkspaceSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """How the ancestors of declared folders are opened in one container."""

    name: str
    traverse: str = "named"
    """`group:<name>` gives that group `--x` on every ancestor, `everyone` gives it to `other`,
    `named` gives it to each principal that holds a grant below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventorySettings:
    """Where the runs of a lake's Blob Inventory rule are, and which of them are still believed."""

    container: str
    """The destination container, in the same account."""
    rule: str
    prefix: str = ""
    """The folder in the container that runs are below; the service itself puts them at the top."""
    max_age: timedelta = timedelta(hours=36)
    """How long ago a run may have begun: what it says of a path may be as old as that."""
    containers: frozenset[str] = frozenset()
    """Containers that are read from it; empty for every one that the lake declares."""
    names: str = "auto"
    """Whether names begin with their container: `container`, `path` (they do not), or `auto`: what a run
    itself shows."""
    percent_encoded: bool = False
    """Names are written as in a URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeSettings:
    """One ADLS Gen2 account under its logical name."""

    name: str
    dfs: str
    blob: str
    resource_id: str = ""
    """The ARM id of the storage account; role assignments are a gap without it."""
    containers: Mapping[str, ContainerSettings] = field(default_factory=dict)
    inventory: InventorySettings | None = None
    """None: every path is read from the account itself."""

    def inventoried(self, container: str) -> bool:
        """Whether a container is read from the inventory."""
        return self.inventory is not None and container in (self.inventory.containers or self.containers)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedGap:
    """A gap that somebody accepted until a date: it is still shown, and no longer makes a run unknown."""

    address: str
    until: date
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where journal, spent consent and lock live: a folder, or a container and a prefix in a lake."""

    folder: str = ""
    container: str = ""
    """`<dfs endpoint>/<container>/<prefix>`; exactly one of both is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Everything that tells one installation from another.  It holds no credential."""

    name: str
    entra: EntraSettings
    databricks: DatabricksSettings | None = None
    lakes: Mapping[str, LakeSettings] = field(default_factory=dict)
    azure_credential: str = "default"
    """`client-secret`, `workload-identity`, `cli`, `managed-identity`, or `default`: the first that the
    process environment is set up for, in this order."""
    databricks_credential: str = "azure"
    """`oauth-m2m`, `github-oidc`, or `azure`: an Entra token of the Azure credential."""
    ca_file: str = ""
    """A certificate authority to trust instead of the system's; relative to the root of the policies."""
    store: StoreSettings = StoreSettings(folder=".reconciler/store")
    accepted_gaps: tuple[AcceptedGap, ...] = ()
    patience: float = 30.0
    """Seconds that a service may stay unreachable before a read becomes a gap."""

    @property
    def endpoints(self) -> Environment:
        """What decides where credentials are sent and which are used; everything else at its default.

        An inventory is read from the account that the lake's endpoints name, so it sends nothing elsewhere.
        """
        databricks = self.databricks and replace(self.databricks, identity_sync="")
        lakes = {name: replace(lake, containers={}, inventory=None) for name, lake in self.lakes.items()}
        return replace(self, databricks=databricks, lakes=lakes, accepted_gaps=(), patience=0.0)
