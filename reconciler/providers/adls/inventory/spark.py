"""Judge a run on Spark, by the very function that judges it on one machine.

Its law: rows are judged by `kernel.judge` and nothing else; Spark only carries them.

Only Parquet is taken: Spark's reader of CSV changes line breaks within names, and a name that is another one
is another path.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from reconciler.core.errors import Unusable
from reconciler.providers.adls.inventory.columns import SCHEMA, Rows, View
from reconciler.providers.adls.inventory.estate import Ground, parse
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.inventory.kernel import Kind, judge
from reconciler.providers.adls.inventory.results import PARTS, Result, batches, begin, finish
from reconciler.providers.adls.inventory.taking import Taken
from reconciler.providers.adls.inventory.units import Unit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COLUMNS = (
    "kind tinyint, home int, path string, directory boolean, acl string, `group` string, spot boolean, "
    "verdict tinyint, count bigint, place bigint"
)
"""`kernel.OUTPUT` as Spark spells it."""
BATCH = 1 << 16
"""Rows that Spark hands over at once."""


def session(master: str = "") -> SparkSession:
    """The session of the cluster, or of `master`; raises Unusable where there is no Spark or no Java."""
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise Unusable("judging on Spark needs pyspark: install reconciler[spark]") from None
    # Workers of this machine have to be this Python, where the reconciler is installed.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("reconciler judge")
    if master:
        builder = builder.master(master).config("spark.ui.enabled", "false")
    try:
        found: SparkSession = builder.getOrCreate()
    except (PySparkException, RuntimeError, OSError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unusable(f"Spark does not start ({said}); it needs Java 17 or newer, see JAVA_HOME") from None
    found.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(BATCH))
    return found


def judge_on_spark(
    spark: SparkSession,
    taken: Taken,
    ground: Ground,
    folder: Path,
    *,
    origin: Mapping[str, Any] | None = None,
    whole: Callable[[int, int], InventoryFault | None] = lambda met, kept: None,
) -> Result:
    """Judge a run of Parquet files and leave the result in a folder; raises Unusable, ResultError.

    What Spark raises for a file that it cannot read is raised as Unusable: there is no result then.
    """
    from pyspark.errors import PySparkException

    form = taken.chosen.run.manifest.form
    if form != "parquet":
        raise Unusable(f"the run is of format {form}, and Spark takes Parquet: set the rule's format, or the "
                       "engine to local")  # fmt: skip
    view = taken.views[ground.container]
    files = sorted({f"file://{Path(unit.path).resolve()}" for unit in taken.cut.units})
    parts = begin(folder, ground)
    rows = 0
    try:
        if files:
            frame = spark.read.parquet(*files)
            wanted = [name for name in SCHEMA.names if name in frame.columns]
            frame = frame.select(*wanted)
            rows = frame.count()
            judged = frame.mapInArrow(judging(ground.document(), view), COLUMNS)
            judged.write.mode("append").parquet(f"file://{parts.resolve()}")
    except PySparkException as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unusable(f"Spark did not get through: {said}") from None
    kept = _rows(batches(folder / PARTS))
    found: list[InventoryFault] = list(taken.cut.faults)
    short = None if found else whole(rows, kept)
    result = Result(
        folder=folder,
        ground=ground,
        engine="spark",
        rows=kept,
        faults=tuple(str(fault) for fault in (*found, *([short] if short else []))),
        origin=origin or {},
    )
    finish(result)
    return result


def judging(document: str, view: View) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What runs on every worker; it takes its own copy of the ground along, as text."""

    def work(found: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = Rows(Unit(path="", name="Spark", form="parquet", start=0, stop=0, rows=None, size=0), view)
        return judge((rows.take(batch) for batch in found if batch.num_rows), parse(document))

    return work


def _rows(found: Iterable[pa.RecordBatch]) -> int:
    """Rows of the container that the parts tell of; those that came twice are among them."""
    count = 0
    for batch in found:
        kinds: Sequence[int] = batch.column("kind").to_pylist()
        counts: Sequence[int] = batch.column("count").to_pylist()
        told = (Kind.SUM, Kind.PATH, Kind.OUTSIDE)
        count += sum(number for kind, number in zip(kinds, counts, strict=True) if kind in told)
    return count
