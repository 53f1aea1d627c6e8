"""The executor over the emulator: a uniform tree, by recursive calls and by one write a path."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.process import PYTHON, once
from tests.benchmarks.record import Row
from tests.benchmarks.serving import Cloud, serving
from tests.benchmarks.world import BASE, ENVIRON, Size, seed, write_policies


def rows(paths: int = 100_000, singles: int = 5_000) -> list[Row]:
    """What correcting a tree takes in which nobody holds yet what everybody should."""
    return [
        _measured(
            paths, False, f"about {paths // 2000:,} writes; the same paths are listed before and after"
        ),
        _measured(singles, True, ""),
    ]


def _measured(paths: int, one_by_one: bool, target: str) -> Row:
    size = Size(tenants=1, groups=2, people=20, folders=1, files=paths - 1)
    with tempfile.TemporaryDirectory(prefix="carried-") as name, serving(_drifted(size), Path(name)) as cloud:
        root = Path(name) / "policies"
        write_policies(root, size, cloud.endpoints, cloud.ca_file)
        command = [*PYTHON, "-m", "tests.benchmarks.correct_tree", str(root)]
        took = json.loads(once([*command, *(["one-by-one"] if one_by_one else [])], ENVIRON).output)
        writes, reads = _requests(cloud)
    if took["statuses"] != ["accepted"]:
        raise RuntimeError(f"the tree was not corrected: {took['statuses']}")
    words = "yardstick: one write a path" if one_by_one else "executor, uniform tree"
    return Row(
        what=f"{words}, {paths:,} paths: {writes:,} writes, {reads:,} reads",
        requests=writes + reads,
        cpu=took["cpu"],
        wall=took["wall"],
        mebibytes=took["mebibytes"],
        target=target,
    )


def _drifted(size: Size) -> dict[str, Any]:
    """The estate without the grants of its folders."""
    cloud = seed(size)
    for path in cloud["lakes"]["datalake"]["filesystems"]["curated"]["paths"]:
        if "/" in path["path"]:
            path["acl"] = BASE.replace("mask::rwx,", "")
    return cloud


def _requests(cloud: Cloud) -> tuple[int, int]:
    """Writes to the lake, and its reads from the last listing before the first write on."""
    lines = [entry for entry in cloud.log() if entry["service"].startswith("lake/")]
    writes = [entry for entry in lines if entry["method"] == "PATCH"]
    first = next(index for index, entry in enumerate(lines) if entry["method"] == "PATCH")
    return len(writes), len(lines) - first - len(writes)
