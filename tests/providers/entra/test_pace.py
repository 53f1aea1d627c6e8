"""Requests and their pace: few, within the published limits and close to them, in emulated time."""

from __future__ import annotations

from uuid import UUID

import pytest

from reconciler.core.model import Attribute, Wanted
from reconciler.emulator.directory import User
from reconciler.emulator.graph.costs import PUBLISHED_LIMITS
from reconciler.providers.entra.wire import LIMITS, READ, WRITE
from reconciler.providers.pacing import Pacer
from tests.providers.entra.conftest import Open
from tests.providers.entra.tenant import (
    PLANNER,
    Tenant,
    apply,
    boundary,
    read,
    revoke,
    statuses,
    user,
    want,
)

pytestmark = pytest.mark.emulator

PEOPLE = 500


def person(number: int) -> str:
    return f"user:u{number % PEOPLE}@corp.example"


def estate_of(tenant: Open, groups: int, limits: dict[str, tuple[float, float]]) -> Tenant:
    return tenant(
        {"limits": limits},
        users=[user(f"u{number}") for number in range(PEOPLE)],
        groups=[
            {"name": f"team-{number}", "members": [person(number * 10 + one) for one in range(10)]}
            for number in range(groups)
        ],
    )


def wanted(groups: int) -> list[Wanted]:
    return [
        want(f"team-{number}", [person(number * 10 + one) for one in range(10)]) for number in range(groups)
    ]


@pytest.mark.parametrize("pinned", [True, False])
def test_five_hundred_groups_in_step_take_at_most_sixty_requests(tenant: Open, pinned: bool) -> None:
    estate = estate_of(tenant, 500, {})
    asked = wanted(500)
    names = {fact.principal for each in asked for fact in each.grants if fact.principal}
    provider = estate.provider(PLANNER, {name: estate.id(name) for name in names} if pinned else {})
    provider.directory.resolve(sorted(names))
    live = read(provider, asked, [boundary("team-*")])
    assert live.gaps == {} and not live.findings
    assert all(live.found[each.address].grants == each.grants for each in asked)
    assert estate.requests() <= 60


def test_reading_keeps_to_the_published_pace_and_within_five_percent_of_it(tenant: Open) -> None:
    limit = PUBLISHED_LIMITS["graph/read-small"]
    published = [*limit, *PUBLISHED_LIMITS["graph/write"]]
    assert [*LIMITS[READ], *LIMITS[WRITE]] == published
    estate = estate_of(tenant, 2500, {"graph/read": limit})
    started = estate.world.clock.now()
    # One request at a time: emulated time would run on while others are still under way.
    provider = estate.provider(PLANNER, connections=1)
    live = read(provider, wanted(2500))
    assert live.gaps == {} and len(live.found) == 2500
    assert estate.world.throttle.rejected == {}
    bucket = estate.world.throttle.buckets["graph/read"]
    elapsed = estate.world.clock.now() - started
    refilled = elapsed * bucket.capacity / bucket.period
    spent = bucket.capacity + refilled - bucket.level
    assert elapsed > 4 and 0.95 * (bucket.capacity + refilled) <= spent


def test_a_larger_tenant_has_a_larger_limit(tenant: Open) -> None:
    estate = estate_of(tenant, 1, {})
    provider = estate.provider(PLANNER)
    capacities = [provider.pacer.capacity(READ)]
    provider.directory.resolve([person(number) for number in range(60)])
    capacities.append(provider.pacer.capacity(READ))
    provider.directory.resolve([person(number) for number in range(PEOPLE)])
    estate.directory.add(User(id=str(UUID(int=1)), upn="x@y", display_name="x"))
    provider.directory.resolve(["user:x@y"])
    capacities.append(provider.pacer.capacity(READ))
    assert capacities == [3500, 5000, 8000]


def test_writing_keeps_to_its_own_pace(tenant: Open) -> None:
    limit = (40.0, 20.0)
    estate = tenant(
        {"limits": {"graph/write": limit}},
        users=[user(f"u{number}") for number in range(60)],
        groups=[{"name": "team", "members": [person(number) for number in range(60)]}],
    )
    clock = estate.world.clock

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    pacer = Pacer({WRITE: limit}, clock=clock.now, sleep=clock.advance, sleep_async=sleep)
    planned = [revoke(estate, "team", person(number)) for number in range(60)]
    started = clock.now()
    ends = apply(estate.provider(pacer=pacer, connections=1), planned)
    assert {status.value for status in statuses(ends).values()} == {"accepted"}
    assert estate.world.throttle.rejected == {}
    assert 10 * (1 - 1e-6) <= clock.now() - started <= 10 + 0.05 * 60 / 2


def test_an_item_that_is_turned_away_is_asked_again(tenant: Open) -> None:
    # A neighbour spends what we count on: the service turns items of a batch away, and its 200 hides it.
    estate = estate_of(tenant, 40, {"graph/read": (30, 10)})
    live = read(estate.provider(PLANNER), [want(f"team-{number}") for number in range(40)])
    assert live.gaps == {} and len(live.found) == 40
    assert estate.world.throttle.rejected["graph/read"] > 0


def test_a_service_that_stays_busy_is_a_gap_within_patience(tenant: Open) -> None:
    estate = estate_of(tenant, 40, {"graph/read": (4, 1000)})
    started = estate.world.clock.now()
    live = read(estate.provider(PLANNER), [want(f"team-{number}") for number in range(40)])
    assert len(live.gaps) + len(live.found) == 40 and live.gaps
    assert all("429" in gap.status for gap in live.gaps.values())
    assert estate.world.clock.now() - started <= 60
    assert all(Attribute("exists") in found.grants for found in live.found.values())
