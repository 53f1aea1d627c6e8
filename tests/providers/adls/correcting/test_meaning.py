"""What lies between two lists, held against everybody there could be, by Microsoft's texts alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import chain, combinations, product
from random import Random

import pytest

from reconciler.providers.adls.acl import Acl, Entry, Scope
from reconciler.providers.adls.correcting.meaning import between, same

ROUNDS = 60_000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 1_500
USERS = [Entry("user", name) for name in ("u1", "u2")]
GROUPS = [Entry("group", name) for name in ("g1", "g2", "g3")]
STRANGER, OWNING = Entry("user", "stranger"), Entry("group")
MEMBERSHIPS = [
    frozenset(some) for size in range(len(GROUPS) + 2) for some in combinations([*GROUPS, OWNING], size)
]


def scope(random: Random) -> Scope:
    named = {entry: random.randrange(8) for entry in USERS + GROUPS if random.random() < 0.5}
    return Scope(
        owner=7,
        group=random.randrange(8),
        other=random.choice([0, 0, 0, 1, 4]),
        mask=random.choice([7, 7, 5, 4]) if named else None,
        named=named,
    )


def mixed(random: Random, before: Scope, after: Scope) -> Scope:
    """A list that has something of both, and now and then something of its own."""
    choose = lambda one, two: random.choice([one, two, one | two, one & two])  # noqa: E731
    named: dict[Entry, int] = {}
    for entry in before.named.keys() | after.named.keys():
        one, two = before.named.get(entry), after.named.get(entry)
        if one is not None and two is not None:
            named[entry] = choose(one, two)
        elif random.random() < 0.6:
            named[entry] = (one if one is not None else two) or 0
    if random.random() < 0.1:
        named[random.choice(USERS + GROUPS)] = random.randrange(8)
    return Scope(
        owner=7,
        group=choose(before.group, after.group),
        other=choose(before.other, after.other),
        mask=choose(before.limit, after.limit) if named else None,
        named=named,
    )


def rights(scope: Scope, who: Entry, groups: frozenset[Entry], masked_other: bool, united: bool) -> int:
    """The bits that somebody gets, each asked for alone, by one of the texts."""
    mask = 7 if scope.mask is None else scope.mask
    if who in scope.named:
        return scope.named[who] & mask
    entries: Mapping[Entry, int] = {**scope.named, OWNING: scope.group}
    matching = [bits & mask for entry, bits in entries.items() if entry in groups]
    other = scope.other & (mask if masked_other else 7)
    found = 0
    for bits in matching:
        found |= bits
    return found if united and matching else found | other


def everybody() -> Iterator[tuple[Entry, frozenset[Entry], bool, bool]]:
    return product([*USERS, STRANGER], MEMBERSHIPS, (False, True), (False, True))


EVERYBODY = list(everybody())


def has_bad_moment(before: Scope, now: Scope, after: Scope) -> bool:
    for person in EVERYBODY:
        was, held, will = (rights(each, *person) for each in (before, now, after))
        if was & will & ~held or held & ~(was | will):
            return True
    return False


def strange(before: Scope, now: Scope, after: Scope) -> bool:
    """Whether an entry is there that neither end has, or one is missing that both have."""
    ends = before.named.keys(), after.named.keys()
    return not ends[0] & ends[1] <= now.named.keys() <= ends[0] | ends[1]


def test_nobody_has_a_bad_moment_in_between() -> None:
    told = {True: 0, False: 0}
    for seed in range(ROUNDS):
        random = Random(seed)
        before, after = scope(random), scope(random)
        if random.random() < 0.5:
            after = mixed(random, before, after)
        now = mixed(random, before, after)
        ends = [same(Acl(now), Acl(end), True) for end in (before, after)]
        if any(ends):
            assert between(Acl(before), Acl(now), Acl(after), True)
            continue
        good = between(Acl(before), Acl(now), Acl(after), True)
        still = same(Acl(before), Acl(after), True)
        assert good == (
            not has_bad_moment(before, now, after) and not strange(before, now, after) and not still
        ), seed
        told[good] += 1
    assert min(told.values()) > ROUNDS // 50


def test_lists_that_mean_the_same_let_everybody_do_the_same() -> None:
    for seed in range(ROUNDS // 3):
        random = Random(seed)
        one = scope(random)
        limit = one.limit
        spelt = {entry: bits & limit | random.randrange(8) & ~limit for entry, bits in one.named.items()}
        two = Scope(owner=7, group=one.group, other=one.other, mask=one.mask, named=spelt)
        assert same(Acl(one), Acl(two), True)
        assert all(rights(one, *person) == rights(two, *person) for person in EVERYBODY)


def listed(named: Mapping[Entry, int], other: int = 0, group: int = 0) -> Acl:
    return Acl(Scope(owner=7, group=group, other=other, mask=7 if named else None, named=dict(named)))


G1, G2, U1 = GROUPS[0], GROUPS[1], USERS[0]


@pytest.mark.parametrize(
    ("before", "now", "after", "good"),
    [
        # One is granted before the other is revoked, and not the other way round.
        ({G1: 4}, {G1: 4, G2: 4}, {G2: 4}, True),
        ({G1: 4}, {}, {G2: 4}, False),
        ({G1: 4, G2: 0}, {G1: 0, G2: 0}, {G1: 0, G2: 4}, False),
        ({G1: 5}, {G1: 4}, {G1: 4}, True),
        ({G1: 5}, {G1: 1}, {G1: 6}, False),
        ({G1: 4}, {G1: 6}, {G1: 2}, True),
        # Somebody named loses what groups and other give.
        ({U1: 4, G1: 4}, {U1: 4, G1: 4, G2: 4}, {G1: 4, G2: 4}, True),
        ({}, {U1: 0}, {G1: 4}, False),
    ],
)
def test_between_ends(
    before: dict[Entry, int], now: dict[Entry, int], after: dict[Entry, int], good: bool
) -> None:
    assert between(listed(before), listed(now), listed(after), True) is good


def test_execute_on_files_and_default_lists_of_files_mean_nothing() -> None:
    one, two = listed({G1: 5}), listed({G1: 4})
    assert same(one, two, False) and not same(one, two, True)
    handing_on = Acl(one.access, two.access)
    assert same(one, handing_on, False) and not same(one, handing_on, True)


def test_what_is_handed_on_is_at_one_end_or_between_two_lists() -> None:
    plain, read, write = listed({G1: 4}), listed({G1: 4}).access, listed({G1: 6}).access
    both = listed({G1: 4, G2: 4}).access
    nothing, reads = Acl(plain.access), Acl(plain.access, read)
    assert between(nothing, nothing, reads, True) and between(nothing, reads, reads, True)
    assert not between(nothing, Acl(plain.access, both), reads, True)
    assert not between(nothing, reads, Acl(plain.access, write), True)
    assert between(reads, Acl(plain.access, both), Acl(plain.access, listed({G2: 4}).access), True)


def test_memberships_of_everybody_are_all_of_them() -> None:
    assert len(EVERYBODY) == 3 * 16 * 4
    assert len(set(chain.from_iterable(person[1] for person in EVERYBODY))) == 4
