"""Who sent a recorded request: recorders strip credentials, so the answers have to tell.

Without evidence it was the account key, whose creations belong to `$superuser`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from urllib.parse import unquote

from tests.recordings.adls.exchanges import Exchange

SOMEBODY = "7f3d2c51-0000-4000-8000-00000000ca11"
"""Stands for a signed-in caller whom no answer names."""
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class Callers:
    """Object ids of the callers of one recording."""

    def __init__(self, exchanges: Collection[Exchange]) -> None:
        self.owners: dict[str, str] = {}
        """Who owned a path, as later answers show."""
        self.failed: set[str] = set()
        """Paths that a recursive change could not touch: somebody else's than its caller's."""
        self.roots: set[str] = set()
        """Where such a recursive change began."""
        self.stores: dict[str, str] = {}
        """Who created a filesystem: new paths take their group from its root directory."""
        self.tenant = ""
        for exchange in exchanges:
            self._learn(exchange)

    def _learn(self, exchange: Exchange) -> None:
        owner = exchange.headers.get("x-ms-owner", "")
        if _GUID.fullmatch(owner):
            self.owners.setdefault(_path(exchange), owner)
        tenant = re.search(r"<SignedTid>([^<]*)", exchange.body)
        self.tenant = tenant[1] if tenant else self.tenant
        group = exchange.headers.get("x-ms-group", "")
        if _GUID.fullmatch(group):
            self.stores.setdefault(_path(exchange).split("/")[0], group)
        if exchange.query.get("resource") == "filesystem" and exchange.body.startswith('{"paths"'):
            store = _path(exchange).split("/")[0]
            for row in json.loads(exchange.body)["paths"]:
                if _GUID.fullmatch(row.get("owner", "")):
                    self.owners.setdefault(f"{store}/{row['name']}", row["owner"])
        if exchange.query.get("action") == "setAccessControlRecursive" and exchange.status == 200:
            store = _path(exchange).split("/")[0]
            failures = json.loads(exchange.body)["failedEntries"]
            self.failed.update(f"{store}/{failure['name']}" for failure in failures)
            if failures:
                self.roots.add(_path(exchange))

    def of(self, exchange: Exchange) -> str:
        """The object id of a request's caller, or nothing for the account key."""
        path = _path(exchange)
        if exchange.query.get("comp") == "userdelegationkey":
            match = re.search(r"<SignedOid>([^<]*)", exchange.body)
            return match[1] if match else SOMEBODY
        if exchange.query.get("action") == "setAccessControlRecursive" and path in self.roots:
            return SOMEBODY
        if exchange.method == "PUT" and exchange.query.get("resource") in ("directory", "file"):
            below = any(path == root or path.startswith(root + "/") for root in self.roots)
            if below and path not in self.failed:
                return SOMEBODY
            return self.owners.get(path, "")
        if exchange.method == "PUT" and exchange.query.get("restype") == "container":
            return self.stores.get(path, "")
        return ""

    def roles(self, who: str, account: str, filesystem: str) -> Collection[str]:
        """What a signed-in caller of a recording could do: everything but act as the owner of all."""
        return ["Storage Blob Data Contributor"]


def _path(exchange: Exchange) -> str:
    return unquote(exchange.path).strip("/")
