"""Judge an inventory of ten million rows by columns, beside reading the same columns and dropping them."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.inventory_rows import Estate, Size
from tests.benchmarks.process import PYTHON, once
from tests.benchmarks.record import Figure, Report, Row

SIZE = Size(rows=10_000_000)
FILES = 8


def run(size: Size = SIZE, *, runs: int = 3, workers: int = 2, forms: bool = True) -> Report:
    """Judge rows in no order, a fifth of them, the same directory by directory, and as CSV.

    Of several runs the fastest counts, of the reading as well: the machine has other work.
    """
    rows: list[Row] = []
    facts: dict[str, Figure] = {}
    with _made(size) as folder:
        judged, read = _both(folder, "parquet", workers, runs)
        rows += _rows(f"{size.rows:,} rows in no order", judged, read, "5 M rows/s, 3 x reading")
        facts |= _facts(judged, read, workers)
    with _made(replace(size, rows=max(size.rows // 5, 1))) as folder:
        few, fewer = _both(folder, "parquet", workers, 1)
        rows += _rows(f"{size.rows // 5:,} rows in no order", few, fewer, "")
        facts["largest worker MiB, all rows : a fifth"] = judged["worker MiB"] / few["worker MiB"]
        facts["all processes MiB, all rows : a fifth"] = _all(judged, workers) / _all(few, workers)
    if forms:
        for what, form, other in (
            ("directory by directory", "parquet", replace(size, clustered=True)),
            ("as CSV", "csv", size),
        ):
            with _made(other, form) as folder:
                rows += _rows(f"{size.rows:,} rows {what}", *_both(folder, form, workers, 1), "")
    return Report(
        name="inventory",
        title=f"judge an inventory with {workers} workers: {size.directories:,} directories, "
        f"{size.declared:,} declared",
        rows=rows,
        facts=facts,
        notes=[
            "Seconds count from the first worker that is ready; MiB are those of all processes together,",
            "each worker as large as the largest. Every run found each planted drift and nothing else.",
        ],
    )


@contextmanager
def _made(size: Size, form: str = "parquet") -> Iterator[Path]:
    """An inventory on disk, as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="inventory-") as name:
        folder = Path(name)
        make(size, folder, form)
        yield folder


def make(size: Size, folder: Path, form: str = "parquet", processes: int = 2) -> None:
    """Write an inventory, what is planted in it, and the ground on which it is judged."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_grow, initargs=(size,)) as pool:
        pool.starmap(_write, [(str(folder), part, form) for part in range(FILES)], chunksize=1)
    (folder / "ground.json").write_text(Estate(size).ground.document(), encoding="utf-8")


_estates: list[Estate] = []


def _grow(size: Size) -> None:
    _estates.append(Estate(size))


def _write(folder: str, part: int, form: str) -> int:
    return _estates[0].write(Path(folder), part, FILES, form)


Took = dict[str, float]


def _both(folder: Path, form: str, workers: int, runs: int) -> tuple[Took, Took]:
    judged = [_once("judge", folder, form, workers) for _ in range(runs)]
    read = [_once("deliver", folder, form, workers) for _ in range(runs)]
    faults = ("not planted", "not found", "unreadable", "missing")
    wrong = [took for took in judged if any(took[fault] for fault in faults)]
    if wrong:
        raise RuntimeError(f"what was judged is not what was planted: {wrong[0]}")
    return min(judged, key=lambda took: took["seconds"]), min(read, key=lambda took: took["seconds"])


def _once(what: str, folder: Path, form: str, workers: int) -> Took:
    command = [*PYTHON, "-m", "tests.benchmarks.inventory_work", what, str(folder), form, str(workers)]
    took: Took = json.loads(once(command).output)
    return took


def _rows(what: str, judged: Took, read: Took, target: str) -> list[Row]:
    return [
        Row(what=label, cpu=took["cpu"], wall=took["seconds"], mebibytes=_all(took, 2), target=goal)
        for label, took, goal in (
            (f"judge {what}", judged, target),
            ("  yardstick: read them and drop them", read, ""),
        )
    ]


def _all(took: Took, workers: int) -> float:
    return took["worker MiB"] * workers + took["parent MiB"]


def _facts(judged: Took, read: Took, workers: int) -> dict[str, Figure]:
    return {
        "rows a second": round(judged["rows"] / judged["seconds"]),
        "judging : reading, by the clock": judged["seconds"] / read["seconds"],
        "judging : reading, CPU": judged["cpu"] / read["cpu"],
        "seconds until a worker is ready": judged["start"],
        "seconds to put results together": judged["merge"],
        "paths that drifted, all planted": int(judged["drifted"]),
        "largest worker MiB": judged["worker MiB"],
        "workers": workers,
    }
