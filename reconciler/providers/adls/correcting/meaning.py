"""Which lists mean the same, and which lie between two others.

Its law: a list lies between two others only if nobody at all, whatever groups they are in and whichever of
Microsoft's texts holds, meanwhile lacks a right that they have before and after, or has one that they have
neither before nor after.

The texts differ twice (see `acl`): on whether the mask covers `other`, and on whether somebody whom no group
satisfies falls through to `other`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, combinations, product
from typing import NamedTuple

from reconciler.providers.adls.acl import ALL, EXECUTE, Acl, Entry, Scope


class Granted(NamedTuple):
    """What one list grants once its mask is applied."""

    owner: int
    group: int
    other: int
    masked_other: int
    named: frozenset[tuple[Entry, int]]


class Meaning(NamedTuple):
    """What both lists of a path grant; files have no default list."""

    access: Granted
    default: Granted | None


def granted(scope: Scope, bits: int = ALL) -> Granted:
    """What a list grants of these bits."""
    limit = scope.limit & bits
    return Granted(
        scope.owner & bits, scope.group & limit, scope.other & bits, scope.other & limit,
        frozenset((entry, held & limit) for entry, held in scope.named.items()),
    )  # fmt: skip


def meaning(acl: Acl, directory: bool) -> Meaning:
    """What a path's lists come to: execute means nothing on a file, and a file hands nothing on."""
    if not directory:
        return Meaning(granted(acl.access, ALL & ~EXECUTE), None)
    return Meaning(granted(acl.access), granted(acl.default) if acl.default is not None else None)


def same(one: Acl, two: Acl, directory: bool) -> bool:
    """Whether two lists grant everybody the same, entry by entry, here and on what is created below."""
    return meaning(one, directory) == meaning(two, directory)


def between(before: Acl, now: Acl, after: Acl, directory: bool) -> bool:
    """Whether a path may hold `now` on its way from `before` to `after`."""
    return lies_between(meaning(before, directory), meaning(now, directory), meaning(after, directory))


@lru_cache(maxsize=100_000)
def lies_between(before: Meaning, now: Meaning, after: Meaning) -> bool:
    """Whether a path may mean `now` on its way from `before` to `after`: in each of its lists."""
    return all(map(_lies_between, before, now, after))


def _lies_between(before: Granted | None, now: Granted | None, after: Granted | None) -> bool:
    if now in (before, after):
        return True
    if before is None or now is None or after is None or before == after:
        # Without a default list creation modes decide: nothing lies between that and a list.
        return False
    if not _in(before.owner, now.owner, after.owner):
        return False
    entries = [dict(each.named) for each in (before, now, after)]
    here = entries[1].keys()
    if not entries[0].keys() & entries[2].keys() <= here <= entries[0].keys() | entries[2].keys():
        return False
    ways: dict[str, set[_Way]] = {"user": {(None, None, None)}, "group": set()}
    ways["group"].add((before.group, now.group, after.group))
    for entry in entries[0].keys() | entries[2].keys():
        ways[entry.kind].add((entries[0].get(entry), entries[1].get(entry), entries[2].get(entry)))
    others = {
        (before.other, now.other, after.other),
        (before.masked_other, now.masked_other, after.masked_other),
    }
    people = product(ways["user"], _memberships(ways["group"]), others, (False, True))
    return all(_in(*(_held(*each) for each in _moments(*person))) for person in people)


_Way = tuple[int | None, int | None, int | None]
"""What an entry grants before, now and after; None where there is no such entry.  Entries that go the same
way are alike."""


def _in(before: int, now: int, after: int) -> bool:
    return not (before & after & ~now or now & ~(before | after))


def _memberships(groups: set[_Way]) -> Iterator[tuple[_Way, ...]]:
    """Groups that somebody may be in: one group for each of the three moments shows everything there is.

    Whoever is in a bad moment has each of the three rights through one group, or for want of any.  Being in
    only these changes none of the three.
    """
    return chain.from_iterable(combinations(groups, size) for size in range(4))


def _moments(
    user: _Way, groups: tuple[_Way, ...], other: tuple[int, int, int], falls_through: bool
) -> Iterator[tuple[int | None, list[int], int, bool]]:
    for at in range(3):
        held = [bits for way in groups if (bits := way[at]) is not None]
        yield user[at], held, other[at], falls_through


def _held(user: int | None, groups: list[int], other: int, falls_through: bool) -> int:
    """The rights of somebody with these entries (Microsoft docs: access control model)."""
    if user is not None:
        return user
    united = 0
    for bits in groups:
        united |= bits
    return united | other if falls_through or not groups else united
