"""Pacing, in emulated time: never over a published limit, and never more than 5 % under it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator.throttle import Throttle
from reconciler.providers.pacing import Limit, Pacer


@dataclass
class Time:
    """Emulated seconds that only sleeping moves."""

    now: float = 1000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class SharedTime:
    """Emulated seconds for many tasks: the earliest sleeper wakes, and time is then what it waited for."""

    now: float = 0.0
    sleepers: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    order: itertools.count[int] = field(default_factory=itertools.count)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self.sleepers, (self.now + seconds, next(self.order), future))
        await future

    async def run(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let tasks go on, and time pass whenever all of them wait."""
        while not all(task.done() for task in tasks):
            for _ in range(3):
                await asyncio.sleep(0)
            if self.sleepers:
                self.now, _, future = heapq.heappop(self.sleepers)
                future.set_result(None)
        for task in tasks:
            task.result()


def service(capacity: float, period: float, now: float) -> Throttle:
    throttle = Throttle()
    throttle.limit("class", capacity, period, now)
    return throttle


@given(
    st.tuples(st.floats(1, 5000), st.floats(0.5, 300)),
    st.lists(st.floats(0.1, 5), min_size=1, max_size=200),
    st.lists(st.floats(0, 2), max_size=20),
)
def test_no_request_is_ever_turned_away(
    limit: tuple[float, float], units: list[float], pauses: list[float]
) -> None:
    time = Time()
    pacer = Pacer({"class": limit}, clock=time.clock, sleep=time.sleep)
    # A hair of slack for rounding: the service's sum of floats is not ours.
    judge = service(limit[0] * 1.000001 + 5, limit[1] * 1.000001, time.now)
    for unit, pause in itertools.zip_longest(units, pauses[: len(units)], fillvalue=0.0):
        time.now += pause
        pacer.wait("class", unit)
        assert judge.take("class", unit, time.now) is None


@pytest.mark.parametrize("limit", [Limit(3500, 10), Limit(3000, 150), Limit(7, 1), Limit(1, 4)])
def test_what_is_sent_by_any_moment_is_within_five_percent_of_what_is_allowed(limit: Limit) -> None:
    time = Time()
    pacer = Pacer({"class": limit}, clock=time.clock, sleep=time.sleep)
    judge = service(limit.capacity, limit.period, time.now)
    count = int(limit.capacity * 4) + 100
    started = time.now
    for sent in range(count):
        pacer.wait("class")
        assert judge.take("class", 1 - 1e-6, time.now) is None
        allowed = limit.capacity + (time.now - started) * limit.rate
        assert time.now == started or 0.95 * allowed - 1 <= sent + 1 <= allowed + 1e-6
    assert pacer.waited["class"] == pytest.approx(time.now - started)


def test_tasks_share_one_pace_in_the_order_of_asking() -> None:
    time = SharedTime()
    limit = Limit(50, 10)
    pacer = Pacer({"class": limit}, clock=time.clock, sleep_async=time.sleep)
    judge = service(limit.capacity, limit.period, 0.0)
    sent: list[int] = []

    async def request(number: int) -> None:
        await pacer.wait_async("class", 2)
        assert judge.take("class", 2 - 1e-6, time.now) is None
        sent.append(number)

    async def main() -> None:
        await time.run([asyncio.create_task(request(number)) for number in range(200)])

    asyncio.run(main())
    assert sent == list(range(200))
    assert (
        0.95 * (limit.capacity + time.now * limit.rate) - 2 <= 400 <= limit.capacity + time.now * limit.rate
    )


def test_threads_cannot_take_the_same_unit_twice() -> None:
    time = Time()
    pacer = Pacer({"class": (100, 10)}, clock=time.clock, headroom=0)
    delays: list[float] = []

    def work() -> None:
        delays.extend(pacer.reserve("class") for _ in range(100))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(delays)[-1] == pytest.approx((800 - 100) / 10)


def test_a_retry_after_holds_everybody_back_and_the_pace_goes_on_from_an_empty_bucket() -> None:
    time = SharedTime()
    limit = Limit(10, 10)
    pacer = Pacer({"class": limit}, clock=time.clock, sleep_async=time.sleep, headroom=0)
    sent: list[float] = []

    async def request() -> None:
        await pacer.wait_async("class")
        sent.append(time.now)

    async def main() -> None:
        early = [asyncio.create_task(request()) for _ in range(12)]
        await asyncio.sleep(0)
        pacer.hold("class", 30)
        late = [asyncio.create_task(request()) for _ in range(5)]
        await time.run(early + late)

    asyncio.run(main())
    # Ten had gone before the service spoke; nothing moves until it is over, then one a second.
    assert sent[:10] == [0.0] * 10
    assert min(sent[10:]) >= 30
    assert max(sent) == pytest.approx(37)


def test_requests_that_arrive_late_are_not_turned_away() -> None:
    time = Time()
    limit = Limit(8000, 10)
    pacer = Pacer({"class": limit}, clock=time.clock, sleep=time.sleep)
    judge = service(limit.capacity, limit.period, time.now)
    for _ in range(2000):
        pacer.wait("class", 20)
        assert judge.take("class", 20, time.now + 0.3) is None


def test_a_class_without_a_limit_is_free_until_the_service_asks() -> None:
    time = Time()
    pacer = Pacer({}, clock=time.clock, sleep=time.sleep)
    assert [pacer.reserve("other", 1e9) for _ in range(3)] == [0, 0, 0]
    pacer.hold("other", 7)
    assert pacer.reserve("other") == pytest.approx(7)
    pacer.wait("other")
    assert time.now == pytest.approx(1007)
    assert pacer.reserve("other") == 0


def test_a_raised_limit_keeps_what_was_spent() -> None:
    time = Time()
    pacer = Pacer({"class": (100, 10)}, clock=time.clock, headroom=0)
    assert pacer.reserve("class", 100) == 0
    pacer.limit("class", 200, 10)
    assert pacer.reserve("class", 100) == 0
    assert pacer.reserve("class", 20) == pytest.approx(1)
    pacer.hold("class", 50)
    pacer.limit("class", 400, 10)
    assert pacer.reserve("class", 0) >= 50
