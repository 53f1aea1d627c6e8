"""The `lakes` section of a seed: accounts, filesystems and trees by name, and the way back.

In lists, `user:` and `group:` take a name of the directory or an object id, `sp:` takes a service
principal's name and stands for a `user` entry of its object id.  Entries are separated by commas; a list in
the YAML does the same for names that hold one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from reconciler.emulator.directory import Directory
from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake import inventory
from reconciler.emulator.lake.account import SUPERUSER, Account, Filesystem
from reconciler.emulator.lake.acl import Acl, AclError
from reconciler.emulator.lake.growing import Row, grow
from reconciler.emulator.lake.tree import Folder, Node, walk
from reconciler.emulator.world import World

ACCOUNT = frozenset({"hns", "retention-days", "container-retention-days", "filesystems", "inventories"})
FILESYSTEM = frozenset({"root", "metadata", "public-access", "paths", "trees"})
TREE = frozenset({"below", "levels"})
NODE = frozenset(
    {"path", "type", "acl", "sticky", "owner", "group", "size", "content", "metadata", "headers"}
)
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


class Lakes(Protocol):
    """Whoever keeps the accounts: it makes one when it is asked for a new name."""

    world: World
    accounts: dict[str, Account]

    def account(self, name: str) -> Account:
        """The account of this name."""
        ...


def seed(service: Lakes, section: Mapping[str, Any]) -> None:
    """Add accounts; raises ValueError naming the offending entry."""
    for name, entry in section.items():
        entry = entry or {}
        _known(f"lakes.{name}", entry, ACCOUNT)
        account = service.account(name)
        account.hns = bool(entry.get("hns", True))
        account.retention_days = int(entry.get("retention-days", 0))
        account.container_retention_days = int(entry.get("container-retention-days", 0))
        for container, content in (entry.get("filesystems") or {}).items():
            _filesystem(service.world.directory, account, container, content or {})
        # Runs list what is there by now, earlier runs included.
        for order in entry.get("inventories") or ():
            inventory.run(account, inventory.ordered(order))


def _known(where: str, entry: Mapping[str, Any], names: frozenset[str]) -> None:
    unknown = set(entry) - names
    if unknown:
        raise ValueError(
            f"seed: {where} has unknown key {sorted(unknown)[0]!r}; known: {', '.join(sorted(names))}"
        )


def _filesystem(directory: Directory, account: Account, name: str, entry: Mapping[str, Any]) -> None:
    where = f"lakes.{account.name}.{name}"
    _known(where, entry, FILESYSTEM)
    store = account.filesystems.get(name) or account.create_filesystem(name)
    store.metadata = {key: str(value) for key, value in (entry.get("metadata") or {}).items()}
    store.public_access = entry.get("public-access", "")
    root = entry.get("root") or {}
    _known(f"{where}.root", root, NODE)
    _describe(directory, account, store.root, root, where)
    # Parents first, whatever the order in the file: children inherit from them.
    for item in sorted(entry.get("paths") or (), key=lambda item: _parts(item.get("path", ""))):
        _path(directory, account, store, item, where)
    for item in entry.get("trees") or ():
        _tree(account, name, item, where)


def _tree(account: Account, filesystem: str, item: Mapping[str, Any], where: str) -> None:
    """Very many paths in one line: each level's names, numbered, and how many there are; the last are files.

    They inherit from the directory that they are below.
    """
    where = f"{where}: tree below {item.get('below', '')!r}"
    _known(where, item, TREE)
    levels = [(str(name), int(count)) for name, count in item.get("levels") or ()]
    if not levels or any("#" not in name for name, _ in levels):
        raise ValueError(f"seed: {where} needs levels, each [name, count] with # where the number goes")
    grow(account, filesystem, _numbered("/".join(_parts(item.get("below", ""))), levels))


def _numbered(above: str, levels: Sequence[tuple[str, int]]) -> Iterator[Row]:
    (name, count), *rest = levels
    before, hashes, after = re.split("(#+)", name, maxsplit=1)
    for number in range(count):
        own = f"{before}{number:0{len(hashes)}}{after}"
        path = f"{above}/{own}" if above else own
        yield path, bool(rest), ""
        if rest:
            yield from _numbered(path, rest)


def _parts(path: str) -> list[str]:
    return [part for part in str(path).split("/") if part]


def _path(
    directory: Directory, account: Account, store: Filesystem, item: Mapping[str, Any], where: str
) -> None:
    parts = _parts(item.get("path", ""))
    where = f"{where}: path {'/'.join(parts)!r}"
    _known(where, item, NODE)
    kind = item.get("type", "directory")
    if not parts or kind not in ("directory", "file"):
        raise ValueError(f"seed: {where} needs a path, and a type that is directory or file, not {kind!r}")
    folder = store.root
    for part in parts[:-1]:
        parent = _child(account, folder, part, True, where)
        assert isinstance(parent, Folder)
        folder = parent
    node = _child(account, folder, parts[-1], kind == "directory", where)
    node.owner, node.group = SUPERUSER, folder.group
    _describe(directory, account, node, item, where)


def _child(account: Account, folder: Folder, name: str, directory: bool, where: str) -> Node:
    node = folder.children.get(name)
    if node is None:
        acl = account.intern(acls.inherit(folder.acl, directory=directory))
        kind = Folder if directory else Node
        node = kind(name, SUPERUSER, folder.group, acl, account.tick())
        folder.put(node)
    if node.is_folder != directory:
        raise ValueError(f"seed: {where} has {name!r} both as a file and as a directory")
    return node


def _describe(
    directory: Directory, account: Account, node: Node, item: Mapping[str, Any], where: str
) -> None:
    try:
        if item.get("acl"):
            changes = acls.parse(_list(directory, item["acl"]))
            node.acl = acls.assign(node.acl, changes, directory=node.is_folder, drops_default=True)
    except AclError as error:
        raise ValueError(f"seed: {where}: access control list: {error}") from error
    except ValueError as error:
        raise ValueError(f"seed: {where}: {error}") from error
    if item.get("sticky"):
        node.acl = Acl(node.acl.access, node.acl.default, True)
    node.acl = account.intern(node.acl)
    for key in ("owner", "group"):
        if item.get(key):
            setattr(node, key, principal(directory, key, item[key]))
    if "content" in item:
        node.detail().content = base64.b64decode(item["content"])
        node.size = len(node.detail().content)
    node.size = int(item.get("size", node.size))
    for key in ("metadata", "headers"):
        if item.get(key):
            setattr(node.detail(), key, {name: str(value) for name, value in item[key].items()})


def principal(directory: Directory, kind: str, name: str) -> str:
    """The object id of an owner or owning group: `$superuser`, an id, or a reference such as `group:x`."""
    return name if name == SUPERUSER or _GUID.fullmatch(name) else directory.resolve(name)


def _list(directory: Directory, text: str | Sequence[str]) -> str:
    entries = text.split(",") if isinstance(text, str) else list(text)
    return ",".join(_entry(directory, entry.strip()) for entry in entries)


def _entry(directory: Directory, entry: str) -> str:
    scope = "default:" if entry.startswith("default:") else ""
    name, _, bits = entry.removeprefix("default:").rpartition(":")
    kind, _, who = name.partition(":")
    if who and not _GUID.fullmatch(who):
        who = directory.resolve(f"{kind}:{who}")
    return f"{scope}{'user' if kind == 'sp' else kind}:{who}:{bits}"


def dump(service: Lakes) -> dict[str, Any]:
    """Every account in the form of a seed.  Times, leases, blocks and soft-deleted paths are left out."""
    return {name: _account(service.world.directory, account) for name, account in service.accounts.items()}


def _account(directory: Directory, account: Account) -> dict[str, Any]:
    found: dict[str, Any] = {"hns": account.hns}
    if account.retention_days:
        found["retention-days"] = account.retention_days
    if account.container_retention_days:
        found["container-retention-days"] = account.container_retention_days
    found["filesystems"] = {
        name: _store(directory, store) for name, store in sorted(account.filesystems.items())
    }
    return found


def _store(directory: Directory, store: Filesystem) -> dict[str, Any]:
    found: dict[str, Any] = {"root": _node(directory, store.root)}
    if store.metadata:
        found["metadata"] = dict(store.metadata)
    if store.public_access:
        found["public-access"] = store.public_access
    found["paths"] = [
        {"path": path, "type": "directory" if node.is_folder else "file", **_node(directory, node)}
        for path, node in walk(store.root, "")
    ]
    return found


def _node(directory: Directory, node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"acl": _readable(directory, node.acl)}
    if node.acl.sticky:
        found["sticky"] = True
    if node.owner != SUPERUSER:
        found["owner"] = directory.reference(node.owner)
    found["group"] = node.group if node.group == SUPERUSER else directory.reference(node.group)
    if not node.is_folder:
        found["size"] = node.size
    details = node.details
    if details and details.content:
        found["content"] = base64.b64encode(details.content).decode()
    if details and details.metadata:
        found["metadata"] = dict(details.metadata)
    if details and details.headers:
        found["headers"] = dict(details.headers)
    return found


def _readable(directory: Directory, acl: Acl) -> str:
    return ",".join(_names(directory, acl.text.split(",")))


def _names(directory: Directory, entries: Iterable[str]) -> Iterable[str]:
    for entry in entries:
        name, _, bits = entry.rpartition(":")
        scope = "default:" if name.startswith("default:") else ""
        kind, _, who = name.removeprefix("default:").partition(":")
        reference = directory.reference(who) if who else ""
        # A name with a comma would be cut in two, and one of another kind would change the entry.
        readable = reference.startswith(f"{kind}:") and "," not in reference
        yield f"{scope}{reference}:{bits}" if readable else entry
