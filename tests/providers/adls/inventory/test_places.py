"""Directories are told apart by all their bytes, and the table that holds them loses none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.adls.inventory.estate import NOBODY, Landmark
from reconciler.providers.adls.inventory.places import BITS, PART, WIDE, Hasher, Places, Texts

names = st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=30)


@given(names)
def test_equal_names_have_equal_hashes_and_others_have_others(texts: list[str]) -> None:
    hasher = Hasher(7)
    found = hasher.texts(texts)
    assert len(set(found.tolist())) == len(set(texts))
    # Whatever else is in the batch, and wherever in it they lie.
    assert [hasher.texts([text])[0] for text in texts] == found.tolist()
    assert hasher.texts(texts[::-1]).tolist() == found.tolist()[::-1]


leaves = st.integers(0, 3 * WIDE).map("x".__mul__)
deep = st.lists(st.lists(leaves, min_size=1, max_size=3).map("/".join), max_size=12)


@given(deep, st.integers(0, 3))
def test_long_names_are_looked_at_from_end_to_end(texts: list[str], skip: int) -> None:
    """However far the last slash is, and wherever in its words a name ends."""
    held = Texts(pa.array(texts, pa.string())[skip:])
    assert held.parents().tolist() == [len(text.rpartition("/")[0]) for text in texts[skip:]]
    hasher = Hasher(7)
    found = hasher.of(held, held.starts, held.parents()).tolist()
    assert found == hasher.texts([text.rpartition("/")[0] for text in texts[skip:]]).tolist()
    assert len(set(found)) == len({text.rpartition("/")[0] for text in texts[skip:]})


def test_rows_in_runs_are_found_like_rows_apart() -> None:
    """Directory by directory each is looked up once; that is nobody's to notice."""
    paths = [f"top/{number % 7}/{number // 50}" for number in range(3000)]
    runs, apart = Texts(pa.array(sorted(paths))), Texts(pa.array(paths))
    first, second = (Places([Landmark("top/3", 5, True, True)], Hasher(1)) for _ in range(2))
    for table, texts in ((first, runs), (second, apart)):
        homes = (table.held[table.slots(texts, texts.parents())] >> BITS).tolist()
        expected = [5 if path.startswith("top/3/") else NOBODY for path in texts.names.to_pylist()]
        assert homes == expected
    assert set(first.keys.tolist()) == set(second.keys.tolist())


@given(names, st.integers(0, 5))
def test_parents_are_what_is_before_the_last_slash(texts: list[str], skip: int) -> None:
    texts = [text.replace("a", "/") for text in texts]
    held = Texts(pa.array(texts, pa.string())[skip:])
    expected = [len(text.rpartition("/")[0].encode()) for text in texts[skip:]]
    assert held.parents().tolist() == expected


@given(st.sets(st.integers(1, 2**64 - 1), max_size=300), st.integers(0, 63))
def test_a_table_finds_what_was_put_into_it(numbers: set[int], shift: int) -> None:
    """Also where all of them want the same slots."""
    hashes = np.array(sorted({(number >> shift) or 1 for number in numbers}), dtype=np.uint64)
    table = Places((), Hasher(1))
    half = hashes[::2]
    assert table.first(np.concatenate([half, half])).tolist() == list(range(len(half)))
    assert (table.find(half) >= 0).all() and (table.find(hashes[1::2]) < 0).all()
    assert table.first(hashes).tolist() == list(range(1, len(hashes), 2))
    assert len(set(table.find(hashes).tolist())) == len(hashes)


def test_a_table_grows_without_losing_anything() -> None:
    table = Places([Landmark("", NOBODY, False, False), Landmark("top", 3, True, True)], Hasher(1))
    size = len(table.keys)
    paths = [f"top/{number % 300}/{number}" for number in range(4 * PART)]
    held = Texts(pa.array(paths))
    for _ in range(2):
        slots = table.slots(held, held.lengths)
        assert len(set(slots.tolist())) == len(paths)
        assert (table.held[slots] >> BITS == 3).all()
    assert len(table.keys) > size and np.count_nonzero(table.keys) == len(paths) + 300 + 2
    outside = Texts(pa.array(["topping/x", "x/top/y"]))
    assert (table.held[table.slots(outside, outside.lengths)] >> BITS).tolist() == [NOBODY, NOBODY]
