"""A plan of ten thousand managed objects that are all in step, and where its time goes."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.process import PYTHON, RECONCILER, Usage, median, once
from tests.benchmarks.record import Figure, Report, Row
from tests.benchmarks.serving import Cloud, serving
from tests.benchmarks.world import ENVIRON, Size, seed, write_policies

SIZE = Size(
    tenants=200, groups=5000, people=5000, scopes=1000, holders=1000, folders=3000, workspaces=2
)  # fmt: skip
STAGES = (
    "start and imports", "policies and journal", "what is wanted", "who is who", "read all providers",
    "read entra", "read databricks", "read adls", "decide", "print",
)  # fmt: skip


def run(size: Size = SIZE, runs: int = 5) -> Report:
    """Measure the plan as a person runs it, and once more with its stages timed."""
    with tempfile.TemporaryDirectory(prefix="estate-") as name, serving(seed(size), Path(name)) as cloud:
        root = Path(name) / "policies"
        write_policies(root, size, cloud.endpoints, cloud.ca_file)
        plan = ["--root", str(root), "plan"]
        usages, counts, served = [], [], []
        for _ in range(runs + 1):
            usage, found, busy = _once(cloud, [*RECONCILER, *plan])
            usages.append(usage)
            counts.append(found)
            served.append(busy)
        file = Path(name) / "stages.json"
        once([*PYTHON, "-m", "tests.benchmarks.stages", str(file), *plan], ENVIRON)
        stages = json.loads(file.read_text("utf-8"))
    usage = median(usages[1:])
    requests = {place: max(each.get(place, 0) for each in counts) for place in sorted(counts[0])}
    rows = [
        Row(what="reconciler plan", requests=sum(requests.values()), cpu=usage.cpu, wall=usage.wall,
            mebibytes=usage.mebibytes, target="10 s of wall, 300 MiB"),
        *(Row(what=f"  {stage}", cpu=_cpu(stages, stage), wall=stages["wall"].get(stage, 0.0))
          for stage in STAGES),
        Row(what="  the emulator meanwhile, another process", cpu=statistics.median(served[1:])),
    ]  # fmt: skip
    return Report(
        name="estate",
        title=f"no-op plan of {size.managed:,} managed objects, median of {runs} runs",
        rows=rows,
        facts=_facts(requests, stages["least"]),
        notes=[
            "The stages are of one more run, with everything timed; the providers are read at the same time.",
            "Published beside it: Terraform 1.11.4 without any provider, 10,000 resources: 16.8 s, 0.97 GB.",
        ],
    )


def _once(cloud: Cloud, command: list[str]) -> tuple[Usage, dict[str, int], float]:
    cloud.forget()
    before = cloud.cpu()
    # Anything but "in step" would measure something else: the exit code has to be 0.
    usage = once(command, ENVIRON).usage
    return usage, cloud.counts(), cloud.cpu() - before


def _cpu(stages: Mapping[str, Mapping[str, float]], stage: str) -> float:
    """Providers are told apart by their threads."""
    return stages["cpu"].get(stage.replace("read ", "thread "), stages["cpu"].get(stage, 0.0))


def _facts(requests: Mapping[str, int], least: Mapping[str, float]) -> dict[str, Figure]:
    return {f"requests to {place}": count for place, count in requests.items()} | {
        f"least wall s that the published limit of {name} allows": round(seconds, 2)
        for name, seconds in sorted(least.items())
    }
