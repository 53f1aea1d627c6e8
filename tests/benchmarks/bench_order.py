"""Order a plan over a large directory: the core alone, in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.benchmarks.process import PYTHON, once
from tests.benchmarks.record import Figure, Report, Row

TARGETS = {2_000: "1 s", 10_000: ""}
"""Numbers of actions, and what ordering so many may take."""
SHAPES = (
    ("scopes", (50_000, 200), "a group of 50,000 replaced on 200 scopes"),
    ("scopes", (5_000, 1_000), "a group of 5,000 replaced on 1,000 scopes"),
    ("workspace", (50_000, 1_000), "a group of 50,000 replaced in a workspace of 1,000 groups"),
    ("path", (8, 20, 100), "a group replaced on 8 places and 20 folders below"),
    ("path", (12, 50, 100), "a group replaced on 12 places and 50 folders below"),
)
"""Plans that are plain to people, with their sizes; each of them may take a second."""


def run(
    users: int = 50_000,
    groups: int = 10_000,
    sizes: tuple[int, ...] = tuple(TARGETS),
    runs: int = 3,
    shapes: Sequence[tuple[str, tuple[int, ...], str]] = SHAPES,
) -> Report:
    """Measure plans of several sizes and shapes; the run with the middle CPU time counts."""
    rows = []
    facts: dict[str, Figure] = {}
    for actions in sizes:
        chosen, mebibytes = _measured(runs, "estate", actions, users, groups)
        rows += [
            Row(what=f"order of {chosen['actions']:,} actions", cpu=chosen["order"], wall=chosen["wall"],
                mebibytes=mebibytes, target=TARGETS.get(actions, "")),
            Row(what="yardstick: sorting the same by verb alone", cpu=chosen["verbs"]),
        ]  # fmt: skip
        facts |= {
            f"{actions:,} actions: that wait for another": chosen["waiting for another"],
            f"{actions:,} actions: knots without a good order": chosen["knots"],
        }
    for shape, numbers, what in shapes:
        chosen, mebibytes = _measured(runs, shape, *numbers)
        rows.append(
            Row(what=what, cpu=chosen["order"], wall=chosen["wall"], mebibytes=mebibytes, target="1 s")
        )
        facts[f"{what}: actions, waiting, knots"] = " ".join(
            f"{chosen[each]:,}" for each in ("actions", "waiting for another", "knots")
        )
    return Report(
        name="order",
        title=f"order over {users:,} users and {groups:,} nested groups, median of {runs} runs",
        rows=rows,
        facts=facts,
        notes=["Seconds are those of the order; the peak is the whole process with the estate in it."],
    )


def _measured(runs: int, shape: str, *sizes: int) -> tuple[dict[str, float], float]:
    """What the middle one of some runs told, and its peak in MiB."""
    command = [*PYTHON, "-m", "tests.benchmarks.order_work", shape, *map(str, sizes)]
    done = [once(command) for _ in range(runs)]
    took = [json.loads(each.output) for each in done]
    middle = sorted(range(runs), key=lambda number: took[number]["order"])[runs // 2]
    return took[middle], done[middle].usage.mebibytes
