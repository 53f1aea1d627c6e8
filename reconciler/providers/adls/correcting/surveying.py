"""List a subtree again, with everything in it, and say where it is not as it was.

Its law: what a call may pass over was listed, deeper folders of other documents included; what could not be
listed is never passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.providers.adls.acl import AclError
from reconciler.providers.adls.client import LakeReader
from reconciler.providers.adls.correcting.lots import Lots
from reconciler.providers.adls.correcting.strip import Strip, within
from reconciler.providers.adls.ground import Tract
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.sweeping.sweep import Sweep, Unread


@dataclass(slots=True)
class Sink:
    """Takes the paths of one declared folder into the strip of the whole subtree."""

    strip: Strip
    lots: Lots
    ours: bool

    def note(self, entry: Listed, acl: str) -> None:
        """Take one path with its list; raises AclError."""
        self.strip.add(entry.name, self.lots.met(entry, acl, self.ours))


@dataclass(slots=True, kw_only=True)
class Surveyor:
    """Reads subtrees of one tract."""

    reader: LakeReader
    ground: Tract
    lots: Lots
    met: Callable[[int], None] = lambda count: None
    """Called with the number of paths of every page."""
    blind: bool = False
    """Whether deeper folders are left out, as they cannot be read: then no recursive call is possible."""

    async def survey(self, top: str) -> Strip:
        """A directory and everything below it, empty where it is gone; raises Unread with the reason."""
        strip = Strip()
        ground = self.ground
        inner = [path for path in ground.deeper if within(path, top)]
        found = {path: None if self.blind else replace(ground, path=path) for path in inner}
        sweep = Sweep(
            reader=self.reader,
            container=ground.container,
            plots={**found, top: replace(ground, path=top)},
            make=lambda tract: Sink(strip, self.lots, tract.path not in ground.deeper),
            progress=self.met,
        )
        try:
            reading = await sweep.run()
        except AclError as error:
            raise Unread(f"{ground.container}/{top}: {error}") from error
        for path in (top, *inner):
            if path in reading.unread:
                raise reading.unread[path]
        if top not in reading.sinks:
            return Strip()
        return strip.close()


def renew(old: Strip, fresh: Strip, lots: Lots) -> int:
    """Give paths that are as they were the lots that they had; how many are new or hold another list.

    Paths that are gone count for nothing: nobody can be harmed there.
    """
    if len(old.pages) == len(fresh.pages) and all(
        one.packed == two.packed and one.lots == two.lots
        for one, two in zip(old.pages, fresh.pages, strict=True)
    ):
        return 0
    changes = 0
    known: dict[tuple[int, int], bool] = {}

    def decide(name: str, before: int | None, now: int) -> int:
        nonlocal changes
        same = False
        if before is not None:
            pair = before, now
            if pair not in known:
                known[pair] = lots[before][:2] == lots[now][:2]
            same = known[pair]
        changes += not same
        return before if same and before is not None else now

    fresh.follow(old, decide)
    return changes
