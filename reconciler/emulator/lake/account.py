"""A storage account: its filesystems (containers) with their trees, and its service-wide settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.emulator.lake.acl import Acl, minimal
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.leases import Lease
from reconciler.emulator.lake.stamps import Ticker
from reconciler.emulator.lake.tree import Folder, Node

SUPERUSER = "$superuser"
"""Owner and group of what Shared Key or SAS created."""


@dataclass(slots=True, kw_only=True)
class Deleted:
    """A path that soft deletion keeps."""

    path: str
    deletion_id: str
    at: int
    """Instant of the deletion."""
    until: int
    """Instant at which it is gone for good; a later change of the retention does not move it."""
    node: Node


@dataclass(slots=True, kw_only=True)
class Filesystem:
    """A filesystem of the DFS endpoint, which is a container of the Blob endpoint."""

    name: str
    root: Folder
    created: int
    changed: int
    """Instant of ETag and Last-Modified of the container, which are not those of its root directory."""
    metadata: dict[str, str] = field(default_factory=dict)
    public_access: str = ""
    """`container`, `blob`, or empty for none."""
    policies: str = ""
    """Stored access policies, as the XML that they were set with."""
    encryption_scope: str = "$account-encryption-key"
    deny_scope_override: bool = False
    lease: Lease | None = None
    deleted: list[Deleted] = field(default_factory=list)
    """Soft-deleted paths, oldest first."""
    expiring: dict[tuple[str, ...], int] = field(default_factory=dict)
    """Paths that were given an expiry, and when it comes."""
    staged: dict[tuple[str, ...], dict[str, bytes]] = field(default_factory=dict)
    """Blocks put for blobs that do not exist yet, by path and block id."""


@dataclass(slots=True, kw_only=True)
class DeletedFilesystem:
    """A container that soft deletion keeps; `version` tells deletions of one name apart."""

    version: str
    at: int
    until: int
    store: Filesystem


@dataclass(slots=True, kw_only=True)
class Account:
    """One storage account with or without a hierarchical namespace."""

    name: str
    created: int
    now: Callable[[], float]
    """Emulated seconds since 1970."""
    hns: bool = True
    filesystems: dict[str, Filesystem] = field(default_factory=dict)
    ticker: Ticker = field(default_factory=Ticker)
    retention_days: int = 0
    """Days that soft deletion keeps paths, 0 when it is off."""
    container_retention_days: int = 0
    deleted_filesystems: list[DeletedFilesystem] = field(default_factory=list)
    being_deleted: dict[str, int] = field(default_factory=dict)
    """Until when a deleted container's name cannot be used again."""
    properties: dict[str, str] = field(default_factory=dict)
    """Sections of the service properties that were set, as XML, by element name."""
    acls: dict[Acl, Acl] = field(default_factory=dict)
    requests: int = 0
    """Requests answered so far: the seed of request ids."""

    def tick(self) -> int:
        """A new instant, for something that is being created or changed."""
        return self.ticker.at(self.now())

    def intern(self, acl: Acl) -> Acl:
        """The one copy of this list that all paths share."""
        return self.acls.setdefault(acl, acl)

    def filesystem(self, name: str, missing: str = "FilesystemNotFound") -> Filesystem:
        """The filesystem of this name; raises StorageError with the code `missing`."""
        found = self.filesystems.get(name)
        if found is None:
            raise StorageError(missing)
        return found

    def create_filesystem(self, name: str, owner: str = SUPERUSER, group: str = SUPERUSER) -> Filesystem:
        """Create a filesystem with its root directory, whose first list is `rwxr-x---`."""
        instant = self.tick()
        # Recorded: the root directory's ETag is a little younger than the container's.
        root = Folder("", owner, group, self.intern(minimal(0o750)), self.tick())
        made = Filesystem(name=name, root=root, created=instant, changed=instant)
        self.filesystems[name] = made
        return made
