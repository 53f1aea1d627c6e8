"""Equal plans are equal byte for byte: nothing depends on the order in which a process keeps its sets.

A saved plan carries the digest of its actions with their needs; whoever plans anew has to come to the same.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from random import Random

from reconciler.core.effective import rules_of
from reconciler.core.holdings import Holdings
from reconciler.core.model import Attribute
from reconciler.core.moments import violations
from reconciler.core.order import arrange
from reconciler.core.plan import Plan
from reconciler.core.planfile import sealed
from tests.core.moving import EXISTS, KINDS, Motion, State, folder, group, motion, scope, way
from tests.core.test_order_cases import access, acl, of, passes

SEEDS = ("0", "1", "2", "3")
"""Of them, two at least disagree on the order of most sets of three names."""
PEOPLE = [f"user:u{n}" for n in range(6)]
GROUPS = [f"group:g{n}" for n in range(4)]


def estates() -> Iterator[Motion]:
    """One that is as small as they come, a crossing of crowds, and random ones."""
    ana, bo, cy, g2 = "user:ana", "user:bo", "user:cy", "group:g2"
    yield motion(
        {group("g0"): of(ana, bo), group("g1"): of(cy), group("g2"): of(ana, bo, cy),
         scope("s"): acl(g0="READ", g2="READ")},
        {group("g0"): of(ana, cy), group("g1"): of(cy, g2), group("g2"): of(bo, cy),
         scope("s"): acl(g0="READ", g1="READ")},
    )  # fmt: skip
    crowds = {
        group("ga"): of(*PEOPLE[:3]),
        group("gb"): of(*PEOPLE[3:]),
        scope("t"): acl(g0="READ", g1="READ"),
    }
    yield motion(
        {group("g0"): of("group:gb"), group("g1"): of("group:ga"), scope("s"): acl(g1="READ"), **crowds},
        {group("g0"): of("group:ga"), group("g1"): of("group:gb"), scope("s"): acl(g0="READ"), **crowds},
    )
    for seed in range(20):
        chance = Random(seed)
        yield motion(_state(chance), _state(chance))


def _state(chance: Random) -> State:
    state: State = {}
    for number, name in enumerate(GROUPS):
        inner = [each for each in GROUPS[number + 1 :] if chance.random() < 0.3]
        state[group(name)] = of(*(who for who in PEOPLE if chance.random() < 0.5), *inner)
    for name in "st":
        chosen = [who for who in (*GROUPS, *PEOPLE[:2]) if chance.random() < 0.4]
        state[scope(name)] = acl() | {
            Attribute("acl", who): chance.choice(("READ", "WRITE")) for who in chosen
        }
    chosen = [who.removeprefix("group:") for who in GROUPS if chance.random() < 0.5]
    state[way("c")] = passes(**dict.fromkeys(chosen, "--x"))
    state[folder("c/a")] = access(**dict.fromkeys(chosen[::-1], chance.choice(("r-x", "list"))))
    state[folder("c/a/b")] = {EXISTS: "present"} | {
        Attribute("access", who): chance.choice(("r-x", "rwx")) for who in PEOPLE if chance.random() < 0.3
    }
    return state


def told() -> str:
    """All that is said of these estates, as text."""
    lines = []
    for moved in estates():
        found = arrange(moved.actions, KINDS, moved.wanted, moved.live)
        broken = tuple(violations(found.knots, KINDS))
        plan = Plan(
            environment="test", revision="r", as_of=date(2026, 1, 1), actions=found.actions, violations=broken
        )
        rules = rules_of(Holdings(moved.actions, KINDS, moved.live, moved.wanted))
        lines += [sealed(plan).digest, *(each.text for each in broken)]
        lines += [f"{rules.people[rule]} {rules.examples[rule]}" for rule in rules.cases]
    return "\n".join(lines)


def test_no_needs_no_order_and_no_text_depends_on_the_seed_of_a_process() -> None:
    code = "from tests.core.test_order_hashseed import told; print(told())"
    answers = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in SEEDS
    ]
    texts = [answer.communicate()[0].strip() for answer in answers]
    assert texts[0].count("\n") > 20
    assert texts == [texts[0]] * len(SEEDS)
