"""Read the destination container of an inventory: list runs, get manifests, fetch files in ranges.

Its law: a file is here whole, in the length and the version that the listing names, or not under its name.

Memory is a few ranges, however long a file is.  What was fetched before an interruption is not fetched again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import xml.etree.ElementTree as ElementTree
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

from reconciler.providers.adls.client import STORAGE_SCOPE, STORAGE_VERSION, Refused, Wire
from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.manifest import InventoryFile
from reconciler.providers.adls.inventory.runs import Blob, Candidate, Run, Wanted, candidates
from reconciler.providers.adls.inventory.source import LocalFile, Progress
from reconciler.providers.adls.whole import is_listing
from reconciler.providers.transport import Answer, Lost

RANGE = 8 << 20
"""Bytes of one request."""
AHEAD = 4
"""Ranges of one file that are on their way at once."""
FILES = 2
"""Files that are fetched at once."""
MANY_DAYS = 31
"""Above these whole months are listed: a run is a handful of blobs."""
SPARE = 64 << 20
"""Bytes that stay free on the disk."""


@dataclass(slots=True, kw_only=True)
class Depot:
    """The destination container of an account's inventory rules; raises Refused, Unreachable, Lost."""

    wire: Wire
    blob: str
    """The account's Blob endpoint."""
    container: str
    _versions: dict[str, str] = field(default_factory=dict)
    """ETags by name, as they were listed."""
    _sizes: dict[str, int] = field(default_factory=dict)
    """Lengths by name, as they were listed."""

    async def candidates(self, wanted: Wanted, now: datetime) -> list[Candidate]:
        """The folders of the rule's young runs, newest first; where there is none, those of the last day."""
        base = f"{wanted.prefix}/" if wanted.prefix else ""
        found: list[Blob] = []
        # A run is in the folder of the day on which it began.
        for day in _days(now - wanted.max_age, now):
            found += await self._below(f"{base}{day}/")
        return candidates(found, wanted.prefix, wanted.rule) or await self._last(base, wanted)

    async def _last(self, base: str, wanted: Wanted) -> list[Candidate]:
        """The runs of the newest day that has some of the rule, so that it can be named."""
        for year in (await self._numbers(base))[:2]:
            for month in (await self._numbers(year))[:2]:
                for day in (await self._numbers(month))[:7]:
                    if runs := candidates(await self._below(day), wanted.prefix, wanted.rule):
                        return runs
        return []

    async def _numbers(self, prefix: str) -> list[str]:
        """The folders below a prefix that are called by a number, largest first."""
        names = [name async for page in self._pages(prefix, level=True) for name in _prefixes(page)]
        return sorted((name for name in names if name[len(prefix) : -1].isdecimal()), reverse=True)

    async def _below(self, prefix: str) -> list[Blob]:
        found: list[Blob] = []
        async for page in self._pages(prefix, level=False):
            for blob, version in _blobs(page):
                found.append(blob)
                self._versions[blob.name] = version
                self._sizes[blob.name] = blob.size
        return found

    async def _pages(self, prefix: str, *, level: bool) -> AsyncIterator[ElementTree.Element]:
        marker, markers = "", set[str]()
        while True:
            query = {"restype": "container", "comp": "list"}
            query |= {"prefix": prefix} if prefix else {}
            query |= {"delimiter": "/"} if level else {}
            query |= {"marker": marker} if marker else {}
            url = f"{self.blob}/{self.container}?{urlencode(query, quote_via=quote, safe='')}"
            page = _page((await self._get(url, whole=is_listing)).body, self.container, prefix)
            yield page
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return
            if marker in markers:
                raise Lost(f"the listing of {self.container}/{prefix} goes round in circles")
            markers.add(marker)

    async def content(self, name: str) -> bytes | None:
        """A manifest or a checksum file; None where it is gone."""
        size = self._sizes.get(name)
        try:
            answer = await self._get(self._url(name), whole=lambda body: size in (None, len(body)))
            return bytes(answer.body)
        except Refused as error:
            if error.status != 404:
                raise
            return None

    async def files(self, run: Run, into: Path, progress: Progress) -> tuple[LocalFile, ...]:
        """Fetch the run's files to a folder of their own below `into`; raises InventoryFault, too."""
        folder = into / run.folder.replace("/", "-")
        targets = [
            _Target(file=file, folder=folder, version=self._versions.get(file.name, "")) for file in run.files
        ]
        here = {target.file.name: await asyncio.to_thread(target.prepare) for target in targets}
        await asyncio.to_thread(_make_room, run, folder, sum(here.values()))
        slots = asyncio.Semaphore(FILES)

        async def one(target: _Target) -> None:
            async with slots:
                async for size in self._fetch(target, here[target.file.name]):
                    here[target.file.name] = size
                    progress(sum(here.values()), run.size)

        progress(sum(here.values()), run.size)
        tasks = [asyncio.ensure_future(one(target)) for target in targets]
        try:
            await asyncio.gather(*tasks)
        finally:
            await _end(tasks)
        return tuple(LocalFile(path=str(target.path), name=target.file.name) for target in targets)

    async def _fetch(self, target: _Target, size: int) -> AsyncIterator[int]:
        """Append range after range, some of them asked for ahead; gives how much is here."""
        starts = iter(range(size, target.file.size, RANGE))
        ahead: deque[asyncio.Task[bytes]] = deque()
        try:
            while True:
                for start in starts:
                    ahead.append(asyncio.ensure_future(self._range(target, start)))
                    if len(ahead) >= AHEAD:
                        break
                if not ahead:
                    break
                data = await ahead.popleft()
                await asyncio.to_thread(target.append, data)
                size += len(data)
                yield size
        finally:
            await _end(ahead)
        await asyncio.to_thread(target.finish)

    async def _range(self, target: _Target, start: int) -> bytes:
        file = target.file
        stop = min(start + RANGE, file.size)
        headers = {"x-ms-range": f"bytes={start}-{stop - 1}"}
        headers |= {"If-Match": f'"{target.version}"'} if target.version else {}
        try:
            answer = await self._get(
                self._url(file.name), headers, whole=lambda body: len(body) >= stop - start
            )
        except Refused as error:
            if error.status in (404, 412, 416):
                text = f"it changed while it was read ({error.short}); run the same command again"
                raise InventoryFault(Flaw.SIZE, file.name, text) from None
            raise
        total = answer.headers.get("content-range", "").rpartition("/")[2] or str(len(answer.body))
        if len(answer.body) != stop - start or total != str(file.size):
            raise Lost(
                f"of {file.name} bytes {start:,} to {stop:,} of {file.size:,} were asked for, and "
                f"{len(answer.body):,} of {total} came"
            )
        return bytes(answer.body)

    def _url(self, name: str) -> str:
        return f"{self.blob}/{self.container}/{quote(name)}"

    async def _get(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        whole: Callable[[bytes], bool] = lambda body: True,
    ) -> Answer:
        sent = {"x-ms-version": STORAGE_VERSION, **(headers or {})}
        return await self.wire.send("storage", STORAGE_SCOPE, "GET", url, sent, whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where a file goes; until it is whole it has another name."""

    file: InventoryFile
    folder: Path
    version: str

    @property
    def path(self) -> Path:
        """The name of the whole file."""
        return self.folder / self.file.name.rpartition("/")[2]

    @property
    def part(self) -> Path:
        """The name until then: that of this version of it."""
        digest = hashlib.sha256(self.version.encode()).hexdigest()[:12]
        return self.path.with_name(f"{self.path.name}.{digest}.part")

    def prepare(self) -> int:
        """How many bytes are here already; what is of another version or length goes away."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for each in self.folder.glob(f"{_literal(self.path.name)}.*.part"):
            if each != self.part or each.stat().st_size > self.file.size:
                each.unlink()
        if self.path.exists():
            if self.path.stat().st_size == self.file.size:
                return self.file.size
            self.path.unlink()
        return self.part.stat().st_size if self.part.exists() else 0

    def append(self, data: bytes) -> None:
        """Add what follows; raises InventoryFault where the disk is full."""
        try:
            with self.part.open("ab") as opened:
                opened.write(data)
        except OSError as error:
            text = f"it cannot be written to {self.part}: {error.strerror or error}"
            raise InventoryFault(Flaw.SPACE, self.file.name, text) from None

    def finish(self) -> None:
        """Give the whole file its name; raises InventoryFault where it has another length."""
        if self.path.exists():
            return
        with self.part.open("ab") as opened:
            size = opened.tell()
            if size == self.file.size:
                os.fsync(opened.fileno())
        if size != self.file.size:
            self.part.unlink()
            text = f"{size:,} bytes of {self.file.size:,} are here; run the same command again"
            raise InventoryFault(Flaw.SIZE, self.file.name, text)
        self.part.replace(self.path)


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what is still going on, and wait for it: nothing is written behind anybody's back."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _make_room(run: Run, folder: Path, here: int) -> None:
    needed, free = run.size - here, shutil.disk_usage(folder).free
    if needed + SPARE > free:
        text = (
            f"its files take {needed:,} bytes more, and {folder} has {free:,} free: make room, or judge it "
            "on a cluster"
        )
        raise InventoryFault(Flaw.SPACE, run.folder, text)


def _days(first: datetime, last: datetime) -> list[str]:
    """The folders of the days from one instant to another, newest first; of the months, if they are many."""
    count = (last.date() - first.date()).days
    days = [last - timedelta(days=number) for number in range(count + 1)]
    return list(dict.fromkeys(f"{day:%Y/%m/%d}" if count <= MANY_DAYS else f"{day:%Y/%m}" for day in days))


def _page(body: bytes, container: str, prefix: str) -> ElementTree.Element:
    try:
        if b"<!DOCTYPE" in body:
            raise Lost(f"the listing of {container}/{prefix} declares a document type")
        page = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Lost(f"the listing of {container}/{prefix} does not parse: {error}") from None
    if page.tag != "EnumerationResults" or page.find("NextMarker") is None:
        raise Lost(f"the listing of {container}/{prefix} does not say whether it goes on")
    return page


def _blobs(page: ElementTree.Element) -> Iterator[tuple[Blob, str]]:
    for item in page.findall("Blobs/Blob"):
        size = item.findtext("Properties/Content-Length") or ""
        if not size.isdecimal():
            raise Lost(f"the listing names no size of {_name(item)}")
        version = (item.findtext("Properties/Etag") or "").strip('"')
        yield Blob(_name(item), int(size)), version


def _prefixes(page: ElementTree.Element) -> Iterator[str]:
    return (_name(item) for item in page.findall("Blobs/BlobPrefix"))


def _name(item: ElementTree.Element) -> str:
    element = item.find("Name")
    if element is None or not element.text:
        raise Lost("an entry of a listing has no name")
    return unquote(element.text) if element.get("Encoded") == "true" else element.text


def _literal(name: str) -> str:
    """A name as a pattern that stands for itself."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)
