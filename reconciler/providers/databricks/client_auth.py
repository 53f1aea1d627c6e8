"""How the reconciler signs in to Databricks: machine to machine, as a GitHub workflow, or with Entra.

Tokens are fetched here and not by the SDK, which trusts the system's authorities only, has no time limit
for it, and mints a new token for every call of its `github-oidc` (SDK source: oauth.retrieve_token,
credentials_provider._oidc_credentials_provider).
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from reconciler.core.environment import Environment
from reconciler.providers import identity
from reconciler.providers.client_credential import YOUNG
from reconciler.providers.contract import Unusable
from reconciler.providers.databricks.client_sdk import Headers
from reconciler.providers.transport import TROUBLED

AZURE_DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
"""The scope of Entra tokens for Azure Databricks, the same in every tenant (Microsoft docs)."""
AZURE_SECONDS = 60.0
"""azure-identity keeps and renews its own tokens; asking it this often costs nothing."""
SPARE_SECONDS = 60.0
"""Azure Databricks turns tokens away half a minute before they end (SDK source: oauth.Token.expired)."""
MALFORMED = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What comes of an answer that is no JSON, or is of another shape."""
ID_TOKEN = "urn:ietf:params:oauth:token-type:jwt"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class NoToken(Unusable):
    """No token could be had just now, for a reason that may pass: asking again is safe, and may help."""


class Token(NamedTuple):
    """An access token and the seconds for which it may be kept."""

    text: str
    seconds: float

    def __repr__(self) -> str:
        """Without the token, wherever it is shown."""
        return f"Token(seconds={self.seconds:g})"


class Signature:
    """The header that signs requests of one host in; threads share one token, and one of them renews it."""

    def __init__(self, fetch: Callable[[], Token], renew: Callable[[str], Token] | None = None) -> None:
        """`renew` takes the claims to ask for; where it is not given every fetch is a new sign-in."""
        self.turn = 0
        self._fetch = fetch
        self._renew = renew or (lambda claims: fetch())
        self._next = fetch
        self._lock = threading.Lock()
        self._until = 0.0
        self._renewed = float("-inf")
        self._headers: dict[str, str] = {}

    def __call__(self) -> dict[str, str]:
        """The headers; raises Unusable, or azure-core's errors, when no token can be had."""
        with self._lock:
            if not self._headers or time.monotonic() >= self._until:
                token = self._next()
                self._next = self._fetch
                self._headers = {"Authorization": f"Bearer {token.text}"}
                self._until = time.monotonic() + token.seconds
            return self._headers

    def renew(self, turn: int, claims: str) -> bool:
        """Use the token no more that was used in this turn, unless another thread has said so before.

        False where it is so young that there is no better one.
        """
        with self._lock:
            if turn != self.turn:
                return True
            if time.monotonic() < self._renewed + YOUNG:
                return False
            self.turn += 1
            self._renewed = time.monotonic()
            self._headers = {}
            self._next = partial(self._renew, claims)
            return True


Sign = Callable[[str, str], Headers]
"""From a host and, for the account's own host, the account id to what signs requests in there."""


def signing(environment: Environment, environ: identity.Environ, root: Path | str) -> Sign:
    """How this environment signs in; raises Unusable where the process is not set up for it."""
    kind = environment.databricks_credential
    try:
        build = BUILDERS[kind]
    except KeyError:
        raise Unusable(
            f"environment {environment.name}: databricks-credential {kind!r} is none of {', '.join(BUILDERS)}"
        ) from None
    return build(environment, environ, root)


def _azure(environment: Environment, environ: identity.Environ, root: Path | str) -> Sign:
    credential = identity.azure_credential(environment, environ, root)

    def fetch() -> Token:
        return Token(credential.get_token(AZURE_DATABRICKS).token, AZURE_SECONDS)

    def renew(claims: str) -> Token:
        return Token(credential.renew(AZURE_DATABRICKS, claims=claims).token, AZURE_SECONDS)

    shared = Signature(fetch, renew)
    return lambda host, account_id: shared


