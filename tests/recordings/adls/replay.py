"""Feed a recording to the emulated storage service, request by request.

The emulator's clock follows the recording's, so that conditions on dates mean the same; ETags, continuation
tokens and deletion ids that a request carries are exchanged for the emulator's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import walk
from reconciler.emulator.services import endpoint_of_host
from reconciler.emulator.wire import Caller, Request, Response
from reconciler.emulator.world import World
from tests.recordings.adls.callers import Callers
from tests.recordings.adls.comparison import Pairs, differences
from tests.recordings.adls.exchanges import Exchange, load
from tests.recordings.adls.prerequisites import Prerequisites

_CARRIED = ("continuation", "marker")
_CARRIED_HEADERS = (
    "if-match",
    "if-none-match",
    "x-ms-source-if-match",
    "x-ms-source-if-none-match",
    "x-ms-deleted-container-version",
)


APART = 6 * 3600.0
"""Seconds between two exchanges that belong to different sessions, in either direction."""


def replay(path: Path) -> Iterator[str]:
    """Every difference between a recording and what the emulator answers; nothing when they agree."""
    for session in sessions(load(path)):
        yield from Replay(session).run()


def sessions(exchanges: list[Exchange]) -> list[list[Exchange]]:
    """The exchanges with the storage service; a recorder that appended to its file is cut in two."""
    found: list[list[Exchange]] = []
    made: set[str] = set()
    last = 0.0
    for exchange in exchanges:
        if not (endpoint_of_host(exchange.host) or "").startswith("lake/"):
            continue
        now = (
            parsedate_to_datetime(exchange.headers["date"]).timestamp()
            if "date" in exchange.headers
            else last
        )
        again = (
            exchange.status == 201 and exchange.query == {"restype": "container"} and exchange.path in made
        )
        if not found or again or abs(now - last) > APART:
            found.append([])
            made.clear()
        if exchange.status == 201 and exchange.query.get("restype") == "container":
            made.add(exchange.path)
        elif exchange.method == "DELETE" and exchange.query.get("restype") == "container":
            made.discard(exchange.path)
        found[-1].append(exchange)
        last = now
    return found


class Replay:
    """One recorded session against one fresh emulator."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self.exchanges = exchanges
        self.world = World()
        self.service = LakeService(self.world)
        self.pairs = Pairs()
        self.callers = Callers(self.exchanges)
        self.service.roles = self.callers.roles
        self.world.directory.tenant_id = self.callers.tenant or self.world.directory.tenant_id
        self.prerequisites = Prerequisites(self.service, self.exchanges)

    def run(self) -> Iterator[str]:
        """Every difference, with the exchange that shows it."""
        for exchange in self.exchanges:
            self._set_clock(exchange)
            self.prerequisites.prepare(exchange)
            response = self.send(exchange)
            for difference in differences(exchange, response, self.pairs):
                place = f"{exchange.method} {urlsplit(exchange.url).path}?{urlsplit(exchange.url).query}"
                yield f"{exchange.number} {place[:160]}: {difference}"

    def send(self, exchange: Exchange) -> Response:
        """The emulator's answer to a recorded request."""
        parts = urlsplit(exchange.url)
        query = [
            (name, self._exchanged(value) if name.lower() in _CARRIED else value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        headers = dict(exchange.request_headers)
        for name in _CARRIED_HEADERS:
            if name in headers:
                headers[name] = self._exchanged(headers[name])
        for name in ("x-ms-rename-source", "x-ms-undelete-source"):
            if name in headers:
                headers[name] = self._known_names(exchange, headers[name])
        account = exchange.host.partition(".")[0]
        caller = self.callers.of(exchange)
        if caller:
            headers["authorization"] = "Bearer recorded"
        elif not any(name == "sig" for name, _ in query):
            headers["authorization"] = f"SharedKey {account}:recorded"
        return self.service.handle(
            Request(
                service=endpoint_of_host(exchange.host) or "",
                method=exchange.method,
                path=parts.path,
                query=query,
                headers=headers,
                body=exchange.request_body,
                base=f"{parts.scheme}://{parts.netloc}",
                raw_query=urlencode(query),
                caller=Caller(object_id=caller, audience="https://storage.azure.com") if caller else None,
            )
        )

    def _set_clock(self, exchange: Exchange) -> None:
        date = exchange.headers.get("date")
        if date:
            self.world.clock.frozen_at = parsedate_to_datetime(date).timestamp()

    def _exchanged(self, value: str) -> str:
        bare = value.strip('"')
        found = self.pairs.ours.get(bare, bare)
        return f'"{found}"' if value.startswith('"') else found

    def _known_names(self, exchange: Exchange, source: str) -> str:
        """The source of a rename, in which recorders of azure-cli leave the names as they were.

        Elsewhere they wrote `filesystem000003` for `filesystem24zosaocsji4hj`: the letters before the
        random part tell which of the existing names is meant.  Deletion ids are exchanged too.
        """
        path, question, query = source.partition("?")
        account = self.service.account(exchange.host.partition(".")[0])
        parts = [unquote(part) for part in path.split("/") if part]
        known: set[str] = set()
        for store in account.filesystems.values():
            first = store.name + "/" if path.startswith("/") else ""
            known |= {first + name for name, _ in walk(store.root, "")}
            known |= {first + item.path for item in store.deleted}
        for theirs, ours in self.pairs.ours.items():
            if theirs.startswith("x-ms-deletion-id/"):
                query = query.replace(theirs.partition("/")[2], ours.partition("/")[2])
        named = quote(_alias("/".join(parts), known))
        return ("/" if path.startswith("/") else "") + named + question + query


def _alias(name: str, known: set[str]) -> str:
    parts = name.split("/")
    for candidate in () if name in known else sorted(known):
        others = candidate.split("/")
        if len(others) == len(parts) and all(map(_stands_for, others, parts)):
            return candidate
    return name


def _stands_for(written: str, original: str) -> bool:
    match = re.fullmatch(r"(.*?)\d{6}", written)
    return written == original or (match is not None and original.startswith(match[1]))
