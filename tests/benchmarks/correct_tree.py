"""Correct one tree as an apply does, and say what that took: `python -m tests.benchmarks.correct_tree ROOT`.

With `one-by-one` behind it every path gets a request of its own: the yardstick, through the same client.
Measured is the write alone, from its first listing to its last; reading and planning come before.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import ExitStack
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from reconciler.core.desired import Frame
from reconciler.core.diff import diff
from reconciler.core.vocabulary import Context
from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from reconciler.providers.adls.correcting import carrying
from reconciler.providers.contract import Question
from reconciler.providers.registry import VOCABULARIES

TODAY = date(2026, 11, 23)


def work(root: Path, one_by_one: bool) -> dict[str, object]:
    """Plan the corrections of the only lake folder there is, send them, and say what it took."""
    policies = load(WorkingTree(root), VOCABULARIES)
    (environment,) = policies.environments.values()
    opened = {
        each.provider: each.open(environment, os.environ, root)
        for each in VOCABULARIES
        if each.provider in ("entra", "adls")
    }
    with ExitStack() as stack:
        for provider in opened.values():
            stack.callback(provider.close)
        lake, directory = opened["adls"], opened["entra"].directory
        context = Context(environment=environment, as_of=TODAY)
        documents = [document for each in policies.declared.values() for document in each]
        (vocabulary,) = (each for each in VOCABULARIES if each.provider == "adls")
        wanted = vocabulary.compile(
            [each for each in documents if each.document.kind == "lake-folder"], context
        ).wanted
        names = sorted({fact.principal for want in wanted for fact in want.grants if ":" in fact.principal})
        live = lake.read(Question(wanted=wanted, directory=directory, as_of=TODAY))
        frame = Frame(
            environment=environment.name,
            kinds={kind.name: kind for kind in vocabulary.kinds},
            identities=directory.resolve(names),
        )
        actions = [each for each in diff(wanted, live, frame).actions if each.address.kind == "folder"]
        if one_by_one:
            setattr(carrying, "choose", partial(_singly, carrying.choose))  # noqa: B010
        wall, cpu, least = time.perf_counter(), time.process_time(), _mebibytes()
        outcomes = lake.write(actions[0].address, actions)
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
