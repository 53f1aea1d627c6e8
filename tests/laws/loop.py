"""The whole loop on one emulated cloud: policies in memory, real providers, the emulator's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.apply import Hands, settle_interrupted
from reconciler.core.approval import Approval, Court, Entitlement
from reconciler.core.model import Kind, Source
from reconciler.core.plan import Action, Outcome
from reconciler.emulator.arm.service import ArmService
from reconciler.emulator.server import Emulator
from reconciler.policy.load import load
from reconciler.providers.registry import VOCABULARIES
from reconciler.reconcile import Applied, Planned, carry_out, plan
from reconciler.store.contract import Store
from reconciler.store.folder import FolderStore
from reconciler.store.journal import Journal, read
from reconciler.survey import Cloud, Inputs, reader
from tests.core.courts import consent
from tests.laws.estate import APP, TENANT, Facts, Policies, policies

KINDS: Mapping[str, Kind] = {kind.name: kind for each in VOCABULARIES for kind in each.kinds}
ENVIRON = {
    "AZURE_CLIENT_ID": APP["app-id"],
    "AZURE_CLIENT_SECRET": APP["secret"],
    "DATABRICKS_CLIENT_ID": APP["app-id"],
    "DATABRICKS_CLIENT_SECRET": APP["secret"],
}
PEOPLE = Entitlement(approvers=frozenset({"lea@corp.example"}), overrides=("*",))


def environment(emulator: Emulator) -> dict[str, Any]:
    """The environment document of the emulated cloud."""
    return {
        "kind": "environment",
        "name": "test",
        "entra": {
            "name": "corp",
            "tenant-id": TENANT,
            "authority": emulator.url("entra"),
            "graph": emulator.url("graph"),
            "arm": emulator.url("arm"),
        },
        "databricks": {
            "account-id": "22222222-2222-4222-8222-222222222222",
            "account-host": emulator.url("databricks-account"),
            "workspaces": {"ws": {"host": emulator.url("databricks/ws"), "workspace-id": "1"}},
        },
        "lakes": {
            "lake": {
                "dfs": emulator.url("lake/lake/dfs"),
                "blob": emulator.url("lake/lake/blob"),
                "resource-id": _resource_id(emulator),
                "containers": {"data": {"traverse": "everyone"}},
            }
        },
        "azure-credential": "client-secret",
        "databricks-credential": "oauth-m2m",
        "ca-file": str(emulator.ca_file),
        "patience": 1,
    }


def _resource_id(emulator: Emulator) -> str:
    arm = emulator.services["arm"]
    assert isinstance(arm, ArmService)
    return arm.estate.account_id("lake")


@dataclass(slots=True)
class Loop:
    """One environment under reconciliation; every `plan` and `apply` opens the systems anew."""

    emulator: Emulator
    store: FolderStore
    providers: frozenset[str]
    tree: Policies
    as_of: date = date(2026, 11, 23)
    runs: int = 0
    approvals: list[Approval] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    def want(self, wanted: Facts, **terms: Any) -> None:
        """Change the policies to want these facts."""
        self.tree = policies(wanted, environment(self.emulator), **terms)

    def plan(self) -> Planned:
        """Plan now."""
        with self._cloud() as (inputs, cloud):
            return plan(inputs, VOCABULARIES, cloud, lambda *_: None)

    def approve(self, planned: Planned, keep: Callable[[Action], bool] = lambda action: True) -> list[Action]:
        """Consent to some of a plan's actions; what was consented to."""
        chosen = [action for action in planned.plan.actions if keep(action)]
        self.approvals.append(
            Approval(
                ident=f"approval-{len(self.approvals)}",
                source=Source("tenants.d/t/approvals/a.yaml", 1),
                tenant="platform",
                environment="test",
                because="test",
                expires=date(2099, 1, 1),
                consents=tuple(consent(action) for action in chosen),
                approvers=PEOPLE.approvers,
                overrides={violation.rule: "agreed" for violation in planned.plan.violations},
            )
        )
        return chosen

    def apply(self) -> tuple[Outcome, ...]:
        """Plan again, and send what is approved and unspent."""
        with self._cloud() as (inputs, cloud):
            self.runs += 1
            clock = self.emulator.world.clock
            _, done = carried_out(
                inputs, cloud, self.store, self.runs, self.approvals, self._now, clock.advance
            )
            return done.outcomes

    def settle_down(self) -> None:
        """Let more time pass than any service may take to show what was written."""
        self.emulator.world.clock.advance(timedelta(minutes=10).total_seconds())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.emulator.world.clock.now(), UTC)

    @contextmanager
    def _cloud(self) -> Iterator[tuple[Inputs, Cloud]]:
        loaded = load(self.tree, VOCABULARIES)
        assert not loaded.problems, [str(problem) for problem in loaded.problems]
        env = loaded.environments["test"]
        inputs = Inputs(
            policies=loaded,
            environment=env,
            as_of=self.as_of,
            now=self._now(),
            history=read(self.store, "test"),
        )
        opened: dict[str, Any] = {
            each.provider: each.open(env, ENVIRON, Path())
            for each in VOCABULARIES
            if each.provider in self.providers | {"entra"}
        }
        try:
            yield inputs, Cloud(providers=opened, directory=opened["entra"].directory, kinds=KINDS)
        finally:
            for provider in opened.values():
                provider.close()


def carried_out(
    inputs: Inputs,
    cloud: Cloud,
    store: Store,
    run: int,
    approvals: Sequence[Approval],
    now: Callable[[], datetime],
    pause: Callable[[float], None],
) -> tuple[Planned, Applied]:
    """Plan again, and send what is approved and unspent: the command, without its printing."""
    made = plan(inputs, VOCABULARIES, cloud, lambda *_: None)
    name = f"run-{run:03}"
    journal = Journal(store, f"journal/{name}.jsonl", name, "test")
    list(settle_interrupted(inputs.history, made.seen, made.desired.addresses, journal, now()))
    court = Court(
        approvals=approvals,
        entitlements=[PEOPLE],
        authors=lambda action: frozenset(),
        spent=inputs.history.spent(),
        today=inputs.as_of,
        begun=[(each.approval, each.action) for each in inputs.history.interrupted().values()],
    )
    hands = Hands(
        providers=cloud.providers,
        read=reader(made.desired, cloud, inputs.as_of),
        journal=journal,
        now=now,
        pause=pause,
        tell=lambda action, outcome: None,
        unfinished=inputs.history.unfinished,
    )
    return made, carry_out(made, court, None, hands)
