"""How a request is repeated when it fails: as often as it is safe, and never for longer than patience.

Its law: a write whose answer was lost is not sent again; whoever asked learns that its effect is unknown.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from reconciler.providers.pacing import Clock, Pacer

Result = TypeVar("Result")

TROUBLED = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same read may well succeed."""
BUSY = frozenset({429, 503})
"""Statuses by which a service asks to be left alone for a while."""
REFUSED = 401
"""The status by which a token is refused: whatever it came with was not looked at, and had no effect."""
STILL_REFUSED = "a new token is refused as well: see that the identity is enabled and may sign in from here"
"""The next step where renewing did not help."""
TRIES = 4
"""How often a read is sent that fails for other reasons than its rate."""


class Answer(NamedTuple):
    """An answer as it came: status, headers with names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """Bytes, or what a provider has decoded from them."""


class Unreachable(Exception):
    """There was no connection, so nothing was sent: a wrong host, a closed port, an untrusted certificate."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final
        """True where trying again cannot help, as with a certificate."""


class Lost(Exception):
    """The request may have arrived and its answer did not: its effect is unknown."""


_CLAIMS = re.compile(r'\bclaims="([^"]+)"', re.IGNORECASE)


def claims_asked(headers: Mapping[str, str]) -> str:
    """The claims, as JSON, that a refusal wants the next token to be asked for with; "" where it names none.

    Source: Microsoft docs, "Claims challenges, claims requests and client capabilities".
    """
    found = _CLAIMS.search(headers.get("www-authenticate", ""))
    if found is None:
        return ""
    encoded = found[1].translate({ord("-"): "+", ord("_"): "/"})
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        return text if isinstance(json.loads(text), dict) else ""
    except (ValueError, RecursionError):
        return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the service asks for, whether it says so as a number or as a date; None when it does not.

    A date is taken relative to the answer's own `Date`, so that clocks need not agree (RFC 9110, 10.2.3).
    """
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        # The last two are dates of which one is in no zone, or beyond what a calendar holds.
        return None


@dataclass(slots=True)
class Attempts:
    """What became of one request so far, and whether it may be sent again."""

    patience: float
    """Seconds from the first failure until no more is tried."""
    clock: Clock
    repeatable: bool = True
    """False for a write: then only an answer that says "not now" lets it be sent again."""
    busy: Callable[[Answer], bool] = lambda answer: answer.status in BUSY
    """Whether an answer says that the rate was exceeded."""
    failures: int = 0
    since: float = field(default=0.0)

    def delay(self, outcome: Answer | Unreachable | Lost) -> float | None:
        """Seconds to wait before the request may be sent again; None when the outcome stands."""
        if not self._worth_repeating(outcome):
            return None
        self.failures += 1
        now = self.clock()
        if self.failures == 1:
            self.since = now
        asked = retry_after(outcome.headers) if isinstance(outcome, Answer) else None
        delay = min(8.0, 0.5 * 2.0 ** (self.failures - 1)) if asked is None else asked
        return delay if now + delay - self.since <= self.patience else None

    def _worth_repeating(self, outcome: Answer | Unreachable | Lost) -> bool:
        if isinstance(outcome, Unreachable):
            return not outcome.final and self.failures < 1
        if isinstance(outcome, Lost):
            return self.repeatable and self.failures < TRIES - 1
        if self.busy(outcome):
            # 429 says that nothing was done; any other status may hide an effect.
            return self.repeatable or outcome.status == 429
        return self.repeatable and outcome.status in TROUBLED and self.failures < TRIES - 1


Renew = Callable[[Answer], Awaitable[bool]]
"""Signs in once more, as this answer refused the token; False where that would not help, as the token is new.

Raises Unreachable where nobody can be signed in."""


async def ask(
    send: Callable[[], Awaitable[Answer]],
    attempts: Attempts,
    pacer: Pacer,
    units: Mapping[str, float],
    renew: Renew,
) -> Answer:
    """Send a request at the pace of its classes, again where that is safe; raises Unreachable and Lost.

    `units` says what it costs in each class.  An answer that asks for a pause holds back everybody.  A token
    that is refused is renewed once; a second refusal stands.
    """
    renewed = False
    while True:
        for name, cost in units.items():
            await pacer.wait_async(name, cost)
        outcome: Answer | Unreachable | Lost
        try:
            outcome = await send()
        except (Unreachable, Lost) as error:
            outcome = error
        if isinstance(outcome, Answer) and outcome.status == REFUSED and not renewed:
            renewed = True
            if await renew(outcome):
                continue
        delay = attempts.delay(outcome)
        if delay is None:
            if isinstance(outcome, Answer):
                return outcome
            raise outcome
        if isinstance(outcome, Answer) and attempts.busy(outcome):
            for name in units:
                pacer.hold(name, delay)
        else:
            await pacer.sleep_async(delay)


class Portal:
    """An event loop in a thread of its own, for callers without one; connections live as long as it does."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of a coroutine; raises what it raises.  Any thread but the loop's own may call."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C in the waiting thread must not leave the work going on behind its back.
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what is still going on and stop the loop; a second time changes nothing."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_end_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()


ENDING = 2.0
"""Seconds that cancelled work may take to let go of its connections."""


async def _end_others() -> None:
    """Cancel every other task of this loop: one that is dropped unfinished complains where nobody listens."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=ENDING)
