"""The law of a merge: approved entries get exactly their right, and nobody else's access moves.

The verdicts here are written from Microsoft's two texts and share nothing with the code under test but the
parsed list.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.providers.adls.acl import (
    ALL,
    FRESH,
    LIMIT,
    OTHER,
    Acl,
    AclError,
    Changes,
    Conflict,
    Entry,
    Scope,
    merge,
    of_mode,
    parse,
)

USERS = [Entry("user", name) for name in ("u1", "u2", "u3")]
GROUPS = [Entry("group", name) for name in ("g1", "g2", "g3")]
STRANGER, OWNER, OWNING_GROUP = "stranger", "owner", "owning-group"
VARIANTS = list(product((False, True), (False, True)))
"""Whether the mask covers `other`, and whether the rights of several groups are united."""

bits = st.integers(0, ALL)


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    named = draw(st.dictionaries(st.sampled_from(USERS + GROUPS), bits, max_size=5))
    mask = draw(bits) if named else draw(st.none() | bits)
    return Scope(owner=draw(bits), group=draw(bits), other=draw(bits), mask=mask, named=named)


changes = st.dictionaries(st.sampled_from([*USERS, *GROUPS, OTHER]), st.none() | bits, max_size=4)


def allowed(scope: Scope, who: str, groups: frozenset[str], masked_other: bool, united: bool) -> set[int]:
    """Every combination of rights that this principal may use at once."""
    mask = 7 if scope.mask is None else scope.mask
    other = scope.other & (mask if masked_other else 7)
    if who == OWNER:
        return _within(scope.owner)
    for entry, granted in scope.named.items():
        if entry == ("user", who):
            return _within(granted & mask)
    matching = [granted & mask for entry, granted in scope.named.items() if entry in _entries(groups)]
    if OWNING_GROUP in groups:
        matching.append(scope.group & mask)
    if united and matching:
        union = 0
        for granted in matching:
            union |= granted
        return _within(union)
    return set(chain.from_iterable(map(_within, [*matching, other])))


def _within(granted: int) -> set[int]:
    return {asked for asked in range(8) if asked & granted == asked}


def _entries(groups: frozenset[str]) -> set[tuple[str, str]]:
    return {("group", name) for name in groups}


def principals() -> Iterator[tuple[str, frozenset[str]]]:
    names = [entry.who for entry in GROUPS] + [OWNING_GROUP]
    memberships = [frozenset(some) for size in range(len(names) + 1) for some in combinations(names, size)]
    yield from product([entry.who for entry in USERS] + [STRANGER, OWNER], memberships)


PRINCIPALS = list(principals())


def concerned(who: str, groups: frozenset[str], approved: Changes) -> bool:
    """Whether a change speaks of this principal."""
    if who == OWNER:
        return False
    return (
        ("user", who) in approved
        or any(entry in approved for entry in _entries(groups))
        # Under one text a member whom no group satisfies falls through to other.
        or OTHER in approved
    )


def assert_law(before: Scope, after: Scope, approved: Changes) -> None:
    for (who, groups), (masked_other, united) in product(PRINCIPALS, VARIANTS):
        if concerned(who, groups, approved):
            continue
        was = allowed(before, who, groups, masked_other, united)
        now = allowed(after, who, groups, masked_other, united)
        assert was == now, (who, sorted(groups), masked_other, united)
    for entry, wanted in approved.items():
        if entry == OTHER:
            assert after.other == (wanted or 0)
            assert after.other & after.limit == after.other
        else:
            assert after.effective(entry) == wanted
    assert after.owner == before.owner


@settings(max_examples=400, deadline=None)
@given(scopes(), changes)
@example(  # raising one entry beyond the mask would let another grow
    Scope(owner=7, group=7, other=0, mask=5, named={USERS[0]: 5, USERS[1]: 7}), {USERS[0]: 7}
)
@example(  # taking the last named entry would uncover the owning group
    Scope(owner=7, group=7, other=0, mask=5, named={USERS[0]: 5}), {USERS[0]: None}
)
@example(  # and would uncover other, under one of the texts
    Scope(owner=7, group=7, other=7, mask=5, named={USERS[0]: 5}), {USERS[0]: None}
)
@example(  # the first named entry makes a mask
    Scope(owner=7, group=5, other=7, named={}), {GROUPS[0]: 4}
)
def test_a_merge_moves_nobody_else(scope: Scope, approved: Changes) -> None:
    try:
        after = merge(Acl(scope), approved, {}).access
    except Conflict as conflict:
        assert conflict.entries
        assert not mergeable(scope, approved)
        rest = {entry: right for entry, right in approved.items() if entry not in conflict.entries}
        assert_law(scope, merge(Acl(scope), rest, {}).access, rest)
        return
    assert mergeable(scope, approved)
    assert_law(scope, after, approved)
    assert {entry for entry in after.named if entry not in approved} == {
        entry for entry in scope.named if entry not in approved
    }


def mergeable(scope: Scope, approved: Changes) -> bool:
    """Whether any list at all fulfils the law: every mask is tried."""
    named = {entry: scope.effective(entry) for entry in scope.named}
    named |= {entry: right for entry, right in approved.items() if entry != OTHER}
    needed = [right for right in named.values() if right] + [scope.group & scope.limit]
    other = (approved[OTHER] or 0) if OTHER in approved else scope.other
    masked = other if OTHER in approved else other & scope.limit
    # No mask at all, where nobody is named, is the widest one.
    return any(all(right & mask == right for right in needed) and other & mask == masked for mask in range(8))


@given(scopes(), scopes(), changes, changes)
def test_both_scopes_are_merged_apart(access: Scope, default: Scope, one: Changes, two: Changes) -> None:
    try:
        whole = merge(Acl(access, default), one, two)
    except Conflict:
        return
    assert whole.access == merge(Acl(access), one, {}).access
    assert whole.default == merge(Acl(default), two, {}).access


@given(scopes(), changes)
def test_merging_again_changes_nothing(scope: Scope, approved: Changes) -> None:
    try:
        once = merge(Acl(scope), approved, {})
    except Conflict:
        return
    assert merge(once, approved, {}) == once


@given(scopes(), st.none() | scopes())
def test_a_list_reads_as_it_was_written(access: Scope, default: Scope | None) -> None:
    acl = Acl(access, default)
    assert parse(acl.text) == acl
    assert parse(acl.text).text == acl.text


@given(scopes(), changes)
def test_half_of_the_changes_does_half(scope: Scope, approved: Changes) -> None:
    """Merging one after the other comes to the same effective rights as merging all at once."""
    acl = Acl(scope)
    try:
        for entry, right in approved.items():
            acl = merge(acl, {entry: right}, {})
        whole = merge(Acl(scope), approved, {}).access
    except Conflict:
        return
    for entry in {*scope.named, *approved, OTHER}:
        assert acl.access.effective(entry) == whole.effective(entry), entry


def test_the_first_default_list_gives_children_what_they_would_have_got() -> None:
    acl = of_mode("rwxrwxrwx")
    after = merge(acl, {}, {GROUPS[0]: 5})
    assert after.access == acl.access
    assert after.text.endswith(
        "default:user::rwx,default:group::r-x,default:group:g1:r-x,default:mask::r-x,default:other::---"
    )
    assert after.default is not None
    assert_law(FRESH, after.default, {GROUPS[0]: 5})


def test_no_default_list_is_made_to_take_something_away() -> None:
    acl = of_mode("rwxr-x---")
    assert merge(acl, {}, {GROUPS[0]: None, OTHER: None}) == acl


def test_taking_the_last_default_entry_leaves_a_default_list() -> None:
    """Without one, the next child would get another owning group's right than before."""
    acl = parse(
        "user::rwx,group::r-x,other::---,"
        "default:user::rwx,default:group::rwx,default:user:u1:r-x,default:mask::r-x,default:other::---"
    )
    after = merge(acl, {}, {USERS[0]: None})
    assert after.text == (
        "user::rwx,group::r-x,other::---,default:user::rwx,default:group::r-x,default:other::---"
    )


