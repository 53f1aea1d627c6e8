"""What stood before a recording began: containers and paths that it uses and never creates."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake.account import SUPERUSER, Account, DeletedFilesystem, Filesystem
from reconciler.emulator.lake.leases import Lease
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.stamps import FILETIME_EPOCH, ticks
from reconciler.emulator.lake.tree import Folder, Node, find
from tests.recordings.adls.exchanges import Exchange

_DELETED = re.compile(r"<Name>([^<]*)</Name><Deleted>true</Deleted><Version>(\w+)<")
_CONTAINER_DAYS = re.compile(
    r"<RemainingRetentionDays>(\d+)</RemainingRetentionDays></Properties></Container>"
)
_MAKING = (None, "block", "blocklist", "undelete")
COPYING = ("undelete", "rename")
"""Operations that make a container out of another one."""


def _retention(exchanges: Iterable[Exchange]) -> int:
    """Days of soft deletion: one more than a listing says remain, seconds after the deletion."""
    for exchange in exchanges:
        match = re.search(r"<RemainingRetentionDays>(\d+)<", exchange.body)
        if match:
            return int(match[1]) + 1
    return 7


def _deletions(exchanges: Sequence[Exchange]) -> dict[str, set[str]]:
    """Versions of deleted containers that the recording itself deleted: the youngest of each name."""
    times = Counter(
        exchange.path.strip("/")
        for exchange in exchanges
        if exchange.method == "DELETE" and exchange.query.get("restype") == "container"
    )
    listed: dict[str, set[str]] = {}
    for exchange in exchanges:
        for name, version in re.findall(
            r"<Name>([^<]*)</Name><Deleted>true</Deleted><Version>(\w+)<", exchange.body
        ):
            listed.setdefault(name, set()).add(version)
    return {name: set(sorted(listed.get(name, ()))[-count:]) for name, count in times.items()}


def _describe(store: Filesystem, element: ElementTree.Element) -> None:
    store.changed = int(element.findtext("Properties/Etag", "").strip('"'), 16)
    store.public_access = element.findtext("Properties/PublicAccess", "")
    store.metadata = {child.tag: child.text or "" for child in element.iterfind("Metadata/*")}
    if element.findtext("Properties/LeaseState") == "leased":
        seconds = 60 if element.findtext("Properties/LeaseDuration", "fixed") == "fixed" else -1
        store.lease = Lease("recorded", seconds, store.changed)
    elif element.find("Deleted") is not None:
        store.lease = Lease("deletion", 60, 0)


class Prerequisites:
    """Puts in place, just before each request, what the recorded answer shows to have been there."""

    def __init__(self, service: LakeService, exchanges: Iterable[Exchange]) -> None:
        self.service = service
        self.exchanges = list(exchanges)
        self.days = _retention(self.exchanges)
        self.container_days = max(
            (int(days) for other in self.exchanges for days in _CONTAINER_DAYS.findall(other.body)), default=7
        )
        self.ours = _deletions(self.exchanges)

    def prepare(self, exchange: Exchange) -> None:
        """Make the account fit for one exchange."""
        account = self.service.account(exchange.host.partition(".")[0])
        name, _, path = exchange.path.strip("/").partition("/")
        name = unquote(name)
        self._settings(account, exchange)
        code = exchange.headers.get("x-ms-error-code", "")
        if not name:
            self._containers(account, exchange)
            return
        creates = exchange.method == "PUT" and not path and exchange.query.get("comp") in (None, *COPYING)
        if code in ("ContainerNotFound", "FilesystemNotFound"):
            # Deleted by somebody else, such as a set-up that was not recorded.
            account.filesystems.pop(name, None)
        elif creates == (code == "ContainerAlreadyExists"):
            self._container(account, name)
        if path and name in account.filesystems:
            self._path(account.filesystems[name], exchange, unquote(path))
        if exchange.body.startswith('{"paths"') and name in account.filesystems:
            for row in json.loads(exchange.body)["paths"]:
                self._listed(account.filesystems[name], row)

    def _settings(self, account: Account, exchange: Exchange) -> None:
        """Soft deletion as the answers show it, and service properties as they are first read."""
        if exchange.headers.get("x-ms-delete-type-permanent") == "false" and not account.retention_days:
            account.retention_days = self.days
        if any("comp=list&include=deleted" in other.url for other in self.exchanges):
            account.container_retention_days = self.container_days
        if exchange.query.get("comp") == "properties" and exchange.query.get("restype") == "service":
            document = next(
                (other.body for other in self.exchanges if "<StorageServiceProp" in other.body), ""
            )
            for section in ElementTree.fromstring(document.lstrip("\ufeff")) if document else ():
                inner = (section.text or "") + "".join(ElementTree.tostring(c, "unicode") for c in section)
                account.properties.setdefault(section.tag, inner)

    def _containers(self, account: Account, exchange: Exchange) -> None:
        if exchange.query.get("comp") != "list" or not exchange.body:
            return
        tree = ElementTree.fromstring(exchange.body.lstrip("\ufeff"))
        for element in tree.iter("Container"):
            store = self._listed_container(account, element)
            if store is not None:
                _describe(store, element)
        following = tree.findtext("NextMarker", "")
        if following.startswith("/"):
            self._container(account, following.rpartition("/")[2])

    def _listed_container(self, account: Account, element: ElementTree.Element) -> Filesystem | None:
        name, version = element.findtext("Name", ""), element.findtext("Version", "")
        if not version:
            return self._container(account, name)
        if name in self.ours and version in self.ours[name]:
            return None
        if any((kept.store.name, kept.version) == (name, version) for kept in account.deleted_filesystems):
            return None
        living = account.filesystems.get(name)
        store = account.create_filesystem(name)
        del account.filesystems[name]
        if living is not None:
            account.filesystems[name] = living
        at = parsedate_to_datetime(element.findtext("Properties/DeletedTime", "")).timestamp()
        left = int(element.findtext("Properties/RemainingRetentionDays", "0"))
        until = account.now() + (left + 0.5) * 24 * 3600
        kept = DeletedFilesystem(version=version, at=ticks(at), until=ticks(until), store=store)
        account.deleted_filesystems.append(kept)
        return store

    @staticmethod
    def _container(account: Account, name: str) -> Filesystem | None:
        return None if name in account.filesystems else account.create_filesystem(name)

    def _path(self, store: Filesystem, exchange: Exchange, path: str) -> None:
        parts = [part for part in path.split("/") if part]
        if len(find(store.root, parts)) > len(parts):
            return
        code = exchange.headers.get("x-ms-error-code", "")
        creates = exchange.method == "PUT" and exchange.query.get("comp") in (
            None,
            "block",
            "blocklist",
            "undelete",
        )
        exists = code == "PathAlreadyExists" if creates else "NotFound" not in code
        if not exists:
            return
        folder = self._is_folder(exchange, path)
        self._add(store, parts, folder)

    def _is_folder(self, exchange: Exchange, path: str) -> bool:
        headers = exchange.headers
        if headers.get("x-ms-resource-type") == "directory" or "x-ms-meta-hdi_isfolder" in headers:
            return True
        return any(
            unquote(other.path).strip("/").partition("/")[2].startswith(path.strip("/") + "/")
            for other in self.exchanges
        )

    @staticmethod
    def _add(store: Filesystem, parts: list[str], directory: bool) -> Node:
        folder = store.root
        child: Node | None = folder
        for at, name in enumerate(parts):
            child = folder.children.get(name)
            if child is None:
                kind = Folder if directory or at < len(parts) - 1 else Node
                acl = acls.inherit(folder.acl, directory=kind is Folder)
                child = kind(name, SUPERUSER, SUPERUSER, acl, store.changed + at + 1)
                folder.put(child)
            if isinstance(child, Folder):
                folder = child
        assert child is not None
        return child

    def _listed(self, store: Filesystem, row: dict[str, str]) -> None:
        parts = row["name"].split("/")
        if len(find(store.root, parts)) > len(parts):
            return
        node = self._add(store, parts, row.get("isDirectory") == "true")
        node.owner, node.group = row["owner"], row["group"]
        node.changed = int(row["etag"], 16)
        if "creationTime" in row:
            node.created = int(row["creationTime"]) + FILETIME_EPOCH
        node.size = int(row["contentLength"])
        mode, sticky = acls.parse_permissions(row["permissions"].rstrip("+"))
        node.acl = acls.minimal(mode, sticky)
