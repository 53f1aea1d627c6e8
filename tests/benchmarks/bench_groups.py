"""A plan of Entra groups that are all in step, beside one request for every group."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.process import PYTHON, RECONCILER, Usage, median, once
from tests.benchmarks.record import Report, Row
from tests.benchmarks.serving import Cloud, serving
from tests.benchmarks.world import ENVIRON, Size, seed, write_policies

SIZE = Size(tenants=20, groups=500, people=1000)


def run(size: Size = SIZE, runs: int = 5) -> Report:
    """Measure with members alone, and with owners beside them."""
    rows = []
    for owners, target in ((False, "60 requests, 3 s of wall"), (True, "")):
        rows += _measured(
            Size(tenants=size.tenants, groups=size.groups, people=size.people, owners=owners), runs, target
        )
    return Report(
        name="groups",
        title=f"no-op plan of {size.groups:,} groups with {size.members} members, median of {runs} runs",
        rows=rows,
        notes=["Published beside it: IAMbic 0.11.97 makes 6,000 requests in 27 s for 500 groups of 10."],
    )


def _measured(size: Size, runs: int, target: str) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="groups-") as name, serving(seed(size), Path(name)) as cloud:
        root = Path(name) / "policies"
        write_policies(root, size, cloud.endpoints, cloud.ca_file)
        commands = {"plan": [*RECONCILER, "--root", str(root), "plan"]}
        if not size.owners:
            commands["alone"] = [*PYTHON, "-m", "tests.benchmarks.one_by_one", str(root)]
        took: dict[str, list[tuple[Usage, int]]] = {key: [] for key in commands}
        for _ in range(runs + 1):
            for key, command in commands.items():
                took[key].append(_once(cloud, command))
    words = {
        "plan": "reconciler plan" + (", owners declared too" if size.owners else ""),
        "alone": "yardstick: one request a group, same pipeline",
    }
    rows = []
    for key, runs_of in took.items():
        usage = median([each for each, _ in runs_of[1:]])
        rows.append(
            Row(what=words[key], requests=max(count for _, count in runs_of), cpu=usage.cpu, wall=usage.wall,
                mebibytes=usage.mebibytes, target=target if key == "plan" else "")
        )  # fmt: skip
    return rows


def _once(cloud: Cloud, command: list[str]) -> tuple[Usage, int]:
    cloud.forget()
    usage = once(command, ENVIRON).usage
    return usage, cloud.counts()["graph"]
