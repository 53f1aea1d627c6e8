"""One scene on the emulated cloud: plan once, then apply as often as it takes, by real providers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from reconciler.core.approval import Approval
from reconciler.core.errors import ReconcilerError
from reconciler.core.model import Source
from reconciler.core.plan import Action, Outcome
from reconciler.emulator.server import Emulator
from reconciler.policy.load import load
from reconciler.policy.policies import Policies
from reconciler.providers.registry import VOCABULARIES
from reconciler.reconcile import Planned, plan
from reconciler.report.verdict import applied_code
from reconciler.store.contract import Store
from reconciler.store.journal import read
from reconciler.survey import Cloud, Inputs
from tests.cli.desk import APPS
from tests.core.courts import consent
from tests.laws.loop import KINDS, PEOPLE, carried_out
from tests.reliability.estate import Scene, policies
from tests.reliability.timing import Time, emulated

AS_OF = date(2026, 11, 23)
ID, SECRET = APPS["apply"]
ENVIRON = {
    "AZURE_CLIENT_ID": ID,
    "AZURE_CLIENT_SECRET": SECRET,
    "DATABRICKS_CLIENT_ID": ID,
    "DATABRICKS_CLIENT_SECRET": SECRET,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an apply told whoever ran it."""

    code: int
    outcomes: tuple[Outcome, ...] = ()
    made: Planned | None = None
    """None where nothing could be compared."""
    error: str = ""


_LOADED: dict[tuple[str, str, str], Policies] = {}


def _loaded(scene: Scene, emulator: Emulator) -> Policies:
    """A scene's policies, read once, as an emulator keeps its addresses."""
    key = (scene.name, str(emulator.ca_file), emulator.url("graph"))
    if key not in _LOADED:
        _LOADED[key] = load(policies(scene, emulator), VOCABULARIES)
    return _LOADED[key]


@dataclass(slots=True)
class Loop:
    """One environment under reconciliation; every `plan` and `apply` opens the systems anew."""

    scene: Scene
    emulator: Emulator
    store: Store
    time: Time = field(init=False)
    loaded: Policies = field(init=False)
    runs: int = 0
    approvals: list[Approval] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = self.emulator.world.clock
        clock.frozen_at, clock.offset = datetime(2026, 11, 23, 8, tzinfo=UTC).timestamp(), 0.0
        self.time = Time(clock)
        self.loaded = _loaded(self.scene, self.emulator)
        assert not self.loaded.problems, [str(problem) for problem in self.loaded.problems]

    def plan(self) -> Planned:
        """Plan now."""
        with self._cloud() as (inputs, cloud):
            return plan(inputs, VOCABULARIES, cloud, lambda *_: None)

    def approve(self, actions: Sequence[Action], rules: Sequence[str] = ()) -> None:
        """Consent to actions, and to what these guardrails say against them."""
        self.approvals.append(
            Approval(
                ident=f"approval-{len(self.approvals)}",
                source=Source(f"tenants.d/t/approvals/{len(self.approvals)}.yaml", 1),
                tenant="platform",
                environment="test",
                because="test",
                expires=date(2099, 1, 1),
                consents=tuple(map(consent, actions)),
                approvers=PEOPLE.approvers,
                overrides=dict.fromkeys(rules, "agreed"),
            )
        )

    def apply(self) -> Told:
        """Plan again, and send what is approved and unspent: the command, without its printing."""
        try:
            with self._cloud() as (inputs, cloud):
                return self._applied(inputs, cloud)
        except ReconcilerError as error:
            return Told(code=1, error=str(error))

    def _applied(self, inputs: Inputs, cloud: Cloud) -> Told:
        self.runs += 1
        made, done = carried_out(inputs, cloud, self.store, self.runs, self.approvals, self._now, self._pause)
        return Told(
            code=applied_code(made.plan, done.approved, done.outcomes), outcomes=done.outcomes, made=made
        )

    def settle_down(self) -> None:
        """Let more time pass than any service may take to show what was written."""
        self.emulator.world.clock.advance(600)

    def _pause(self, seconds: float) -> None:
        self.time.now()
        self.time.sleep(seconds)

    def _now(self) -> datetime:
        return self.emulator.world.clock.utc()

    @contextmanager
    def _cloud(self) -> Iterator[tuple[Inputs, Cloud]]:
        env = self.loaded.environments["test"]
        inputs = Inputs(
            policies=self.loaded,
            environment=env,
            as_of=AS_OF,
            now=self._now(),
            history=read(self.store, "test"),
        )
        spoken = {name for name, documents in self.loaded.declared_in("test").items() if documents}
        with emulated(self.time):
            opened: dict[str, Any] = {
                each.provider: each.open(env, ENVIRON, Path(), self.store.check)
                for each in VOCABULARIES
                if each.provider in spoken | {"entra"}
            }
            try:
                yield inputs, Cloud(providers=opened, directory=opened["entra"].directory, kinds=KINDS)
            finally:
                for provider in opened.values():
                    provider.close()
