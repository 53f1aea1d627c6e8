"""Both engines judge one inventory, and every row that they leave is compared."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from reconciler.providers.adls.inventory import results
from reconciler.providers.adls.inventory.columns import View
from reconciler.providers.adls.inventory.local import judge_run
from reconciler.providers.adls.inventory.source import LocalFile
from reconciler.providers.adls.inventory.units import cut
from tests.providers.adls.inventory.rows import Row, batch, expectations, on
from tests.providers.adls.test_expectation import BARE, DS, GOOD, IDS, INHERITED

pytestmark = pytest.mark.slow
FULL = f"{GOOD},{INHERITED}"
READ = {"grants": {"group:pricing-ds": "read"}}
WANTED = expectations({"a": READ, "a/d3": READ, "a/d3/d7/d1": READ, "ab": {"grants": {}, "unlisted": "keep"}})
ODD = [
    "line\nbreak",
    "100%",
    "a+b",
    "trailing.",
    " spaces ",
    "\N{PILE OF POO}",
    'say "no", twice',
    "n" * 900,
    "ü",
    "",
]
ROWS = 100_000


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    try:
        made = (
            sql.SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate()
        )
    except Exception as error:  # noqa: BLE001 - no Java here
        pytest.skip(f"Spark does not start: {error}")
    yield made
    made.stop()


def rows() -> Iterator[Row]:
    """Shuffled rows with everything in them that columns stumble over."""
    chance = random.Random(3)
    lists = [
        GOOD,
        GOOD,
        GOOD,
        BARE,
        f"user::rw-,group::r--,{DS}:r-x,mask::--x,other::---",
        "rubbish",
        "",
        None,
    ]
    tops = ["a", "ab", "z", "a/d3", "a/d3/d7", "a/d3/d7/d1"]
    directories = {"a", "ab", "z"} | {f"{top}/d{number}" for top in tops for number in range(30)}
    found = [Row(path, True, FULL, "$superuser") for path in sorted(directories - {"a/d4"})]
    places = sorted(directories)
    for number in range(ROWS - len(found)):
        name = f"{chance.choice(places)}/{number}{chance.choice(ODD) if number % 50 == 0 else ''}"
        found.append(
            Row(name, False, chance.choice(lists), chance.choice([None, "$superuser", IDS["group:sales"]]))
        )
    chance.shuffle(found)
    yield from (*found, *found[:20])


def written(folder: Path, form: str) -> list[LocalFile]:
    """The inventory as two files, names with their container in front."""
    folder.mkdir()
    everything = list(rows())
    files = []
    for number in range(2):
        table = pa.Table.from_batches([batch(everything[number::2])])
        names = pa.array([f"curated/{name}" for name in table["Name"].to_pylist()])
        table = table.set_column(0, "Name", names).append_column("Owner", pa.nulls(len(table), pa.string()))
        path = folder / f"nightly_{number}.{form}"
        if form == "parquet":
            pq.write_table(table, path, row_group_size=20_000)
        else:
            pyarrow.csv.write_csv(table, path)
        files.append(LocalFile(path=str(path), name=path.name))
    return files


def told(result: results.Result) -> tuple[Any, ...]:
    """Everything that a result says."""
    spooled: list[pa.RecordBatch] = []
    judged = result.merged(spooled.append)
    paths = sorted((row for each in spooled for row in each.to_pylist()), key=lambda row: str(row["path"]))
    counts = (judged.rows, judged.inside, judged.outside, judged.drifted, judged.unreadable, judged.repeated)
    tallies = {path: tally.counts for path, tally in judged.tallies.items()}
    return counts, judged.missing, tallies, paths


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_spark_judges_as_one_machine_does(session: Any, tmp_path: Path, form: str) -> None:
    from reconciler.providers.adls.inventory.spark import Input, judge_on_spark

    files = written(tmp_path / "run", form)
    where, view = on(WANTED.values()), View(container="curated", qualified=True)
    local = judge_run(cut(files, form, rows=30_000), view, where, tmp_path / "local")
    given = Input(files=[str(tmp_path / "run")], place="run", form=form, view=view)
    spark = judge_on_spark(session, given, where, tmp_path / "spark")
    assert local.faults == () and local.rows == ROWS + 20
    here, there = told(results.load(local.folder)), told(results.load(spark.folder))
    assert here[0] == there[0] and here[0][3] > 5_000 and here[0][4] > 5_000
    assert here[1] == there[1] != {}
    assert here[2] == there[2]
    assert here[3] == there[3]