def test_a_wider_mask_that_everybody_might_use_is_refused() -> None:
    acl = parse("user::rwx,user:u1:r--,group::r--,mask::r--,other::r-x")
    with pytest.raises(Conflict, match="other:: holds r-x beyond the mask r--") as caught:
        merge(acl, {USERS[0]: 5, USERS[1]: 4}, {})
    assert caught.value.entries == {USERS[0]}
    assert merge(acl, {USERS[0]: 5, OTHER: None}, {}).access.effective(USERS[0]) == 5


def test_object_ids_are_read_without_regard_to_case() -> None:
    acl = parse("user::rwx,user:ABC-1:r-x,group::r-x,mask::r-x,other::---")
    assert acl.access.effective(Entry("user", "abc-1")) == 5


def test_size_counts_what_the_service_counts() -> None:
    assert of_mode("rwxr-x---").access.size == 3
    full = {Entry("user", f"u{number}"): 5 for number in range(28)}
    assert merge(of_mode("rwxr-x---"), full, {}).access.size == LIMIT


@pytest.mark.parametrize(
    ("permissions", "text"),
    [
        ("rwxr-x---", "user::rwx,group::r-x,other::---"),
        ("rw-r--r-T", "user::rw-,group::r--,other::r--"),
        ("rwxrwxrwt", "user::rwx,group::rwx,other::rwx"),
    ],
)
def test_plain_permissions_say_the_whole_list(permissions: str, text: str) -> None:
    assert of_mode(permissions).text == text


@pytest.mark.parametrize("permissions", ["rwxr-x---+", "rwxr-x", "", "rwxr-xr-z", "0750"])
def test_other_permissions_do_not(permissions: str) -> None:
    with pytest.raises(AclError):
        of_mode(permissions)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "user::rwx",
        "user::rwx,group::r-x",
        "user::rwx,group::r-x,other::--",
        "user::rwx,group::r-x,other::---,role:x:rwx",
        "user::rwx,group::r-x,other::---,mask:x:rwx",
        "user::rwx,group::r-x,other::---,user:a:r--,user:A:rwx",
        "user::rwx,group::r-x,other::---,default:user:a:r--",
        "user::rwx,group::r-x,other::---,",
    ],
)
def test_what_is_no_list_is_an_error(text: str) -> None:
    with pytest.raises(AclError):
        parse(text)
