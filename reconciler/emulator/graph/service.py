"""The Graph endpoint: versions, authentication, throttling, batches and the headers of every answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from reconciler.emulator import pages
from reconciler.emulator.faults import Fault
from reconciler.emulator.graph import batch, costs, privileged, seeding
from reconciler.emulator.graph.call import Call, State
from reconciler.emulator.graph.errors import GraphError
from reconciler.emulator.graph.query import Query, parse
from reconciler.emulator.graph.routes import dispatch
from reconciler.emulator.wire import Caller, Request, Response, json_response
from reconciler.emulator.world import World

JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
AUDIENCES = frozenset(
    {"https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"}
)
DIAGNOSTIC = (
    '{"ServerInfo":{"DataCenter":"Emulated","Slice":"E","Ring":"5","ScaleUnit":"001",'
    '"RoleInstance":"EM000001"}}'
)
VERSIONS = ("v1.0", "beta")


class GraphService:
    """Microsoft Graph over the shared directory; endpoint `graph`, seed section `directory`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state = State(world)

    def endpoints(self) -> list[str]:
        """The one endpoint."""
        return ["graph"]

    def seed(self, section: Mapping[str, Any]) -> None:
        """Add users, groups, service principals and privileged access; raises ValueError."""
        seeding.seed(self.state, section)

    def dump(self) -> dict[str, Any]:
        """The directory in the form of its seed."""
        return seeding.dump(self.state)

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        identifier = self.state.new_id()
        status, headers, payload = self._answer(request, identifier)
        common = [
            ("cache-control", "no-cache"),
            ("strict-transport-security", "max-age=31536000"),
            ("request-id", identifier),
            ("x-ms-ags-diagnostic", DIAGNOSTIC),
            *headers.items(),
        ]
        if "client-request-id" in request.headers:
            common.append(("client-request-id", request.headers["client-request-id"]))
        if payload is None:
            return Response(status, common)
        common += [("transfer-encoding", "chunked"), ("vary", "Accept-Encoding")]
        if isinstance(payload, str):
            plain = [("content-type", "text/plain"), ("odata-version", "4.0")]
            return Response(status, [*common, *plain], ("\ufeff" + payload).encode())
        if status < 400:
            return json_response(status, payload, [*common, ("content-type", JSON), ("odata-version", "4.0")])
        return json_response(status, payload, [*common, ("content-type", "application/json")])

    def _answer(self, request: Request, identifier: str) -> batch.Answer:
        if self.state.schedules:
            privileged.settle(self.state)
        client_id = request.headers.get("client-request-id", identifier)
        try:
            call = self._call(request)
            if call.segments == ("$batch",) and call.method == "POST":
                return 200, {}, batch.run(call, lambda *item: self._item(call, *item))
            return self._run(call, identifier, client_id)
        except GraphError as error:
            return self._refused(error, identifier, client_id)

    def _call(self, request: Request) -> Call:
        # Clients that join URLs carelessly send `/v1.0//groups`; the service does not mind.
        parts = [unquote(part) for part in request.path.split("/") if part]
        version = parts[0].lower() if parts else ""
        if version not in VERSIONS:
            raise GraphError(400, "BadRequest", f"Invalid version: {parts[0] if parts else ''}")
        return Call(
            method=request.method.upper(),
            version=version,
            segments=tuple(parts[1:]),
            query=parse(request.raw_query) if request.raw_query else NO_OPTIONS,
            headers=request.headers,
            body=request.body,
            base=request.base,
            caller=_caller(request),
        )

    def _item(self, outer: Call, method: str, url: str, headers: dict[str, str], body: Any) -> batch.Answer:
        asked = Request(
            service="graph",
            method=method,
            path=f"/{outer.version}{url.partition('?')[0]}",
            raw_query=url.partition("?")[2],
            base=outer.base,
        )
        fault = self.world.faults.strike(asked, item=True)
        if fault is None:
            return self._carried_out(outer, method, url, headers, body)
        answer: batch.Answer = (0, {}, None)
        if not fault.replaces():
            answer = self._carried_out(outer, method, url, headers, body)
        return self._spoilt(fault, asked, answer)

    def _spoilt(self, fault: Fault, asked: Request, answer: batch.Answer) -> batch.Answer:
        """What a fault makes of the answer to an item of a batch."""
        status, headers, payload = answer
        match fault.kind:
            case "respond":
                return fault.status, dict(fault.headers), json.loads(fault.body or "null")
            case "loop" | "empty":
                return status, headers, pages.linked(asked, payload, empty=fault.kind == "empty")
            case "stale":
                found: batch.Answer = fault.remembered(asked, self.world.clock.now(), answer)
                return found
            case _:
                return answer

    def _carried_out(
        self, outer: Call, method: str, url: str, headers: dict[str, str], body: Any
    ) -> batch.Answer:
        identifier = self.state.new_id()
        client_id = outer.headers.get("client-request-id", identifier)
        try:
            call = self._inner_call(outer, method, url, headers, body)
            status, given, payload = self._run(call, identifier, client_id)
        except GraphError as error:
            status, given, payload = self._refused(error, identifier, client_id)
        shown = {"Cache-Control": "no-cache", **given}
        if payload is not None:
            shown["Content-Type"] = (
                "text/plain" if isinstance(payload, str) else JSON if status < 400 else "application/json"
            )
        return status, shown, payload

    def _inner_call(self, outer: Call, method: str, url: str, headers: dict[str, str], body: Any) -> Call:
        if "://" in url:
            if not self.world.switches.get("graph.batch-absolute-urls", False):
                raise GraphError(
                    400, "BadRequest", f"Invalid batch request URL '{url}': a relative URL is expected."
                )
            url = re.sub(r"^https?://[^/]+/+(?:v1\.0|beta)", "", url)
        path, _, raw_query = url.partition("?")
        return Call(
            method=method,
            version=outer.version,
            segments=tuple(unquote(part) for part in path.split("/") if part),
            query=parse(raw_query) if raw_query else NO_OPTIONS,
            headers=headers,
            body=body,
            base=outer.base,
            caller=outer.caller,
        )

    def _run(self, call: Call, identifier: str, client_id: str) -> batch.Answer:
        units = costs.units(call.method, call.segments, call.query)
        writes = costs.writes(call.method, call.segments)
        # The bill is presented before the service works: what is refused for its cost is not carried out.
        wait = costs.throttled(self.world, units, writes)
        if wait is not None:
            return self._throttled(call, *wait, identifier, client_id)
        try:
            reply = dispatch(self.state, call)
        except GraphError as error:
            return self._refused(error, identifier, client_id)
        headers = dict(reply.headers) | {"x-ms-resource-unit": str(units)}
        if self.world.throttle.buckets and (used := costs.used(self.world)) > 0.8:
            headers["x-ms-throttle-limit-percentage"] = f"{used:.1f}"
        return reply.status, headers, reply.payload

    def _refused(self, error: GraphError, identifier: str, client_id: str) -> batch.Answer:
        date = self.state.now().removesuffix("Z")
        headers = dict(error.headers) | {"x-ms-resource-unit": "1"}
        return error.status, headers, error.payload(date, identifier, client_id)

    def _throttled(
        self, call: Call, seconds: int, reason: str, identifier: str, client_id: str
    ) -> batch.Answer:
        kind = "Write" if reason == "WriteLimitExceeded" else "ReadWrite"
        scope = f"Tenant_Application/{kind}/{call.caller.app_id}/{self.world.directory.tenant_id}"
        error = GraphError(429, "TooManyRequests", "Please retry again later.")
        status, headers, payload = self._refused(error, identifier, client_id)
        payload["error"]["innerError"] |= {"code": "429", "message": "Please retry after", "status": "429"}
        headers |= {
            "Retry-After": str(seconds),
            "x-ms-throttle-scope": scope,
            "x-ms-throttle-information": reason,
        }
        return status, headers, payload


NO_OPTIONS = Query()


def _caller(request: Request) -> Caller:
    """Who is calling; raises GraphError (401)."""
    code = "InvalidAuthenticationToken"
    if request.caller is None:
        if "authorization" not in request.headers:
            raise GraphError(401, code, "Access token is empty.", **CHALLENGE)
        if request.challenge:
            raise _challenged(request.challenge)
        raise GraphError(401, code, "Lifetime validation failed, the token is expired.", **CHALLENGE)
    if request.caller.audience not in AUDIENCES and request.caller.kind != "superuser":
        raise GraphError(401, code, "Access token validation failure. Invalid audience.", **CHALLENGE)
    return request.caller


CHALLENGE = {
    "www-authenticate": 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/'
    'authorize", client_id="00000003-0000-0000-c000-000000000000"'
}


def _challenged(claims: str) -> GraphError:
    """401 for a token of a session that was revoked (Microsoft docs: claims challenges)."""
    text = (
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
        "TokenIssuedBeforeRevocationTimestamp"
    )
    header = f'{CHALLENGE["www-authenticate"]}, error="insufficient_claims", claims="{claims}"'
    return GraphError(401, "InvalidAuthenticationToken", text, **{"www-authenticate": header})
