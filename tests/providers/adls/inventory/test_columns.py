"""Rows come as the files have them, in every form and spelling; what cannot be read is a fault by name."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.providers.adls.inventory.columns import SCHEMA, Rows, View
from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.runs import shortfall
from reconciler.providers.adls.inventory.source import LocalFile
from reconciler.providers.adls.inventory.units import Unit, cut
from tests.providers.adls.inventory.runs import ACL, SMALL, Inventoried, Row, read, said
from tests.providers.adls.lake import ODD

FORMS = ("csv", "parquet")
PLAIN = View(container="curated", qualified=True)
HEAD = "Name,hdi_isfolder,Acl,Group"


@pytest.fixture
def lake(tmp_path: Path) -> Inventoried:
    return Inventoried(tmp_path)


def odd() -> list[tuple[str, bool, str]]:
    """Directories and files with every name that has to be escaped somewhere, and one that is very long."""
    names = [
        *ODD,
        'quo"te',
        '"',
        ",",
        "a,b",
        "x" * 255,
        "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}",
    ]
    long = "/".join(["d" * 101] * 10) + "/" + "f" * 4
    return [
        ("odd", True, ACL),
        *((f"odd/{name}", True, "") for name in names),
        *((f"odd/{name}/{name}", False, "") for name in names),
        (long, False, ""),
    ]


ORDERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "several files": {"files": 3},
    "few rows in a group": {"group_rows": 5},
    "percent": {"percent_encoded": True},
    "other breaks": {"line_break": "\r\n"},
    "other marks": {"mark": "TRUE"},
    "Boolean marks": {"mark": ""},
    "no more fields than needed": {"fields": ["Acl", "hdi_isfolder", "Group", "Name"]},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", ORDERS)
def test_every_row_is_what_the_lake_holds(lake: Inventoried, form: str, order: str) -> None:
    lake.fill(odd())
    lake.fill([("other", True, "")], "raw")
    lake.make(form=form, **ORDERS[order])
    rows = lake.rows(encoded=order == "percent", sizes={"rows": 7, "size": 500})
    assert rows == lake.facts()
    assert max(len(row[0]) for row in rows) == 1024
    assert lake.rows("raw", encoded=order == "percent") == lake.facts("raw")


@pytest.mark.parametrize("form", FORMS)
def test_names_without_their_container_are_told_by_the_run_itself(lake: Inventoried, form: str) -> None:
    lake.fill(odd())
    lake.make(form=form, matched=["curated/"], container_in_names=False)
    assert lake.rows() == lake.facts()
    assert lake.rows(said="path") == lake.facts()


def test_a_container_may_hold_a_folder_of_its_own_name(lake: Inventoried) -> None:
    lake.fill([("curated", True, ACL), ("curated/curated", True, ""), ("curated/curated/x", False, "")])
    lake.make()
    assert lake.rows() == lake.facts()


def test_names_that_fit_no_reading_are_a_fault(lake: Inventoried) -> None:
    lake.fill([*SMALL, ("curated/deep", True, "")])
    folder = lake.make(matched=["curated"], container_in_names=False)
    chosen = lake.find()
    parts = lake.cut(chosen)
    told = said(lake.view, chosen, parts)
    assert told.startswith(f"inventory {folder}: its rule lists curated; 2 of 5 names begin so, as 'curated")
    assert "', and others do not, as 'pricing" in told and told.endswith(": set the inventory's `names`")
    assert lake.rows(said="path") == lake.facts()


def test_names_without_container_of_several_containers_are_names_of_nothing(lake: Inventoried) -> None:
    lake.fill(SMALL)
    lake.fill([("x", True, "")], "raw")
    folder = lake.make(container_in_names=False, matched=["curated/", "raw/"])
    chosen = lake.find()
    assert said(lake.view, chosen, lake.cut(chosen)) == (
        f"inventory {folder}: its names do not begin with their container, and its rule lists curated/, "
        "raw/: give each container a rule of its own, with prefixMatch curated/"
    )


def test_a_filter_that_may_mean_two_containers_is_not_taken_for_one(lake: Inventoried) -> None:
    lake.fill(SMALL)
    lake.make(container_in_names=False, matched=["curated"])
    chosen = lake.find()
    parts = lake.cut(chosen)
    assert not lake.view(chosen, parts, known={"curated", "raw"}).qualified
    assert "names do not begin with their container" in said(
        lambda: lake.view(chosen, parts, known={"curated", "curated2"})
    )


def test_a_row_of_a_container_that_is_not_listed_is_a_contradiction(lake: Inventoried) -> None:
    unit = written(lake, f"{HEAD}\ncurated/a,true,x,y\nraw/b,,x,y\n")
    rows = Rows(unit, View(container="curated", qualified=True, alone=True))
    assert said(read, rows) == (
        "inventory nightly.csv, bytes 28 to 58, after 0 rows: the rule lists container 'curated' alone, and "
        "a row is of 'raw/b': set the inventory's `names`"
    )
    assert read(Rows(unit, PLAIN)) == [("a", True, "x", "y")]


def test_the_container_itself_is_no_path_in_it(lake: Inventoried) -> None:
    unit = written(lake, f"{HEAD}\ncurated,true,x,y\ncurated/,true,x,y\ncurated/a/,true,x,y\n")
    for alone in (False, True):
        rows = Rows(unit, View(container="curated", qualified=True, alone=alone))
        assert read(rows) == [("a", True, "x", "y")]
        assert (rows.met, rows.kept) == (3, 1)


def written(lake: Inventoried, text: str | bytes, **how: Any) -> Unit:
    """The only unit of a CSV file with this text."""
    file = lake.folder / "nightly.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    parts = cut([LocalFile(path=str(file), name="nightly.csv")], "csv", **how)
    for fault in parts.faults:
        raise fault
    (unit,) = parts.units
    return unit


BAD: list[tuple[str, str | bytes, Flaw, str]] = [
    ("empty", "", Flaw.FILE, "it cannot be read: it is empty, without even a first row that names"),
    ("no row", "x" * 70_000, Flaw.FILE, "it cannot be read: no row ends within its first 65,536"),
    ("no Acl", "Name,hdi_isfolder\na,\n", Flaw.SCHEMA,
     "nightly.csv: it has 2 columns without Acl: add to the rule's schemaFields"),
    ("twice", "Name,hdi_isfolder,Acl,Acl\n", Flaw.SCHEMA, "it has the column Acl twice"),
    ("few columns", f"{HEAD}\ncurated/a,,x,y\ncurated/b,\n", Flaw.FILE,
     "nightly.csv, bytes 28 to 54, after 0 rows: it cannot be read: CSV parse error: Row #2: Expected 4 "
     "columns, got 2: curated/b,; fetch it anew, or wait for the next run"),
    ("unquoted list", f"{HEAD}\ncurated/a,,x,z,y\n", Flaw.FILE, "Row #1: Expected 4 columns, got 5"),
    ("within quotes", f'{HEAD}\ncurated/a,,"x,y\n', Flaw.FILE, "it breaks off within quotes, after 44 bytes"),
    ("quotes swallow rows", f'{HEAD}\ncurated/a,,"x,y\ncurated/b,,"x",y\n', Flaw.FILE, "breaks off within"),
    ("name is no UTF-8", f"{HEAD}\ncurated/".encode() + b"a\xff,,x,y\n", Flaw.NAMES,
     "nightly.csv, bytes 28 to 44, after 0 rows: a Name is no UTF-8"),
    ("list is no UTF-8", f"{HEAD}\ncurated/a,,".encode() + b"\xff,y\n", Flaw.FILE, "invalid UTF8 data"),
    ("header is no UTF-8", b"\xffName,Acl\n", Flaw.FILE, "its first row is no UTF-8"),
    ("no name", f"{HEAD}\n,,x,y\n", Flaw.NAMES, "after 0 rows: a row has an empty Name"),
    ("strange mark", f"{HEAD}\ncurated/a,perhaps,x,y\n", Flaw.FILE,
     "hdi_isfolder is 'perhaps', neither true nor false"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "text", "flaw", "words"), BAD, ids=[bad[0] for bad in BAD])
def test_a_csv_file_that_is_not_whole_is_a_fault(
    lake: Inventoried, what: str, text: str | bytes, flaw: Flaw, words: str
) -> None:
    view = View(container="curated", qualified=what != "no name")
    with pytest.raises(InventoryFault) as told:
        read(Rows(written(lake, text), view))
    assert told.value.flaw is flaw
    assert words in str(told.value)
    again = pickle.loads(pickle.dumps(told.value))  # noqa: S301 - as it comes from another process
    assert (str(again), again.flaw, again.place) == (str(told.value), flaw, told.value.place)


def test_rows_before_a_fault_are_given_and_it_says_how_many(lake: Inventoried, monkeypatch: Any) -> None:
    monkeypatch.setattr("reconciler.providers.adls.inventory.columns.BLOCK", 1 << 10)
    unit = written(lake, f"{HEAD}\n" + "curated/a,,x,y\n" * 200 + "curated/b\n" + "curated/c,,x,y\n" * 200)
    rows = Rows(unit, PLAIN)
    met: list[Row] = []
    with pytest.raises(InventoryFault) as told:
        for batch in rows:
            met += batch.num_rows * [("a", False, "x", "y")]
    assert 0 < len(met) == rows.met == rows.kept <= 200
    assert f"after {rows.met:,} rows" in str(told.value) and "Row #201" in str(told.value)


def test_a_byte_order_mark_and_empty_columns_are_read(lake: Inventoried) -> None:
    unit = written(lake, b"\xef\xbb\xbfName,hdi_isfolder,Acl\r\ncurated/a,,\r\ncurated/b,false,x\r\n")
    assert read(Rows(unit, PLAIN)) == [("a", False, "", None), ("b", False, "x", None)]


def test_a_percent_sign_stays_where_names_are_not_encoded(lake: Inventoried) -> None:
    text = f"{HEAD}\ncurated/100%25+x,,x,y\ncurated/a%2Fb,,x,y\n"
    unit = written(lake, text)
    assert [row[0] for row in read(Rows(unit, PLAIN))] == ["100%25+x", "a%2Fb"]
    view = View(container="curated", qualified=True, encoded=True)
    assert [row[0] for row in read(Rows(unit, view))] == ["100%+x", "a/b"]
    raw = written(lake, f"{HEAD}\ncurated/a b,,x,y\n")
    assert said(read, Rows(raw, view)).endswith(
        "a Name has characters that no percent-encoded one has: set `percent-encoded: false`"
    )
    torn = written(lake, f"{HEAD}\ncurated/a%FF,,x,y\n")
    assert said(read, Rows(torn, view)).endswith("a Name is no UTF-8")


# Spoilt files of the emulator.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", ["truncated-file", "corrupt-file"])
def test_a_spoilt_file_leaves_the_others_readable(lake: Inventoried, form: str, fault: str) -> None:
    lake.fill([("d", True, ACL), *((f"d/{number:04}", False, "") for number in range(3_000))])
    folder = lake.make(form=form, files=3, faults=[fault], group_rows=100, fields=list(SCHEMA.names))
    chosen = lake.find()
    parts = lake.cut(chosen)
    view = lake.view(chosen, parts)
    faults = list(parts.faults)
    rows: list[Row] = []
    for unit in parts.units:
        try:
            rows += read(Rows(unit, view))
        except InventoryFault as told:
            faults.append(told)
    assert [each.flaw for each in faults] in ([Flaw.FILE], [Flaw.NAMES], [])
    assert all(f"{folder}/nightly_2.{form}" in str(each) for each in faults)
    facts = set(lake.facts())
    good = {row for row in facts if row in set(rows)}
    assert 2_000 <= len(good) < len(facts)
    # Where the end is cut off at the end of a row, only the manifest's count tells.
    assert faults or shortfall(chosen.run, len(rows), "curated", len(rows)) is not None


def test_lost_rows_are_told_by_the_manifests_count(lake: Inventoried) -> None:
    lake.fill([(f"f{number}", False, "") for number in range(50)])
    lake.make(faults=["lost-rows"])
    rows = lake.rows()
    told = shortfall(lake.find().run, len(rows), "curated", len(rows))
    assert told is not None and "45 rows were read, and its manifest counts 50 objects" in str(told)


def test_a_parquet_file_without_a_needed_column_is_a_fault(lake: Inventoried) -> None:
    file = lake.folder / "x.parquet"
    pq.write_table(pa.table({"Name": ["a"], "hdi_isfolder": [True]}), file)
    (fault,) = cut([LocalFile(path=str(file), name="x.parquet")], "parquet").faults
    assert str(fault) == ("inventory x.parquet: it has 2 columns without Acl: add to the rule's schemaFields")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"Name": pa.array(["curated/a", None])}, "after 0 rows: 1 rows have no Name"),
        ({"Name": pa.array([b"curated/\xff", b"curated/b"])}, "a Name is no UTF-8"),
        ({"Acl": pa.array([b"\xff", b"x"])}, "it cannot be read:"),
        ({"hdi_isfolder": pa.array([1, 2])}, "hdi_isfolder is '1', neither true nor false"),
        ({"Name": pa.array([1, 2])}, "it cannot be read:"),
    ],
)
def test_a_parquet_column_that_makes_no_sense_is_a_fault(
    lake: Inventoried, columns: dict[str, Any], words: str
) -> None:
    good = {
        "Name": pa.array(["curated/a", "curated/b"]),
        "hdi_isfolder": pa.array([True, None]),
        "Acl": pa.array(["x", None]),
    }
    unit = stored(lake, good)
    assert read(Rows(unit, PLAIN)) == [("a", True, "x", None), ("b", False, None, None)]
    told = said(read, Rows(stored(lake, good | columns), PLAIN))
    assert told.startswith("inventory x.parquet, row groups 0 to 0, after 0 rows: ")
    assert words in told


def stored(lake: Inventoried, columns: dict[str, Any]) -> Unit:
    file = lake.folder / "x.parquet"
    pq.write_table(pa.table(columns), file)
    (unit,) = cut([LocalFile(path=str(file), name="x.parquet")], "parquet").units
    return unit


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string()), pa.string_view()]
)
def test_texts_may_be_stored_in_any_type(lake: Inventoried, kind: pa.DataType) -> None:
    texts: Callable[[list[str]], pa.Array] = lambda values: pa.array(values, pa.string()).cast(kind)  # noqa: E731
    unit = stored(
        lake,
        {
            "Name": texts(["curated/a", "curated/b"]),
            "hdi_isfolder": texts(["true", ""]),
            "Acl": texts(["x", "x"]),
        },
    )
    assert read(Rows(unit, PLAIN)) == [("a", True, "x", None), ("b", False, "x", None)]


def test_no_mark_is_no_directory(lake: Inventoried) -> None:
    columns = {"Name": ["curated/a", "curated/b"], "hdi_isfolder": ["true", None], "Acl": ["x", "y"]}
    unit = stored(lake, {name: pa.array(values) for name, values in columns.items()})
    assert read(Rows(unit, PLAIN)) == [("a", True, "x", None), ("b", False, "y", None)]


def test_a_file_that_lost_rows_since_it_was_cut_is_a_fault(lake: Inventoried) -> None:
    columns = {"Name": pa.array(["curated/a"]), "hdi_isfolder": pa.array([True]), "Acl": pa.array(["x"])}
    unit = replace(stored(lake, columns), rows=2)
    assert said(read, Rows(unit, PLAIN)) == (
        "inventory x.parquet, row groups 0 to 0: it cannot be read: 1 rows came of 2; fetch it anew, or wait "
        "for the next run"
    )


def test_units_of_parquet_are_row_groups_and_cover_every_row_once(lake: Inventoried) -> None:
    lake.fill([(f"f{number:05}", False, "") for number in range(1_000)])
    lake.make(form="parquet", group_rows=64)
    parts = lake.cut(lake.find(), rows=200)
    found = sorted((unit.start, unit.stop, unit.rows) for unit in parts.units)
    assert found == [(0, 4, 256), (4, 8, 256), (8, 12, 256), (12, 16, 232)]
    assert parts.rows == 1_000
    assert lake.rows(sizes={"rows": 1}) == lake.rows(sizes={"rows": 10**9}) == lake.facts()


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
acls = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
rows = st.lists(st.tuples(paths, st.booleans(), acls, acls), min_size=1, max_size=30)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, size=st.integers(1, 400), breaks=st.sampled_from(["\n", "\r\n"]), every=st.booleans())
def test_any_names_and_lists_come_back_from_csv_cut_anywhere(
    tmp_path: Path, monkeypatch: Any, rows: list[Row], size: int, breaks: str, every: bool
) -> None:
    import csv

    file = tmp_path / "x.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        # The writer leaves a lone carriage return without quotes, which RFC 4180 does not.
        every = every or any("\r" in (text or "") for row in rows for text in (row[0], row[2], row[3]))
        writer = (
            csv.writer(opened, lineterminator=breaks, quoting=csv.QUOTE_ALL)
            if every
            else csv.writer(opened, lineterminator=breaks)
        )
        writer.writerow(HEAD.split(","))
        writer.writerows(
            (f"curated/{name}", str(folder).lower(), acl, group) for name, folder, acl, group in rows
        )
    monkeypatch.setattr("reconciler.providers.adls.inventory.units.CHUNK", max(size // 2, 1))
    parts = cut([LocalFile(path=str(file), name="x")], "csv", size=size)
    assert parts.faults == ()
    units = sorted(parts.units, key=lambda unit: unit.start)
    assert sum(unit.size for unit in units) == file.stat().st_size - units[0].start
    assert [row for unit in units for row in read(Rows(unit, PLAIN))] == rows


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, group_rows=st.integers(1, 7), size=st.integers(1, 20), others=st.booleans())
def test_any_names_and_lists_come_back_from_parquet_cut_anywhere(
    tmp_path: Path, rows: list[Row], group_rows: int, size: int, others: bool
) -> None:
    file = tmp_path / "x.parquet"
    stored = [(f"curated/{name}", folder, acl, group) for name, folder, acl, group in rows]
    if others:
        stored = [each for row in stored for each in (("raw/x", False, "y", ""), row)]
    columns = dict(zip(HEAD.split(","), map(list, zip(*stored, strict=True)), strict=True))
    pq.write_table(pa.table(columns), file, row_group_size=group_rows)
    parts = cut([LocalFile(path=str(file), name="x")], "parquet", rows=size)
    assert parts.faults == () and parts.rows == len(stored)
    units = sorted(parts.units, key=lambda unit: unit.start)
    assert [row for unit in units for row in read(Rows(unit, PLAIN))] == rows


def test_batches_are_what_the_schema_says(lake: Inventoried) -> None:
    lake.fill(SMALL)
    for form in FORMS:
        lake.make(form=form, hours_ago=FORMS.index(form))
        chosen = lake.find()
        for unit in lake.cut(chosen).units:
            for batch in Rows(unit, PLAIN):
                assert batch.schema.equals(SCHEMA)
