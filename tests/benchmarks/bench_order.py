"""Order a plan over a large directory: the core alone, in a process of its own."""

from __future__ import annotations

import json

from tests.benchmarks.process import PYTHON, once
from tests.benchmarks.record import Figure, Report, Row

TARGETS = {2_000: "1 s", 10_000: ""}
"""Numbers of actions, and what ordering so many may take."""


def run(users: int = 50_000, groups: int = 10_000, sizes: tuple[int, ...] = (), runs: int = 3) -> Report:
    """Measure plans of several sizes; the run with the middle CPU time counts."""
    rows = []
    facts: dict[str, Figure] = {}
    for actions in sizes or tuple(TARGETS):
        command = [*PYTHON, "-m", "tests.benchmarks.order_work", str(actions), str(users), str(groups)]
        done = [once(command) for _ in range(runs)]
        took = [json.loads(each.output) for each in done]
        middle = sorted(range(runs), key=lambda number: took[number]["order"])[runs // 2]
        chosen = took[middle]
        rows += [
            Row(what=f"order of {chosen['actions']:,} actions", cpu=chosen["order"], wall=chosen["wall"],
                mebibytes=done[middle].usage.mebibytes, target=TARGETS.get(actions, "")),
            Row(what="yardstick: sorting the same by verb alone", cpu=chosen["verbs"]),
        ]  # fmt: skip
        facts |= {
            f"{actions:,} actions: that wait for another": chosen["waiting for another"],
            f"{actions:,} actions: knots without a good order": chosen["knots"],
        }
    return Report(
        name="order",
        title=f"order over {users:,} users and {groups:,} nested groups, median of {runs} runs",
        rows=rows,
        facts=facts,
        notes=["Seconds are those of the order; the peak is the whole process with the estate in it."],
    )
