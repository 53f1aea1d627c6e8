"""The last station of every request to a lake: it is signed here, and leaves if it still may.

Its law: between `before_send` and the sending of what writes nothing is waited for but the connection.

The storage SDK's own policy signs earlier, and answers a refused token by itself: with the same token again,
for whatever audience the refusal names (SDK source: `AsyncStorageBearerTokenCredentialPolicy.on_challenge`).
So what it signed is signed anew here, and a refusal passes it by as an error.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from reconciler.providers.client_credential import AwaitableCredential
from reconciler.providers.contract import BeforeSend

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AioHttpTransport

READS = frozenset({"GET", "HEAD"})
"""Methods that change nothing; every other one does, at these services."""


def signing_transport(
    credential: AwaitableCredential, scope: str, before_send: BeforeSend, **options: Any
) -> AioHttpTransport:
    """A transport that signs with tokens of one scope; `options` are azure-core's own."""
    return _transport()(credential, scope, before_send, **options)


@cache
def _transport() -> type[Any]:
    from azure.core.exceptions import HttpResponseError, ServiceRequestError
    from azure.core.pipeline.transport import AioHttpTransport

    class Signing(AioHttpTransport):
        """Signs, asks whether a write may still be sent, and sends."""

        def __init__(self, credential: Any, scope: str, before_send: BeforeSend, **options: Any) -> None:
            super().__init__(**options)
            self._credential = credential
            self._scope = scope
            self._before_send = before_send

        async def send(self, request: Any, **config: Any) -> Any:
            """One request; raises what the credential, `before_send` and the connection raise.

            A token that is refused raises HttpResponseError with the answer.
            """
            if not request.url.lower().startswith("https://"):
                raise ServiceRequestError("a token is not sent over a connection that is not https")
            token = await self._credential.get_token(self._scope)
            request.headers["Authorization"] = f"Bearer {token.token}"
            if request.method not in READS:
                self._before_send()
            response = await super().send(request, **config)
            if response.status_code == 401:
                raise HttpResponseError(response=response)
            return response

    return Signing
