"""Ask the planner for the calls of a subtree, and hold a call against what the subtree holds by now.

Its law: a call is weighed again right before it is sent, against every list that it will pass over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.providers.adls.acl import Acl
from reconciler.providers.adls.client import PAGE
from reconciler.providers.adls.correcting.lots import Lot, Lots
from reconciler.providers.adls.correcting.planning import Price, plan
from reconciler.providers.adls.correcting.requests import Call, Need, Recursive, Single
from reconciler.providers.adls.correcting.semantics import between, effect, same
from reconciler.providers.adls.correcting.strip import Strip

LISTINGS = 2
"""A subtree is listed before a recursive call and after it."""
ENTRANCE = 2
"""Requests that a listing takes beside its pages: the container's root, and the directory itself."""


def choose(strip: Strip, lots: Lots, page: int, *, singly: bool) -> Sequence[Call]:
    """The calls that bring a subtree to its approved lists; `singly` for no recursive one among them.

    `page` is how many paths a recursive request visits.
    """
    counts = strip.counts()
    ends = {number: lots[number].after for number in counts if lots[number].open}
    if not ends:
        return []
    if singly:
        written = ((path, ends[number]) for path, number in strip.of_lots(ends))
        return [Single(path, after) for path, after in written if after is not None]
    needs: list[Need] = []
    known: dict[tuple[str, str, bool], int] = {}
    classes: dict[int, int] = {}
    for number in counts:
        need = _need(lots[number])
        key = need.before.text, need.after.text if need.after else "", need.directory
        classes[number] = known.setdefault(key, len(needs))
        needs += [need] if classes[number] == len(needs) else []
    return plan(_Paths(strip, classes), needs, price(page), page)


@dataclass(frozen=True, slots=True)
class _Paths:
    """A strip as the planner walks it, with the numbers of needs in place of those of lots."""

    strip: Strip
    classes: Mapping[int, int]

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return ((path, self.classes[number]) for path, number in self.strip)


def _need(lot: Lot) -> Need:
    return Need(lot.acl, lot.after if lot.open else None, lot.directory)


def price(page: int) -> Price:
    """What a recursive call takes: its own requests, and the listings before and after it."""
    return lambda paths: -(-paths // page) + LISTINGS * (ENTRANCE + -(-paths // PAGE))


def spent(page: int, call: Call) -> int:
    """What one call of a plan takes."""
    return price(page)(call.paths) if isinstance(call, Recursive) else 1


def effect_of(call: Recursive, acl: Acl, directory: bool) -> Acl | None:
    """What a call makes of a list; None where nobody can tell."""
    return effect(call.mode, call.entries, acl.text, directory)


def fits(call: Recursive, strip: Strip, lots: Lots) -> bool:
    """Whether a call takes every path of a subtree from what it holds towards its approved list.

    Whoever stops halfway has to be able to go on: what the call leaves behind must be taken, by somebody
    who meets it without knowing of the call, for the start of a way to the same end.
    """
    return all(_fits(call, lots, lots[number]) for number in strip.counts())


def helps(call: Recursive, strip: Strip, lots: Lots) -> bool:
    """Whether a call brings any path to its end."""
    return any(_helps(call, lots[number]) for number in strip.counts())


def _helps(call: Recursive, lot: Lot) -> bool:
    now = effect_of(call, lot.acl, lot.directory)
    return lot.open and lot.after is not None and now is not None and same(now, lot.after, lot.directory)


def _fits(call: Recursive, lots: Lots, lot: Lot) -> bool:
    now = effect_of(call, lot.acl, lot.directory)
    if now is None:
        return False
    if lot.after is None:
        return same(now, lot.acl, lot.directory)
    if not between(lot.start, now, lot.after, lot.directory):
        return False
    met = lots.judged(lot, now)
    return same(met.after or now, lot.after, lot.directory)
