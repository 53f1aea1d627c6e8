"""Columns judge as single paths are judged, row by row, in whatever order and batches rows come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.providers.adls.canonical import Canon, Judged
from reconciler.providers.adls.expectation import Expectation, Verdict
from reconciler.providers.adls.ground import Tally
from reconciler.providers.adls.inventory import kernel
from reconciler.providers.adls.inventory.estate import GroundError, ground, parse
from tests.providers.adls.inventory.rows import (
    KEY,
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
    BARE,
    DS,
    GOOD,
    IDS,
    INHERITED,
    NAMES,
    SHUFFLED,
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


@settings(suppress_health_check=[HealthCheck.too_slow])
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
    assert {path: len(gone) for path, gone in theirs.missing.items()} == judged.missing
    # Live, whatever is not there is asked for; here a folder of which nothing was met is not there.
    absent = {path for path in wanted if not any(path in ancestry(row.name) for row in found)}
    assert theirs.asked - absent <= {path for paths in theirs.missing.values() for path in paths}
    for path, each in wanted.items():
        assert summed(judged.tallies.get(path), each) == theirs.verdicts.get(path, {})
        mine, full = (canon(tallies.get(path), each) for tallies in (judged.tallies, theirs.tallies))
        assert mine == full


def summed(tally: Tally | None, each: Expectation) -> dict[tuple[bool, Verdict], int]:
    """How many paths that are no spots are in step, by the kernel's sums."""
    counts: dict[tuple[bool, Verdict], int] = {}
    for key, count in (tally.counts if tally else {}).items():
        verdict = each.verdict(key)
        if not key.spot and verdict < Verdict.DRIFT:
            counts[key.directory, verdict] = counts.get((key.directory, verdict), 0) + count
    return counts


def canon(tally: Tally | None, each: Expectation) -> Any:
    """What the comparison is given, evidence included, but for which paths are shown."""
    if tally is None or any(each.verdict(key) is Verdict.UNREADABLE for key in tally.counts):
        return None
    found = Canon(each.lens, tally, lambda entry: NAMES.get(entry, f"id:{entry.who}")).judge()
    evidence = {fact: (dict(one.counts), bool(one.samples)) for fact, one in found.found.evidence.items()}
    return found.found.grants, found.found.mixed, evidence, found.narrowed.counts, _counts(found)


def _counts(found: Judged) -> dict[str, dict[str, int]]:
    return {group: dict(one.counts) for group, one in found.owning.items()}


def judged(rows: list[Row], folders: Mapping[str, Mapping[str, Any]] | None = None) -> Outcome:
    """Rows of one worker, judged in a folder that `pricing-ds` may read, or in these."""
    wanted = expectations(folders or {"a": KEEPS_ALL})
    return outcome([[batch(rows)]], on(wanted.values()))


def drifted(found: Outcome) -> list[str]:
    return [row["path"] for row in found.paths if row["verdict"] == Verdict.DRIFT]


ODD = [
    "a/line\nbreak", "a/100%", "a/%2F", "a/x+y", "a/trailing.", "a/ends with space ", "a/\N{PILE OF POO}",
    "a/é\u0301",
    "a/" + "n" * 1022, "a/" + "/".join("d" * 510), "a/\"quoted\",comma", "a/tab\t", "a/\x7f", "a/a", "a/aa",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name)[:20])
def test_odd_names_are_names(name: str) -> None:
    assert drifted(judged([Row("a", True, FULL), Row(name, False, BARE)])) == [name]
    assert drifted(judged([Row("a", True, FULL), Row(name, False, GOOD)])) == []


def test_names_that_begin_alike_are_no_neighbours() -> None:
    found = judged(
        [Row("a", True, FULL), Row("ab", True, BARE), Row("ab/f", False, BARE), Row("a.b/f", False, BARE)]
    )
    assert (drifted(found), found.judged.outside) == ([], 3)


def test_a_directory_is_judged_by_itself_where_it_is_declared() -> None:
    inner = {"grants": {"group:pricing-eng": "read"}}
    found = judged(
        [Row("a", True, FULL), Row("a/b", True, FULL), Row("a/b/f", False, GOOD), Row("a/c", True, FULL)],
        {"a": KEEPS_ALL, "a/b": inner},
    )
    assert drifted(found) == ["a/b", "a/b/f"]


def test_a_file_where_a_folder_should_be_is_told() -> None:
    found = judged([Row("a", True, FULL), Row("a/b", False, GOOD)], {"a": KEEPS_ALL, "a/b": KEEPS_ALL})
    top = [key for key in found.judged.tallies["a/b"].counts if key.spot == "a/b"]
    assert [key.directory for key in top] == [False]
    assert found.judged.missing == {}


def test_a_folder_of_which_nothing_was_met_is_not_there() -> None:
    found = judged([Row("b", True, FULL)])
    assert not found.judged.exists("a") and found.judged.tallies == {} and found.judged.missing == {}


def test_a_directory_without_a_row_is_missing() -> None:
    found = judged([Row("a/b/c/f", False, GOOD), Row("a/b", True, FULL)])
    assert found.judged.missing == {"a": 2}
    assert not found.judged.exists("a")


