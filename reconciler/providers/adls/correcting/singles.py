"""Write the lists of single paths, many at once, directories first.

Its law: a path gets its list only if it was read since the last recursive call that somebody sent before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.providers.adls.acl import Acl, AclError
from reconciler.providers.adls.canonical import parsed
from reconciler.providers.adls.client import PAGE, LakeReader, Refused
from reconciler.providers.adls.client_write import LakeWriter
from reconciler.providers.adls.correcting.lots import FAILED, GONE, LOST, Lot, Lots
from reconciler.providers.adls.correcting.strip import Strip, within
from reconciler.providers.adls.correcting.telling import why
from reconciler.providers.adls.listing import Listed
from reconciler.providers.transport import Lost, Unreachable

AT_ONCE = 16
"""Writes under way at once: they are single paths, and others use the account too."""


class End(NamedTuple):
    """What became of one write: the new list, or a fault with its reason."""

    acl: Acl | None
    fault: str = ""
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class Singles:
    """Sends single writes into one container."""

    reader: LakeReader
    writer: LakeWriter
    container: str
    lots: Lots
    step: Callable[[int], None]
    """Called with the number of paths that were written."""
    seen: str | None = None
    """The subtree that was listed after the last recursive call; None where none was."""

    async def send(self, strip: Strip, top: str, paths: Sequence[str], looked: bool = False) -> bool:
        """Write what is open of these paths; False, and nothing is sent, where they have to be listed first.

        Few paths are asked for one by one instead, as that is cheaper than listing the tree.
        """
        stale = [] if looked else [path for path in paths if self.seen is None or not within(path, self.seen)]
        if len(stale) > len(strip) // PAGE + 1:
            return False
        found = strip.find(paths)
        if stale:
            strip.change(await self._asked(stale, found))
            found = strip.find(paths)
        # What is created meanwhile inherits the new default from directories that have it already.
        for directory in (True, False):
            waiting = [
                (path, self.lots[number])
                for path, number in found.items()
                if self.lots[number].open and self.lots[number].directory == directory
            ]
            ends = await self._each(waiting)
            strip.change(
                {
                    path: self.lots.changed(found[path], acl=end.acl, fault=end.fault, reason=end.reason)
                    for path, end in ends.items()
                }
            )
        return True

    async def _asked(self, paths: Sequence[str], found: Mapping[str, int]) -> dict[str, int]:
        """The present lots of these paths, each asked for by itself."""
        lots: dict[str, int] = {}
        waiting = iter(paths)

        async def work() -> None:
            for path in waiting:
                if path in found:
                    lots[path] = await self._present(path, found[path])

        await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(paths)))))
        return lots

    async def _present(self, path: str, number: int) -> int:
        lot = self.lots[number]
        try:
            text = (await self.reader.control(self.container, path)).acl
            if parsed(text) == lot.acl:
                return number
            return self.lots.met(Listed(path, text, lot.directory), text, True)
        except Refused as error:
            fault = GONE if error.status == 404 else FAILED
            return self.lots.changed(number, fault=fault, reason=f"it could not be read again: {error}")
        except (Unreachable, Lost, AclError) as error:
            return self.lots.changed(number, fault=FAILED, reason=f"it could not be read again: {error}")

    async def _each(self, waiting: Sequence[tuple[str, Lot]]) -> dict[str, End]:
        """Write these paths; what is known of each since."""
        ends: dict[str, End] = {}
        rest = iter(waiting)

        async def work() -> None:
            for path, lot in rest:
                ends[path] = await self._write(path, lot)
                self.step(1)

        await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(waiting)))))
        return ends

    async def _write(self, path: str, lot: Lot) -> End:
        assert lot.after is not None
        try:
            await self.writer.assign(self.container, path, lot.after.text)
        except Refused as error:
            # A path that is gone needs no list any more.
            return End(None, GONE if error.status == 404 else FAILED, why(error))
        except Unreachable as error:
            return End(None, FAILED, why(error))
        except Lost as error:
            return End(None, LOST, why(error))
        return End(lot.after)
