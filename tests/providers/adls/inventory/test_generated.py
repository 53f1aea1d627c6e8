"""A generated lake: every planted drift is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from reconciler.providers.adls.expectation import Verdict
from tests.benchmarks.inventory_rows import Estate, Size
from tests.providers.adls.inventory.rows import outcome

SIZE = Size(rows=200_000, directories=12_000, declared=1_500, trees=30)


@pytest.mark.parametrize("clustered", [False, True])
def test_what_is_planted_is_found_and_nothing_else(clustered: bool) -> None:
    estate = Estate(replace(SIZE, clustered=clustered))
    parts = [list(estate.chunks(part, 3)) for part in range(3)]
    planted = {path for part in parts for _, drifted in part for path in drifted.to_pylist()}
    rows: list[list[pa.RecordBatch]] = [
        [batch for table, _ in part for batch in table.to_batches(max_chunksize=30_000)] for part in parts
    ]
    found = outcome(rows, estate.ground)
    assert {row["path"] for row in found.paths if row["verdict"] == Verdict.DRIFT} == planted
    assert len(planted) > 100 and found.judged.drifted == len(planted)
    assert found.judged.rows == SIZE.rows and found.judged.missing == {} and found.judged.outside > 0
    assert {row["path"] for row in found.paths if row["spot"]} == set(estate.ground.paths)
