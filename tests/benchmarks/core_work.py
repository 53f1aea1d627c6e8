"""The core alone, in a process of its own: `python -m tests.benchmarks.core_work GRANTS DRIFT`.

Builds what is wanted and what is live as two sides that share no object but their strings, as providers
hand them over, then compares, identifies and orders; prints what each step took.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Iterator

from reconciler.cli_process import COLLECT_AFTER
from reconciler.core.desired import Frame
from reconciler.core.diff import diff
from reconciler.core.model import (
    EXISTS,
    PRESENT,
    Address,
    Attribute,
    Found,
    Identity,
    Live,
    Presence,
    Source,
    Wanted,
)
from reconciler.core.order import order
from reconciler.providers.registry import VOCABULARIES

ON_EACH = 100
"""Grants on every scope: 10,000 scopes of 100 are a million."""
PEOPLE = 50_000
KINDS = {kind.name: kind for vocabulary in VOCABULARIES for kind in vocabulary.kinds}


def wanted(grants: int, people: list[str]) -> Iterator[Wanted]:
    """Scopes on whose lists people may read."""
    for number in range(grants // ON_EACH):
        tenant = f"t{number % 500:03}"
        yield Wanted(
            address=_address(number),
            tenant=tenant,
            source=Source(f"tenants.d/{tenant}/scopes.yaml", number + 1),
            grants={Attribute(EXISTS): PRESENT, **dict.fromkeys(_facts(number, people), "READ")},
            adopted=True,
        )


def live(grants: int, people: list[str], drift: float) -> Iterator[Found]:
    """The same scopes, where so great a share of the people may write instead."""
    drifted = 0.0
    for number in range(grants // ON_EACH):
        drifted += drift * ON_EACH
        wrong = int(drifted)
        drifted -= wrong
        facts = dict.fromkeys(_facts(number, people), "READ")
        facts.update(dict.fromkeys(list(facts)[:wrong], "WRITE"))
        yield Found(address=_address(number), grants={Attribute(EXISTS): PRESENT, **facts})


def _address(number: int) -> Address:
    return Address("databricks", "ml-prod", "secret-scope", f"scope-{number:06}")


def _facts(number: int, people: list[str]) -> list[Attribute]:
    return [Attribute("acl", people[(number * 37 + place) % PEOPLE]) for place in range(ON_EACH)]


def main(grants: int, drift: float) -> dict[str, float]:
    """Seconds of CPU of both steps and of the clock for both, the number of actions, and MiB before."""
    gc.set_threshold(*COLLECT_AFTER)
    people = [f"user:person.{number:05}@corp.example" for number in range(PEOPLE)]
    identities = {
        name: Identity(
            principal=name, presence=Presence.KNOWN, object_id=f"00000000-0000-4000-8000-{number:012x}"
        )
        for number, name in enumerate(people)
    }
    want = list(wanted(grants, people))
    there = Live(found={found.address: found for found in live(grants, people, drift)})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    frame = Frame(environment="bench", kinds=KINDS, identities=identities)
    clock, start = time.perf_counter(), time.process_time()
    drifted = diff(want, there, frame)
    compared = time.process_time()
    actions = order(drifted.actions, KINDS, want)
    return {
        "diff and identify": compared - start,
        "order": time.process_time() - compared,
        "wall": time.perf_counter() - clock,
        "actions": len(actions),
        "MiB before": before,
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), float(sys.argv[2]))))