def _machine(environment: Environment, environ: identity.Environ, root: Path | str) -> Sign:
    client_id, secret = _needed(environ, "oauth-m2m", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET")
    context = identity.ssl_context(environment, root)
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()

    def sign(host: str, account_id: str) -> Headers:
        form = {"grant_type": "client_credentials", "scope": "all-apis"}
        ask = _Ask(_token_url(host, account_id), context, _seconds(environment))
        return Signature(lambda: ask.token(form, {"Authorization": f"Basic {basic}"}))

    return sign


def _github(environment: Environment, environ: identity.Environ, root: Path | str) -> Sign:
    (client_id,) = _needed(environ, "github-oidc", "DATABRICKS_CLIENT_ID")
    if not all(environ.get(name) for name in identity.GITHUB):
        raise Unusable(
            "databricks-credential github-oidc needs `permissions: {id-token: write}` on the job, which "
            "sets ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN"
        )
    settings = environment.databricks
    # Databricks docs, federation policies: the audience is the account id unless the policy names others.
    audience = environ.get("DATABRICKS_TOKEN_AUDIENCE") or (settings.account_id if settings else "")
    context = identity.ssl_context(environment, root)
    github = identity.github_context(environment, root)

    def sign(host: str, account_id: str) -> Headers:
        ask = _Ask(_token_url(host, account_id), context, _seconds(environment))

        def fetch() -> Token:
            form = {
                "grant_type": EXCHANGE,
                "subject_token_type": ID_TOKEN,
                "subject_token": identity.github_assertion(environ, audience, github),
                "client_id": client_id,
                "scope": "all-apis",
            }
            return ask.token(form, {})

        return Signature(fetch)

    return sign


BUILDERS: dict[str, Callable[[Environment, identity.Environ, Path | str], Sign]] = {
    "azure": _azure,
    "oauth-m2m": _machine,
    "github-oidc": _github,
}
"""What an environment may name."""


def _token_url(host: str, account_id: str) -> str:
    """Where a host mints tokens (Databricks docs: OAuth machine-to-machine, by hand)."""
    base = host.rstrip("/")
    return f"{base}/oidc/accounts/{account_id}/v1/token" if account_id else f"{base}/oidc/v1/token"


class _Ask(NamedTuple):
    """One token endpoint."""

    url: str
    context: ssl.SSLContext
    seconds: float

    def token(self, form: dict[str, str], headers: dict[str, str]) -> Token:
        """Ask once; raises Unusable with what the endpoint said, never with what it was sent.

        Raises NoToken where the next attempt may be answered otherwise.
        """
        if not self.url.startswith("https://"):
            raise Unusable(f"{self.url} is no https address: the request would leak the credential")
        request = urllib.request.Request(self.url, data=urlencode(form).encode())
        for name, value in headers.items():
            # A header of the other sort would go along to wherever a redirect leads.
            request.add_unredirected_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=self.seconds, context=self.context) as answer:
                said = json.load(answer)
            return Token(said["access_token"], max(1.0, float(said["expires_in"]) - SPARE_SECONDS))
        except urllib.error.HTTPError as error:
            kind = NoToken if error.code in TROUBLED else Unusable
            raise kind(f"{self.url} gave no token: {_reason(error)}; {ADVICE}") from error
        except (OSError, HTTPException, *MALFORMED) as error:
            why = getattr(error, "reason", error)
            kind = Unusable if isinstance(why, ssl.SSLCertVerificationError) else NoToken
            raise kind(
                f"{self.url} gave no token: {why}; check the workspace's `host` and the `ca-file`"
            ) from error


ADVICE = "check DATABRICKS_CLIENT_ID, and its secret or federation policy"


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        said: Any = json.load(error)
        return f"{said['error']}: {said.get('error_description', '')}".rstrip(": ")
    except (*MALFORMED, AttributeError, OSError, HTTPException):
        return f"status {error.code}"


def _needed(environ: identity.Environ, kind: str, *names: str) -> list[str]:
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise Unusable(f"databricks-credential {kind} needs {' and '.join(names)}; not set: {missing[0]}")
    return [environ[name] for name in names]


def _seconds(environment: Environment) -> float:
    return max(1.0, min(10.0, environment.patience / 2))
