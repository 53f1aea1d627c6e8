"""The planner against every order of calls on small trees, and against the emulator's own effects."""

from __future__ import annotations

import os
from random import Random

import pytest

from reconciler.emulator.lake import acl as emulated
from reconciler.providers.adls.acl import Acl, parse
from reconciler.providers.adls.correcting.fates import Fate
from reconciler.providers.adls.correcting.planning import plan
from reconciler.providers.adls.correcting.requests import Need, Recursive, Single, cost
from reconciler.providers.adls.correcting.semantics import between, effect, same
from tests.providers.adls.correcting.forest import (
    Tree,
    allowed,
    before,
    carried_out,
    done,
    fewest,
    tree,
    wishes,
)

TREES = 40_000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 480
WISHES = 16
A = "group:00000000-0000-4000-8000-00000000000a"
B = "group:00000000-0000-4000-8000-00000000000b"
PLAIN = "user::rwx,group::r-x,other::---"
READS = f"user::rwx,group::r-x,{A}:r-x,mask::r-x,other::---"


def default(text: str) -> str:
    return f"{text},{','.join(f'default:{entry}' for entry in text.split(','))}"


@pytest.mark.parametrize("part", range(4))
def test_no_order_of_calls_takes_fewer_requests(part: int) -> None:
    for seed in range(part, TREES, 4):
        here = tree(Random(seed))
        calls = plan(here.paths, here.needs, page=here.page, wishes=WISHES)
        state = carried_out(here, calls)
        assert done(here, state), seed
        assert cost(calls) == fewest(here, WISHES, cost(calls)), seed


def test_a_path_passes_through_nothing_that_it_may_not_hold() -> None:
    """A call that harms a path which nobody approved to change is no call, even if another would heal it."""
    stays = 0
    for seed in range(300):
        here = tree(Random(seed))
        for need in here.needs:
            values = Fate(need, wishes(here, 16)).values
            assert all(allowed(need, value) for value in values), seed
            stays += need.after is None and len(values) > 1
    assert stays > 5


def test_effects_are_the_service_s() -> None:
    """Where the planner tells an effect, the emulated service has the same one."""
    told = 0
    for seed in range(1_000):
        random = Random(seed)
        here = tree(random)
        directory = random.random() < 0.5
        acl = before(random, directory)
        for wish in wishes(here, 8):
            made = effect(wish.mode, wish.entries, acl.text, directory)
            if made is None:
                continue
            told += 1
            for drops in (False, True):
                served = service(wish.mode, wish.entries, acl, directory, drops)
                assert same(made, served, directory), (seed, wish)
    assert told > 1_500


def service(mode: str, entries: str, acl: Acl, directory: bool, drops: bool) -> Acl:
    """What the emulated service makes of a list, whether or not one without default entries drops them."""
    held = emulated.assign(
        emulated.minimal(0o777), emulated.parse(acl.text), directory=directory, drops_default=True
    )
    changes = emulated.parse(entries, removal=mode == "remove")
    if mode == "set":
        fitting = changes if directory else [change for change in changes if not change.default]
        made = emulated.assign(held, fitting, directory=directory, drops_default=drops)
    elif mode == "modify":
        made = emulated.modify(held, changes, directory=directory)
    else:
        made = emulated.remove(held, changes)
    return parse(made.text)


def uniform(files: int, *, deeper: bool = False) -> Tree:
    """One directory with subdirectories and many files, all of which want A to read."""
    directory = Need(parse(default(PLAIN)), parse(default(READS)), True)
    file = Need(parse(PLAIN), parse(READS), False)
    frozen = Need(parse(default(f"user::rwx,group::r-x,{B}:rwx,mask::rwx,other::---")), None, True)
    paths = [("t", 0)]
    for number in range(files):
        if number % 100 == 0:
            paths.append((f"t/{number:06d}", 0))
        paths.append((f"t/{number // 100 * 100:06d}/f{number:06d}", 1))
    if deeper:
        paths.append(("t/zz", 2))
    return Tree(paths, [directory, file, frozen], 2_000)


