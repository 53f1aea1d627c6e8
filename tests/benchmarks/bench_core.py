"""Compare, order and identify a million grants: the core alone, in a process of its own."""

from __future__ import annotations

import json

from tests.benchmarks.process import PYTHON, Run, once
from tests.benchmarks.record import Figure, Report, Row

SHARES = {0.01: "4 s, 300 MiB", 1.0: "15 s, 1 GiB"}
"""How much has drifted, and what that may take."""


def run(grants: int = 1_000_000, runs: int = 3) -> Report:
    """Measure little drift and nothing but drift; the run with the middle CPU time counts."""
    rows = []
    facts: dict[str, Figure] = {}
    for share, target in SHARES.items():
        command = [*PYTHON, "-m", "tests.benchmarks.core_work", str(grants), str(share)]
        done = sorted((once(command) for _ in range(runs)), key=lambda each: each.usage.cpu)[runs // 2]
        took = json.loads(done.output)
        steps = sum(took[step] for step in ("diff and identify", "order"))
        rows.append(
            Row(what=f"{share:.0%} drift: {took['actions']:,} actions", cpu=steps,
                wall=took["wall"], mebibytes=done.usage.mebibytes, target=target)
        )  # fmt: skip
        facts |= {
            f"{share:.0%} drift: cpu s of diff with ids": took["diff and identify"],
            f"{share:.0%} drift: cpu s of order": took["order"],
            f"{share:.0%} drift: cpu s of making the two sides, not counted": _making(took, done),
            f"{share:.0%} drift: MiB of the two sides alone": took["MiB before"],
        }
    rows.append(_whole(grants, runs, facts))
    return Report(
        name="core",
        title=f"diff, order and identify {grants:,} grants, median of {runs} runs",
        rows=rows,
        facts=facts,
        notes=["Seconds are those of the steps; the peak is the whole process with both sides in it."],
    )


def _whole(grants: int, runs: int, facts: dict[str, Figure]) -> Row:
    """The whole plan of little drift, up to its text."""
    command = [*PYTHON, "-m", "tests.benchmarks.core_work", str(grants), "0.01", "whole"]
    done = sorted((once(command) for _ in range(runs)), key=lambda each: each.usage.cpu)[runs // 2]
    took = json.loads(done.output)
    facts |= {f"1% drift, whole plan: {step}": took[step] for step in took if step.startswith("MiB")}
    steps = ("diff and identify", "arrange", "judge", "seal", "text")
    return Row(
        what=f"1% drift, arranged, judged, sealed and told: {took['actions']:,} actions",
        cpu=sum(took[step] for step in steps),
        wall=took["wall"],
        mebibytes=done.usage.mebibytes,
        target="300 MiB",
    )


def _making(took: dict[str, float], done: Run) -> float:
    return done.usage.cpu - took["diff and identify"] - took["order"]
