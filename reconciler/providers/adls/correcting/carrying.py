"""Carry corrections of one tree out: survey, plan, send, survey again, until nothing is left to do.

Its law: a recursive call leaves only over a subtree that was listed a moment ago, deeper folders included,
and only if every path in it is as the plan took it to be and goes from an approved list towards its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from reconciler.providers.adls.client import Refused
from reconciler.providers.adls.correcting.choosing import choose, effect_of, fits, helps, price, spent
from reconciler.providers.adls.correcting.lots import FAILED, LOST, Lots
from reconciler.providers.adls.correcting.requests import Call, Recursive
from reconciler.providers.adls.correcting.singles import Singles
from reconciler.providers.adls.correcting.strip import Strip, within
from reconciler.providers.adls.correcting.surveying import Surveyor, renew
from reconciler.providers.adls.correcting.telling import Races, why
from reconciler.providers.adls.correcting.walking import Review, Walk, Walker, visited
from reconciler.providers.adls.sweeping.sweep import Unread
from reconciler.providers.contract import Progress
from reconciler.providers.transport import Lost, Unreachable

ROUNDS = 4
"""How often what is left is planned anew: paths that appear during the work may need their own writes."""
REPLANS = 3
"""How often a subtree that keeps changing is planned anew before its paths go one by one."""


@dataclass(slots=True)
class Steps:
    """How far the writing of one tract is."""

    progress: Progress
    done: int = 0
    total: int = 0
    """Paths that the calls known so far will visit."""

    listed: int = 0

    def met(self, paths: int) -> None:
        """Count what was listed, before calls and after them, and tell."""
        self.listed += paths
        self.progress("lake paths listed", self.listed, 0)

    def plan(self, calls: Sequence[Call]) -> None:
        """Count in what these calls will visit."""
        self.total += sum(call.paths if isinstance(call, Recursive) else 1 for call in calls)

    def step(self, paths: int) -> None:
        """Count what was visited, and tell."""
        self.done += paths
        self.progress("lake paths written", self.done, max(self.total, self.done))


@dataclass(slots=True, kw_only=True)
class Carrier:
    """The corrections of one tract under way."""

    surveyor: Surveyor
    walker: Walker
    singles: Singles
    lots: Lots
    top: str
    steps: Steps
    strip: Strip = field(default_factory=Strip)
    """What the tree holds, as last seen."""
    races: Races = field(default_factory=Races)
    _behind: list[str] = field(default_factory=list)
    """Subtrees in which this round sends nothing more: they were planned anew, or cannot be done."""
    _lost: list[str] = field(default_factory=list)
    """Subtrees in which this run sends nothing more: an answer was lost, the service may be at it still."""
    _silent: str = ""
    """Why nothing is sent any more at all."""

    async def run(self) -> bool:
        """Bring every path to its approved list; False where the tree is not there.

        Raises Unread where it cannot be listed: nothing was sent then.
        """
        self.strip = await self._first()
        self.singles.seen = self.top
        await self._resume()
        for _ in range(ROUNDS):
            if self._silent or not self._is_open(self.strip):
                break
            self._behind = []
            if not await self._follow(self.strip, self.top, 0):
                break
        return bool(self.strip.pages)

    async def _first(self) -> Strip:
        try:
            return await self.surveyor.survey(self.top)
        except Unread:
            if not self.surveyor.ground.deeper:
                raise
        # What lies deeper is somebody else's and may be unreadable: single paths can be written all the same.
        self.surveyor.blind = True
        return await self.surveyor.survey(self.top)

    async def _resume(self) -> None:
        """Go on with calls of an earlier run, where that takes no more requests than a new plan."""
        page = self.walker.writer.page
        for path, course, mark in self.walker.unfinished(self.top):
            part = self.strip.below(path)
            call = Recursive(path, course.mode, course.entries, len(part), -(-len(part) // page))
            if self.surveyor.blind or not (fits(call, part, self.lots) and helps(call, part, self.lots)):
                continue
            if not visited(part, self.lots, partial(effect_of, call), mark.done):
                continue
            anew = choose(self.strip, self.lots, page, singly=False)
            if price(page)(len(part)) - mark.done // page <= sum(map(partial(spent, page), anew)):
                self.steps.plan([call])
                await self._recursive(self.strip, call, 0)

    def _is_open(self, strip: Strip) -> bool:
        return any(self.lots[number].open for number in strip.counts())

    async def _follow(self, strip: Strip, top: str, replans: int, singly: bool = False) -> bool:
        """Plan a subtree and carry the plan out; False where there was nothing to send.

        The strip is kept up to date: it is what the next round starts from.
        """
        singly = singly or self.surveyor.blind or replans > REPLANS
        calls = choose(strip, self.lots, self.walker.writer.page, singly=singly)
        self.steps.plan(calls)
        for batch in _batches(calls):
            if self._silent:
                break
            first = batch[0]
            if isinstance(first, Recursive):
                if not self._is_behind(first.path):
                    await self._recursive(strip, first, replans)
            else:
                paths = [call.path for call in batch if not self._is_behind(call.path)]
                await self._one_by_one(strip, top, paths)
        return bool(calls)

    def _is_behind(self, path: str) -> bool:
        return any(within(path, top) for top in (*self._behind, *self._lost))

    async def _one_by_one(self, strip: Strip, top: str, paths: Sequence[str]) -> None:
        if await self.singles.send(strip, top, paths):
            return
        # Between the listing and these writes there were recursive calls: look again.
        try:
            await self._look(strip, top)
        except Unread as error:
            self._give_up(strip, FAILED, f"nothing was sent: {error}")
        else:
            await self.singles.send(strip, top, paths, looked=True)

    async def _look(self, strip: Strip, top: str) -> int:
        """List a subtree again and bring its strip up to date; how many paths changed.  Raises Unread."""
        fresh = await self.surveyor.survey(top)
        changes = renew(strip, fresh, self.lots)
        strip.pages = fresh.pages
        self.singles.seen = top
        return changes

    async def _recursive(self, strip: Strip, call: Recursive, replans: int) -> None:
        """One recursive call, if its subtree still is what it was planned for; else that subtree anew."""
        part = strip.below(call.path)
        try:
            changes = await self._look(part, call.path)
        except Unread as error:
            self._give_up(part, FAILED, f"nothing was sent: {error}")
            self._behind.append(call.path)
        else:
            if not fits(call, part, self.lots):
                # What changed is no longer what was planned for; a plan that never fitted is not tried again.
                await self._follow(part, call.path, replans + 1, singly=not changes)
                self._behind.append(call.path)
            else:
                await self._walk(part, call)
        strip.splice(call.path, part)

    async def _walk(self, part: Strip, call: Recursive) -> None:
        effect = partial(effect_of, call)
        self.singles.seen = None
        walk = await self.walker.send(call, partial(visited, part, self.lots, effect))
        fault, reason = self._fault(walk)
        if fault:
            (self._lost if fault == LOST else self._behind).append(call.path)
        if isinstance(walk.error, Unreachable):
            self._silent = reason
        if fault == FAILED and not walk.answered:
            self._give_up(part, fault, reason)
            return
        try:
            seen = await self.surveyor.survey(call.path)
        except Unread as error:
            self._behind.append(call.path)
            self._give_up(part, LOST, f"the tree could not be read after the write: {error}")
            return
        review = Review(
            lots=self.lots, effect=effect, failures=walk.failures, ended=(fault, reason), races=self.races
        )
        seen.follow(part, review.decide)
        part.pages = seen.pages
        self.singles.seen = call.path
        if isinstance(walk.error, Refused) and not fault and not walk.answered:
            await self._follow(part, call.path, 0, singly=True)
            self._behind.append(call.path)

    def _fault(self, walk: Walk) -> tuple[str, str]:
        """What the end of a walk means for paths that it did not bring to their end; ("", "") for nothing."""
        error = walk.error
        if error is None:
            return "", ""
        if isinstance(error, Lost):
            # The service may still be at it: what it has not done by now, it may do in a moment.
            return LOST, why(error)
        if isinstance(error, Refused) and error.status not in (401, 403):
            # Gone, or not to its liking as a whole: the listing shows what is left to do in another way.
            return "", ""
        return FAILED, why(error)

    def _give_up(self, strip: Strip, fault: str, reason: str) -> None:
        """Write nothing more on what is not done in a subtree."""

        def given_up(name: str, before: int | None, now: int) -> int:
            return self.lots.changed(now, fault=fault, reason=reason) if self.lots[now].open else now

        strip.follow(Strip(), given_up)

    def finish(self) -> Strip:
        """The tree in the end, with the reason of everything that is not done."""
        if self._silent:
            self._give_up(self.strip, FAILED, self._silent)
        return self.strip


def _batches(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """Each recursive call alone, and runs of single ones together."""
    singles: list[Call] = []
    for call in calls:
        if isinstance(call, Recursive):
            yield from [singles] if singles else []
            yield [call]
            singles = []
        else:
            singles.append(call)
    if singles:
        yield singles