def test_a_uniform_tree_takes_one_walk() -> None:
    here = uniform(10_000)
    [call] = plan(here.paths, here.needs)
    assert isinstance(call, Recursive)
    assert (call.path, call.paths, call.requests) == ("t", 10_101, 6)
    assert done(here, carried_out(here, [call]))


def test_a_deeper_folder_is_gone_around() -> None:
    here = uniform(1_000, deeper=True)
    calls = plan(here.paths, here.needs)
    assert done(here, carried_out(here, calls))
    # Nothing may pass over t/zz, so each of the ten subtrees has its own call, and t one write.
    assert (len(calls), cost(calls)) == (11, 11)


def test_others_entries_are_spared() -> None:
    """A recursive set would be as cheap, and would take from B what nobody asked about."""
    with_b = f"user::rwx,group::r-x,{B}:r-x,mask::r-x,other::---"
    both = f"user::rwx,group::r-x,{A}:r-x,{B}:r-x,mask::r-x,other::---"
    needs = [
        Need(parse(default(PLAIN)), parse(default(READS)), True),
        Need(parse(PLAIN), parse(READS), False),
        Need(parse(with_b), parse(both), False),
    ]
    paths = [("t", 0), *((f"t/{number:03d}", 1 + number % 2) for number in range(100))]
    [call] = plan(paths, needs)
    assert isinstance(call, Recursive) and call.mode == "modify"


def test_a_mask_that_would_grow_is_mended_first() -> None:
    """B spells rwx under r-x: a computed mask would let B write, so that path is written before the walk."""
    masked = f"user::rwx,group::r-x,{B}:rwx,mask::r-x,other::---"
    mended = f"user::rwx,group::r-x,{A}:rwx,{B}:r-x,mask::rwx,other::---"
    writes = f"user::rwx,group::r-x,{A}:rwx,mask::rwx,other::---"
    needs = [
        Need(parse(default(PLAIN)), parse(default(writes)), True),
        Need(parse(PLAIN), parse(writes), False),
        Need(parse(masked), parse(mended), False),
    ]
    paths = [("t", 0), *((f"t/{number:03d}", 1) for number in range(100)), ("t/x", 2)]
    first, second = plan(paths, needs)
    assert isinstance(first, Single) and first.path == "t/x"
    assert isinstance(second, Recursive) and second.path == "t"


def test_nothing_to_change_takes_no_call() -> None:
    here = uniform(10)
    done_already = [need._replace(before=need.after or need.before) for need in here.needs]
    assert plan(here.paths, done_already) == []


def test_looking_before_and_after_has_its_price() -> None:
    here = uniform(20)
    assert cost(plan(here.paths, here.needs)) == 1
    singles = plan(here.paths, here.needs, price=lambda paths: 30)
    assert {type(call) for call in singles} == {Single}
    kinds = [here.needs[dict(here.paths)[call.path]].directory for call in singles]
    assert kinds == sorted(kinds, reverse=True), "directories first: what is new inherits from them"


def test_paths_out_of_order_are_refused() -> None:
    here = uniform(10)
    with pytest.raises(ValueError, match="not in listing order"):
        plan([here.paths[0], ("elsewhere", 1)], here.needs)


@pytest.mark.parametrize(
    ("now", "good"),
    [
        (PLAIN, True),
        (READS, True),
        (f"user::rwx,group::r-x,{A}:r--,mask::r--,other::---", False),
        (f"user::rwx,group::r-x,{A}:rwx,mask::rwx,other::---", False),
        ("user::rwx,group::rwx,other::---", False),
    ],
)
def test_between(now: str, good: bool) -> None:
    assert between(parse(PLAIN), parse(now), parse(READS), True) is good


def test_a_right_that_moves_between_groups_is_not_lost_on_the_way() -> None:
    """Who is in A and B reads before and after: the state in which neither reads is a bad moment."""
    lists = [
        parse(f"user::rwx,group::---,{A}:{a},{B}:{b},mask::rwx,other::---")
        for a, b in (("r--", "---"), ("---", "---"), ("r--", "r--"), ("---", "r--"))
    ]
    assert not between(lists[0], lists[1], lists[3], True)
    assert between(lists[0], lists[2], lists[3], True)
