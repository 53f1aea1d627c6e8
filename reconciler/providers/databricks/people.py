"""Fetch who lives in a workspace: whole lists in as few pages as the service allows, or single names.

Its law: a list counts as read only when as many residents were seen as the service says there are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable

from reconciler.providers.databricks.canonical import (
    COLLECTIONS,
    GROUP,
    NAMES,
    Malformed,
    Resident,
    page,
    resident,
)
from reconciler.providers.databricks.client import SCIM_READ, Failure, Host, Payload
from reconciler.providers.databricks.roster import Roster

WORKSPACE_SCIM = "/api/2.0/preview/scim/v2"
PAGE = 10_000
"""What the SDK's own iterators ask for; the service may give less (SDK source: iam.GroupsV2API.list)."""
LOOKUPS = 5
"""Up to so many names are asked for one by one; beyond, a list is cheaper."""
TRIES = 2
"""A list that changed while it was read is read once more."""


def attributes(kind: str) -> str:
    """What is asked for: never `members`, which SCIM cannot page (databrickslabs/ucx issue 638)."""
    names = dict.fromkeys(("id", NAMES[kind], "displayName", "externalId", "entitlements"))
    return ",".join([*names, "meta"] if kind == GROUP else names)


class People:
    """The residents of one workspace, fetched once per reading and shared by everything that is read."""

    def __init__(self, host: Host) -> None:
        self.roster = Roster()
        self._host = host
        self._lock = threading.Lock()
        self._locks = {kind: threading.Lock() for kind in COLLECTIONS}
        self._whole: dict[str, Exception | None] = {}
        self._asked: dict[str, set[str]] = {kind: set() for kind in COLLECTIONS}

    def whole(self, kind: str) -> None:
        """Make sure that everybody of a kind is in the roster; raises Failure or Malformed, each time."""
        with self._locks[kind]:
            if kind not in self._whole:
                try:
                    self._enter(self._list(kind))
                    self._whole[kind] = None
                except (Failure, Malformed) as error:
                    self._whole[kind] = error
            failed = self._whole[kind]
            if failed is not None:
                raise failed

    def some(self, kind: str, names: Iterable[str]) -> None:
        """Make sure that whoever bears these names is in the roster; raises Failure or Malformed."""
        if kind in self._whole:
            self.whole(kind)
            return
        asked = self._asked[kind]
        missing = {name.casefold(): name for name in names if name and name.casefold() not in asked}
        if len(asked) + len(missing) > LOOKUPS:
            self.whole(kind)
            return
        for folded, name in sorted(missing.items()):
            self._enter(find(self._host, kind, name))
            asked.add(folded)

    def is_whole(self, kind: str) -> bool:
        """Whether a name that is not in the roster is nobody's."""
        return self._whole.get(kind, Failure("")) is None

    def _enter(self, residents: Iterable[Resident]) -> None:
        with self._lock:
            self.roster.add(residents)

    def _list(self, kind: str) -> list[Resident]:
        seen, total = self._pages(kind)
        for _ in range(1, TRIES):
            if len(seen) < total:
                seen, total = self._pages(kind)
        if len(seen) >= total:
            return list(seen.values())
        raise Malformed(
            f"the list of {COLLECTIONS[kind]} ended after {len(seen)} of {total}, {TRIES} times in a row"
        )

    def _pages(self, kind: str) -> tuple[dict[str, Resident], int]:
        seen: dict[str, Resident] = {}
        start = 1
        while True:
            query = {"attributes": attributes(kind), "startIndex": start, "count": PAGE}
            answer = page(kind, self._host.get(f"{WORKSPACE_SCIM}/{COLLECTIONS[kind]}", SCIM_READ, query))
            fresh = {each.id: each for each in answer.residents if each.id not in seen}
            if answer.residents and not fresh:
                raise Malformed(f"the list of {COLLECTIONS[kind]} repeats itself from entry {start}")
            seen |= fresh
            start += len(answer.residents)
            if not answer.residents or len(seen) >= answer.total:
                return seen, answer.total


def find(
    host: Host, kind: str, name: str, path: str = WORKSPACE_SCIM, rate: str = SCIM_READ
) -> list[Resident]:
    """Everybody of this name; raises Failure or Malformed."""
    # A SCIM filter's text is written as JSON writes it (RFC 7644, section 3.4.2.2).
    text = json.dumps(name, ensure_ascii=False)
    query = {"attributes": attributes(kind), "filter": f"{NAMES[kind]} eq {text}"}
    return page(kind, host.get(f"{path}/{COLLECTIONS[kind]}", rate, query)).residents


def one(host: Host, kind: str, ident: str) -> Resident:
    """One resident by Databricks id, as it is now; raises Failure (404 where it is gone) or Malformed."""
    answer: Payload = host.get(
        f"{WORKSPACE_SCIM}/{COLLECTIONS[kind]}/{ident}", SCIM_READ, {"attributes": attributes(kind)}
    )
    return resident(kind, answer)
