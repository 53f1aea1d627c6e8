"""Who may do what: data roles first, then POSIX lists, as the storage service authorizes a request.

The keys of the account and every SAS are superusers here; a SAS's signature and permissions are not checked
beyond its expiry.  Data roles come from whoever holds role assignments, through `Roles`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from reconciler.emulator.lake.account import SUPERUSER
from reconciler.emulator.lake.acl import EXECUTE, READ, WRITE, Reading, allows
from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.tree import Folder, Node

OWNER = "Storage Blob Data Owner"
CONTRIBUTOR = "Storage Blob Data Contributor"
READER = "Storage Blob Data Reader"
DELEGATOR = "Storage Blob Delegator"

Roles = Callable[[str, str, str], Collection[str]]
"""Names of the data roles that an object id holds on (account, filesystem), by itself or through groups."""


@dataclass(slots=True, kw_only=True)
class Access:
    """The caller of one request, with groups looked up at most once."""

    who: str
    """Object id, or `$superuser` for the account key and SAS."""
    superuser: bool
    roles: frozenset[str]
    transitive_groups: Callable[[], frozenset[str]]
    reading: Reading
    _groups: frozenset[str] | None = field(default=None, init=False)

    @property
    def groups(self) -> frozenset[str]:
        """Object ids of every group that the caller is in, through whatever nesting."""
        if self._groups is None:
            self._groups = self.transitive_groups()
        return self._groups

    def has(self, *roles: str) -> bool:
        """Whether any of these data roles, or being a superuser, settles the question."""
        return self.superuser or not self.roles.isdisjoint(roles)

    def granted(self, node: Node, asked: int) -> bool:
        """Whether the node's own list gives all the asked bits."""
        return self.superuser or allows(
            node.acl,
            asked,
            who=self.who,
            groups=self.groups,
            owner=node.owner,
            owning_group=node.group,
            reading=self.reading,
        )

    def need_role(self, *roles: str) -> None:
        """Refuse a caller without one of these roles; lists do not help here."""
        if not self.has(*roles):
            raise StorageError("AuthorizationPermissionMismatch")

    def need(self, chain: Sequence[Node], asked: int, *roles: str) -> None:
        """Refuse unless a role settles it, or the last node gives the bits and its ancestors execute."""
        if self.has(*roles):
            return
        if not all(self.granted(node, EXECUTE) for node in chain[:-1]) or not self.granted(chain[-1], asked):
            raise StorageError("AuthorizationPermissionMismatch")

    def need_traversal(self, chain: Sequence[Node]) -> None:
        """Refuse a caller who may not come as far as the last node; reading its properties takes no more."""
        if not self.has(OWNER, CONTRIBUTOR, READER) and not all(
            self.granted(node, EXECUTE) for node in chain[:-1]
        ):
            raise StorageError("AuthorizationPermissionMismatch")

    def need_ownership(self, chain: Sequence[Node]) -> None:
        """Refuse anybody but the path's owner and superusers: a Contributor too (Microsoft docs)."""
        if self.superuser:
            return
        self.need_traversal(chain)
        if chain[-1].owner != self.who:
            raise StorageError("AuthorizationPermissionMismatch")

    def need_removal(self, parents: Sequence[Node], node: Node, recursive: bool) -> None:
        """Refuse a deletion: write and execute on the parent, all on every folder below, the sticky bit."""
        if self.has(OWNER, CONTRIBUTOR):
            return
        self.need(parents, WRITE | EXECUTE)
        if parents[-1].acl.sticky and self.who not in (node.owner, parents[-1].owner):
            raise StorageError("AuthorizationPermissionMismatch")
        if recursive and isinstance(node, Folder):
            self._need_all(node)

    def _need_all(self, folder: Folder) -> None:
        if not self.granted(folder, READ | WRITE | EXECUTE):
            raise StorageError("AuthorizationPermissionMismatch")
        for child in folder.children.values():
            if isinstance(child, Folder):
                self._need_all(child)


def superuser() -> Access:
    """The holder of an account key."""
    return Access(
        who=SUPERUSER, superuser=True, roles=frozenset(), transitive_groups=frozenset, reading=Reading()
    )
