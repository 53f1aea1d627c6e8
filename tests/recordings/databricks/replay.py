"""Feed a recording to a fresh emulated account, request by request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qsl

from reconciler.emulator.databricks.oidc import AZURE_DATABRICKS
from reconciler.emulator.databricks.service import ENDPOINT, DatabricksService
from reconciler.emulator.databricks.state import ACCOUNT_ADMIN, USERS, Identity
from reconciler.emulator.databricks.sync import user_attrs
from reconciler.emulator.wire import Caller, Request, Response
from reconciler.emulator.world import World
from tests.recordings.databricks.comparison import Names, as_fixtures_have_it, asked_for, differences
from tests.recordings.databricks.exchanges import Exchange, Recording
from tests.recordings.databricks.prerequisites import Prerequisites

SEED = {"account": {}, "workspaces": {"recorded": {"id": "123456789"}}}
ME = "replay@example.com"


class Replay:
    """One recording against one fresh emulator, by somebody who administers the account and the workspace."""

    def __init__(self, recording: Recording, *, misplaced: bool = False) -> None:
        self.recording = recording
        self.misplaced = misplaced
        self.world = World()
        self.world.clock.freeze()
        self.service = DatabricksService(self.world)
        self.service.seed(SEED)
        me = Identity(USERS, "1", {**user_attrs(ME, ME), "roles": [{"value": ACCOUNT_ADMIN}]})
        self.me = self.service.account.add(me)
        self.workspace = self.service.account.workspaces["recorded"]
        self.prerequisites = Prerequisites(self.service, self.me)
        self.names = Names()

    def run(self) -> Iterator[str]:
        """Every difference, with the exchange that shows it."""
        for number, exchange in enumerate(self.recording.exchanges):
            self.prerequisites.prepare(exchange)
            self.workspace.assigned[self.me.id] = ["ADMIN"]
            response = self.send(exchange)
            for difference in self.compare(exchange, response):
                yield f"{number} {exchange.method} {exchange.target[:110]}: {difference}"

    def send(self, exchange: Exchange) -> Response:
        """The emulator's answer to a recorded request."""
        target = self.names.target(exchange.target)
        path, _, query = target.partition("?")
        body = self.names.translate(exchange.body)
        on_account = self.misplaced or path.startswith(("/api/2.0/accounts/", "/api/2.1/accounts/"))
        return self.service.handle(
            Request(
                service=ENDPOINT if on_account else "databricks/recorded",
                method=exchange.method,
                path=path,
                query=parse_qsl(query, keep_blank_values=True),
                raw_query=query,
                headers={"accept": "application/json"},
                body=b"" if body is None else json.dumps(body).encode(),
                base="https://recorded.example",
                caller=Caller(object_id="", name=self.me.name, audience=AZURE_DATABRICKS, kind="user"),
            )
        )

    def compare(self, exchange: Exchange, response: Response) -> Iterator[str]:
        """What the answer lacks of the recorded one."""
        answered = json.loads(response.body) if response.body else None
        if response.status != exchange.status:
            yield f"{response.status} instead of {exchange.status}"
        if exchange.method == "POST" and response.status < 300:
            self.names.pair(exchange.response, answered)
        if exchange.response is not None and response.status // 100 == exchange.status // 100:
            recorded = asked_for(exchange.target, exchange.response)
            yield from differences(self.names.translate(recorded), as_fixtures_have_it(answered))


def replay(recording: Recording) -> list[str]:
    """The differences of a recording, on the host that it fits better: which one it was is not recorded."""
    found = list(Replay(recording).run())
    if not found:
        return found
    elsewhere = list(Replay(recording, misplaced=True).run())
    return elsewhere if len(elsewhere) < len(found) else found
