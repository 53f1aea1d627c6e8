"""Tokens that are kept while they are good, and renewed where a service takes them no more before their time.

Its law: whoever is refused together signs in once, and a token that is new is not renewed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

FRESH = 60.0
"""Seconds for which a token is handed out without asking for it again; the SDK renews it minutes ahead."""

STALE = 3.0
"""Seconds for which a refusal holds: requests that start together need not be refused one after the other."""

YOUNG = 30.0
"""Seconds after a renewal for which none follows: where a service refuses the new token too, signing in for
every request would only have the sign-in service turn everybody away."""


class RenewableCredential:
    """A credential that can be told that a service takes its tokens no more, though their time is not over.

    azure-identity keeps a token until minutes before its end, and has no other way to let go of one than to
    be asked for claims.
    """

    def __init__(self, build: Callable[[], Any], takes_claims: bool = True) -> None:
        self._build = build
        self._takes_claims = takes_claims
        self._credential = build()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for these scopes; raises azure-core's ClientAuthenticationError and ServiceRequestError."""
        token: AccessToken = self._credential.get_token(*scopes, **options)
        return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token with what else is known of it; raises as `get_token` does.

        The storage SDK names the tenant of a refusal, and only then (SDK source:
        `StorageBearerTokenCredentialPolicy.on_challenge`): so the token that it had is given up.
        """
        if options and options.get("tenant_id"):
            self._credential = self._build()
        token: AccessTokenInfo = self._credential.get_token_info(*scopes, options=options)
        return token

    def renew(self, *scopes: str, claims: str = "", **options: Any) -> AccessToken:
        """Sign in once more, for these claims where the refusal named some; raises as `get_token` does."""
        if claims and self._takes_claims:
            return self.get_token(*scopes, claims=claims, **options)
        self._credential = self._build()
        return self.get_token(*scopes, **options)

    def close(self) -> None:
        """Let go of the credential's own connections."""
        self._credential.close()


class AwaitableCredential:
    """A credential whose tokens are awaited: a thread fetches them, and the loop goes on meanwhile.

    One credential for both worlds means one token cache, and one package to load: azure-identity's own
    asynchronous half takes another quarter of a second.
    """

    def __init__(self, credential: RenewableCredential) -> None:
        self._credential = credential
        self._fetching = threading.Lock()
        self._fresh: dict[tuple[str, ...], tuple[float, AccessToken]] = {}
        self._failed: dict[tuple[str, ...], tuple[float, Exception]] = {}
        self._turns: dict[tuple[str, ...], int] = {}
        self._renewed: dict[tuple[str, ...], float] = {}

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for these scopes; raises azure-core's ClientAuthenticationError and ServiceRequestError."""
        fresh = self._fresh.get(scopes)
        if fresh is not None and not options.get("claims") and time.monotonic() < fresh[0]:
            return fresh[1]
        return await asyncio.to_thread(self._fetch, scopes, options)

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """A token with what else is known of it; raises as `get_token` does."""
        return await asyncio.to_thread(self._credential.get_token_info, *scopes, options=options)

    def turn(self, *scopes: str) -> int:
        """How often tokens for these scopes were renewed: to be noted before a request is signed."""
        return self._turns.get(scopes, 0)

    async def renew(self, turn: int, *scopes: str, claims: str = "", **options: Any) -> bool:
        """Sign in once more, as a request that was signed in this turn was refused; raises as `get_token`.

        Requests that are refused together sign in once: whoever comes later finds another turn.  False where
        the token is so young that there is no better one.
        """
        return await asyncio.to_thread(self._renew, turn, scopes, claims, options)

    def _fetch(self, scopes: tuple[str, ...], options: dict[str, Any]) -> AccessToken:
        # One at a time, so that requests that start together sign in once.
        with self._fetching:
            return self._fetched(scopes, lambda: self._credential.get_token(*scopes, **options))

    def _renew(self, turn: int, scopes: tuple[str, ...], claims: str, options: dict[str, Any]) -> bool:
        with self._fetching:
            if turn != self.turn(*scopes):
                return True
            if time.monotonic() < self._renewed.get(scopes, float("-inf")) + YOUNG:
                return False
            self._turns[scopes] = turn + 1
            self._renewed[scopes] = time.monotonic()
            self._fresh.pop(scopes, None)
            self._fetched(scopes, lambda: self._credential.renew(*scopes, claims=claims, **options))
            return True

    def _fetched(self, scopes: tuple[str, ...], fetch: Callable[[], AccessToken]) -> AccessToken:
        until, known = self._failed.get(scopes, (0.0, None))
        if known is not None and time.monotonic() < until:
            raise known
        try:
            token = fetch()
        except Exception as error:
            self._failed[scopes] = (time.monotonic() + STALE, error)
            raise
        self._fresh[scopes] = (time.monotonic() + FRESH, token)
        return token

    async def close(self) -> None:
        """Let go of the credential's own connections."""
        await asyncio.to_thread(self._credential.close)

    async def __aenter__(self) -> AwaitableCredential:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
