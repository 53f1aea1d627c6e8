"""Columns judge as single paths are judged, row by row, in whatever order and batches rows come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.adls.canonical import Canon, Judged
from reconciler.providers.adls.expectation import Expectation, Verdict
from reconciler.providers.adls.ground import Tally
from reconciler.providers.adls.inventory.estate import parse
from tests.providers.adls.inventory.rows import (
    Outcome,
    Row,
    ancestry,
    batch,
    by_path,
    expectations,
    on,
    outcome,
)
from tests.providers.adls.test_expectation import (
    GOOD,
    IDS,
    INHERITED,
    NAMES,
    documents,
    lists,
)

NESTED = ("a", "a/b", "a/b/c/d", "ab", "b/x", "e")
"""Declared folders: within each other, with a way between, and with names that begin alike."""
NAMES_BELOW = ("a", "b", "bc", "c", "d", "x", "f", "ab", "é", "")
KEEPS_ALL: Mapping[str, Any] = {"grants": {"group:pricing-ds": "read"}}
FULL = f"{GOOD},{INHERITED}"


def folders() -> st.SearchStrategy[dict[str, dict[str, Any]]]:
    return st.dictionaries(st.sampled_from(NESTED), documents, min_size=1, max_size=5)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """A tree with all its directories, most of the time; lists are few."""
    acls = {kind: draw(st.lists(lists(kind), min_size=1, max_size=4)) for kind in (False, True)}
    for kind in acls:
        acls[kind] += [FULL, "user::rwx", ""]
    steps = st.lists(st.sampled_from(NAMES_BELOW), min_size=1, max_size=6).map("/".join)
    files = draw(st.sets(steps, max_size=12))
    met = {path for file in files for path in ancestry(file)[1:]} | set(
        draw(st.sets(st.sampled_from(NESTED)))
    )
    met -= set(draw(st.sets(st.sampled_from(sorted(met) or [""]), max_size=1)))
    groups = st.sampled_from([None, "", "$superuser", IDS["group:sales"]])
    found = [
        Row(path, kind, draw(st.sampled_from([*acls[kind], None])), draw(groups))
        for kind, paths in ((True, met), (False, files - met))
        for path in sorted(paths)
    ]
    return draw(st.permutations(found))


@given(st.data(), folders(), rows())
def test_columns_agree_with_paths(data: st.DataObject, declared: dict[str, Any], found: list[Row]) -> None:
    wanted = expectations(declared)
    # Of some nobody asks: they are holes in the others, or nothing at all.
    asked = data.draw(st.sets(st.sampled_from(sorted(wanted)), min_size=1), label="asked")
    wanted = {path: each for path, each in wanted.items() if path in asked}
    here = parse(on(wanted.values()).document())
    cuts = sorted(data.draw(st.sets(st.integers(0, len(found)), max_size=4), label="cuts"))
    parts = [found[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(found)], strict=True)]
    batches = [batch(part, data.draw(st.booleans(), label="dictionary")) for part in parts]
    cut = data.draw(st.integers(0, len(batches)), label="workers")
    agree(outcome([batches[:cut], batches[cut:]], here), found, wanted)


def agree(ours: Outcome, found: list[Row], wanted: Mapping[str, Expectation]) -> None:
    """Every row, every count, every missing directory, and what a plan would be made of."""
    theirs = by_path(found, wanted)
    judged = ours.judged
    assert ours.paths == theirs.alone
    assert judged.outside == theirs.outside and judged.rows == len(found)
    assert {path: len(absent) for path, absent in theirs.missing.items()} == judged.missing
    for path, each in wanted.items():
        assert summed(judged.tallies.get(path), each) == theirs.verdicts.get(path, {})
        # Live, whatever is not there is asked for; here a folder that nothing was met of is not there.
        asked = {gone for gone in theirs.asked if path in ancestry(gone) and _home(gone, wanted) == path}
        if path in theirs.tallies:
            assert (asked != set()) == (path in judged.missing or not judged.exists(path))
        mine, full = (canon(tallies.get(path), each) for tallies in (judged.tallies, theirs.tallies))
        assert mine == full


def _home(path: str, wanted: Mapping[str, Expectation]) -> str:
    return next((each for each in ancestry(path) if each in wanted), "")


def summed(tally: Tally | None, each: Expectation) -> dict[tuple[bool, Verdict], int]:
    """How many paths that are no spots are in step, by the kernel's sums."""
    counts: dict[tuple[bool, Verdict], int] = {}
    for key, count in (tally.counts if tally else {}).items():
        verdict = each.verdict(key)
        if not key.spot and verdict < Verdict.DRIFT:
            counts[key.directory, verdict] = counts.get((key.directory, verdict), 0) + count
    return counts


def canon(tally: Tally | None, each: Expectation) -> Judged | None:
    """What the comparison is given, evidence included, but for which paths are shown."""
    if tally is None or any(each.verdict(key) is Verdict.UNREADABLE for key in tally.counts):
        return None
    found = Canon(each.lens, tally, lambda entry: NAMES.get(entry, f"id:{entry.who}")).judge()
    evidence = {fact: (dict(one.counts), bool(one.samples)) for fact, one in found.found.evidence.items()}
    return found.found.grants, found.found.mixed, evidence, found.narrowed.counts, _counts(found)  # type: ignore[return-value]


def _counts(found: Judged) -> dict[str, dict[str, int]]:
    return {group: dict(one.counts) for group, one in found.owning.items()}
