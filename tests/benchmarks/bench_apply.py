"""What apply adds to the services' own time: announcing, settling and looking, on an instant service."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from reconciler.apply import Hands, apply
from reconciler.cli_process import COLLECT_AFTER
from reconciler.core.desired import Frame
from reconciler.core.diff import diff
from reconciler.core.model import (
    EXISTS,
    PRESENT,
    Address,
    Attribute,
    Found,
    Identity,
    Kind,
    Live,
    Presence,
    Source,
    Wanted,
)
from reconciler.core.order import order
from reconciler.core.plan import Action, ApprovedPlan, Consented, Outcome, Plan, Status
from reconciler.providers.contract import FORGETFUL, Diary, Progress, Question, silent
from reconciler.providers.registry import VOCABULARIES
from reconciler.store.contract import Store
from reconciler.store.folder import FolderStore
from reconciler.store.journal import Journal, read
from tests.benchmarks.record import Figure, Report, Row

KINDS = {kind.name: kind for vocabulary in VOCABULARIES for kind in vocabulary.kinds}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ON_EACH = 5
"""Actions on every address."""


@dataclass
class Instant:
    """A service that does at once what it is told."""

    things: dict[Address, dict[Attribute, str]] = field(default_factory=dict)
    name: str = "databricks"
    kinds: Sequence[Kind] = ()

    def read(self, question: Question) -> Live:
        """Nobody asks it this way."""
        raise NotImplementedError

    def look(self, addresses: Sequence[Address]) -> Live:
        """What is there."""
        return Live(found={each: Found(address=each, grants=dict(self.things[each])) for each in addresses})

    def write(
        self,
        address: Address,
        actions: Sequence[Action],
        diary: Diary = FORGETFUL,
        progress: Progress = silent,
    ) -> Sequence[Outcome]:
        """Do it."""
        thing = self.things[address]
        thing.update({each.attribute: each.after for each in actions if each.after is not None})
        return [Outcome(action=each.id, status=Status.ACCEPTED) for each in actions]

    def close(self) -> None:
        """Nothing to let go of."""


class Memory:
    """A store without a disk: what remains of the time is not the disk's."""

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}

    def append(self, name: str, lines: Sequence[str]) -> None:
        """Keep lines."""
        self.kept.setdefault(name, []).extend(lines)

    def lines(self, name: str) -> list[str]:
        """The lines again."""
        return self.kept.get(name, [])

    def names(self) -> list[str]:
        """What there is."""
        return sorted(self.kept)

    def check(self) -> None:
        """Nobody else is here."""

    @contextmanager
    def lock(self, holder: str) -> Iterator[None]:
        """Nobody else is here."""
        yield


def planned(actions: int) -> tuple[Plan, Instant]:
    """So many grants that are still to be made."""
    people = [f"user:person.{number}@corp.example" for number in range(ON_EACH)]
    wanted = [
        Wanted(
            address=Address("databricks", "ml", "secret-scope", f"scope-{number:05}"),
            tenant="t",
            source=Source("tenants.d/t/scopes.yaml", number + 1),
            grants={Attribute(EXISTS): PRESENT, **{Attribute("acl", who): "READ" for who in people}},
            adopted=True,
        )
        for number in range(actions // ON_EACH)
    ]
    service = Instant({want.address: {Attribute(EXISTS): PRESENT} for want in wanted})
    identities = {
        who: Identity(principal=who, presence=Presence.KNOWN, object_id=f"id-{who}") for who in people
    }
    frame = Frame(environment="bench", kinds=KINDS, identities=identities)
    drift = diff(wanted, service.look(list(service.things)), frame)
    done = order(drift.actions, KINDS, wanted)
    return Plan(environment="bench", revision="abc", as_of=date(2026, 11, 23), actions=done), service


def carry_out(actions: int, store: Store) -> tuple[float, float]:
    """CPU and wall seconds of one apply; raises RuntimeError unless all of it was seen to work."""
    plan, service = planned(actions)
    consent = Consented(approval="a", file="a.yaml", approvers=("lea@corp.example",))
    hands = Hands(
        providers={"databricks": service},
        read=service.look,
        journal=Journal(store, "journal/run.jsonl", "run", "bench"),
        now=lambda: NOON,
        pause=lambda seconds: None,
        tell=lambda action, outcome: None,
    )
    consents = {action.id: consent for action in plan.actions}
    cpu, wall = time.process_time(), time.perf_counter()
    ended = apply(ApprovedPlan(plan=plan, actions=plan.actions, consents=consents), hands)
    took = time.process_time() - cpu, time.perf_counter() - wall
    if any(outcome.status is not Status.VERIFIED for outcome in ended):
        raise RuntimeError("not all actions were verified")
    return took


def remember(store: Store) -> tuple[float, float, int]:
    """CPU and wall seconds of reading all journals, as every plan does first; and how much they hold."""
    cpu, wall = time.process_time(), time.perf_counter()
    history = read(store, "bench")
    return time.process_time() - cpu, time.perf_counter() - wall, len(history.records)


def run(actions: int = 10_000, years: int = 10) -> Report:
    """Measure an apply on a disk and in memory, and reading what ten such applies leave behind."""
    gc.set_threshold(*COLLECT_AFTER)
    memory = Memory()
    with tempfile.TemporaryDirectory(prefix="apply-") as name:
        folder = FolderStore(Path(name))
        disk, alone = carry_out(actions, folder), carry_out(actions, memory)
        lines = folder.lines("journal/run.jsonl")
        for number in range(1, years):
            copied = [line.replace('"run":"run"', f'"run":"run-{number}"') for line in lines]
            copied = [line.replace('"of":"run"', f'"of":"run-{number}"') for line in copied]
            folder.append(f"journal/run-{number}.jsonl", copied)
        cpu, wall, records = remember(folder)
    facts: dict[str, Figure] = {
        "addresses": actions // ON_EACH,
        "microseconds of CPU an action": 1e6 * disk[0] / actions,
        "milliseconds an address, of waiting for the disk": 1e3 * (disk[1] - alone[1]) * ON_EACH / actions,
    }
    return Report(
        name="apply",
        title=f"apply {actions:,} actions on a service that takes no time",
        rows=[
            Row(what="apply and verify, journal on this disk", cpu=disk[0], wall=disk[1]),
            Row(what="yardstick: the same without a disk", cpu=alone[0], wall=alone[1]),
            Row(what=f"reading journals of {records:,} actions before a plan", cpu=cpu, wall=wall),
        ],
        facts=facts,
    )
