"""Every access list of a lake, live: by listings that carry them, beside the storage SDK's own client."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.process import PYTHON, once
from tests.benchmarks.record import Figure, Report, Row
from tests.benchmarks.serving import Cloud, serving
from tests.benchmarks.world import ENVIRON, Size, seed, write_policies

PAGE = 5_000
SIZES = (200_000, 1_000_000)


def run(sizes: tuple[int, ...] = SIZES, sample: int = 5_000) -> Report:
    """Read trees of these sizes, and a sample of the smallest with the SDK."""
    rows: list[Row] = []
    facts: dict[str, Figure] = {}
    costs: list[float] = []
    for paths in sizes:
        size = Size(tenants=1, groups=2, people=20, folders=1, files=paths - 1)
        with tempfile.TemporaryDirectory(prefix="lake-") as name, serving(seed(size), Path(name)) as cloud:
            root = Path(name) / "policies"
            write_policies(root, size, cloud.endpoints, cloud.ca_file)
            took, requests = _measured(cloud, root)
            costs.append(took["cpu"] / took["paths"] * 1e6)
            target = f"{paths // PAGE + 2:,} requests for one prefix"
            rows.append(_row(f"reconciler, {took['paths']:,} paths", requests, took, target))
            facts[f"µs of CPU a path, {paths:,} paths"] = costs[-1]
            if paths == sizes[0]:
                alone, asked = _measured(cloud, root, "sdk", str(sample))
                rows.append(_row(f"yardstick: the SDK, {alone['paths']:,} of the paths", asked, alone, ""))
                least = alone["cpu"] / alone["paths"] * 1e6
                facts["µs of CPU a path, the SDK"] = least
                facts["the SDK : reconciler, CPU a path"] = least / costs[0]
    return Report(
        name="lake",
        title="every access list of a lake, live",
        rows=rows,
        facts=facts,
        notes=[
            "CPU and wall are of the reading alone, start-up aside; MiB are of the whole process.",
            "The SDK lists paths and asks for the list of each: its cost a path does not depend on how many.",
        ],
    )


def _measured(cloud: Cloud, root: Path, *more: str) -> tuple[dict[str, Any], int]:
    cloud.forget()
    said = once([*PYTHON, "-m", "tests.benchmarks.read_tree", str(root), *more], ENVIRON).output
    counts = cloud.counts()
    requests = sum(count for place, count in counts.items() if place.startswith("lake"))
    found: dict[str, Any] = json.loads(said)
    return found, requests


def _row(what: str, requests: int, took: dict[str, Any], target: str) -> Row:
    return Row(
        what=what, requests=requests, cpu=took["cpu"], wall=took["wall"], mebibytes=took["mebibytes"],
        target=target,
    )  # fmt: skip
