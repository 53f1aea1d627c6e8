"""Guesses about names: they go forward, carry over like numbers, and parts of a directory overlap nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.adls.ground import in_order
from reconciler.providers.adls.sweeping.cutting import Child, ahead, clean_cut, distance, parts, set_apart

part = st.text("ab-. 019é~", min_size=1, max_size=4)
path = st.lists(part, min_size=1, max_size=3).map("/".join)


@pytest.mark.parametrize(
    ("low", "high", "skip", "guess"),
    [
        ("t/part-01250", "t/part-04999", 1, "t/part-08748"),
        ("t/part-01250-x.parquet", "t/part-04999-y.parquet", 2, "t/part-12497"),
        ("t/part-90000", "t/part-99999", 1, "t/part-~"),
        ("t/0fa41234-0000", "t/1c23aaaa-0000", 1, "t/28a342"),
        ("t/date=2024-12-01/f", "t/date=2024-12-03/f", 2, "t/date=2024-12-07"),
        ("t/d1/x", "t/d4/x", 1, "t/d7"),
        ("t/d/f0001", "t/d/f0900", 1, "t/d/f1799"),
        ("t", "t", 1, None),
        ("t/x", "t", 1, None),
    ],
)
def test_names_run_on_as_they_ran_so_far(low: str, high: str, skip: float, guess: str | None) -> None:
    assert ahead(low, high, skip) == guess


@given(path, path, st.floats(0.01, 1e6))
def test_a_guess_lies_ahead(low: str, high: str, skip: float) -> None:
    low, high = sorted((low, high), key=in_order)
    guess = ahead(low, high, skip)
    assert guess is None or in_order(guess) > in_order(high)


@given(path, path, st.integers(1, 50))
def test_a_guess_is_as_far_as_it_was_to_be(low: str, high: str, skip: int) -> None:
    low, high = sorted((low, high), key=in_order)
    guess = ahead(low, high, skip)
    if guess is not None and not guess.endswith("~"):
        assert distance(low, high, guess) == pytest.approx(skip, rel=0.01)


children = st.lists(st.builds(Child, part, st.booleans()), max_size=20, unique_by=lambda child: child.name)


@given(children, st.data())
def test_every_child_is_in_one_part_or_loose(found: list[Child], data: st.DataObject) -> None:
    found.sort()
    cut = data.draw(st.integers(0, len(found)))
    kept, given_away = found[:cut], found[cut:]
    size = data.draw(st.integers(1, 20))
    made, loose = parts(given_away, [child.name for child in kept], size)
    assert not any(child.directory for child in loose)
    for child in found:
        inside = f"{child.name}/x" if child.directory else child.name
        met = sum(inside.startswith(each.stem) for each in made) + (child in loose)
        assert met == (child in given_away)
    assert all(each.children <= size or each.single for each in made)


@given(children, part)
def test_a_clean_cut_is_one_in_either_order(found: list[Child], after: str) -> None:
    """Nothing from before the cut comes after anything behind it, also where whole names are in order."""
    found.sort()
    cut = clean_cut(found, after)
    before = [name for child in found[:cut] for name in (child.name, child.name + "/x" * child.directory)]
    behind = [name for child in found[cut:] for name in (child.name, child.name + "/x" * child.directory)]
    if before and behind:
        assert max(before) < min(behind)
        assert max(map(in_order, before)) < min(map(in_order, behind))
    assert all(child.name > after for child in found[cut:])


@given(children, part)
def test_what_is_set_apart_begins_after_everything_before_it(found: list[Child], name: str) -> None:
    if set_apart(found, name):
        assert all(child.name + "/x" * child.directory < name for child in found if child.name < name)