def test_a_directory_that_another_worker_met_is_not_missing() -> None:
    where = on(expectations({"a": KEEPS_ALL}).values())
    parts = [[Row("a/b/f", False, GOOD)], [Row("a", True, FULL)], [Row("a/b", True, FULL)]]
    assert outcome([[batch(part)] for part in parts], where).judged.missing == {}
    assert outcome([[batch(part)] for part in parts[:2]], where).judged.missing == {"a": 1}


@pytest.mark.parametrize("acl", [None, "", "user::rwx", "rubbish", "user::rwx,group::r-x,other::--q"])
def test_a_list_that_cannot_be_read_is_no_drift(acl: str | None) -> None:
    found = judged([Row("a", True, FULL), Row("a/f", False, acl)])
    assert [(row["path"], row["acl"]) for row in found.paths if row["verdict"] == Verdict.UNREADABLE] == [
        ("a/f", acl or "")
    ]
    assert (found.judged.drifted, found.judged.unreadable) == (0, 1)


def test_more_entries_than_a_list_may_hold_are_unreadable() -> None:
    crowd = ",".join(f"user:{number:08x}-0000-4000-8000-000000000000:r--" for number in range(33))
    wide = f"user::rwx,{crowd},group::r-x,{DS}:r-x,mask::r-x,other::---"
    found = judged([Row("a", True, FULL), Row("a/f", False, wide)])
    assert (drifted(found), found.judged.unreadable) == ([], 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_row_that_comes_twice_drifts_once(workers: int) -> None:
    where = on(expectations({"a": KEEPS_ALL}).values())
    rows = [Row("a", True, FULL), Row("a/f", False, BARE)]
    found = outcome([[batch(rows), batch(rows)]] if workers == 1 else [[batch(rows)]] * 2, where)
    assert drifted(found) == ["a/f"]
    assert (found.judged.drifted, found.judged.repeated) == (1, 2)
    assert sum(found.judged.tallies["a"].counts.values()) == 2


def test_rows_in_step_that_come_twice_are_counted_twice() -> None:
    rows = [Row("a", True, FULL), Row("a/f", False, GOOD)]
    found = judged([*rows, rows[1]])
    assert sum(found.judged.tallies["a"].counts.values()) == 3 and drifted(found) == []


def test_dictionaries_may_differ_from_batch_to_batch() -> None:
    where = on(expectations({"a": KEEPS_ALL}).values())
    first = [Row("a", True, FULL), Row("a/f", False, GOOD)]
    second = [Row("a/g", False, BARE), Row("a/h", False, GOOD), Row("a/i", False, None)]
    found = outcome([[batch(first, True), batch(second, True), batch(first[1:], False)]], where)
    assert drifted(found) == ["a/g"]
    assert found.judged.unreadable == 1


def test_the_last_rows_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "BLOCK", 4)
    rows = [Row("a", True, FULL), *(Row(f"a/{number}", False, BARE) for number in range(9))]
    assert len(drifted(judged(rows))) == 9


def test_inventories_without_groups_are_judged() -> None:
    made = batch([Row("a", True, FULL), Row("a/f", False, SHUFFLED)]).drop_columns(["Group"])
    found = outcome([[made]], on(expectations({"a": KEEPS_ALL}).values()))
    assert found.paths[0]["group"] == "" and found.judged.inside == 2


def test_one_path_is_shown_of_what_is_noted_whoever_met_it() -> None:
    """Workers take what comes next: which rows one of them gets is chance."""
    where = on(expectations({"a": KEEPS_ALL}).values())
    rows = [Row("a", True, FULL), *(Row(f"a/{name}", False, GOOD, IDS["group:sales"]) for name in "cabd")]
    for cut in range(6):
        found = outcome([[batch(rows[cut:])], [batch(rows[:cut])]], where).judged.tallies["a"]
        (key,) = [key for key in found.counts if not key.spot]
        assert (found.counts[key], found.samples[key][0]) == (4, "a/a")


def test_a_ground_is_of_one_container_and_of_each_folder_once() -> None:
    (each,) = expectations({"a": KEEPS_ALL}).values()
    with pytest.raises(GroundError, match="curated/a is declared twice"):
        ground([each, each], KEY)
    with pytest.raises(GroundError, match="of one container, not of 0"):
        ground([], KEY)
    for text in (
        "",
        "[]",
        '{"format":"reconciler/ground/v2"}',
        on([each]).document().replace('["a",0]', '["a",7]'),
    ):
        with pytest.raises(GroundError):
            parse(text)


def test_no_verdict_depends_on_the_key() -> None:
    found = expectations({"a": KEEPS_ALL, "a/b": {"grants": {}}}).values()
    rows = [
        Row("a", True, FULL),
        Row("a/b", True, BARE),
        Row("a/b/f", False, GOOD),
        Row("a/g", False, "rubbish"),
    ]
    results = [outcome([[batch(rows)]], ground(found, key)).paths for key in (1, 2, 2**64 - 1)]
    assert results[0] == results[1] == results[2] != []
