"""The front door: an ASGI application that turns sockets into requests and obeys ordered faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from reconciler.emulator import control
from reconciler.emulator.faults import Fault
from reconciler.emulator.log import Entry
from reconciler.emulator.services import endpoint_of_host
from reconciler.emulator.wire import Request, Response, Service
from reconciler.emulator.world import World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

GATEWAY_PAGE = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)


class App:
    """Dispatches by host name where it is a real service's, else by the port that was connected to."""

    def __init__(self, world: World, services: dict[str, Service], ports: Mapping[int, str]) -> None:
        self.world = world
        self.services = services
        self.ports = ports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point; only HTTP is spoken."""
        if scope["type"] != "http":
            return
        request = await self._request(scope, receive)
        if request.path.startswith(control.PREFIX):
            await _respond(send, control.handle(self.world, self.services, self.ports, request))
            return
        fault = self.world.faults.strike(request)
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        await self._answer(request, fault, send)

    async def _answer(self, request: Request, fault: Fault | None, send: Send) -> None:
        lost = fault is not None and fault.kind not in ("delay", "truncate") and not fault.after
        response = Response(0) if lost else self.handle(request)
        if fault is not None and fault.kind in ("respond", "html"):
            response = _ordered(fault)
        self._record(request, response, fault)
        if fault is not None and fault.kind == "reset":
            _abort(send)
        elif fault is not None and fault.kind == "truncate":
            await _respond(send, response, cut=True)
        else:
            await _respond(send, response)

    def handle(self, request: Request) -> Response:
        """Answer a request without a socket and without faults."""
        service = self.services.get(request.service.partition("/")[0])
        if service is None:
            return Response(404, [("Content-Type", "text/plain")], b"no emulated service at this address")
        return service.handle(request)

    def _record(self, request: Request, response: Response, fault: Fault | None) -> None:
        self.world.log.add(
            Entry(
                number=sum(self.world.log.counts.values()) + 1,
                at=self.world.clock.now(),
                service=request.service,
                method=request.method,
                path=request.path,
                query=request.raw_query,
                status=response.status,
                caller=request.caller.object_id if request.caller else "",
                body=b"" if request.service == "entra" else request.body,
                fault=fault.name or fault.kind if fault else "",
            )
        )

    async def _request(self, scope: Scope, receive: Receive) -> Request:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        chunks = []
        more = True
        while more:
            message = await receive()
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        host = headers.get("host", "")
        raw_query = scope["query_string"].decode("latin-1")
        raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        return Request(
            service=endpoint_of_host(host) or self.ports.get(scope["server"][1], ""),
            method=scope["method"],
            path=raw_path.partition("?")[0],
            query=parse_qsl(raw_query, keep_blank_values=True),
            headers=headers,
            body=b"".join(chunks),
            base=f"{scope['scheme']}://{host}",
            raw_query=raw_query,
            peer=":".join(map(str, scope.get("client") or ())),
            caller=self.world.caller(headers.get("authorization")),
        )


def _ordered(fault: Fault) -> Response:
    if fault.kind == "html":
        return Response(fault.status, [("Content-Type", "text/html")], GATEWAY_PAGE)
    return Response(fault.status, list(fault.headers.items()), fault.body.encode())


def _transport(send: Send) -> Any:
    # ASGI has no word for "drop the connection"; uvicorn's cycle object owns the transport.
    cycle: Any = send
    return cycle.__self__.transport


def _abort(send: Send) -> None:
    _transport(send).abort()


async def _respond(send: Send, response: Response, cut: bool = False) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    names = {name.lower() for name, _ in headers}
    if b"content-length" not in names and b"transfer-encoding" not in names and response.status != 204:
        headers.append((b"Content-Length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if cut:
        await send(
            {
                "type": "http.response.body",
                "body": response.body[: len(response.body) // 2],
                "more_body": True,
            }
        )
        await asyncio.sleep(0)
        _transport(send).close()
        return
    await send({"type": "http.response.body", "body": response.body})
