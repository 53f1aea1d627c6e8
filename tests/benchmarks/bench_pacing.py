"""Reading at the published rate of each API class, in emulated time: none turned away, and no time wasted.

The emulator and the client share one frozen clock that moves only when somebody waits for it.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from reconciler.core.environment import Environment
from reconciler.emulator.arm.service import PUBLISHED_LIMITS as ARM
from reconciler.emulator.clock import Clock
from reconciler.emulator.databricks.limits import PUBLISHED_LIMITS as DATABRICKS
from reconciler.emulator.graph.costs import PUBLISHED_LIMITS as GRAPH
from reconciler.emulator.lake.service import PUBLISHED_LIMITS as LAKE
from reconciler.emulator.server import Emulator, running
from reconciler.emulator.throttle import Throttle
from reconciler.emulator.world import World
from reconciler.policy.load import load
from reconciler.policy.policies import Policies
from reconciler.policy.tree import WorkingTree
from reconciler.providers import identity
from reconciler.providers.adls import client as adls
from reconciler.providers.contract import Question
from reconciler.providers.databricks import client as databricks
from reconciler.providers.databricks.client_auth import signing
from reconciler.providers.databricks.client_sdk import connect
from reconciler.providers.databricks.people import WORKSPACE_SCIM
from reconciler.providers.databricks.secrets_api import list_acl
from reconciler.providers.databricks.site import ACCOUNT_THROUGH_WORKSPACE
from reconciler.providers.entra.provider import EntraProvider
from reconciler.providers.entra.wire import LIMITS
from reconciler.providers.pacing import Limit, Pacer
from reconciler.providers.registry import VOCABULARIES
from reconciler.survey import Inputs, desire
from tests.benchmarks.record import Figure, Report, Row
from tests.benchmarks.world import ENVIRON, Size, seed, write_policies

SIZE = Size(tenants=20, groups=5000, people=1000, scopes=20, holders=100, folders=20)
TIMES = 2.5
"""How many bucketfuls are asked of each class; of groups, as many as there are."""
AT_ONCE = 8
SCALE = 50
"""Storage accounts serve 20,000 requests a second: here the bucket is so much smaller, at the same rate."""


@dataclass(slots=True)
class Time:
    """The emulated clock as pacers see it: sleepers overlap, as each counts from when it last looked."""

    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: threading.local = field(default_factory=threading.local)

    def now(self) -> float:
        """Emulated seconds."""
        self._seen.at = self.clock.now()
        return float(self._seen.at)

    def sleep(self, seconds: float) -> None:
        """Let emulated time pass, unless somebody else has slept for longer meanwhile."""
        with self._lock:
            self.clock.advance(max(0.0, self._seen.at + seconds - self.clock.now()))

    async def sleep_async(self, seconds: float) -> None:
        """The same on an event loop."""
        self.sleep(seconds)
        await asyncio.sleep(0)

    def pacer(self, limits: Mapping[str, Limit | tuple[float, float]]) -> Pacer:
        """A pacer with the clients' own limits on this clock."""
        return Pacer(limits, clock=self.now, sleep=self.sleep, sleep_async=self.sleep_async)


@dataclass(slots=True)
class Record(Throttle):
    """The emulator's own limits, with everything that was let through."""

    passed: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """(units, moment) by bucket."""

    def take(self, name: str, units: float, now: float) -> int | None:
        """As ever, on the record."""
        wait = Throttle.take(self, name, units, now)
        if wait is None:
            self.passed.setdefault(name, []).append((units, now))
        return wait


@dataclass(frozen=True, slots=True)
class Place:
    """Everything that a class of requests is driven with."""

    environment: Environment
    policies: Policies
    emulator: Emulator
    root: Path
    time: Time

    def host(self) -> databricks.Host:
        """A workspace, as the provider connects to it."""
        settings = self.environment.databricks
        assert settings is not None
        (workspace,) = settings.workspaces.values()
        sign = signing(self.environment, ENVIRON, self.root)
        ca_file = identity.ca_path(self.environment, self.root)
        line = connect(
            workspace.host, sign(workspace.host, ""), ca_file=ca_file,
            workspace_id=workspace.workspace_id, seconds=30, connections=AT_ONCE,
        )  # fmt: skip
        pacer = self.time.pacer(databricks.LIMITS)
        return databricks.Host(
            line, pacer, name=workspace.name, patience=30, clock=self.time.now, sleep=self.time.sleep
        )

    def lake(self) -> adls.LakeReader:
        """A lake, as the provider connects to it."""
        (lake,) = self.environment.lakes.values()
        limits = {**adls.LIMITS, "storage": Limit(*_scaled(adls.LIMITS["storage"]))}
        wire = adls.Wire(
            credential=identity.azure_credential_aio(self.environment, ENVIRON, self.root),
            context=identity.ssl_context(self.environment, self.root),
            patience=30,
            pacer=self.time.pacer(limits),
        )
        ends = adls.Endpoints(dfs=lake.dfs, blob=lake.blob, arm=self.environment.entra.arm)
        return adls.LakeReader(wire=wire, endpoints=ends)


def _scaled(limit: tuple[float, ...]) -> tuple[float, float]:
    return limit[0] / SCALE, limit[1] / SCALE


