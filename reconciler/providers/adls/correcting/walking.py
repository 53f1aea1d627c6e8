"""Send one recursive call, page after page, and look afterwards at what it did.

Its law: after a call a path is what the listing shows, not what the service said of it.

A page may do again what it has done: set, modify and remove with the same entries change nothing on a path
that they have been over.  So a call may be resumed from a token that is one page old, and a call that
nobody remembers may be begun anew.  What it may not be is repeated unseen after a lost answer: somebody may
have given a path another right since, and would lose it without anybody's consent.  Hence the listing before
each call, and no call after a lost answer on the same subtree in the same run: the service may be at it yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.core.course import Course, Mark
from reconciler.providers.adls.acl import Acl
from reconciler.providers.adls.client import Refused
from reconciler.providers.adls.client_write import LakeWriter
from reconciler.providers.adls.correcting.lots import FAILED, Lots
from reconciler.providers.adls.correcting.requests import Recursive
from reconciler.providers.adls.correcting.strip import Strip, within
from reconciler.providers.adls.correcting.telling import Races
from reconciler.providers.contract import Diary
from reconciler.providers.transport import Lost, Unreachable

MODES = ("set", "modify", "remove")


@dataclass(slots=True)
class Walk:
    """What the requests of one recursive call came to."""

    failures: dict[str, str] = field(default_factory=dict)
    """Why paths refused, by path."""
    answered: int = 0
    """Requests that were answered with success."""
    ended: bool = False
    """Whether the service said that there is no more; it says so too where it gave up."""
    error: Refused | Unreachable | Lost | None = None


@dataclass(slots=True, kw_only=True)
class Walker:
    """Sends recursive calls into one container."""

    writer: LakeWriter
    container: str
    diary: Diary
    step: Callable[[int], None]
    """Called with the number of paths of every page."""

    def unfinished(self, top: str) -> Iterator[tuple[str, Course, Mark]]:
        """Calls of earlier runs at or below a directory that were begun and not ended, each with its path."""
        for course in self.diary.unfinished():
            container, _, path = course.path.partition("/")
            mark = self.diary.recall(course)
            if container == self.container and within(path, top) and course.mode in MODES and mark:
                yield path, course, mark

    async def send(self, call: Recursive, resumable: Callable[[int], bool]) -> Walk:
        """Go over the subtree, from where an earlier run stopped if `resumable` agrees to that many paths."""
        course = Course(f"{self.container}/{call.path}", call.mode, call.entries)
        mark = self.diary.recall(course)
        if mark is None or not resumable(mark.done):
            mark = Mark("", 0)
        walk = Walk()
        met = {""}
        while not walk.ended:
            try:
                page = await self.writer.recursive(
                    self.container, call.path, call.mode, call.entries, mark.token
                )
            except Refused as error:
                if mark.token and not walk.answered:
                    # A token that the service does not take any more costs the start, not the job.
                    mark = Mark("", 0)
                    continue
                walk.error = error
                return walk
            except (Unreachable, Lost) as error:
                walk.error = error
                return walk
            walk.answered += 1
            walk.failures.update((failure.path, failure.message) for failure in page.failures)
            mark = Mark(page.continuation, mark.done + page.visited)
            # Before the next request leaves: a process that ends here goes on from this token.
            self.diary.note(course, mark)
            self.step(page.visited)
            walk.ended = mark.token in met
            met.add(mark.token)
        return walk


@dataclass(slots=True, kw_only=True)
class Review:
    """Compares what a subtree holds after a call with what it should hold."""

    lots: Lots
    effect: Callable[[Acl, bool], Acl | None]
    """What the call makes of a list; the bool says whether it is a directory's."""
    failures: Mapping[str, str]
    ended: tuple[str, str]
    """The fault of paths on which something is still to be done, with its reason, as nothing more is sent
    there; ("", "") where the rest follows."""
    races: Races
    _known: dict[tuple[int, int], tuple[int, bool]] = field(default_factory=dict)

    def decide(self, name: str, before: int | None, now: int) -> int:
        """The lot of one path, from the one that it had before the call and the one that it is met in."""
        lots = self.lots
        if before is None:
            self.races.appeared += 1
            self._race(name, now)
            return now
        if name in self.failures and lots[before].open and lots[before][:2] == lots[now][:2]:
            reason = self.failures[name]
            return lots.changed(before, fault=FAILED, reason=reason)
        pair = before, now
        if pair not in self._known:
            self._known[pair] = self._judged(before, now)
        lot, raced = self._known[pair]
        if raced:
            self._race(name, lot)
        return lot

    def _judged(self, before: int, now: int) -> tuple[int, bool]:
        """The lot, and whether somebody else changed the path meanwhile."""
        old, seen = self.lots[before], self.lots[now]
        fault, reason = self.ended
        if old.directory != seen.directory:
            return now, True
        if seen.acl == self.effect(old.acl, old.directory):
            lot = self.lots.changed(before, acl=seen.acl)
        elif seen.acl == old.acl:
            lot = before
        else:
            return now, True
        ends = fault and self.lots[lot].open
        return (self.lots.changed(lot, fault=fault, reason=reason) if ends else lot), False

    def _race(self, name: str, lot: int) -> None:
        if self.lots[lot].open or self.lots[lot].moved:
            self.races.astray.add(1, [name])


def visited(strip: Strip, lots: Lots, effect: Callable[[Acl, bool], Acl | None], paths: int) -> bool:
    """Whether the first paths of a subtree are as a call leaves them, so that it may go on behind them."""
    settled: dict[int, bool] = {}
    for _, number in strip:
        if paths <= 0:
            return True
        paths -= 1
        if number not in settled:
            lot = lots[number]
            settled[number] = effect(lot.acl, lot.directory) == lot.acl
        if not settled[number]:
            return False
    return True
