"""`reconciler validate` on 1,000 tenants in 2,000 files, beside composing the same YAML alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.estate import write_estate
from tests.benchmarks.process import PYTHON, RECONCILER, several
from tests.benchmarks.record import Report, Row

COMPOSE = """
import gc, pathlib, sys, yaml
gc.disable()
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    for node in yaml.compose_all(path.read_bytes(), yaml.CSafeLoader):
        pass
"""


def run(tenants: int = 1000, runs: int = 5) -> Report:
    """Measure both in turns."""
    with tempfile.TemporaryDirectory(prefix="estate-") as folder:
        files, lines, size = write_estate(Path(folder) / "estate", tenants)
        root = str(Path(folder) / "estate")
        took = several(
            {
                "validate": [*RECONCILER, "--root", root, "validate"],
                "compose": [*PYTHON, "-c", COMPOSE, root],
                "nothing": [*PYTHON, "-c", "pass"],
            },
            runs,
        )
    rows = [
        Row(
            what=what, cpu=took[name].cpu, wall=took[name].wall, mebibytes=took[name].mebibytes, target=target
        )
        for name, what, target in (
            ("validate", "reconciler validate", "1.5 s of wall with start-up"),
            ("compose", "yardstick: composing the same files with PyYAML's C parser", ""),
            ("nothing", "python -c pass", ""),
        )
    ]
    return Report(
        name="validate",
        title=f"validate {tenants:,} tenants, {lines:,} lines, median of {runs} runs",
        rows=rows,
        facts={"files": files, "lines": lines, "bytes": size},
    )
