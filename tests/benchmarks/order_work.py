"""The work of the order benchmark, in a process of its own: `order_work estate ACTIONS USERS GROUPS`.

Instead of `estate`, a shape of `order_shapes` with its sizes.

A large estate with nested groups and grants to them, and a plan in which users change groups while the one
group takes the other's place on a scope; prints what the order and the plain order of verbs take.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator

from reconciler.core.model import EXISTS, PRESENT, Address, Attribute, Found, Live, Verb, Wanted
from reconciler.core.order import RANK, arrange
from reconciler.core.plan import Action
from reconciler.providers.registry import VOCABULARIES
from tests.benchmarks.order_shapes import HERE, SHAPES, Shape, action, group, person, scope, team

KINDS = {kind.name: kind for vocabulary in VOCABULARIES for kind in vocabulary.kinds}
NESTED = 0.3
"""Share of groups that hold a group."""
SCOPES = 5_000


def main(shape: str, *sizes: int) -> dict[str, float]:
    """Seconds of CPU of both orders, and how much the order had to mind."""
    live, planned = drawn(*sizes) if shape == "estate" else SHAPES[shape](*sizes)
    wanted = [
        Wanted(address=address, tenant="t", source=HERE, grants=found.grants)
        for address, found in live.found.items()
    ]
    start = time.process_time()
    plainly = sorted(planned, key=lambda action: (RANK[action.verb], action.address, action.attribute))
    plain = time.process_time() - start
    clock, start = time.perf_counter(), time.process_time()
    found = arrange(planned, KINDS, wanted, live)
    return {
        "order": time.process_time() - start,
        "wall": time.perf_counter() - clock,
        "verbs": plain,
        "actions": len(plainly),
        "waiting for another": sum(bool(action.needs) for action in found.actions),
        "knots": len(found.knots),
    }


def drawn(actions: int, users: int, groups: int) -> Shape:
    """A large estate at random, and a plan of moves in it."""
    chance = random.Random(11)
    live = Live(found={found.address: found for found in estate(chance, users, groups)})
    return Shape(live, list(moves(chance, live, actions, users, groups)))


def estate(chance: random.Random, users: int, groups: int) -> Iterator[Found]:
    """Groups of five users on average, a third of them nested, and scopes that three groups each may use."""
    for number in range(groups):
        held = {Attribute(EXISTS): PRESENT}
        held |= {Attribute("member", person(chance.randrange(users))): "member" for _ in range(5)}
        if number and chance.random() < NESTED:
            held[Attribute("member", team(chance.randrange(number)))] = "member"
        yield Found(address=group(number), grants=held, object_id=f"oid-{number}")
    for number in range(SCOPES):
        chosen = {team(chance.randrange(groups)): chance.choice(("READ", "WRITE")) for _ in range(3)}
        yield Found(
            address=scope(number),
            grants={Attribute(EXISTS): PRESENT, **{Attribute("acl", who): v for who, v in chosen.items()}},
        )


def moves(chance: random.Random, live: Live, count: int, users: int, groups: int) -> Iterator[Action]:
    """A quarter each of users who join a group and leave one, and of groups that gain a grant and lose one.

    The group that somebody joins takes the place of the one that he leaves, where that is granted something.
    """
    places: dict[str, list[int]] = {}
    for number in range(SCOPES):
        for fact in live.found[scope(number)].grants:
            places.setdefault(fact.principal, []).append(number)
    taken: set[tuple[Address, Attribute]] = set()
    made = 0
    while made + 4 <= count:
        old, new = chance.randrange(groups), chance.randrange(groups)
        place = chance.choice(places.get(team(old)) or [chance.randrange(SCOPES)])
        people = [fact for fact in live.found[group(old)].grants if fact.principal.startswith("user:")]
        mover = chance.choice(people)
        granted = [fact for fact in live.found[scope(place)].grants if fact.principal]
        own = Attribute("acl", team(old))
        losing, gaining = own if own in granted else chance.choice(granted), Attribute("acl", team(new))
        keys = {(group(old), mover), (group(new), mover), (scope(place), losing), (scope(place), gaining)}
        present = mover in live.found[group(new)].grants or gaining in live.found[scope(place)].grants
        if old == new or len(keys) < 4 or present or keys & taken:
            continue
        taken |= keys
        yield action(Verb.GRANT, group(new), mover, None, "member")
        yield action(Verb.REVOKE, group(old), mover, "member", None)
        value = live.found[scope(place)].grants[losing]
        yield action(Verb.GRANT, scope(place), gaining, None, value)
        yield action(Verb.REVOKE, scope(place), losing, value, None)
        made += 4


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], *map(int, sys.argv[2:]))))
