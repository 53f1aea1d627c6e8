"""Read a storage account and its role assignments through the SDK's public pipeline, as raw bytes.

Its law: an answer that is not the whole truth is raised, never returned.

The storage SDKs drop the access lists from blob listings (SDK source: `BlobPropertiesInternal`) and cost a
millisecond of CPU a path; their credentials and transport are used as they are.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from reconciler.core.secrecy import without
from reconciler.providers.adls.client_signing import READS, signing_transport
from reconciler.providers.adls.whole import is_json, is_listing
from reconciler.providers.client_credential import AwaitableCredential
from reconciler.providers.contract import BeforeSend, unguarded
from reconciler.providers.identity import refusal
from reconciler.providers.pacing import Limit, Pacer
from reconciler.providers.transport import (
    REFUSED,
    STILL_REFUSED,
    Answer,
    Attempts,
    Lost,
    Unreachable,
    ask,
    claims_asked,
)

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from azure.core import AsyncPipelineClient
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.core.rest import AsyncHttpResponse, HttpRequest

Signed = TypeVar("Signed")
STORAGE_SCOPE = "https://storage.azure.com/.default"
ARM_SCOPE = "https://management.azure.com/.default"
STORAGE_VERSION = "2023-11-03"
"""Lists in blob listings need 2020-06-12, resource types 2020-10-02, `showonly` 2020-12-06 (Microsoft docs:
List Blobs)."""
STARTING_VERSION = "2026-02-06"
"""The first version in which a listing may begin at a name (release notes of the storage SDKs, January 2026);
asked for in these requests alone, as the rest is proven under the older one."""
PAGE = 5_000
"""Entries of one listing answer at most (Microsoft docs: List Blobs, Path - List)."""
LIMITS = {"storage": Limit(20_000, 1.0), "arm": Limit(250, 10.0)}
"""Requests a second of an account where the region is not one of the larger ones (scalability targets for
standard storage accounts), and a principal's reads of a subscription (throttling of Resource Manager
requests, a bucket of 250 that gains 25 a second); both Microsoft docs."""
CONNECTIONS = 64


class Refused(Exception):
    """The service answered, and refused."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}".strip() + (f": {message}" if message else ""))
        self.status = status
        self.code = code

    @property
    def short(self) -> str:
        """Status and code, as a gap names them."""
        return f"{self.status} {self.code}".strip()


class Control(NamedTuple):
    """The access control of one path."""

    acl: str
    owner: str
    group: str


