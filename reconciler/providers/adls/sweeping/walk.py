"""Read a tree over the DFS endpoint, whose listings name no list: for where List Blobs does not serve.

One more request goes to every directory, and to every file whose permissions say that they are not the whole
list; those of one page are asked for while the next page is on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.providers.adls.acl import AclError, of_mode
from reconciler.providers.adls.client import Names, Refused
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.sweeping.asking import Asker, Unread
from reconciler.providers.adls.sweeping.catch import Catch
from reconciler.providers.transport import Lost, Unreachable

SEARCH_LIMIT = 200
"""Directories that are looked into to name the one that may not be read."""


@dataclass(slots=True, kw_only=True)
class Walk:
    """One reading of everything below a directory."""

    asker: Asker
    root: str
    make: Callable[[], Catch]
    catch: Catch = field(init=False)
    continuation: str = ""
    """Where the next page begins that was not taken yet."""
    whole: bool = False
    """Whether the last page was taken."""
    paths: int = 0
    resumed: int = 0
    """Of the paths, those that an interrupted reading had met."""

    def __post_init__(self) -> None:
        self.catch = self.make()

    async def read(self) -> Catch:
        """Everything below; raises Unread, Disorder."""
        try:
            if not self.whole:
                await self._pages()
            missing = [Listed(name, None, True) for name in self.catch.missing()]
            self.catch.add(await self.asker.controls(missing))
        except Exception:
            # What comes instead of it meets these paths again.  An interruption is no Exception: what was met
            # stays counted then, for the checkpoint.
            self._forget()
            raise
        return self.catch

    async def _pages(self) -> None:
        met = {""}
        ahead = asyncio.ensure_future(self._page(self.continuation))
        try:
            while True:
                names = await ahead
                more = names.continuation
                if more and more in met:
                    raise Unread(f"the listing of {self.asker.container}/{self.root} goes round in circles")
                met.add(more)
                if more:
                    ahead = asyncio.ensure_future(self._page(more))
                await self._take([_plain(path) for path in names.paths], more)
                if not more:
                    return
                self.asker.step()
        finally:
            if not ahead.cancel() and not ahead.cancelled():
                ahead.exception()  # Whatever came of it, nobody waits for it any more.

    async def _take(self, entries: list[Listed], more: str) -> None:
        if any(entry.name == self.root for entry in entries):
            raise Unread(f"{self.asker.container}/{self.root} is a file, not a folder")
        found = await _with_lists(self.asker, entries)
        self.catch.take(found)
        self.continuation, self.whole = more, not more
        self.paths += len(found)
        self.asker.met(len(found))
        self.asker.counts.walked += len(found)

    async def _page(self, continuation: str) -> Names:
        try:
            return await self.asker.names(self.root, continuation, recursive=True)
        except Refused as error:
            if continuation and continuation == self.continuation and self.resumed == self.paths:
                # The service does not know any more where an interrupted reading stopped.
                self._forget()
                self.catch, self.paths, self.resumed, self.continuation = self.make(), 0, 0, ""
                return await self._page("")
            raise await _refusal(self.asker, self.root, error) from error
        except (Unreachable, Lost) as error:
            raise self.asker.unread(self.root, error) from error

    def _forget(self) -> None:
        """Uncount what was met: it is met again, or does not count."""
        self.asker.met(-self.paths)
        self.asker.counts.walked -= self.paths
        self.asker.counts.resumed -= self.resumed


async def _with_lists(asker: Asker, entries: list[Listed]) -> list[Listed]:
    """The entries of a page with their lists, in its order; those that are gone by now are left out."""
    asked = {entry.name: entry for entry in await asker.controls(e for e in entries if e.acl is None)}
    found = (entry if entry.acl is not None else asked.get(entry.name) for entry in entries)
    return [entry for entry in found if entry is not None]


async def _refusal(asker: Asker, root: str, error: Refused) -> Unread:
    """Why a tree cannot be listed, naming the directory at which it ends where that can be found out."""
    queue, looked = [root], 0
    while queue and looked < SEARCH_LIMIT:
        directory = queue.pop(0)
        looked += 1
        try:
            names = await asker.names(directory, "", recursive=False)
        except (Refused, Unreachable, Lost) as refusal:
            return asker.unread(directory, refusal)
        queue += [path["name"] for path in names.paths if path.get("isDirectory") == "true"]
    return asker.unread(root, error)


def _plain(path: dict[str, str]) -> Listed:
    """An entry of a path listing, with its list where its permissions say the whole of it."""
    name, directory = path.get("name", ""), path.get("isDirectory") == "true"
    try:
        # Whether a directory that only has a default list shows as extended is not documented.
        acl = None if directory else of_mode(path.get("permissions", "")).text
    except AclError:
        acl = None
    return Listed(name, acl, directory, path.get("group", ""))
