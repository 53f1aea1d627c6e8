"""Repeating requests: as often as it is safe, and never for longer than patience."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable

import pytest

from reconciler.providers.pacing import Pacer
from reconciler.providers.transport import (
    Answer,
    Attempts,
    Lost,
    Portal,
    Unreachable,
    ask,
    claims_asked,
    retry_after,
)

Step = Answer | Lost | Unreachable


class Service:
    """Answers from a script, in emulated time, and remembers when it was asked."""

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.now = 0.0
        self.asked: list[float] = []
        self.renewed: list[Answer] = []
        self.renewable = True
        self.pacer = Pacer({"class": (1000, 1)}, clock=lambda: self.now, sleep_async=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def send(self) -> Answer:
        self.asked.append(self.now)
        step = self.script.pop(0) if self.script else OK
        if isinstance(step, Answer):
            return step
        raise step

    async def renew(self, refusal: Answer) -> bool:
        self.renewed.append(refusal)
        return self.renewable

    def run(self, repeatable: bool = True, busy: Callable[[Answer], bool] | None = None) -> Step:
        attempts = Attempts(30, self.pacer.clock, repeatable)
        if busy is not None:
            attempts.busy = busy
        try:
            return asyncio.run(self._ask(attempts))
        except (Lost, Unreachable) as error:
            return error

    async def _ask(self, attempts: Attempts) -> Answer:
        return await ask(self.send, attempts, self.pacer, {"class": 1}, self.renew)


OK = Answer(200, {}, b"")
BUSY = Answer(429, {"retry-after": "5"}, b"")


def failed(status: int, **headers: str) -> Answer:
    return Answer(status, headers, b"")


@pytest.mark.parametrize(
    ("script", "times"),
    [
        ([failed(503), failed(502), failed(504)], 4),
        ([BUSY] * 5, 6),
        ([Lost("reset")] * 3, 4),
        ([Unreachable("refused")], 2),
        ([failed(500)], 2),
    ],
)
def test_a_read_is_repeated_until_it_is_answered(script: list[Step], times: int) -> None:
    service = Service(*script)
    assert service.run() is OK and len(service.asked) == times


@pytest.mark.parametrize(
    ("script", "times"),
    [
        ([failed(500)] * 9, 4),
        ([Lost("reset")] * 9, 4),
        ([Unreachable("refused")] * 9, 2),
        ([Unreachable("certificate", final=True)] * 9, 1),
        ([failed(404)] * 9, 1),
        ([failed(403)] * 9, 1),
        ([failed(429, **{"retry-after": "31"})] * 9, 1),
    ],
)
def test_what_does_not_pass_is_given_up(script: list[Step], times: int) -> None:
    service = Service(*script)
    end = service.run()
    assert end is script[times - 1] and len(service.asked) == times and service.now <= 30


@pytest.mark.parametrize("step", [Lost("reset"), failed(503), failed(500), failed(504), failed(408)])
def test_a_write_whose_effect_is_unknown_is_sent_once(step: Step) -> None:
    service = Service(step)
    assert service.run(repeatable=False) is step and len(service.asked) == 1


def test_a_write_that_was_certainly_not_done_is_sent_again() -> None:
    for step in (BUSY, Unreachable("refused")):
        service = Service(step)
        assert service.run(repeatable=False) is OK and len(service.asked) == 2


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_refused_token_is_renewed_once_and_the_second_refusal_stands(repeatable: bool) -> None:
    service = Service(failed(401))
    assert service.run(repeatable) is OK
    assert (len(service.asked), len(service.renewed)) == (2, 1)
    refusal = failed(401)
    service = Service(failed(401), refusal, failed(401))
    assert service.run(repeatable) is refusal
    assert (len(service.asked), len(service.renewed)) == (2, 1)


def test_a_token_that_is_new_is_not_renewed() -> None:
    refusal = failed(401)
    service = Service(refusal, OK)
    service.renewable = False
    assert service.run() is refusal and len(service.asked) == 1


def test_renewing_takes_nothing_from_the_patience_with_other_troubles() -> None:
    service = Service(BUSY, failed(401), BUSY, failed(503))
    assert service.run() is OK
    assert (len(service.asked), len(service.renewed)) == (5, 1)


CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
ENCODED = base64.b64encode(CLAIMS.encode()).decode()


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (f'Bearer realm="", error="insufficient_claims", claims="{ENCODED}"', CLAIMS),
        (f'Bearer authorization_uri="https://x/?a=b,c", Claims="{ENCODED.rstrip("=")}"', CLAIMS),
        (f'PoP nonce="x", Bearer error="insufficient_claims", claims="{ENCODED}"', CLAIMS),
        ('Bearer claims="Pz8-Pz8_"', ""),
        ('Bearer claims="eyJhIjoiPz8-In0"', '{"a":"??>"}'),
        ('Bearer claims="WzFd"', ""),
        ('Bearer claims="%%"', ""),
        ('Bearer claims="' + base64.b64encode(b"[" * 100_000).decode() + '"', ""),
        ('Bearer realm="", error="invalid_token"', ""),
        ("", ""),
    ],
)
def test_the_claims_of_a_challenge(header: str, claims: str) -> None:
    assert claims_asked({"www-authenticate": header}) == claims


def test_busy_means_the_pause_that_was_asked_for_and_no_longer_than_patience() -> None:
    service = Service(*[BUSY] * 20)
    assert service.run() is BUSY
    assert service.asked == pytest.approx([0, 5, 10, 15, 20, 25], abs=0.1)


def test_a_service_may_have_its_own_word_for_busy() -> None:
    worded = Answer(500, {"retry-after": "3"}, b"REQUEST_LIMIT_EXCEEDED")
    service = Service(*[worded] * 8)
    assert service.run(busy=lambda answer: b"LIMIT" in answer.body) is OK
    assert len(service.asked) == 9


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, 0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_portal_lets_many_threads_share_one_loop() -> None:
    portal = Portal("test")
    loops: set[int] = set()

    async def work(number: int) -> int:
        loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return number

    results: list[int] = []
    threads = [
        threading.Thread(target=lambda n=number: results.append(portal.run(work(n)))) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(8)) and len(loops) == 1

    async def fails() -> None:
        raise ValueError("told")

    with pytest.raises(ValueError, match="told"):
        portal.run(fails())
    portal.close()
    portal.close()
