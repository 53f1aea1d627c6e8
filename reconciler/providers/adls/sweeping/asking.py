"""One container's endpoint as a reading uses it: so many requests at once, counted, and refusals in words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reconciler.providers.adls.client import PAGE, Control, LakeReader, Names, Refused
from reconciler.providers.adls.listing import Alike, Listed, Page, PageError, scan
from reconciler.providers.transport import Lost, Unreachable

AT_ONCE = 32
PAGES_AT_ONCE = 8
"""A page is several megabytes long until it is taken apart."""
PATIENCE = 3
"""Requests that may stay without an answer before the rest of the container is not asked for."""


class Unread(Exception):
    """Why a part could not be read, with the service's own code where there is one."""

    def __init__(self, reason: str, status: str = "") -> None:
        super().__init__(reason)
        self.status = status


class Unlisted(Exception):
    """List Blobs does not serve here, for this reason: the other way of reading may."""


@dataclass(slots=True, kw_only=True)
class Lanes:
    """What the readings of one lake share: how much may be under way, and what the service can do."""

    pages: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PAGES_AT_ONCE))
    """Listing requests under way, also of other lakes."""
    singles: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    most: int = PAGES_AT_ONCE
    active: int = 0
    """Stretches of listings that are being read."""
    starts: bool = True
    """Whether a listing can begin at a name, as far as it was tried."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What a reading has cost and brought so far."""

    pages: int = 0
    """Listing requests, those by level and those that brought nothing included."""
    single: int = 0
    """Lists that took a request of their own."""
    paths: int = 0
    """Paths met, whosever they are."""
    walked: int = 0
    """Of these, paths whose names came from a path listing."""
    resumed: int = 0
    """Of these, paths that an interrupted reading had met."""

    def add(self, other: Counts) -> None:
        """Count what another reading counted."""
        self.pages += other.pages
        self.single += other.single
        self.paths += other.paths
        self.walked += other.walked
        self.resumed += other.resumed


@dataclass(slots=True, kw_only=True)
class Asker:
    """Asks about one container."""

    reader: LakeReader
    container: str
    lanes: Lanes
    progress: Callable[[int], None] = lambda count: None
    """Called with the number of paths that were met; below zero where they are met again."""
    step: Callable[[], None] = lambda: None
    """Called between two pages, when all that was met is where it belongs."""
    counts: Counts = field(default_factory=Counts)
    _known: dict[bytes, Alike] = field(default_factory=dict)
    _silences: int = 0

    def met(self, paths: int) -> None:
        """Count paths."""
        self.counts.paths += paths
        self.progress(paths)

    async def page(
        self, prefix: str, marker: str = "", *, start: str = "", level: bool = False, size: int = PAGE
    ) -> Page:
        """One page of List Blobs; raises Refused, Unread."""
        async with self.lanes.pages:
            self.counts.pages += 1
            try:
                body = await self.reader.listing(
                    self.container, prefix, marker, start=start, level=level, size=size
                )
                page = scan(body, self._known)
            except (Unreachable, Lost, PageError) as error:
                raise self.unread(prefix.rstrip("/"), error) from error
        if not all(entry.name.startswith(prefix) for entry in page.entries):
            raise Unread(f"the listing of {self.container}/{prefix} names paths elsewhere")
        return page

    async def directories(self, parent: str, marker: str) -> Page:
        """One page of the directories directly in another; raises Refused, Unreachable, Lost, PageError."""
        prefix = parent + "/" if parent else ""
        async with self.lanes.pages:
            self.counts.pages += 1
            return scan(await self.reader.listing(self.container, prefix, marker, level=True, files=False))

    async def names(self, directory: str, continuation: str, *, recursive: bool) -> Names:
        """One page of a path listing; raises Refused, Unreachable, Lost."""
        async with self.lanes.pages:
            self.counts.pages += 1
            return await self.reader.paths(self.container, directory, continuation, recursive)

    async def control(self, path: str) -> Control | None:
        """One path's control, None where there is no such path; raises Unread."""
        async with self.lanes.singles:
            if self._silences > PATIENCE:
                raise Unread(f"{self.container}/{path}: not asked, as nothing answers any more")
            self.counts.single += 1
            try:
                return await self.reader.control(self.container, path)
            except Refused as error:
                if error.status == 404 and "Filesystem" not in error.code:
                    return None
                raise self.unread(path, error) from error
            except (Unreachable, Lost) as error:
                raise self.unread(path, error) from error

    async def controls(self, entries: Iterable[Listed]) -> list[Listed]:
        """These paths with their lists, those that are gone by now left out; raises Unread."""

        async def ask(entry: Listed) -> Listed | None:
            found = await self.control(entry.name)
            return entry._replace(acl=found.acl, group=found.group) if found else None

        answers = await asyncio.gather(*map(ask, entries), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if isinstance(answer, Listed)]

    def unread(self, path: str, error: Exception) -> Unread:
        """What a failed request means for what it asked about."""
        self._silences += isinstance(error, (Unreachable, Lost))
        where = f"{self.container}/{path}" if path else self.container
        status = error.short if isinstance(error, Refused) else ""
        hint = (
            "; grant the reading identity Storage Blob Data Reader there" if status.startswith("403") else ""
        )
        return Unread(f"{where}: {error}{hint}", status)