class Names(NamedTuple):
    """One page of a path listing."""

    paths: list[dict[str, str]]
    continuation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where one lake is reached."""

    dfs: str
    blob: str
    arm: str = ""


@dataclass(slots=True, kw_only=True)
class Wire:
    """One HTTP session with its trust and its patience; all its coroutines belong to one event loop."""

    credential: AwaitableCredential
    context: ssl.SSLContext
    patience: float
    """Seconds that a request may be tried for."""
    before_send: BeforeSend = unguarded
    pacer: Pacer = field(default_factory=lambda: Pacer(LIMITS))
    session: ClientSession | None = None
    answering: set[str] = field(default_factory=set)
    """Hosts that answered a request with what it asked for."""
    _clients: dict[str, AsyncPipelineClient[HttpRequest, AsyncHttpResponse]] = field(default_factory=dict)

    def transport(self, scope: str) -> AioHttpTransport:
        """A transport over the one session, for this pipeline and for the storage SDK's own."""
        from aiohttp import ClientSession, DummyCookieJar, TCPConnector

        if self.session is None:
            # A path given as `connection_verify` would open a new connection for every request.
            self.session = ClientSession(
                connector=TCPConnector(ssl=self.context, limit=CONNECTIONS),
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                read_bufsize=1 << 22,
                trust_env=True,
            )
            # aiohttp sends a PUT or DELETE again whose answer was lost: a renaming that had worked would
            # then be told as failed.  There is no public switch (aiohttp source: ClientSession._request).
            self.session._retry_connection = False
        return signing_transport(
            self.credential,
            scope,
            self.before_send,
            session=self.session,
            session_owner=False,
            connection_timeout=max(1.0, min(5.0, self.patience / 3)),
            read_timeout=self.patience,
        )

    async def sign_in(self, scope: str) -> None:
        """Get a token before anything else is tried; raises Unreachable with the reason in words."""
        await self._signed(self.credential.get_token(scope))

    async def _signed(self, signing: Awaitable[Signed]) -> Signed:
        """Wait for a sign-in; raises Unreachable, as nothing was sent."""
        try:
            async with asyncio.timeout(self.patience):
                return await signing
        except TimeoutError:
            raise Unreachable(f"signing in took more than {self.patience:g} s", final=True) from None
        except Exception as error:
            reason = refusal(error)
            if not reason:
                raise
            raise Unreachable(reason, final=True) from error

    async def send(
        self,
        bucket: str,
        scope: str,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        whole: Callable[[bytes], bool] = lambda body: True,
    ) -> Answer:
        """The answer to one request, read whole; raises Refused, Unreachable, Lost.

        `whole` says whether the body of a success is all that it should be; if not, it was lost on the way.
        """
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        reads = method in READS
        request = HttpRequest(method, url, headers=dict(headers or {}))

        async def once() -> Answer:
            response: Any
            try:
                response = await self._pipeline(scope).send_request(request)
            except HttpResponseError as error:
                if error.response is None:
                    raise
                response = error.response
            lowered = {name.lower(): value for name, value in response.headers.items()}
            if response.status_code < 400 and not whole(response.content):
                raise Lost(f"{_host(url)} answered {response.status_code} with something cut short, or else")
            return Answer(response.status_code, lowered, response.content)

        answer = await self.ask(bucket, scope, once, _host(url), repeatable=reads)
        if not reads and uncertain(answer):
            raise Lost(f"{_host(url)}: {refused(answer)}")
        if answer.status >= 400:
            raise refused(answer)
        if "x-ms-request-id" in answer.headers:
            # Others on the way answer 200 as well.
            self.answering.add(_host(url))
        return answer

    async def ask(
        self, bucket: str, scope: str, once: Callable[[], Awaitable[Answer]], host: str, *, repeatable: bool
    ) -> Answer:
        """Send at the pace of its class, again where that is safe; raises Unreachable, Lost."""
        from azure.core.exceptions import AzureError

        turn = 0

        async def attempt() -> Answer:
            nonlocal turn
            turn = self.credential.turn(scope)
            try:
                async with asyncio.timeout(self.patience):
                    return await once()
            except TimeoutError:
                raise Lost(f"{host} gave no whole answer within {self.patience:g} s") from None
            except AzureError as error:
                raise _silence(host, error) from error

        async def renew(refusal: Answer) -> bool:
            claims = claims_asked(refusal.headers)
            return await self._signed(self.credential.renew(turn, scope, claims=claims))

        attempts = Attempts(self.patience, self.pacer.clock, repeatable=repeatable)
        return await ask(attempt, attempts, self.pacer, {bucket: 1.0}, renew)

    async def close(self) -> None:
        """Let go of the session and what waits on it."""
        if self.session is not None:
            await self.session.close()
            self.session = None
            self._clients.clear()

    def _pipeline(self, scope: str) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
        from azure.core import AsyncPipelineClient
        from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy

        if scope not in self._clients:
            policies = [RequestIdPolicy(), UserAgentPolicy("reconciler")]
            self._clients[scope] = AsyncPipelineClient("", policies=policies, transport=self.transport(scope))
        return self._clients[scope]


