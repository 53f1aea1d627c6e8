"""Read a tree over the DFS endpoint, whose listings name no list: for where List Blobs does not serve.

One more request goes to every directory, and to every file whose permissions say that they are not the whole
list; those of one page are asked for while the next page is on its way.
"""

from __future__ import annotations

import asyncio

from reconciler.providers.adls.acl import AclError, of_mode
from reconciler.providers.adls.asking import Asker, Unread
from reconciler.providers.adls.catch import Catch
from reconciler.providers.adls.client import Names, Refused
from reconciler.providers.adls.listing import Listed
from reconciler.providers.transport import Lost, Unreachable

SEARCH_LIMIT = 200
"""Directories that are looked into to name the one that may not be read."""


async def walk(asker: Asker, root: str, catch: Catch) -> Catch:
    """Everything below a directory, taken into `catch`; raises Unread, Disorder."""
    paths = 0
    met = {""}
    ahead = asyncio.ensure_future(_page(asker, root, ""))
    try:
        while True:
            names = await ahead
            more = names.continuation
            if more and more in met:
                raise Unread(f"the listing of {asker.container}/{root} goes round in circles")
            met.add(more)
            if more:
                ahead = asyncio.ensure_future(_page(asker, root, more))
            entries = [_plain(path) for path in names.paths]
            if any(entry.name == root for entry in entries):
                raise Unread(f"{asker.container}/{root} is a file, not a folder")
            asker.met(len(entries))
            asker.counts.walked += len(entries)
            paths += len(entries)
            catch.take(await _with_lists(asker, entries))
            if not more:
                catch.add(await asker.controls(Listed(name, None, True) for name in catch.missing()))
                return catch
    except BaseException as error:
        ahead.cancel()
        if not isinstance(error, asyncio.CancelledError):
            asker.met(-paths)
            asker.counts.walked -= paths
        raise


async def _page(asker: Asker, root: str, continuation: str) -> Names:
    try:
        return await asker.names(root, continuation, recursive=True)
    except Refused as error:
        raise await _refusal(asker, root, error) from error
    except (Unreachable, Lost) as error:
        raise asker.unread(root, error) from error


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
