"""Fill a filesystem with very many paths at once, for benchmarks and tests of scale."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake.account import SUPERUSER, Account
from reconciler.emulator.lake.acl import Acl
from reconciler.emulator.lake.tree import Folder, Node

Row = tuple[str, bool, str]
"""Path, whether it is a directory, and its access control list; an empty list inherits."""


def grow(account: Account, filesystem: str, rows: Iterable[Row], size: int = 0) -> int:
    """Add paths, parents implied, and return how many rows there were; raises AclError.

    Lists are object ids only, as on the wire.  Every file is `size` bytes long and has no content.  A parent
    is best named before its children, else it inherits and later takes its list without passing it on.
    """
    store = account.filesystems.get(filesystem) or account.create_filesystem(filesystem)
    filler = _Filler(account, store.root, size)
    for path, directory, text in rows:
        filler.add(path, directory, text)
    return filler.number


class _Filler:
    def __init__(self, account: Account, root: Folder, size: int) -> None:
        self.account = account
        self.root = root
        self.size = size
        self.number = 0
        self.parent_path = ""
        self.parent = root
        self.lists: dict[tuple[Acl, bool, str], Acl] = {}

    def add(self, path: str, directory: bool, text: str) -> None:
        self.number += 1
        parent_path, _, name = path.rpartition("/")
        if parent_path != self.parent_path:
            self.parent, self.parent_path = self._folder(parent_path), parent_path
        parent = self.parent
        acl = self._list(parent.acl, directory, text)
        present = parent.children.get(name)
        if present is not None:
            present.acl = acl if text else present.acl
            return
        # One instant for each: ETags of real paths differ too.
        instant = self.account.tick()
        if directory:
            parent.put(Folder(name, SUPERUSER, parent.group, acl, instant))
        else:
            parent.put(Node(name, SUPERUSER, parent.group, acl, instant, self.size))

    def _folder(self, path: str) -> Folder:
        folder = self.root
        for name in path.split("/") if path else ():
            child = folder.children.get(name)
            if child is None:
                acl = self._list(folder.acl, True, "")
                child = Folder(name, SUPERUSER, folder.group, acl, self.account.tick())
                folder.put(child)
            if not isinstance(child, Folder):
                raise ValueError(f"{path!r} goes through the file {name!r}")
            folder = child
        return folder

    def _list(self, parent: Acl, directory: bool, text: str) -> Acl:
        key = parent, directory, text
        known = self.lists.get(key)
        if known is None:
            known = acls.inherit(parent, directory=directory)
            if text:
                known = acls.assign(known, acls.parse(text), directory=directory, drops_default=True)
            known = self.lists[key] = self.account.intern(known)
        return known
