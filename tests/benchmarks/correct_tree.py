"""Correct one tree as an apply does, and say what that took: `python -m tests.benchmarks.correct_tree ROOT`.

With `one-by-one` behind it every path gets a request of its own: the yardstick, through the same client.
Measured is the write alone, from its first listing to its last; reading and planning come before.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from reconciler.core.desired import Frame
from reconciler.core.diff import diff
from reconciler.providers.adls.correcting import carrying
from tests.benchmarks.only_folder import only_folder


def work(root: Path, one_by_one: bool) -> dict[str, object]:
    """Plan the corrections of the only lake folder there is, send them, and say what it took."""
    with only_folder(root) as opened:
        wanted = opened.wanted
        names = sorted({fact.principal for want in wanted for fact in want.grants if ":" in fact.principal})
        live = opened.lake.read(opened.question)
        frame = Frame(
            environment=opened.environment,
            kinds={kind.name: kind for kind in opened.kinds},
            identities=opened.directory.resolve(names),
        )
        actions = [each for each in diff(wanted, live, frame).actions if each.address.kind == "folder"]
        if one_by_one:
            setattr(carrying, "choose", partial(_singly, carrying.choose))  # noqa: B010
        wall, cpu, least = time.perf_counter(), time.process_time(), _mebibytes()
        outcomes = opened.lake.write(actions[0].address, actions)
        return {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "mebibytes": _mebibytes(),
            "before": least,
            "statuses": sorted({outcome.status.value for outcome in outcomes}),
        }


def _singly(choose: Any, *given: Any, **more: Any) -> Any:
    return choose(*given, **{**more, "singly": True})


def _mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(work(Path(sys.argv[1]), "one-by-one" in sys.argv)))
