"""Judge an inventory on Spark: the very kernel, fed by `mapInArrow`, for lakes that outgrow one machine.

Its law: what comes out is what the local engine leaves, row for row.

This is the one module that names pyspark; it is loaded when somebody asks for that engine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it

from reconciler.core.errors import Unusable
from reconciler.providers.adls.inventory.columns import Rows, View
from reconciler.providers.adls.inventory.estate import Ground, parse
from reconciler.providers.adls.inventory.kernel import Kind, judge
from reconciler.providers.adls.inventory.results import Result, ResultError, batches, begin, finish
from reconciler.providers.adls.inventory.units import Unit

OUTPUT = (
    "kind byte, home int, path string, directory boolean, acl string, `group` string, spot boolean, "
    "verdict byte, count long, place long"
)
"""`kernel.OUTPUT` as Spark spells it."""
ROWS_AT_ONCE = 1 << 16
"""Rows of a batch that Spark hands over; its own default is 10,000, and every batch has a price."""
RAW = ".raw"
Trouble = PySparkException
"""What Spark raises where it cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Where an inventory lies, as Spark finds it."""

    files: Sequence[str]
    """Files, in any spelling that Spark takes: `abfss://…`, `/Volumes/…`, a local path."""
    place: str
    """What messages call them."""
    form: str
    """`csv` or `parquet`."""
    view: View


def judge_on_spark(
    session: SparkSession,
    given: Input,
    ground: Ground,
    folder: Path,
    origin: Mapping[str, Any] | None = None,
    whole: Callable[[int, int], Sequence[str]] = lambda met, kept: (),
) -> Result:
    """Judge an inventory and leave the result in a folder that driver and executors both see.

    `whole` says what is wrong once all rows were read, given how many there were and how many of the
    container; the summary, without which there is no result, is written after it.

    Raises ResultError where driver and executors do not see one folder, and whatever Spark raises for input
    that it cannot read: there is no result then.
    """
    parts = begin(folder, ground)
    raw = folder / RAW
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(ROWS_AT_ONCE))
    # Texts longer than 2 GiB a batch are not to be expected, and the kernel wants the usual kind.
    session.conf.set("spark.sql.execution.arrow.useLargeVarTypes", "false")
    frame = opened(session, given)
    found = frame.mapInArrow(_worker(ground.document(), given), OUTPUT)
    found.write.mode("overwrite").partitionBy("kind").parquet(_address(raw))
    if not raw.is_dir():
        raise ResultError(f"{folder} is not where Spark wrote: name a folder that the driver sees, too")
    _settle(session, raw, parts)
    shutil.rmtree(raw)
    rows = sum(batch.column("count").to_numpy()[batch.column("kind").to_numpy() == Kind.READ].sum()
               for batch in batches(parts))  # fmt: skip
    # Counting takes no column, so that Parquet is asked for its metadata alone.
    faults = tuple(whole(frame.count(), int(rows)))
    result = Result(
        folder=folder, ground=ground, engine="spark", rows=int(rows), faults=faults, origin=origin or {}
    )
    finish(result)
    return result


def start(master: str = "") -> SparkSession:
    """The session of the cluster, or of `master`; raises Unusable where none starts."""
    builder = SparkSession.builder.appName("reconciler judge")
    if master:
        builder = builder.master(master).config("spark.ui.enabled", "false")
    try:
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        return session
    except (PySparkException, RuntimeError, OSError) as error:
        raise Unusable(f"Spark does not start ({said(error)}); it needs Java 17 or newer") from None


def said(error: Exception) -> str:
    """The first line of what Spark says, which is long."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def opened(session: SparkSession, given: Input) -> DataFrame:
    """The columns that are judged, as they are written."""
    if given.form == "parquet":
        frame = session.read.parquet(*given.files)
    else:
        # Quotes are doubled within quotes, and names may hold line breaks (RFC 4180).
        frame = session.read.csv(
            list(given.files), header=True, quote='"', escape='"', multiLine=True, inferSchema=False,
            mode="FAILFAST", encoding="UTF-8", emptyValue="", nullValue="\ufffe",
            ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False, maxCharsPerColumn=-1,
            unescapedQuoteHandling="RAISE_ERROR",
        )  # fmt: skip
    wanted = [name for name in ("Name", "hdi_isfolder", "Acl", "Group") if name in frame.columns]
    missing = [name for name in ("Name", "hdi_isfolder", "Acl") if name not in wanted]
    if missing:
        raise ResultError(f"{given.place} has no column {', '.join(missing)}: add to the rule's schemaFields")
    return frame.select(*wanted)


def _worker(document: str, given: Input) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    unit = Unit(
        path=given.place, name=given.place, form=given.form, start=0, stop=1, rows=None, size=0, header=()
    )

    def work(found: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = Rows(unit, given.view)
        return judge(map(rows.take, found), parse(document))

    return work


def _settle(session: SparkSession, raw: Path, parts: Path) -> None:
    """Put parts together: of directories, which every task met for itself, one row each."""
    found = session.read.parquet(_address(raw)).withColumn("kind", F.col("kind").cast("byte"))
    columns = [field.partition(" ")[0].strip("`") for field in OUTPUT.split(", ")]
    places = found.where(F.col("kind") == int(Kind.PLACE))
    others = found.where(F.col("kind") != int(Kind.PLACE))
    first = [F.first(name).alias(name) for name in columns if name not in ("kind", "home", "place", "count")]
    once = places.groupBy("kind", "home", "place").agg(F.max("count").alias("count"), *first)
    others.select(*columns).unionByName(once.select(*columns)).write.mode("append").parquet(_address(parts))


def _address(path: Path) -> str:
    return path.absolute().as_uri() if not str(path).startswith(("/Volumes/", "/dbfs/")) else str(path)
