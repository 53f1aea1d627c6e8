"""Read everything below one directory with as many readers at once as pay, each on a stretch of its own.

Its law: a path is met by exactly one stretch.  Where two stretches meet, the first must come upon the very
path with which the second began; where it does not, and a look shows that nothing has changed there, nothing
of the region counts and it is read again by one reader alone.

A stretch begins at a guessed name where the service can begin at one (`startFrom`), and else holds what lies
below some of a directory's children.  A guess that brings nothing costs a request, and guesses are made only
as long as those that brought nothing are few beside the pages that were read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reconciler.providers.adls.client import PAGE, Refused
from reconciler.providers.adls.ground import in_order
from reconciler.providers.adls.listing import Listed, Page
from reconciler.providers.adls.sweeping import cutting
from reconciler.providers.adls.sweeping.asking import Asker, Unlisted, Unread
from reconciler.providers.adls.sweeping.catch import Catch, Disorder
from reconciler.providers.adls.sweeping.levels import hand_out
from reconciler.providers.adls.sweeping.stretch import WORTH, Sprawl, Stretch

BARE_LIMIT = 1_000
"""Entries without a list, of one tree, that are asked for one by one."""
WHOLE = 4
"""Pages of a region that one reader reads before it is worth to think about more."""
PAGES_FOR_A_MISS = 8
"""Pages that are read for every guess that may bring nothing, beyond the first."""
PAGES_FOR_A_CUT = 4
"""Pages that are read for every cut, beyond the first two: each may cost a page that is read only in part."""


@dataclass(slots=True, kw_only=True)
class Region:
    """One reading of everything below a directory."""

    asker: Asker
    prefix: str
    make: Callable[[], Catch]
    split: bool
    whole: Callable[[Region], bool] = lambda region: True
    """Asked after every page whether it is worth going on."""
    catch: Catch = field(init=False)
    """What finished stretches brought."""
    stretches: list[Stretch] = field(default_factory=list)
    """Those that are not finished."""
    pages: int = 0
    paths: int = 0
    hits: int = 0
    """Guesses behind which something was."""
    misses: int = 0
    cuts: int = 0
    resumed: int = 0
    """Of the paths, those that an interrupted reading had met."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _levels: int = 0
    """Levels that are being looked at."""

    def __post_init__(self) -> None:
        self.catch = self.make()

    async def read(self) -> Catch:
        """Everything below; raises Unread, Unlisted, Sprawl, Disorder."""
        if not self.stretches:
            catch = self.make() if self.split else self.catch
            first = Stretch(prefix=self.prefix, scope=self.prefix, catch=catch)
            first.settled.set()
            self.stretches.append(first)
        for stretch in self.stretches:
            self._begin(stretch)
        try:
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                self._tasks -= done
                failed = [error for error in (task.exception() for task in done) if error is not None]
                if failed:
                    raise failed[0]
        except BaseException as error:
            await self._stop()
            if not isinstance(error, asyncio.CancelledError):
                # What comes instead of it meets these paths again.
                self.asker.met(-self.paths)
                self.asker.counts.resumed -= self.resumed
            raise
        return self.catch

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _begin(self, stretch: Stretch) -> None:
        self.asker.lanes.active += 1
        self._tasks.add(asyncio.create_task(self._run(stretch)))

    async def _run(self, stretch: Stretch) -> None:
        try:
            while not stretch.done:
                page = await self._page(stretch)
                if page is not None:
                    await self._wait_for_the_next(stretch, page)
                    self._take(stretch, page)
                    self._divide()
                    self.asker.step()
            if stretch in self.stretches:
                await self._seam(stretch)
                await self._own(stretch)
                self.stretches.remove(stretch)
                if self.split:
                    self.catch.absorb(stretch.catch)
        finally:
            self.asker.lanes.active -= 1
        self._divide()

    async def _page(self, stretch: Stretch) -> Page | None:
        """Its next page; None where it turned out that it cannot be read by itself."""
        try:
            return await self.asker.page(stretch.prefix, stretch.marker, start=stretch.start)
        except Refused as error:
            if error.status == 400 and stretch.start and not stretch.settled.is_set():
                self.asker.lanes.starts = False
                self._drop(stretch)
                return None
            if stretch.resumed and error.status in (400, 404):
                self._begin_again(stretch)
                return None
            if error.status in (400, 403):
                raise Unlisted(str(error)) from error
            raise self.asker.unread(stretch.prefix.rstrip("/"), error) from error

    def _begin_again(self, stretch: Stretch) -> None:
        """Read a stretch from its beginning: its marker is no longer known."""
        self.paths -= stretch.paths
        self.asker.met(-stretch.paths)
        self.asker.counts.resumed -= stretch.paths
        self.resumed -= stretch.paths
        stretch.catch, stretch.paths, stretch.marker, stretch.resumed = self.make(), 0, "", False
        stretch.pages, stretch.count, stretch.low, stretch.last = 0, 0, "", ""

    async def _wait_for_the_next(self, stretch: Stretch, page: Page) -> None:
        """Go beyond the end of a stretch only once it is sure that there is another behind it."""
        while stretch.next is not None and not stretch.next.settled.is_set():
            if not page.entries or in_order(page.entries[-1].name) < in_order(stretch.end):
                return
            await stretch.next.settled.wait()

    def _take(self, stretch: Stretch, page: Page) -> None:
        """Take one page; raises Unread, Unlisted, Sprawl, Disorder."""
        self.pages += 1
        entries: Sequence[Listed] = page.entries
        if not stretch.settled.is_set() and not self._settle(stretch, page):
            return
        if stretch.end and entries and in_order(entries[-1].name) >= in_order(stretch.end):
            end = in_order(stretch.end)
            at = next(at for at, entry in enumerate(entries) if in_order(entry.name) >= end)
            stretch.met, stretch.done = entries[at].name, True
            entries = entries[:at]
        stretch.pages += 1
        stretch.resumed = False
        if entries:
            stretch.catch.take(entries)
            stretch.first = stretch.first or entries[0].name
            low = len(entries) // 4
            stretch.low, stretch.last = entries[low].name, entries[-1].name
            stretch.count = len(entries) - 1 - low
            stretch.paths += len(entries)
            self.paths += len(entries)
            self.asker.met(len(entries))
        self._go_on(stretch, page.marker)
        if len(stretch.catch.bare) > BARE_LIMIT:
            raise Unlisted(f"{len(stretch.catch.bare)} entries came without their lists")
        if not self.whole(self):
            raise Sprawl

    def _go_on(self, stretch: Stretch, marker: str) -> None:
        stretch.marker = marker
        if not marker:
            stretch.done = True
        elif hash(marker) in stretch.markers:
            where = f"{self.asker.container}/{stretch.prefix.rstrip('/')}"
            raise Unread(f"the listing of {where} goes round in circles")
        stretch.markers.add(hash(marker))

    def _settle(self, stretch: Stretch, page: Page) -> bool:
        """Whether a stretch that was begun at a guess holds anything."""
        if not page.entries and page.marker:
            self._go_on(stretch, page.marker)
            return False
        if page.entries and in_order(page.entries[0].name) >= in_order(stretch.start):
            self.hits += 1
            stretch.first = page.entries[0].name
            stretch.settled.set()
            return True
        if page.entries:
            # It began where it pleased: such a service cannot begin at a name.
            self.asker.lanes.starts = False
        self._drop(stretch)
        return False

    def _drop(self, stretch: Stretch) -> None:
        """Let the stretch before it read on: there is nothing here, or it cannot be read by itself."""
        self.misses += 1
        before = next(each for each in self.stretches if each.next is stretch)
        if self.asker.lanes.starts:
            before.beyond = stretch.start
        before.end, before.next, before.scope = stretch.end, stretch.next, stretch.scope
        stretch.done = True
        self.stretches.remove(stretch)
        stretch.settled.set()

    async def _seam(self, stretch: Stretch) -> None:
        """See that a stretch ended where the next one began; raises Disorder."""
        while stretch.next is not None and not stretch.next.settled.is_set():
            await stretch.next.settled.wait()
        if stretch.next is None or stretch.met == stretch.next.first:
            return
        try:
            page = await self.asker.page(self.prefix, start=stretch.end, size=1)
        except Refused as error:
            raise Disorder(f"where {stretch.end!r} is cannot be seen again: {error}") from error
        present = page.entries[0].name if page.entries else ""
        # Something was made or went there meanwhile: either reader was right in its time.
        if present != stretch.met:
            raise Disorder(f"{present!r} is the first from {stretch.end!r} on, and {stretch.met!r} followed")

    async def _own(self, stretch: Stretch) -> None:
        """Count the directory whose contents a stretch is, unless it is gone by now; raises Unread."""
        own = stretch.own
        if own is None:
            return
        if not stretch.paths:
            # An empty directory and one that was deleted since look the same from inside.
            found = await self.asker.control(own.name)
            if found is None:
                return
            own = own._replace(acl=found.acl, group=found.group)
        stretch.own = None
        stretch.catch.add([own])
        stretch.paths += 1
        self.paths += 1
        self.asker.met(1)

    # Cutting.

    def _divide(self) -> None:
        """Begin more stretches where there is room for more readers and enough left to read."""
        lanes = self.asker.lanes
        if not self.split or self.pages < WHOLE:
            return
        while (
            lanes.active < lanes.most
            and self.misses <= 1 + self.pages // PAGES_FOR_A_MISS
            and self.cuts < 2 + self.pages // PAGES_FOR_A_CUT
        ):
            if not lanes.starts:
                if not self._levels:
                    self._look()
                return
            guesses = sum(not stretch.settled.is_set() for stretch in self.stretches)
            if guesses > self.hits or not self._cut():
                return

    def _cut(self) -> bool:
        """Cut the stretch with the most left to read; whether there was one."""
        longest = max(self._open(), key=self._left, default=None)
        if longest is None or self._left(longest) < WORTH:
            return False
        left = self._left(longest)
        # With no end in sight, twice as far at every success.
        skip = left / 2 if left != float("inf") else 2.0 ** min(1 + self.hits, 12)
        guess = cutting.ahead(longest.low, longest.last, skip * PAGE / longest.count)
        limit = longest.beyond or longest.end
        if guess is None or not guess.startswith(longest.prefix):
            return False
        if limit and in_order(guess) >= in_order(limit):
            return False
        after = Stretch(
            prefix=longest.prefix,
            catch=self.make(),
            start=guess,
            end=longest.end,
            scope=longest.scope,
            next=longest.next,
            beyond=longest.beyond,
        )
        longest.end, longest.next, longest.scope, longest.beyond = guess, after, None, ""
        self.stretches.insert(self.stretches.index(longest) + 1, after)
        self.cuts += 1
        self._begin(after)
        return True

    def _open(self) -> list[Stretch]:
        """Stretches of which more is to come and something is known."""
        return [each for each in self.stretches if each.marker and each.count > 0 and not each.done]

    def _left(self, stretch: Stretch) -> float:
        """Pages that a stretch still holds, as far as its names tell."""
        limit = stretch.beyond or stretch.end
        if not limit:
            return float("inf")
        times = cutting.distance(stretch.low, stretch.last, limit)
        # Nothing is known: as if there were just enough to try it once.
        return WORTH if times is None else times * stretch.count / PAGE

    def _look(self) -> None:
        """Look at the level of a directory whose children could be read side by side."""
        found = next((stretch for stretch in self._open() if self._can_be_looked_at(stretch)), None)
        if found is not None:
            self._levels += 1
            self.asker.lanes.active += 1
            self._tasks.add(asyncio.create_task(self._level(found)))

    def _can_be_looked_at(self, stretch: Stretch) -> bool:
        """Whether it is known where a stretch ends, so that what lies behind a child is all that follows."""
        scope = stretch.scope
        return scope is not None and stretch.pages >= WHOLE and self.pages >= stretch.looked.get(scope, 0)

    async def _level(self, stretch: Stretch) -> None:
        try:
            await hand_out(self, stretch)
        finally:
            self._levels -= 1
            self.asker.lanes.active -= 1
        self._divide()

    def begin(self, stretches: Sequence[Stretch]) -> None:
        """Read what was handed out."""
        self.cuts += 1
        for stretch in stretches:
            stretch.settled.set()
            self.stretches.append(stretch)
            self._begin(stretch)
