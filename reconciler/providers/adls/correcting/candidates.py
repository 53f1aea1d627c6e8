"""Which recursive calls are worth thinking about for a tree, from what its paths hold and are to hold.

A call that spares no request is never planned, so that a candidate too many costs time and nothing else; one
too few may cost requests.  The commonest wishes of a tree come first, and only so many are looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from reconciler.providers.adls.acl import Acl, Entry, Scope
from reconciler.providers.adls.correcting.requests import Need
from reconciler.providers.adls.correcting.semantics import same, spell

WISHES = 2_000
"""Kinds of call that are looked at for one tree."""


class Candidate(NamedTuple):
    """A recursive call without a place."""

    mode: str
    entries: str


def candidates(needs: Sequence[Need], counts: Mapping[int, int], limit: int = WISHES) -> list[Candidate]:
    """Calls that bring some paths of the tree where they belong; `counts` are paths by number of need."""
    wishes: Counter[Candidate] = Counter()
    for number, need in enumerate(needs):
        if need.after is None or same(need.before, need.after, need.directory):
            continue
        for wish in set(_wishes(need.before, need.after)):
            wishes[wish] += counts.get(number, 0)
    ranked = sorted(wishes.items(), key=lambda wish: (-wish[1], wish[0]))
    return [wish for wish, _ in ranked[:limit]]


def _wishes(before: Acl, after: Acl) -> Iterable[Candidate]:
    yield Candidate("set", after.text)
    access = _changed(before.access, after.access)
    default = _changed(before.default, after.default) if after.default else {}
    respelt = _respelt(before.access, after.access)
    default_respelt = _respelt(before.default, after.default) if before.default and after.default else {}
    if respelt or default_respelt:
        yield _modify(respelt, default_respelt)
    gone = [*_gone(before.access, after.access, ""), *_gone(before.default, after.default, "default:")]
    if gone:
        yield Candidate("remove", ",".join(gone))
    # The masks of the end keep the service from computing wider ones.
    masked = {**access, **_mask(after.access)} if access else {}
    if access or default:
        yield _modify(access, default)
        yield _modify(masked, {**default, **_mask(after.default)} if default else {})
    if default and after.default:
        # A default list that has to be begun is given whole.
        yield _modify(access, _whole(after.default))
        yield _modify(masked, _whole(after.default))


def _modify(access: Mapping[Entry, int], default: Mapping[Entry, int]) -> Candidate:
    return Candidate("modify", ",".join([*spell(access), *spell(default, "default:")]))


def _held(scope: Scope | None) -> dict[Entry, int]:
    if scope is None:
        return {}
    return {**scope.named, Entry("other"): scope.other}


def _changed(before: Scope | None, after: Scope | None) -> dict[Entry, int]:
    """Entries that are new or grant something else."""
    had = _held(before)
    limits = before.limit if before else 7, after.limit if after else 7
    return {
        entry: bits
        for entry, bits in _held(after).items()
        if entry not in had or had[entry] & limits[0] != bits & limits[1]
    }


def _respelt(before: Scope, after: Scope) -> dict[Entry, int]:
    """What has to be said where no entry is to be named in vain: others may hold something else there."""
    had = _whole(before)
    changed = {entry: bits for entry, bits in _whole(after).items() if had.get(entry) != bits}
    return {**changed, **_mask(after)} if changed else {}


def _gone(before: Scope | None, after: Scope | None, prefix: str) -> Iterable[str]:
    kept = _held(after)
    return (f"{prefix}{entry.kind}:{entry.who}" for entry in _held(before) if entry not in kept and entry.who)


def _mask(scope: Scope | None) -> dict[Entry, int]:
    return {} if scope is None or scope.mask is None else {Entry("mask"): scope.mask}


def _whole(scope: Scope) -> dict[Entry, int]:
    base = {Entry("user"): scope.owner, Entry("group"): scope.group, Entry("other"): scope.other}
    return {**base, **scope.named, **_mask(scope)}