def graph(place: Place, count: int) -> None:
    """Every group with its members, as the provider reads them."""
    entra = replace(place.environment, databricks=None, lakes={})
    pacer = place.time.pacer(LIMITS)
    provider = EntraProvider(entra, ENVIRON, place.root, pacer=pacer)
    today = date(2026, 11, 23)
    now = place.emulator.world.clock.utc()
    inputs = Inputs(policies=place.policies, environment=entra, as_of=today, now=now)
    wanted = desire(inputs, VOCABULARIES[:1]).wanted
    provider.directory.resolve(sorted({fact.principal for want in wanted for fact in want.grants} - {""}))
    live = provider.read(Question(wanted=wanted, directory=provider.directory, as_of=today))
    provider.close()
    if live.gaps or len(live.found) != len(wanted):
        raise RuntimeError(f"{len(live.gaps)} groups could not be read: {next(iter(live.gaps.values()))}")


Ask = Callable[[adls.LakeReader, Environment], Awaitable[object]]


def _threaded(ask: Callable[[databricks.Host], object]) -> Callable[[Place, int], None]:
    def drive(place: Place, count: int) -> None:
        host = place.host()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda _: ask(host), range(count)))
        host.close()

    return drive


def _awaited(
    ask: Callable[[adls.LakeReader, Environment], Awaitable[object]],
) -> Callable[[Place, int], None]:
    def drive(place: Place, count: int) -> None:
        async def main() -> None:
            reader = place.lake()
            left = iter(range(count))

            async def work() -> None:
                for _ in left:
                    await ask(reader, place.environment)

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            await reader.wire.close()

        asyncio.run(main())

    return drive


def _roles(reader: adls.LakeReader, environment: Environment) -> Awaitable[object]:
    (lake,) = environment.lakes.values()
    path = f"{lake.resource_id}/providers/Microsoft.Authorization/roleAssignments"
    return reader.resource(path, {"api-version": "2022-04-01", "$filter": "atScope()"})


SECRET_SCOPE = "team-0000-s0000"
DRIVES: dict[str, Callable[[Place, int], None]] = {
    "graph/read-large": graph,
    "databricks/secrets": _threaded(lambda host: list_acl(host, SECRET_SCOPE)),
    "databricks/scim-get": _threaded(
        lambda host: host.get(f"{WORKSPACE_SCIM}/Groups", databricks.SCIM_READ, {"count": 1})
    ),
    "databricks/account-scim-list": _threaded(
        lambda host: host.get(f"{ACCOUNT_THROUGH_WORKSPACE}/Groups", databricks.ACCOUNT_LIST, {"count": 1})
    ),
    "lake/requests": _awaited(lambda reader, _: reader.control("curated", "team-0000")),
    "arm/read": _awaited(_roles),
}
"""Who fills which of the emulator's buckets, with so many requests."""


def run(size: Size = SIZE, classes: Sequence[str] = tuple(DRIVES), times: float = TIMES) -> Report:
    """Fill every class's bucket several times over, one class after the other."""
    limits = {**GRAPH, **DATABRICKS, **LAKE, **ARM}
    limits["lake/requests"] = _scaled(limits["lake/requests"])
    rows: list[Row] = []
    facts: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="pacing-") as name:
        for one in classes:
            world = World(throttle=Record())
            world.clock.freeze()
            document = {**seed(size), "limits": {one: limits[one]}}
            with running(document, Path(name) / "ca.pem", world=world) as emulator:
                _drive(_place(emulator, size, Path(name) / one.replace("/", "-")), one, times)
                row, seen = _judged(one, emulator)
            rows.append(row)
            facts |= seen
    return Report(
        name="pacing",
        title="reading at the published limits; the seconds are emulated ones",
        rows=rows,
        facts=facts,
        notes=[f"lake/requests: a bucket of {limits['lake/requests'][0]:,.0f} at the published rate."],
    )


def _place(emulator: Emulator, size: Size, root: Path) -> Place:
    write_policies(
        root, size, {name: emulator.url(name) for name in emulator.ports.values()}, emulator.ca_file
    )
    policies = load(WorkingTree(root), VOCABULARIES)
    return Place(policies.environments["bench"], policies, emulator, root, Time(emulator.world.clock))


def _drive(place: Place, one: str, times: float) -> None:
    capacity = place.emulator.world.throttle.buckets[one].capacity
    DRIVES[one](place, int(capacity * times))


def _judged(one: str, emulator: Emulator) -> tuple[Row, dict[str, Figure]]:
    throttle = emulator.world.throttle
    assert isinstance(throttle, Record)
    bucket, passed = throttle.buckets[one], throttle.passed[one]
    moments = [moment for _, moment in passed]
    seconds = max(moments) - min(moments)
    units = sum(units for units, _ in passed)
    allowed = bucket.capacity + seconds * bucket.capacity / bucket.period
    refused = sum(throttle.rejected.values())
    row = Row(
        what=f"{one}: {bucket.capacity:,.0f} in {bucket.period:g} s",
        requests=emulator.world.log.counts.total(),
        wall=seconds,
        target=f"95 % of the limit: {units / allowed:.1%}; none turned away: {refused}",
    )
    return row, {
        f"{one}: share of what the limit allows in these seconds": units / allowed,
        f"{one}: turned away": refused,
    }


def shares(report: Report) -> Iterator[float]:
    """How much of each limit was used."""
    return (float(value or 0) for key, value in report.facts.items() if "share" in key)
