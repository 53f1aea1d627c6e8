"""The core alone, in a process of its own: `python -m tests.benchmarks.core_work GRANTS DRIFT [whole]`.

Builds what is wanted and what is live as two sides that share no object but their strings, as providers
hand them over, then compares, identifies and orders; prints what each step took.  With `whole` it goes on as
a plan does: arranges so that no moment is bad, judges, seals and writes the report as text.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from reconciler.cli_process import COLLECT_AFTER
from reconciler.core.desired import Frame
from reconciler.core.diff import Drift, diff
from reconciler.core.docket import Docket, Rules
from reconciler.core.guardrails import judge, succeeded
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
from reconciler.core.moments import violations
from reconciler.core.order import arrange, order
from reconciler.core.plan import Plan
from reconciler.core.planfile import sealed
from reconciler.providers.registry import VOCABULARIES
from reconciler.report.lines import plain
from reconciler.report.text import plan_lines

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


def main(grants: int, drift: float, whole: bool = False) -> dict[str, float]:
    """Seconds of CPU of the steps and of the clock for all, the number of actions, and MiB at the largest."""
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
    before = _peak()
    frame = Frame(environment="bench", kinds=KINDS, identities=identities)
    clock, start = time.perf_counter(), time.process_time()
    drifted = diff(want, there, frame)
    took = {"diff and identify": time.process_time() - start, "MiB before": before}
    if whole:
        took |= _planned(want, there, drifted)
    else:
        start = time.process_time()
        took["actions"] = len(order(drifted.actions, KINDS, want))
        took["order"] = time.process_time() - start
    return {**took, "wall": time.perf_counter() - clock}


def _planned(want: Sequence[Wanted], there: Live, drifted: Drift) -> dict[str, float]:
    """What the steps behind a comparison take, as planning does them, and MiB after each."""
    took, start = {"MiB after diff": _peak()}, time.process_time()

    def done(step: str) -> None:
        nonlocal start
        took[step] = time.process_time() - start
        took[f"MiB after {step}"] = _peak()
        start = time.process_time()

    day = date(2026, 11, 23)
    docket = Docket(
        actions=drifted.actions, live=there, rules=Rules(), held=drifted.held, wanted=want,
        environment="bench", as_of=day, kinds=frozenset(KINDS),
    )  # fmt: skip
    arranged = arrange(succeeded(docket), KINDS, want, there, drifted.blocked)
    done("arrange")
    docket = replace(docket, actions=arranged.actions)
    found = (*judge(docket), *violations(arranged.knots, KINDS))
    done("judge")
    plan = sealed(
        Plan(
            environment="bench", revision="r", as_of=day, actions=arranged.actions, blocked=(), gaps=(),
            findings=(), violations=found, problems=(), unpinned=(), managed=drifted.managed,
        )
    )  # fmt: skip
    done("seal")
    characters = len(plain(plan_lines(plan, KINDS, 100)))
    done("text")
    return {**took, "actions": len(plan.actions), "characters of text": characters}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:] == ["whole"])))
