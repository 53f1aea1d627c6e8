"""The paths of one filesystem: folders with children, files with sizes, walked in the listing's order.

Order is depth first, parents before children, names by code point: what recorded recursive listings show.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulator.lake.acl import Acl
from reconciler.emulator.lake.leases import Lease


@dataclass(slots=True, kw_only=True)
class Details:
    """What few paths have: content, metadata, HTTP headers, a lease, an expiry."""

    content: bytes = b""
    uncommitted: dict[int, bytes] = field(default_factory=dict)
    """Appended and not yet flushed data, by position."""
    blocks: dict[str, bytes] = field(default_factory=dict)
    """Blocks put through the Blob endpoint and not yet committed, by id."""
    metadata: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """`content-type`, `cache-control`, … as they were set."""
    lease: Lease | None = None
    expiry: int = 0
    """Instant at which the file goes away, 0 for never."""
    other: dict[str, Any] = field(default_factory=dict)


class Node:
    """A path: a file, unless it is a `Folder`.  It does not know its parent; names are relative."""

    __slots__ = ("name", "owner", "group", "acl", "created", "changed", "size", "details")

    def __init__(self, name: str, owner: str, group: str, acl: Acl, created: int, size: int = 0) -> None:
        self.name = name
        self.owner = owner
        self.group = group
        self.acl = acl
        self.created = created
        self.changed = created
        """Instant of ETag and Last-Modified, which changes of the ACL leave alone."""
        self.size = size
        self.details: Details | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this is a directory."""
        return False

    def detail(self) -> Details:
        """The rarely used part, made when it is first asked for."""
        if self.details is None:
            self.details = Details()
        return self.details


class Folder(Node):
    """A directory with its children by name; their order is kept once it has been asked for."""

    __slots__ = ("children", "implied", "_order")

    def __init__(self, name: str, owner: str, group: str, acl: Acl, created: int) -> None:
        super().__init__(name, owner, group, acl, created)
        self.children: dict[str, Node] = {}
        self.implied = False
        """Made on the way to something below it: such a directory has no content type, as recorded."""
        self._order: list[str] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this is a directory."""
        return True

    def order(self) -> list[str]:
        """The children's names in listing order."""
        if self._order is None:
            self._order = sorted(self.children)
        return self._order

    def put(self, node: Node) -> None:
        """Add or replace the child of this name."""
        if node.name not in self.children and self._order is not None:
            insort(self._order, node.name)
        self.children[node.name] = node

    def take(self, name: str) -> Node:
        """Remove the child of this name and return it; raises KeyError when there is none."""
        node = self.children.pop(name)
        if self._order is not None:
            del self._order[bisect_left(self._order, name)]
        return node


def find(root: Folder, path: Sequence[str]) -> list[Node]:
    """The nodes from the root down to this path, as far as they exist."""
    chain: list[Node] = [root]
    for name in path:
        here = chain[-1]
        child = here.children.get(name) if isinstance(here, Folder) else None
        if child is None:
            break
        chain.append(child)
    return chain


def walk(
    folder: Folder, base: str, start: Sequence[str] = (), stem: str = "", deep: bool = True
) -> Iterator[tuple[str, Node]]:
    """Every path below a folder in listing order, with its full name.

    `base` is put before names as it is; `start` is the first path wanted, relative to the folder and
    inclusive, whether it exists or not; `stem` keeps the children whose own name begins with it.
    """
    order = folder.order()
    low = bisect_left(order, stem) if stem else 0
    if start:
        at = max(low, bisect_left(order, start[0]))
        if at < len(order) and order[at] == start[0] and len(start) > 1:
            # A later start inside this child: the child itself comes before it.
            child = folder.children[order[at]]
            if deep and order[at].startswith(stem) and isinstance(child, Folder):
                yield from walk(child, f"{base}{child.name}/", start[1:])
            at += 1
        low = at
    children = folder.children
    for at in range(low, len(order)):
        name = order[at]
        if stem and not name.startswith(stem):
            return
        child = children[name]
        path = base + name
        yield path, child
        if deep and isinstance(child, Folder):
            yield from _below(child, path + "/")


def _below(folder: Folder, base: str) -> Iterator[tuple[str, Node]]:
    children = folder.children
    for name in folder.order():
        child = children[name]
        path = base + name
        yield path, child
        if isinstance(child, Folder):
            yield from _below(child, path + "/")


def count(node: Node) -> int:
    """How many paths a deletion of this node takes away, itself included."""
    return 1 + (sum(count(child) for child in node.children.values()) if isinstance(node, Folder) else 0)
