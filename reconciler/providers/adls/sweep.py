"""Read every declared tree of one container with as few requests as the service's pages allow.

Its law: a tree is read whole or is a gap with its reason; what could not be read is never nothing.

Neighbouring folders are listed together as long as that costs no more than listing each by itself.  Where
List Blobs is refused, or answers without lists, paths are listed over the DFS endpoint instead, with one more
request for every directory and for every file whose list is extended.
"""

from __future__ import annotations

import asyncio
import os.path
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from reconciler.providers.adls.acl import AclError, of_mode
from reconciler.providers.adls.client import PAGE, Control, LakeReader, Refused
from reconciler.providers.adls.ground import Catch, Plots, Sink, Tract
from reconciler.providers.adls.listing import Listed, PageError, scan
from reconciler.providers.transport import Lost, Unreachable

TOGETHER = 4
"""Folders from which on listing them together is tried."""
BARE_LIMIT = 1_000
"""Entries without a list, of one tree, that are asked for one by one."""
SEARCH_LIMIT = 200
"""Directories that are looked into to name the one that may not be read."""
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
    """List Blobs does not serve here: the other way of reading may."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """What was read of one container."""

    sinks: dict[str, Sink] = field(default_factory=dict)
    """By path of the folder; folders that do not exist are in none of these."""
    unread: dict[str, Unread] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    """Access control lists of the ways that were asked for and exist."""
    unread_ways: dict[str, Unread] = field(default_factory=dict)
    siblings: set[str] = field(default_factory=set)
    unread_parents: dict[str, Unread] = field(default_factory=dict)
    single: int = 0
    """Lists that took a request of their own."""


@dataclass(slots=True, kw_only=True)
class Sweep:
    """One reading of one container."""

    reader: LakeReader
    container: str
    plots: Plots
    make: Callable[[Tract], Sink]
    ways: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()
    progress: Callable[[int], None] = lambda count: None
    """Called with the number of paths of every page."""
    reading: Reading = field(default_factory=Reading)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _pages_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PAGES_AT_ONCE))
    _seen_parents: set[str] = field(default_factory=set)
    _silences: int = 0

    async def run(self) -> Reading:
        """Read everything; raises Unread where nothing of the container can be read."""
        await self._enter()
        await self._cover(self._topmost(path for path, tract in self.plots.items() if tract is not None))
        ways = [way for way in sorted(self.ways) if way not in self.reading.lists]
        await asyncio.gather(
            *(self._way(way) for way in ways if way not in self.reading.unread_ways),
            *(self._level(parent) for parent in sorted(self.parents - self._seen_parents)),
        )
        return self.reading

    async def _enter(self) -> None:
        """Ask for the root: it is in no listing, and tells a missing container or a dead line at once."""
        try:
            found = await self.reader.control(self.container, "")
        except (Unreachable, Lost) as error:
            raise Unread(str(error)) from error
        except Refused as error:
            if error.status in (401, 404):
                hint = "create it, or correct the name" if error.status == 404 else "check the identity"
                raise Unread(f"container {self.container!r}: {error}; {hint}", error.short) from error
            self.reading.unread_ways[""] = Unread(str(error), error.short)
        else:
            self.reading.lists[""] = found.acl

    def _topmost(self, paths: Iterable[str]) -> list[str]:
        """Those of these folders that lie in none of the others."""
        chosen: list[str] = []
        for path in sorted(paths, key=lambda path: path.split("/")):
            if not (chosen and path.startswith(chosen[-1] + "/")):
                chosen.append(path)
        return chosen

    async def _cover(self, roots: Sequence[str]) -> None:
        """Read these folders, none of which lies in another, together or in smaller groups."""
        if not roots:
            return
        if len(roots) < TOGETHER:
            await asyncio.gather(*(self._alone(root) for root in roots))
            return
        above = os.path.commonpath(roots)
        if await self._together(above, roots):
            return
        groups: dict[str, list[str]] = {}
        for root in roots:
            rest = root[len(above) :].lstrip("/") if above else root
            groups.setdefault(rest.partition("/")[0], []).append(root)
        await asyncio.gather(*(self._cover(group) for group in groups.values()))

    def _catch(self, above: str) -> Catch:
        base = above + "/" if above else ""
        here = {path: tract for path, tract in self.plots.items() if path.startswith(base) or path == above}
        return Catch(plots=here, make=self.make, ways=self.ways, parents=self.parents)

    async def _together(self, above: str, roots: Sequence[str]) -> bool:
        """List a whole region; False where it holds too much that nobody declared, or may not be listed."""
        catch = self._catch(above)
        pages = 0
        try:
            async with aclosing(self._pages(above)) as found:
                async for entries in found:
                    catch.take(entries)
                    pages += 1
                    # By itself each folder takes a page, and one more for every page that its paths fill.
                    if pages > 2 * (len(catch.sinks) + catch.declared // PAGE) + 2:
                        return False
            await self._complete(catch)
        except (Unread, Unlisted):
            return False
        self._keep(catch)
        self._seen_parents.update(
            parent
            for parent in self.parents
            if parent == above or parent.startswith(above + "/" if above else "")
        )
        return True

    async def _alone(self, root: str) -> None:
        """Read one folder's tree; where that fails, the declared folders within it each by itself."""
        try:
            found = await self._control(root)
            if found is None:
                await self._within(root)
                return
            try:
                catch = await self._listed(root, found)
            except Unlisted:
                catch = await self._walked(root, found)
        except Unread as error:
            self.reading.unread[root] = error
            await self._within(root)
            return
        self._keep(catch)

    async def _within(self, root: str) -> None:
        inner = (
            path for path, tract in self.plots.items() if tract is not None and path.startswith(root + "/")
        )
        await asyncio.gather(*(self._alone(path) for path in self._topmost(inner)))

    async def _listed(self, root: str, found: Control) -> Catch:
        catch = self._catch(root)
        catch.take([Listed(root, found.acl, True, found.group)])
        async for entries in self._pages(root):
            catch.take(entries)
        await self._complete(catch)
        return catch

    async def _pages(self, above: str) -> AsyncGenerator[list[Listed], None]:
        """The listing below a directory, a page at a time; raises Unread, Unlisted."""
        prefix = above + "/" if above else ""
        marker, markers = "", set[str]()
        while True:
            try:
                async with self._pages_at_once:
                    page = scan(await self.reader.listing(self.container, prefix, marker))
            except Refused as error:
                if error.status in (400, 403):
                    raise Unlisted from error
                raise self._unread(above, error) from error
            except (Unreachable, Lost, PageError) as error:
                raise self._unread(above, error) from error
            if not all(entry.name.startswith(prefix) for entry in page.entries):
                raise Unread(f"the listing of {self.container}/{above} names paths elsewhere")
            self.progress(len(page.entries))
            yield page.entries
            if not page.marker:
                return
            if page.marker in markers:
                raise Unread(f"the listing of {self.container}/{above} goes round in circles")
            markers.add(page.marker)
            marker = page.marker

    async def _complete(self, catch: Catch) -> None:
        """Ask one by one for what a listing left out; raises Unread, Unlisted."""
        if catch.bare and (
            not catch.sinks
            or len(catch.bare) > BARE_LIMIT
            or any(entry.directory is None for entry in catch.bare)
        ):
            raise Unlisted
        bare, catch.bare = catch.bare, []
        asked = bare + [Listed(name, None, True) for name in catch.missing()]
        catch.take(await self._asked(asked))

    async def _asked(self, entries: Iterable[Listed]) -> list[Listed]:
        """These paths with their lists; those that are gone by now are left out."""

        async def ask(entry: Listed) -> Listed | None:
            found = await self._control(entry.name)
            return entry._replace(acl=found.acl, group=found.group) if found else None

        answers = await asyncio.gather(*map(ask, entries), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if isinstance(answer, Listed)]

    async def _control(self, path: str) -> Control | None:
        """One path's control, None where there is no such path; raises Unread."""
        async with self._slots:
            if self._silences > PATIENCE:
                raise Unread(f"{self.container}/{path}: not asked, as nothing answers any more")
            self.reading.single += 1
            try:
                return await self.reader.control(self.container, path)
            except Refused as error:
                if error.status == 404 and "Filesystem" not in error.code:
                    return None
                raise self._unread(path, error) from error
            except (Unreachable, Lost) as error:
                raise self._unread(path, error) from error

    async def _walked(self, root: str, found: Control) -> Catch:
        """The same tree over the DFS endpoint, whose listings name no list."""
        catch = self._catch(root)
        catch.take([Listed(root, found.acl, True, found.group)])
        continuation, met = "", {""}
        while True:
            try:
                names = await self.reader.paths(self.container, root, continuation, recursive=True)
            except Refused as error:
                raise await self._refusal(root, error) from error
            except (Unreachable, Lost) as error:
                raise self._unread(root, error) from error
            entries = [_plain(path) for path in names.paths]
            if any(entry.name == root for entry in entries):
                raise Unread(f"{self.container}/{root} is a file, not a folder")
            self.progress(len(entries))
            catch.take([entry for entry in entries if entry.acl is not None])
            catch.take(await self._asked(entry for entry in entries if entry.acl is None))
            continuation = names.continuation
            if not continuation:
                catch.take(await self._asked(Listed(name, None, True) for name in catch.missing()))
                return catch
            if continuation in met:
                raise Unread(f"the listing of {self.container}/{root} goes round in circles")
            met.add(continuation)

    async def _refusal(self, root: str, error: Refused) -> Unread:
        """Why a tree cannot be listed, naming the directory at which it ends where that can be found out."""
        queue, looked = [root], 0
        while queue and looked < SEARCH_LIMIT:
            directory = queue.pop(0)
            looked += 1
            try:
                names = await self.reader.paths(self.container, directory, "", recursive=False)
            except (Refused, Unreachable, Lost) as refusal:
                return self._unread(directory, refusal)
            queue += [path["name"] for path in names.paths if path.get("isDirectory") == "true"]
        return self._unread(root, error)

    async def _way(self, way: str) -> None:
        try:
            found = await self._control(way)
        except Unread as error:
            self.reading.unread_ways[way] = error
        else:
            if found is not None:
                self.reading.lists[way] = found.acl

    async def _level(self, parent: str) -> None:
        """The directories directly below one, for those that nobody declared."""
        prefix, marker, met = parent + "/" if parent else "", "", set[str]()
        try:
            while True:
                async with self._pages_at_once:
                    page = scan(await self.reader.listing(self.container, prefix, marker, level=True))
                self.reading.siblings.update(
                    entry.name for entry in page.entries if entry.directory and entry.name not in self.plots
                )
                marker = page.marker
                if not marker:
                    return
                if marker in met:
                    raise PageError("the listing goes round in circles")
                met.add(marker)
        except (Refused, Unreachable, Lost, PageError) as error:
            self.reading.unread_parents[parent] = self._unread(parent, error)

    def _keep(self, catch: Catch) -> None:
        self.reading.sinks.update(catch.sinks)
        self.reading.lists.update(catch.lists)
        self.reading.siblings.update(catch.siblings)

    def _unread(self, path: str, error: Exception) -> Unread:
        self._silences += isinstance(error, (Unreachable, Lost))
        where = f"{self.container}/{path}" if path else self.container
        status = error.short if isinstance(error, Refused) else ""
        hint = (
            "; grant the reading identity Storage Blob Data Reader there" if status.startswith("403") else ""
        )
        return Unread(f"{where}: {error}{hint}", status)


def _plain(path: dict[str, str]) -> Listed:
    """An entry of a path listing, with its list where its permissions say the whole of it."""
    name, directory = path.get("name", ""), path.get("isDirectory") == "true"
    try:
        # Whether a directory that only has a default list shows as extended is not documented.
        acl = None if directory else of_mode(path.get("permissions", "")).text
    except AclError:
        acl = None
    return Listed(name, acl, directory, path.get("group", ""))
