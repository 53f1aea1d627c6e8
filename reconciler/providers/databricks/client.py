"""Call one Databricks host: paced, patient for a bounded time, and honest about answers that were lost.

Its law: a write whose answer was lost is not sent again; a read may be.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from reconciler.providers import identity
from reconciler.providers.contract import BeforeSend, Unusable, unguarded
from reconciler.providers.databricks.client_auth import NoToken
from reconciler.providers.databricks.client_sdk import Line, sdk
from reconciler.providers.pacing import Limit, Pacer
from reconciler.providers.transport import (
    BUSY,
    REFUSED,
    STILL_REFUSED,
    Answer,
    Attempts,
    Lost,
    Unreachable,
    claims_asked,
)

if TYPE_CHECKING:
    from databricks.sdk.errors import DatabricksError

Payload = dict[str, Any]

SCIM_READ = "scim-read"
SCIM_PATCH = "scim-group-patch"
ASSIGN = "assignment-write"
ASSIGN_READ = "assignment-read"
SECRETS = "secrets"
ACCOUNT_LIST = "account-scim-list"
ACCOUNT_WRITE = "account-scim-write"

LIMITS: Mapping[str, Limit] = {
    SCIM_READ: Limit(255, 60),
    SCIM_PATCH: Limit(10, 60),
    ASSIGN: Limit(5, 1),
    SECRETS: Limit(1100, 60),
    ACCOUNT_LIST: Limit(240, 60),
    ACCOUNT_WRITE: Limit(5, 1),
}
"""Requests per seconds by API class, for one workspace or account (Microsoft docs: resource limits, as
databrickslabs/ucx applies them; the account's list and write classes are from a secondary source)."""

THROTTLED = ("REQUEST_LIMIT_EXCEEDED", "bucket limit has been exceeded", "exceeded the concurrent limit")
"""Texts of refusals that say `later`, whatever their status: SCIM throttles with 500 (databricks-sdk-go
pull request 721)."""
STALE_TOKEN = ("Invalid access token", "Token is expired", "ExpiredJwtException")
"""Texts of 400, 401 and 403 that refuse a token and not what was asked (databrickslabs/splunk-integration,
issue 55: Azure Databricks has used each of these in turn)."""
NOT_NOW = 429
"""The status under which a refusal is counted that certainly had no effect."""
UNCERTAIN = frozenset({408, 500, 502, 503, 504})
"""Statuses after which a write may or may not have happened."""
FINAL = ("performing the patch operation",)
"""Texts of a 500 by which SCIM refuses what it will never do (Terraform provider, issue 1866)."""
UNSENT = (NewConnectionError, ConnectTimeoutError, ProxyError)
"""What urllib3 raises before a request leaves."""


class Failure(Exception):
    """A call that did not work: what was said, and whether it may have had its effect all the same."""

    def __init__(self, text: str, *, status: int = 0, code: str = "", lost: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        """The HTTP status, 0 without an answer."""
        self.code = code
        self.lost = lost
        """True for a write that may have been carried out."""

    @property
    def label(self) -> str:
        """The service's own code, as gaps show it: `403 PERMISSION_DENIED`."""
        return f"{self.status or ''} {self.code}".strip()


class _Trouble(Exception):
    """One attempt that failed: what it amounts to, and what to raise if it was the last."""

    def __init__(self, outcome: Answer | Unreachable | Lost, failure: Failure) -> None:
        super().__init__(failure.text)
        self.outcome = outcome
        self.failure = failure


class Host:
    """One workspace, or the account, as something to ask; safe to use from several threads."""

    def __init__(
        self,
        line: Line,
        pacer: Pacer,
        *,
        name: str,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        before_send: BeforeSend = unguarded,
    ) -> None:
        self.name = name
        self._line = line
        self._pacer = pacer
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._before_send = before_send
        self.answers = False
        """Whether any request was answered with what it asked for."""

    def get(self, path: str, rate: str, query: Mapping[str, object] | None = None) -> Payload:
        """Read; raises Failure once patience is over, or at once where trying again cannot help."""
        return self._call("GET", path, rate, query=dict(query) if query else None)

    def send(self, method: str, path: str, rate: str, body: Mapping[str, object] | None = None) -> Payload:
        """Write once; what was certainly not carried out is sent again.  Raises Failure, `lost` included."""
        return self._call(method, path, rate, body=dict(body) if body is not None else None)

    def ask(self, path: str, rate: str, body: Mapping[str, object]) -> Payload:
        """Ask by POST for what may be asked twice without harm; raises Failure as `get` does."""
        return self._call("POST", path, rate, reading=True, body=dict(body))

    def close(self) -> None:
        """Let go of the connections."""
        self._line.wire.close()

    def _call(self, method: str, path: str, rate: str, reading: bool = False, **content: Any) -> Payload:
        reading = reading or method == "GET"
        attempts = Attempts(self._patience, self._clock, repeatable=reading)
        renewed = False
        while True:
            self._pacer.wait(rate)
            turn = self._line.headers.turn
            try:
                answer = self._once(method, path, reading, **content)
            except _Trouble as trouble:
                if isinstance(trouble.outcome, Answer) and trouble.outcome.status == REFUSED and not renewed:
                    renewed = True
                    if self._line.headers.renew(turn, claims_asked(trouble.outcome.headers)):
                        continue
                delay = attempts.delay(trouble.outcome)
                if delay is None:
                    raise trouble.failure from trouble.__cause__
                if isinstance(trouble.outcome, Answer) and trouble.outcome.status in BUSY:
                    self._pacer.hold(rate, delay)
                else:
                    self._sleep(delay)
            else:
                self.answers = True
                return answer

    def _once(self, method: str, path: str, reading: bool, **content: Any) -> Payload:
        wire = self._line.wire
        wire.begin(unguarded if reading else self._before_send)
        try:
            answer = self._line.api.do(method, path, **content)
        except sdk().DatabricksError as error:
            raise self._refused(error, reading) from error
        except TimeoutError as error:
            # What the SDK would have tried again arrives wrapped; the cause is what happened.
            cause = error.__cause__ or error
            if isinstance(cause, sdk().DatabricksError):
                raise self._refused(cause, reading) from error
            raise self._broken(cause, reading) from error
        except NoToken as error:
            # Nothing was sent, so that a write may be tried again as well as a read.
            raise _Trouble(Unreachable(str(error)), Failure(str(error))) from error
        except Unusable as error:
            raise Failure(str(error)) from error
        except (ValueError, OSError) as error:
            raise self._broken(error, reading) from error
        except Exception as error:
            # Signing in with Entra fails in azure-core's own words; anything else is a fault of ours.
            text = identity.refusal(error)
            if not text:
                raise
            raise Failure(f"{self.name}: {text}") from error
        if not isinstance(answer, dict):
            raise Failure(f"{self.name}: {path} answered with something else than an object")
        return answer

    def _refused(self, error: DatabricksError, reading: bool) -> _Trouble:
        """What an answer with an error status means."""
        status, headers, code = self._line.wire.status, self._line.wire.headers, str(error.error_code or "")
        said = _first_line(str(error))
        text = f"{self.name} answered {f'{status} {code}'.strip()}: {said}"
        later = status == 503 and "retry-after" in headers
        if later or (status == 409 and code == "ABORTED") or any(word in said for word in THROTTLED):
            outcome = Answer(NOT_NOW, headers, said)
        elif status == REFUSED or (status in (400, 403) and any(word in said for word in STALE_TOKEN)):
            # Told only if a new token meets the same.
            outcome, text = Answer(REFUSED, headers, said), f"{text}; {STILL_REFUSED}"
        else:
            outcome = Answer(status, headers, said)
        final = any(word in said for word in FINAL)
        lost = outcome.status in UNCERTAIN and not final and not reading
        return _Trouble(outcome, Failure(text, status=status, code=code, lost=lost))

    def _broken(self, error: BaseException, reading: bool) -> _Trouble:
        """What it means that no whole answer came."""
        wire = self._line.wire
        if isinstance(error, requests.exceptions.JSONDecodeError | ValueError) and wire.status:
            text = f"{self.name} answered {wire.status} with something that is no JSON"
            return _Trouble(Lost(text), Failure(text, status=wire.status, lost=not reading))
        causes = list(_causes(error))
        said = f"{type(causes[-1]).__name__}: {_first_line(str(causes[-1]))}"
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            text = f"{self.name}: its certificate is not trusted ({said}); check its `host` and the `ca-file`"
            return _Trouble(Unreachable(text, final=True), Failure(text))
        if any(isinstance(cause, UNSENT) for cause in causes):
            text = f"{self.name} cannot be reached ({said}); check its `host` and the network"
            return _Trouble(Unreachable(text), Failure(text))
        text = f"{self.name}: the answer was lost ({said})"
        return _Trouble(Lost(text), Failure(text, lost=not reading))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it wraps, outermost first: requests and urllib3 pack theirs in one another."""
    inner: object = error
    while isinstance(inner, BaseException):
        yield inner
        inner = getattr(inner, "reason", None) or next(iter(inner.args), None)


def _first_line(text: str) -> str:
    """The service's own words: the SDK appends its configuration to the text of 401 and 403."""
    line = text.strip().splitlines()[0] if text.strip() else "no text"
    return line.partition(". Config: ")[0].removeprefix("None ")[:400]