def _silence(host: str, error: AzureError) -> Unreachable | Lost:
    """What an error without an answer means: nothing was sent, or nobody knows."""
    from aiohttp import ClientConnectorError
    from azure.core.exceptions import ClientAuthenticationError

    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, ClientAuthenticationError):
        return Unreachable(refusal(error), final=True)
    if isinstance(getattr(error, "inner_exception", None), ClientConnectorError):
        final = "CERTIFICATE_VERIFY_FAILED" in said
        hint = "check `ca-file`" if final else "check the network and the lake's endpoints"
        return Unreachable(f"{host} cannot be reached: {said}; {hint}", final=final)
    # The transport reports a connection that broke after sending as if nothing had been sent (SDK source).
    return Lost(f"{host} gave no whole answer: {said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeReader:
    """One lake: listings with access lists, the control of single paths, role assignments."""

    wire: Wire
    endpoints: Endpoints

    @property
    def answers(self) -> bool:
        """Whether the lake answered any request with what it asked for."""
        return not self.wire.answering.isdisjoint(map(_host, (self.endpoints.dfs, self.endpoints.blob)))

    async def listing(
        self,
        container: str,
        prefix: str,
        marker: str,
        *,
        start: str = "",
        level: bool = False,
        files: bool = True,
        size: int = PAGE,
    ) -> bytes:
        """One page of List Blobs with permissions: everything below a prefix, or what is directly there.

        `start` is the path to begin with, inclusive; an account that does not know of it answers 400, or
        begins where it always does.  Raises Refused, Unreachable, Lost.
        """
        query = {"restype": "container", "comp": "list", "include": "permissions", "maxresults": str(size)}
        query |= {"prefix": prefix} if prefix else {}
        query |= {"marker": marker} if marker else {}
        query |= {"startFrom": start} if start else {}
        query |= {"delimiter": "/"} if level else {}
        query |= {} if files else {"showonly": "directories"}
        url = f"{self.endpoints.blob}/{container}?{urlencode(query, quote_via=quote, safe='')}"
        version = STARTING_VERSION if start else STORAGE_VERSION
        body: bytes = (await self._storage("GET", url, version, is_listing)).body
        return body

    async def control(self, container: str, path: str) -> Control:
        """The access control of one path, "" being the container's root.

        Raises Refused, Unreachable, Lost.
        """
        url = f"{self.endpoints.dfs}/{container}/{quote(path)}?action=getAccessControl&upn=false"
        headers = (await self._storage("HEAD", url)).headers
        acl = headers.get("x-ms-acl", "")
        if not acl:
            raise Refused(200, "NoAcl", f"the answer for {container}/{path} holds no access control list")
        return Control(acl, headers.get("x-ms-owner", ""), headers.get("x-ms-group", ""))

    async def paths(self, container: str, directory: str, continuation: str, recursive: bool) -> Names:
        """One page of a path listing, which names no list; raises Refused, Unreachable, Lost."""
        query = {"resource": "filesystem", "recursive": str(recursive).lower(), "maxResults": str(PAGE)}
        query |= {"directory": directory} if directory else {}
        query |= {"continuation": continuation} if continuation else {}
        url = f"{self.endpoints.dfs}/{container}?{urlencode(query, quote_via=quote, safe='')}"
        answer = await self._storage("GET", url, whole=is_json)
        try:
            found = [
                {key: str(value) for key, value in path.items()} for path in json.loads(answer.body)["paths"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Lost(f"the path listing of {container}/{directory} does not parse: {error}") from None
        return Names(found, answer.headers.get("x-ms-continuation", ""))

    async def resource(self, path: str, query: Mapping[str, str]) -> Any:
        """One Resource Manager document, by its id or by the link to its next page.

        Raises Refused, Unreachable, Lost.
        """
        arm = self.endpoints.arm
        url = path if path.startswith("https://") else f"{arm}{quote(path)}?{urlencode(query)}"
        if not url.startswith(f"{arm}/"):
            # Whoever follows it would hand the token to a stranger.
            raise Lost(f"the next page is on {_host(url)}, not on {_host(arm)}")
        answer = await self.wire.send("arm", _arm_scope(arm), "GET", url, whole=is_json)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise Lost(f"{_host(url)} answered with something else than JSON: {error}") from None

    async def remove(self, container: str, path: str) -> None:
        """Delete a directory that is empty; raises Refused, Unreachable, Lost.

        The storage SDK only deletes with everything below (SDK source: `delete_directory`).
        """
        await self._storage("DELETE", f"{self.endpoints.dfs}/{container}/{quote(path)}?recursive=false")

    async def _storage(
        self,
        method: str,
        url: str,
        version: str = STORAGE_VERSION,
        whole: Callable[[bytes], bool] = lambda body: True,
    ) -> Answer:
        said = {"x-ms-version": version}
        return await self.wire.send("storage", STORAGE_SCOPE, method, url, said, whole)


def uncertain(answer: Answer) -> bool:
    """Whether an answer to a write leaves open what it did: an error of the service is no word of that."""
    return answer.status >= 500 or answer.status == 408


def refused(answer: Answer) -> Refused:
    """What an answer of 400 and above says."""
    code = answer.headers.get("x-ms-error-code", "")
    message = ""
    try:
        error = json.loads(answer.body)["error"]
        code = code or str(error["code"])
        message = str(error["message"]).partition("\n")[0]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    # Why a region was left goes into a checkpoint, on a road of its own.
    return Refused(answer.status, without(code, {}), advised(answer.status, without(message, {})))


def advised(status: int, message: str) -> str:
    """The service's words, with the next step where they are about the token."""
    return "; ".join(filter(None, (message, STILL_REFUSED))) if status == REFUSED else message


def _arm_scope(arm: str) -> str:
    """The audience of Resource Manager: its own address in every cloud of Microsoft's."""
    return f"{arm}/.default" if _host(arm).startswith("management.") else ARM_SCOPE


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
