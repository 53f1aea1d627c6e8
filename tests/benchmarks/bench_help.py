"""`reconciler --help` beside a Python that does nothing."""

from __future__ import annotations

from tests.benchmarks.process import PYTHON, RECONCILER, several
from tests.benchmarks.record import Report, Row


def run(runs: int = 21) -> Report:
    """Measure both in turns."""
    took = several({"nothing": [*PYTHON, "-c", "pass"], "help": [*RECONCILER, "--help"]}, runs)
    nothing, asked = took["nothing"], took["help"]
    return Report(
        name="help",
        title=f"--help, median of {runs} runs",
        rows=[
            Row(what="reconciler --help", cpu=asked.cpu, wall=asked.wall, mebibytes=asked.mebibytes,
                target="+0.15 s of wall"),
            Row(what="yardstick: python -c pass", cpu=nothing.cpu, wall=nothing.wall,
                mebibytes=nothing.mebibytes),
        ],
        facts={"more wall seconds than python -c pass": asked.wall - nothing.wall},
    )  # fmt: skip
