"""One measured run over an inventory: `python -m tests.benchmarks.inventory_work WHAT FOLDER FORM WORKERS`.

WHAT is `judge`, the engine with its workers and what is made of their results, or `deliver`, the same reader
in as many processes, whose batches are counted and dropped.  Prints what it took as JSON.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import resource
import shutil
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reconciler.cli_process import COLLECT_AFTER
from reconciler.providers.adls.expectation import Verdict
from reconciler.providers.adls.inventory.columns import Rows, View
from reconciler.providers.adls.inventory.engine import run
from reconciler.providers.adls.inventory.estate import parse
from reconciler.providers.adls.inventory.local import UnitWork
from reconciler.providers.adls.inventory.results import Result, begin, finish, load
from reconciler.providers.adls.inventory.source import LocalFile
from reconciler.providers.adls.inventory.units import Cut, Unit, cut
from tests.benchmarks.inventory_rows import CONTAINER

VIEW = View(container=CONTAINER, qualified=False)


def units(folder: Path, form: str) -> Cut:
    """The inventory in a folder, as work."""
    files = [LocalFile(path=str(path), name=path.name) for path in sorted(folder.glob(f"*.{form}"))]
    return cut(files, form, rows=1_000_000)


def judge(folder: Path, form: str, workers: int) -> dict[str, float]:
    """Judge it; seconds count from the first worker that is ready to the last one that is done."""
    started = time.perf_counter()
    here = parse((folder / "ground.json").read_text("utf-8"))
    out = folder / "judged"
    shutil.rmtree(out, ignore_errors=True)
    ticks: list[float] = []
    works = [UnitWork(unit=unit, view=VIEW) for unit in units(folder, form).units]
    ran = run(
        works, here, begin(out, here), workers=workers, progress=lambda *_: ticks.append(time.perf_counter())
    )
    done = time.perf_counter()
    finish(Result(folder=out, ground=here, engine="local", rows=ran.rows))
    spooled: list[pa.RecordBatch] = []
    judged = load(out).merged(spooled.append)
    merged = time.perf_counter()
    drifted = found(spooled)
    shutil.rmtree(out)
    assert not ran.faults, ran.faults
    return {
        "rows": judged.rows,
        "seconds": done - ticks[0],
        "start": ticks[0] - started,
        "merge": merged - done,
        "drifted": judged.drifted,
        "not planted": len(drifted) - same(drifted, folder),
        "not found": planted(folder) - same(drifted, folder),
        "unreadable": judged.unreadable,
        "missing": sum(judged.missing.values()),
    }


def found(spooled: list[pa.RecordBatch]) -> pa.ChunkedArray:
    """The paths that drifted."""
    table = pa.Table.from_batches(spooled)
    return table.filter(pc.equal(table["verdict"], int(Verdict.DRIFT)))["path"]


def planted(folder: Path) -> int:
    """How many rows were made to drift."""
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("planted_*"))


def same(drifted: pa.ChunkedArray, folder: Path) -> int:
    """How many of them are among those that were made to."""
    there = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("planted_*"))])["path"]
    return int(pc.sum(pc.is_in(drifted, value_set=there.combine_chunks())).as_py() or 0)


def _count(unit: Unit | None) -> int:
    pa.set_cpu_count(1)
    return sum(batch.num_rows for batch in Rows(unit=unit, view=VIEW)) if unit else 0


def deliver(folder: Path, form: str, workers: int) -> dict[str, float]:
    """Read it and drop it, in processes that are ready before the clock runs."""
    works = units(folder, form).units
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(_count, [None] * (4 * workers), chunksize=1)
        started = time.perf_counter()
        rows = sum(pool.imap_unordered(_count, works))
        seconds = time.perf_counter() - started
        pool.close()
        pool.join()
    return {"rows": rows, "seconds": seconds}


def main(what: str, folder: str, form: str, workers: str) -> dict[str, float]:
    """What one run took: beside seconds by the clock, CPU seconds and MiB of this process and its workers."""
    # As the command has it.
    gc.set_threshold(*COLLECT_AFTER)
    took = (judge if what == "judge" else deliver)(Path(folder), form, int(workers))
    own, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return took | {
        "cpu": own.ru_utime + own.ru_stime + theirs.ru_utime + theirs.ru_stime,
        "worker MiB": theirs.ru_maxrss / 1024,
        "parent MiB": own.ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
