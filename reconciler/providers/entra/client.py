"""Speak to Microsoft Graph through its SDK's credentials, transport and URLs, in bytes.

The SDK's typed models take 5 ms of CPU per object and its batch classes lose bodies, so that only its
pipeline is used; its retry handler is off, as it repeats writes and lets others run into the same wall.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reconciler.core.environment import Environment
from reconciler.providers import identity
from reconciler.providers.contract import BeforeSend, Unusable, unguarded
from reconciler.providers.entra.wire import READ, TIERS, V1, WRITE, Call, Reply, Trouble
from reconciler.providers.pacing import Pacer
from reconciler.providers.transport import Answer, Attempts, Lost, Unreachable, ask, claims_asked

if TYPE_CHECKING:
    import httpx

CONNECTIONS = 8
"""Requests under way at once: enough to hide latency, few enough to leave the tenant to others."""


class Failed(Exception):
    """No reply: holds why, and whether the request may have taken effect."""

    def __init__(self, reason: str, lost: bool = False) -> None:
        super().__init__(reason)
        self.lost = lost

    @property
    def trouble(self) -> Trouble:
        """The same, as a value."""
        return Trouble(str(self))


class GraphClient:
    """Graph at one environment's endpoint.  All its coroutines belong to one event loop."""

    def __init__(
        self,
        environment: Environment,
        environ: Mapping[str, str],
        root: Any,
        pacer: Pacer,
        connections: int = CONNECTIONS,
        before_send: BeforeSend = unguarded,
    ) -> None:
        self.host = environment.entra.graph.rstrip("/")
        self.pacer = pacer
        self.patience = environment.patience
        self._context: ssl.SSLContext = identity.ssl_context(environment, root)
        self._credential = identity.azure_credential_aio(environment, environ, root)
        self._before_send = before_send
        self._adapter: Any = None
        self._http: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(connections)
        self._down: tuple[str, float] = ("", 0.0)
        self._users = 0
        self.answers = False
        """Whether any request was answered with what it asked for."""

    def root(self, version: str = V1) -> str:
        """What links of a version begin with."""
        return f"{self.host}/{version}"

    def meet_users(self, count: int) -> None:
        """Learn that the tenant has at least so many users: the published read limit follows its size."""
        if count <= self._users:
            return
        self._users = count
        for least, capacity in TIERS:
            if count >= least:
                if self.pacer.capacity(READ) < capacity:
                    self.pacer.limit(READ, capacity, 10)
                return

    async def send(self, call: Call, version: str = V1, units: Mapping[str, float] | None = None) -> Reply:
        """Send one request, paced, and again where that is safe; raises Failed when no reply came.

        `units` is what it costs where the call itself cannot know, as with a batch.
        """
        reason, until = self._down
        if reason and self.pacer.clock() < until:
            raise Failed(reason)
        if units is None:
            units = {READ: call.units()} | ({} if call.harmless else {WRITE: 1})
        attempts = Attempts(self.patience, self.pacer.clock, repeatable=call.harmless)
        turn = 0

        async def once() -> Answer:
            nonlocal turn
            turn = self._credential.turn(scope(self.host))
            return await self._once(call, version)

        async def renew(refusal: Answer) -> bool:
            return await self._renew(turn, refusal)

        try:
            async with self._slots:
                reply = decoded(await ask(once, attempts, self.pacer, units, renew))
        except Lost as error:
            raise Failed(f"{self.host} gave no answer: {error}", lost=True) from error
        except Unreachable as error:
            # Whoever asks next within the same patience need not wait as long to learn the same.
            self._down = (str(error), self.pacer.clock() + self.patience)
            raise Failed(str(error)) from error
        self.answers |= reply.ok
        return reply

    async def _once(self, call: Call, version: str) -> Answer:
        import httpx

        try:
            # The adapter would send what it has signed itself, and again when it is challenged.
            request = await self._adapter_of().convert_to_native_async(self._request(call, version))
            assert self._http is not None
            if not call.harmless:
                self._before_send()
            response = await self._http.send(request)
            answer = Answer(response.status_code, response.headers, response.content)
            if call.harmless and response.status_code < 300 and isinstance(decoded(answer).payload, str):
                raise Lost(f"{response.status_code} with something that is no JSON, or not all of it")
            return answer
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            cause = error.__cause__ or error.__context__ or error
            final = "CERTIFICATE_VERIFY_FAILED" in f"{error} {cause}"
            hint = "check `ca-file`" if final else "check the network and the environment's `graph`"
            raise Unreachable(f"{self.host} cannot be reached: {error or cause}; {hint}", final) from error
        except (httpx.HTTPError, ssl.SSLError) as error:
            # What is no TLS in the middle of a connection comes as the bare error of the ssl module.
            raise Lost(f"{type(error).__name__} {error}".strip()) from error
        except Exception as error:
            if not (reason := _unsigned(error)):
                raise
            raise Unreachable(reason, final=True) from error

    async def _renew(self, turn: int, refusal: Answer) -> bool:
        """Sign in once more; kiota asks for tokens that may be challenged, and so does this."""
        claims = claims_asked(refusal.headers)
        try:
            return await self._credential.renew(turn, scope(self.host), claims=claims, enable_cae=True)
        except Exception as error:
            if not (reason := _unsigned(error)):
                raise
            raise Unreachable(reason, final=True) from error

    def _request(self, call: Call, version: str) -> Any:
        from kiota_abstractions.method import Method
        from kiota_abstractions.request_information import RequestInformation
        from kiota_http.middleware.options import RedirectHandlerOption

        request = RequestInformation(method=Method(call.method))
        request.url = self.root(version) + call.path
        for name, value in {"Accept": "application/json", **call.headers}.items():
            request.headers.add(name, value)
        if call.body is not None:
            request.content = json.dumps(call.body, separators=(",", ":")).encode()
        # A write that is led elsewhere would leave a second time, unasked.
        request.add_request_options([RedirectHandlerOption(should_redirect=call.harmless)])
        return request

    def _adapter_of(self) -> Any:
        if self._adapter is None:
            self._adapter = self._connect()
        return self._adapter

    def _connect(self) -> Any:
        import httpx
        from kiota_authentication_azure.azure_identity_authentication_provider import (
            AzureIdentityAuthenticationProvider,
        )
        from kiota_http.middleware.options import (
            ParametersNameDecodingHandlerOption,
            RetryHandlerOption,
        )
        from msgraph.graph_request_adapter import GraphRequestAdapter, options
        from msgraph_core import GraphClientFactory

        quick = min(10.0, max(1.0, self.patience / 3))
        timeout = httpx.Timeout(max(1.0, self.patience), connect=quick, pool=None)
        # HTTP/2 is off: its framing is pure Python here, and few connections carry everything.
        self._http = httpx.AsyncClient(verify=self._context, http2=False, timeout=timeout)
        middleware = options | {
            RetryHandlerOption.get_key(): RetryHandlerOption(should_retry=False),
            ParametersNameDecodingHandlerOption.get_key(): ParametersNameDecodingHandlerOption(enable=False),
        }
        provider = AzureIdentityAuthenticationProvider(self._credential, scopes=[scope(self.host)])
        client = GraphClientFactory.create_with_default_middleware(client=self._http, options=middleware)
        adapter = GraphRequestAdapter(provider, client=client)
        adapter.base_url = self.root()
        return adapter

    async def close(self) -> None:
        """Let go of all connections."""
        if self._http is not None:
            await self._http.aclose()
        await self._credential.close()


def _unsigned(error: Exception) -> str:
    """Why nobody could be signed in, so that nothing was sent; "" for an error of another kind."""
    return str(error) if isinstance(error, Unusable) else identity.refusal(error)


def scope(host: str) -> str:
    """What a token is asked for: a national cloud's own Graph, else the public one.

    Source: Microsoft docs, "Microsoft Graph national cloud deployments".
    """
    national = (
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
    )
    return f"{host if host in national else 'https://graph.microsoft.com'}/.default"


def decoded(answer: Answer) -> Reply:
    """An answer with its body read as JSON; a body that is none becomes its first words."""
    body = bytes(answer.body)
    payload: Any = None
    if body:
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            payload = body[:200].decode("utf-8", "replace").lstrip("\ufeff")
    return Reply(status=answer.status, headers=dict(answer.headers), payload=payload)
