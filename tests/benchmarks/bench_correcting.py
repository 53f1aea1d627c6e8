"""Plan the correction of 100,000 drifted paths in three shapes, each in a process of its own.

Then carry one of these plans out over the emulator, listings and all.
"""

from __future__ import annotations

import json

from tests.benchmarks import carried
from tests.benchmarks.process import PYTHON, once
from tests.benchmarks.record import Figure, Report, Row

SHAPES = {
    "uniform": "uniform subtree",
    "scattered": "scattered 1 %",
    "nested": "nested overrides, half of it drifted",
}


def run(drifted: int = 100_000, large: int = 1_000_000, singles: int = 5_000) -> Report:
    """Plan each shape, `large` paths in shapes that have so many without more drift, and send one plan."""
    rows: list[Row] = []
    facts: dict[str, Figure] = {}
    sizes = [(shape, drifted) for shape in SHAPES]
    sizes += [("uniform", large), ("scattered", large // 100), ("nested", large // 2)]
    for shape, size in sizes:
        done = once([*PYTHON, "-m", "tests.benchmarks.correcting_work", shape, str(size)])
        took = json.loads(done.output)
        what = f"{SHAPES[shape]}: {took['drifted']:,} of {took['paths']:,} paths"
        rows.append(
            Row(what=what, requests=took["requests"], cpu=took["cpu"], wall=took["wall"],
                mebibytes=done.usage.mebibytes, target=f"{took['least']:,} requests are the least")
        )  # fmt: skip
        facts[f"{what}: recursive calls"] = took["recursive"]
        facts[f"{what}: kinds of need"] = took["needs"]
    rows.append(Row(what="yardstick: one PATCH for each drifted path", requests=drifted))
    rows += carried.rows(drifted, singles)
    return Report(
        name="correcting",
        title=f"correct {drifted:,} drifted paths, and plan the correction of {large:,}",
        rows=rows,
        facts=facts,
        notes=[
            "The least is found without the planner: tests/benchmarks/correcting_work.py says how.",
            "The executor's requests are those from its first write on; its listings before are one more.",
        ],
    )
