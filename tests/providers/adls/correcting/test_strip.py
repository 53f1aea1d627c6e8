"""Strips: the same as a sorted mapping, whatever order their paths come in."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.adls.correcting import strip as strips
from reconciler.providers.adls.correcting.strip import Strip, place, within

NAMES = st.lists(
    st.sampled_from(["a", "b", "a-b", "a b", "a%", "+", "ü", "line\nbreak"]), min_size=1, max_size=4
)
TREES = st.dictionaries(NAMES.map("/".join), st.integers(0, 5), max_size=60)


def strip(tree: dict[str, int], order: list[str] | None = None) -> Strip:
    made = Strip()
    for name in sorted(tree, key=place) if order is None else order:
        made.add(name, tree[name])
    return made.close()


def expected(tree: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(tree.items(), key=lambda pair: pair[0].split("/"))


@given(tree=TREES, data=st.data(), room=st.integers(1, 7))
def test_paths_are_in_listing_order_however_they_came(
    tree: dict[str, int], data: st.DataObject, room: int
) -> None:
    before, strips.ROOM = strips.ROOM, room
    try:
        made = strip(tree, data.draw(st.permutations(sorted(tree))))
    finally:
        strips.ROOM = before
    assert list(made) == expected(tree)
    assert (len(made), made.counts()) == (len(tree), Counter(tree.values()))


@given(tree=TREES, other=TREES, data=st.data(), room=st.integers(1, 7))
def test_a_subtree_is_cut_out_and_replaced(
    tree: dict[str, int], other: dict[str, int], data: st.DataObject, room: int
) -> None:
    before, strips.ROOM = strips.ROOM, room
    try:
        made = strip(tree)
        top = data.draw(st.sampled_from([*sorted(tree), "a", "b/a"]))
        inner = {name: lot for name, lot in other.items() if within(name, top)}
        assert list(made.below(top)) == [pair for pair in expected(tree) if within(pair[0], top)]
        made.splice(top, strip(inner))
    finally:
        strips.ROOM = before
    assert list(made) == expected({name: lot for name, lot in tree.items() if not within(name, top)} | inner)


@given(tree=TREES, some=st.lists(NAMES.map("/".join)), room=st.integers(1, 7))
def test_single_paths_are_found_and_changed(tree: dict[str, int], some: list[str], room: int) -> None:
    before, strips.ROOM = strips.ROOM, room
    try:
        made = strip(tree)
    finally:
        strips.ROOM = before
    asked = [*some, *list(tree)[::2]]
    assert made.find(asked) == {name: tree[name] for name in asked if name in tree}
    made.change(dict.fromkeys(asked, 9))
    assert list(made) == expected({name: 9 if name in asked else lot for name, lot in tree.items()})
    assert sorted(made.of_lots([9])) == sorted((name, 9) for name in tree if name in asked)


@given(tree=TREES, old=TREES, room=st.integers(1, 7))
def test_every_path_meets_its_former_lot(tree: dict[str, int], old: dict[str, int], room: int) -> None:
    before, strips.ROOM = strips.ROOM, room
    try:
        made, former = strip(tree), strip(old)
    finally:
        strips.ROOM = before
    met: dict[str, tuple[int | None, int]] = {}

    def decide(name: str, was: int | None, now: int) -> int:
        met[name] = was, now
        return 7

    made.follow(former, decide)
    assert met == {name: (old.get(name), lot) for name, lot in tree.items()}
    assert list(made) == expected(dict.fromkeys(tree, 7))


def test_a_million_paths_take_a_few_bytes_each() -> None:
    made = Strip()
    for number in range(100_000):
        made.add(f"datalake/raw/year=2026/month={number % 12:02}/part-{number:08}.parquet", number % 3)
    made.close()
    assert sum(len(page.packed) + page.lots.itemsize * len(page.lots) for page in made.pages) < 20 * 100_000
