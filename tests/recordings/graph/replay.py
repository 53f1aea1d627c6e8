"""Feed a recording to a fresh emulated tenant, request by request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from reconciler.emulator.arm.service import ArmService
from reconciler.emulator.graph.service import GraphService
from reconciler.emulator.wire import Caller, Request, Response
from reconciler.emulator.world import World
from tests.recordings.graph.comparison import Names, bodies_differ, headers_differ
from tests.recordings.graph.exchanges import Exchange, Recording
from tests.recordings.graph.prerequisites import Prerequisites

ME = "0d5ca11e-0000-4000-8000-00000000ca11"
NOT_EMULATED = (
    (re.compile(r"graph\.windows\.net"), "the directory's former API, retired in 2025"),
    (re.compile(r"login\.microsoftonline\.com"), "recordings carry no credentials to sign in with"),
    (
        re.compile(
            r"management\.azure\.com.*/providers/Microsoft\.(Network|Compute|KeyVault|Management)/(?!.*/providers/)"
        ),
        "resources that only lend their scope",
    ),
    (
        re.compile(r"/roleDefinitions\?api-version="),
        "the whole list of Azure's hundreds of built-in roles",
    ),
    (
        re.compile(r"Microsoft\.Authorization/(permissions|classicAdministrators)"),
        "retired or not about access",
    ),
)
"""What is not replayed, and why."""


def _caller(recording: Recording) -> str:
    """Who sent the requests: what they wrote tells, as recorders strip credentials."""
    for exchange in recording.exchanges:
        written = exchange.body.get("properties") if isinstance(exchange.body, dict) else None
        if exchange.method == "PUT" and written and written.get("updatedBy"):
            return str(written["updatedBy"])
    return ME


class Replay:
    """One recording against one fresh tenant, by somebody who may do everything."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.world = World()
        self.graph = GraphService(self.world)
        self.arm = ArmService(self.world)
        self.names = Names()
        self.caller = _caller(recording)
        self.prerequisites = Prerequisites(self.graph, self.arm, self.names)
        self.prerequisites.lay(recording)
        self.replayed = 0

    def run(self) -> Iterator[tuple[str, str]]:
        """Every difference: the label of the exchange that shows it, and what differs."""
        for exchange in self.recording.exchanges:
            if not exchange.service or any(pattern.search(exchange.url) for pattern, _ in NOT_EMULATED):
                continue
            if self.recording.excerpt:
                self.prerequisites.prepare(exchange)
            self.replayed += 1
            for difference in self.compare(exchange, self.send(exchange)):
                yield exchange.label, f"{exchange.method} {exchange.path}: {difference}"

    def send(self, exchange: Exchange) -> Response:
        """The emulator's answer to a recorded request."""
        parts = urlsplit(self.names.translate(exchange.url))
        body = self.names.translated(exchange.request)
        request = Request(
            service=exchange.service,
            method=exchange.method,
            path=parts.path,
            query=parse_qsl(parts.query, keep_blank_values=True),
            raw_query=parts.query,
            headers={"authorization": "Bearer x"},
            body=b"" if body is None else json.dumps(body).encode(),
            base=f"https://{parts.netloc}",
            caller=Caller(object_id=self.caller, name=self.caller, kind="superuser"),
        )
        return (self.graph if exchange.service == "graph" else self.arm).handle(request)

    def compare(self, exchange: Exchange, response: Response) -> Iterator[str]:
        """What differs between an answer and the recorded one."""
        if response.status != exchange.status:
            yield f"status is {response.status}, recorded {exchange.status}: {response.body[:200]!r}"
            return
        body: Any = json.loads(response.body) if response.body else None
        yield from bodies_differ(exchange.body, body, self.names, partial=exchange.partial)
        headers = {name.lower(): value for name, value in response.headers}
        yield from headers_differ(exchange.headers, headers, self.names)
