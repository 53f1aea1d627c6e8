"""Ask the planner for the calls of a subtree, and hold a call against what the subtree holds by now.

Its law: single writes are always a plan; a recursive call has to be cheaper, with the listings that it needs.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.providers.adls.acl import Acl
from reconciler.providers.adls.client import PAGE
from reconciler.providers.adls.correcting.lots import Lots
from reconciler.providers.adls.correcting.planning import plan
from reconciler.providers.adls.correcting.requests import Call, Need, Recursive, Single
from reconciler.providers.adls.correcting.semantics import between, effect, same
from reconciler.providers.adls.correcting.strip import Strip

ENTRANCE = 2
"""Requests that a listing takes beside its pages: the container's root, and the directory itself."""


def choose(strip: Strip, lots: Lots, page: int, *, singly: bool) -> Sequence[Call]:
    """The calls that bring a subtree to its approved lists; `singly` for no recursive one among them.

    `page` is how many paths a recursive request visits.
    """
    open_lots = [number for number in strip.counts() if lots[number].open]
    if not open_lots:
        return []
    counts = strip.counts()
    paths = sum(counts[number] for number in open_lots)
    calls = [] if singly else _planned(strip, lots, page)
    if not calls or sum(map(_cost, calls)) >= paths:
        return [Single(path, _end(lots, number)) for path, number in strip.of_lots(open_lots)]
    return calls


def _planned(strip: Strip, lots: Lots, page: int) -> Sequence[Call]:
    numbers: dict[Need, int] = {}
    classes: dict[int, int] = {}
    for number in strip.counts():
        lot = lots[number]
        need = Need(lot.acl, lot.after if lot.open else None, lot.directory)
        classes[number] = numbers.setdefault(need, len(numbers))
    return plan(((path, classes[number]) for path, number in strip), list(numbers), page)


def _cost(call: Call) -> int:
    """Requests that a call takes, with the listings before and after a recursive one."""
    if isinstance(call, Single):
        return 1
    return call.requests + 2 * (ENTRANCE + -(-call.paths // PAGE))


def _end(lots: Lots, number: int) -> Acl:
    after = lots[number].after
    assert after is not None
    return after


def effect_of(call: Recursive, acl: Acl, directory: bool) -> Acl | None:
    """What a call makes of a list; None where nobody can tell."""
    return effect(call.mode, call.entries, acl, directory)


def fits(call: Recursive, strip: Strip, lots: Lots) -> bool:
    """Whether a call takes every path of a subtree from what it holds towards its approved list.

    Whoever stops halfway has to be able to go on: what the call leaves behind must be taken, by somebody
    who meets it without knowing of the call, for the start of a way to the same end.
    """
    for number in strip.counts():
        lot = lots[number]
        now = effect_of(call, lot.acl, lot.directory)
        if now is None:
            return False
        if lot.after is None:
            if not same(now, lot.acl, lot.directory):
                return False
            continue
        if not between(lot.acl, now, lot.after, lot.directory):
            return False
        met = lots.judged(lot, now)
        if not same(met.after or now, lot.after, lot.directory):
            return False
    return True
