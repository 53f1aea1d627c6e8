"""The front door: an ASGI application that turns sockets into requests and obeys ordered faults."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import parse_qsl

from reconciler.emulator import control, pages
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

GARBAGE = b"HTTP/1.0 400 Bad Request\r\n\r\n"
"""What a proxy writes into a TLS connection that it does not understand."""


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
        if fault is not None and fault.kind == "expire":
            self.world.expire(request.headers.get("authorization"))
            request = replace(request, caller=None)
        if fault is not None and fault.kind == "revoke":
            authorization = request.headers.get("authorization")
            self.world.revoke(authorization)
            request = replace(request, caller=None, challenge=self.world.challenge(authorization))
        await self._answer(request, fault, send)

    async def _answer(self, request: Request, fault: Fault | None, send: Send) -> None:
        asked = pages.asked(request)
        response = Response(0) if fault is not None and fault.replaces() else self.handle(asked)
        if fault is not None:
            response = self._spoilt(fault, asked, response)
        self._record(request, response, fault)
        kind = fault.kind if fault is not None else ""
        if kind in ("reset", "tls"):
            _abort(send, garbled=kind == "tls")
        else:
            await _respond(send, response, broken=kind == "truncate")

    def _spoilt(self, fault: Fault, request: Request, response: Response) -> Response:
        """What a fault makes of an answer."""
        match fault.kind:
            case "respond" | "html":
                return _ordered(fault)
            case "cut":
                return _halved(response)
            case "loop" | "empty":
                return pages.again(request, response, empty=fault.kind == "empty")
            case "stale":
                return cast(Response, fault.remembered(request, self.world.clock.now(), response))
            case _:
                return response

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
            challenge=self.world.challenge(headers.get("authorization")),
        )


def _ordered(fault: Fault) -> Response:
    if fault.kind == "html":
        return Response(fault.status, [("Content-Type", "text/html")], GATEWAY_PAGE)
    return Response(fault.status, list(fault.headers.items()), fault.body.encode())


def _transport(send: Send) -> Any:
    # ASGI has no word for "drop the connection"; uvicorn's cycle object owns the transport.
    cycle: Any = send
    return cycle.__self__.transport


def _abort(send: Send, garbled: bool) -> None:
    transport = _transport(send)
    if garbled:
        # Beneath the TLS layer, as a box in the middle of the line would do it.
        os.write(transport.get_extra_info("socket").fileno(), GARBAGE)
    transport.abort()


def _halved(response: Response) -> Response:
    """Half of the body; what says how long the whole one was is left out."""
    headers = [pair for pair in response.headers if pair[0].lower() != "content-length"]
    return Response(response.status, headers, response.body[: len(response.body) // 2])


async def _respond(send: Send, response: Response, broken: bool = False) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    names = {name.lower() for name, _ in headers}
    if b"content-length" not in names and b"transfer-encoding" not in names and response.status != 204:
        headers.append((b"Content-Length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if broken:
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
