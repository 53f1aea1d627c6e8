"""Apply 2,000 actions under the published limits, in emulated time, beside the shortest time they allow.

The emulator and the clients share one frozen clock that moves only when somebody waits for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from reconciler.apply import Hands, apply
from reconciler.core.environment import Environment
from reconciler.core.model import Kind
from reconciler.core.plan import ApprovedPlan, Consented, Status
from reconciler.emulator.arm.service import PUBLISHED_LIMITS as ARM
from reconciler.emulator.databricks.limits import PUBLISHED_LIMITS as DATABRICKS
from reconciler.emulator.graph.costs import PUBLISHED_LIMITS as GRAPH
from reconciler.emulator.lake.service import PUBLISHED_LIMITS as LAKE
from reconciler.emulator.server import Emulator, running
from reconciler.emulator.world import World
from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from reconciler.providers import identity
from reconciler.providers.adls import client as adls
from reconciler.providers.adls.provider import Lakes
from reconciler.providers.databricks.client_auth import signing
from reconciler.providers.databricks.provider import DatabricksProvider
from reconciler.providers.entra.provider import EntraProvider
from reconciler.providers.entra.wire import LIMITS
from reconciler.providers.registry import VOCABULARIES
from reconciler.reconcile import plan
from reconciler.store.journal import Journal
from reconciler.survey import Cloud, Inputs, reader
from tests.benchmarks.bench_apply import Memory
from tests.benchmarks.bench_pacing import Record, Time
from tests.benchmarks.record import Figure, Report, Row
from tests.benchmarks.world import BASE, ENVIRON, Size, seed, write_policies

MIXED = Size(tenants=10, groups=100, people=1000, scopes=100, holders=50, folders=100, files=0)
"""1,000 members, 500 rights on scopes, 100 entitlements, 400 entries on folders."""
SCOPES = Size(tenants=10, groups=50, members=1, people=1000, scopes=370, holders=50, files=0)
"""1,850 rights on scopes, 100 entitlements, 50 members."""
TODAY = date(2026, 11, 23)
FULL = 600.0
"""Seconds after which every bucket is full again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What an apply took, in emulated seconds, and what it takes at least."""

    actions: int
    seconds: float
    least: float
    binding: str
    """The limit that says so."""
    requests: int
    refused: int


def stripped(size: Size) -> dict[str, Any]:
    """The cloud of an estate where nobody holds anything that its policies want."""
    document = seed(size)
    for group in document["directory"]["groups"]:
        group["members"] = []
    for workspace in document["databricks"]["workspaces"].values():
        workspace["entitlements"] = {}
        for scope in workspace["scopes"]:
            scope["acls"] = {who: right for who, right in scope["acls"].items() if who.startswith("sp:")}
    for path in document["lakes"]["datalake"]["filesystems"]["curated"]["paths"] if size.folders else ():
        if path["path"].count("/"):
            path["acl"] = BASE
    published = {**DATABRICKS, **LAKE, **ARM, **GRAPH}
    return {**document, "switches": {"databricks.stale-seconds": 0}, "limits": published}


def measured(size: Size, root: Path) -> Taken:
    """Plan, let every bucket fill, and apply; raises RuntimeError unless all of it was seen to work."""
    world = World(throttle=Record())
    world.clock.freeze()
    with running(stripped(size), root / "ca.pem", world=world) as emulator:
        write_policies(
            root / "estate",
            size,
            {name: emulator.url(name) for name in emulator.ports.values()},
            emulator.ca_file,
        )
        return _applied(emulator, root / "estate")


def _applied(emulator: Emulator, root: Path) -> Taken:
    policies = load(WorkingTree(root), VOCABULARIES)
    environment = policies.environments["bench"]
    clock = Time(emulator.world.clock)
    inputs = Inputs(policies=policies, environment=environment, as_of=TODAY, now=emulator.world.clock.utc())
    cloud = _opened(environment, root, clock)
    made = plan(inputs, VOCABULARIES, cloud, lambda *_: None)
    if made.plan.problems or made.plan.gaps or made.plan.violations:
        raise RuntimeError(f"{made.plan.problems} {made.plan.gaps} {made.plan.violations}")
    emulator.world.clock.advance(FULL)
    throttle = emulator.world.throttle
    assert isinstance(throttle, Record)
    throttle.passed.clear()
    emulator.world.log.clear()
    began = emulator.world.clock.now()
    consent = Consented(approval="a", file="a.yaml", approvers=("noor@corp.example",))
    hands = Hands(
        providers=cloud.providers,
        read=reader(made.desired, cloud, TODAY),
        journal=Journal(Memory(), "journal/run.jsonl", "run", "bench"),
        now=emulator.world.clock.utc,
        pause=lambda seconds: _pause(clock, seconds),
        tell=lambda action, outcome: None,
    )
    consents = {action.id: consent for action in made.plan.actions}
    ended = apply(ApprovedPlan(plan=made.plan, actions=made.plan.actions, consents=consents), hands)
    wrong = [outcome for outcome in ended if outcome.status is not Status.VERIFIED]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(ended)} actions were not verified: {wrong[0]}")
    for provider in cloud.providers.values():
        provider.close()
    least, binding = max(_shortest(throttle))
    return Taken(
        actions=len(ended),
        seconds=emulator.world.clock.now() - began,
        least=least,
        binding=binding,
        requests=emulator.world.log.counts.total(),
        refused=sum(throttle.rejected.values()),
    )


def _pause(clock: Time, seconds: float) -> None:
    clock.now()
    clock.sleep(seconds)


def _shortest(throttle: Record) -> Iterator[tuple[float, str]]:
    """For each limit, the seconds that it takes at least to let through what was let through."""
    for name, passed in throttle.passed.items():
        bucket = throttle.buckets.get(name)
        if bucket is not None:
            units = sum(units for units, _ in passed)
            yield max(0.0, (units - bucket.capacity) * bucket.period / bucket.capacity), name


def _opened(environment: Environment, root: Path, clock: Time) -> Cloud:
    settings = environment.databricks
    assert settings is not None
    entra = EntraProvider(environment, ENVIRON, root, pacer=clock.pacer(LIMITS))
    databricks = DatabricksProvider(
        settings,
        signing(environment, ENVIRON, root),
        ca_file=identity.ca_path(environment, root),
        patience=environment.patience,
        clock=clock.now,
        sleep=clock.sleep,
    )
    lakes = Lakes(environment, ENVIRON, root)
    lakes._wire.pacer = clock.pacer(adls.LIMITS)
    kinds: Mapping[str, Kind] = {kind.name: kind for each in VOCABULARIES for kind in each.kinds}
    providers: dict[str, Any] = {"entra": entra, "databricks": databricks, "adls": lakes}
    return Cloud(providers=providers, directory=entra.directory, kinds=kinds)


def run(mixed: Size = MIXED, scopes: Size = SCOPES) -> Report:
    """Apply two estates."""
    rows: list[Row] = []
    facts: dict[str, Figure] = {}
    for what, size in (("of every kind", mixed), ("on secret scopes", scopes)):
        with tempfile.TemporaryDirectory(prefix="limits-") as name:
            taken = measured(size, Path(name))
        over = taken.seconds / taken.least - 1 if taken.least else 0.0
        rows.append(
            Row(
                what=f"{taken.actions:,} actions {what}",
                requests=taken.requests,
                wall=taken.seconds,
                target=f"5 % over {taken.least:,.0f} s ({taken.binding}): {over:+.1%}; "
                f"turned away: {taken.refused}",
            )
        )
        facts[f"{what}: emulated seconds over the least"] = over
    return Report(
        name="limits",
        title="apply under the published limits; the seconds are emulated ones",
        rows=rows,
        facts=facts,
    )
