"""A small estate in the emulator, the provider over it, and a run from documents to facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from reconciler.core.desired import Frame
from reconciler.core.diff import Drift, diff, principals
from reconciler.core.environment import (
    DatabricksSettings,
    EntraSettings,
    Environment,
    WorkspaceSettings,
)
from reconciler.core.model import Address, Identity, Live, Presence, Source, Wanted
from reconciler.core.order import order
from reconciler.core.plan import Action, Outcome
from reconciler.core.vocabulary import Boundary, Compiled, Context, Declared
from reconciler.emulator import directory as emulated
from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.databricks.state import Workspace
from reconciler.emulator.server import Emulator, running
from reconciler.providers.contract import Question
from reconciler.providers.databricks import VOCABULARY
from reconciler.providers.databricks.client_auth import signing
from reconciler.providers.databricks.provider import DatabricksProvider

TODAY = date(2026, 11, 20)
CLIENT_ID = "11111111-0000-4000-8000-000000000001"
AIRFLOW_ID = "22222222-0000-4000-8000-000000000002"
SECRET = "a-secret-nobody-should-ever-print"
SECRET_VALUE = "hunter2-the-value"

SEED: Mapping[str, Any] = {
    "directory": {
        "users": [{"upn": f"{name}@corp.example"} for name in ("ana", "bo", "lea", "mallory")],
        "groups": [
            {"name": "pricing-ds", "members": ["user:ana@corp.example"]},
            {"name": "pricing-eng", "members": ["user:bo@corp.example"]},
            {"name": "Pricing Leads é", "members": ["user:lea@corp.example"]},
            {"name": "newcomers", "members": ["user:mallory@corp.example"]},
        ],
        "service-principals": [
            {"name": "reconciler", "app-id": CLIENT_ID, "secret": SECRET},
            {"name": "pricing-airflow", "app-id": AIRFLOW_ID},
        ],
    },
    "databricks": {
        "account": {"admins": ["sp:reconciler"]},
        "workspaces": {
            "ml-prod": {
                "admins": ["sp:reconciler"],
                "assigned": [
                    {"principal": "group:pricing-ds"},
                    {"principal": "group:pricing-eng"},
                    {"principal": "group:Pricing Leads é"},
                    {"principal": "user:lea@corp.example"},
                    {"principal": "sp:pricing-airflow"},
                ],
                "entitlements": {
                    "group:pricing-ds": ["workspace-access"],
                    "group:pricing-eng": ["workspace-access", "allow-cluster-create"],
                },
                "scopes": [
                    {
                        "name": "Pricing",
                        "acls": {"sp:reconciler": "MANAGE", "group:pricing-ds": "READ"},
                        "secrets": {
                            "fresh": {"value": SECRET_VALUE, "updated": "2026-11-01T00:00:00+00:00"},
                            "old": {"value": SECRET_VALUE, "updated": "2026-01-01T00:00:00+00:00"},
                        },
                    },
                    {"name": "leftover", "acls": {"sp:reconciler": "MANAGE"}},
                ],
            }
        },
    },
    # Tests that are about staleness turn it on.
    "switches": {"databricks.stale-seconds": 0, "databricks.acl-fresh-group-seconds": 0},
}


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A seed with parts of it replaced; lists are replaced whole."""
    result = dict(base)
    for key, value in change.items():
        inner = result.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        result[key] = merged(inner, value) if both and inner is not None else value
    return result


@dataclass(slots=True)
class EmulatedDirectory:
    """The contract's directory, answered from the emulator's own state without any wire."""

    state: emulated.Directory
    planned: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()

    def resolve(self, principals: Iterable[str]) -> Mapping[str, Identity]:
        return {principal: self._resolve(principal) for principal in principals}

    def _resolve(self, principal: str) -> Identity:
        if principal in self.unreadable:
            return Identity(
                principal=principal, presence=Presence.UNREADABLE, reason="403 from the directory"
            )
        if principal in self.planned:
            return Identity(principal=principal, presence=Presence.PLANNED)
        try:
            found = self.state.find(self.state.resolve(principal))
        except ValueError as error:
            several = principal.startswith("group:") and self.state.by_group_name(principal[6:])
            presence = Presence.AMBIGUOUS if several else Presence.UNKNOWN
            return Identity(principal=principal, presence=presence, reason=str(error))
        assert found is not None
        app_id = found.app_id if isinstance(found, emulated.ServicePrincipal) else ""
        return Identity(
            principal=principal,
            presence=Presence.KNOWN,
            object_id=found.id,
            app_id=app_id,
            display=found.display_name,
        )

    def name(self, object_ids: Iterable[str]) -> Mapping[str, Identity]:
        return {each: self._name(each) for each in object_ids}

    def _name(self, object_id: str) -> Identity:
        found = self.state.find(object_id)
        if object_id in self.unreadable:
            return Identity(principal=f"id:{object_id}", presence=Presence.UNREADABLE, reason="403")
        if found is None:
            return Identity(principal=f"id:{object_id}", presence=Presence.UNKNOWN)
        if isinstance(found, emulated.Group) and len(self.state.by_group_name(found.display_name)) > 1:
            return Identity(principal=f"id:{object_id}", presence=Presence.KNOWN, object_id=object_id)
        words = {emulated.User: "user", emulated.Group: "group", emulated.ServicePrincipal: "sp"}
        name = found.upn if isinstance(found, emulated.User) else found.display_name
        return Identity(
            principal=f"{words[type(found)]}:{name}", presence=Presence.KNOWN, object_id=object_id
        )

    def members(self, group_ids: Iterable[str]) -> Mapping[str, frozenset[str] | None]:
        return {each: frozenset(self.state.groups[each].members) for each in group_ids}


def declare(*documents: Mapping[str, Any], tenant: str = "pricing", adopted: bool = True) -> list[Declared]:
    """Documents as the policies would hand them over, one line per value that may be pointed at."""
    models = {kind.kind: kind.model for kind in VOCABULARY.documents}
    declared = []
    for number, document in enumerate(documents):
        declared.append(
            Declared(
                tenant=tenant,
                document=models[document["kind"]].model_validate(document),
                source=Source(f"{tenant}.yaml", 100 * number + 1),
                locate=_locator(tenant, number),
                environments=frozenset({"prod"}),
                adopted=frozenset({"prod"}) if adopted else frozenset(),
            )
        )
    return declared


def _locator(tenant: str, number: int) -> Any:
    def locate(*path: str | int) -> Source:
        index = next((part for part in path if isinstance(part, int)), 0)
        return Source(f"{tenant}.yaml", 100 * number + 10 + index)

    return locate


def entitlements(*grants: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An `entitlements` document for ml-prod."""
    return {"kind": "entitlements", "workspace": "ml-prod", "grants": list(grants), **more}


def scope(name: str, *grants: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A `secret-scope` document for ml-prod."""
    return {"kind": "secret-scope", "workspace": "ml-prod", "name": name, "grants": list(grants), **more}


def grant(who: str, can: Any, **terms: Any) -> dict[str, Any]:
    """One grant as it stands in YAML."""
    return {"who": who, "can": can, **terms}


ENVIRON = {"DATABRICKS_CLIENT_ID": CLIENT_ID, "DATABRICKS_CLIENT_SECRET": SECRET}


def environment(emulator: Emulator, sync: str = "aim", **more: Any) -> Environment:
    """The emulated installation as an environment file would describe it."""
    service = databricks(emulator)
    return Environment(
        name="prod",
        entra=EntraSettings(name="corp", tenant_id=emulator.world.directory.tenant_id),
        databricks=DatabricksSettings(
            account_id=service.account.id,
            account_host=emulator.url("databricks-account"),
            identity_sync=sync,
            workspaces={
                name: WorkspaceSettings(
                    name=name, host=emulator.url(f"databricks/{name}"), workspace_id=workspace.id
                )
                for name, workspace in service.account.workspaces.items()
            },
        ),
        **{"databricks_credential": "oauth-m2m", "ca_file": str(emulator.ca_file), **more},
    )


def databricks(emulator: Emulator) -> DatabricksService:
    """The emulated service, whose state is what tests assert on."""
    service = emulator.services["databricks"]
    assert isinstance(service, DatabricksService)
    return service


@dataclass(slots=True)
class Estate:
    """An emulator, a provider over it, and what was sent."""

    emulator: Emulator
    sync: str
    settings: dict[str, Any]
    directory: EmulatedDirectory
    provider: DatabricksProvider = field(init=False)
    slept: list[float] = field(default_factory=list)

    @property
    def environment(self) -> Environment:
        return environment(self.emulator, self.sync, **self.settings)

    def open(self, environ: Mapping[str, str]) -> None:
        """Build the provider as `VOCABULARY.open` does, but on the emulator's time."""
        env = self.environment
        assert env.databricks is not None
        self.provider = DatabricksProvider(
            env.databricks,
            signing(env, environ, "/"),
            ca_file=env.ca_file,
            patience=env.patience,
            clock=self.emulator.world.clock.now,
            sleep=self.sleep,
        )

    @property
    def workspace(self) -> Workspace:
        return databricks(self.emulator).account.workspaces["ml-prod"]

    def sleep(self, seconds: float) -> None:
        """Let emulated time pass instead of real time."""
        self.slept.append(seconds)
        self.emulator.world.clock.advance(seconds)

    def compile(self, *documents: Mapping[str, Any], adopted: bool = True, as_of: date = TODAY) -> Compiled:
        env = self.environment
        return VOCABULARY.compile(declare(*documents, adopted=adopted), Context(environment=env, as_of=as_of))

    def read(self, wanted: Sequence[Wanted], boundaries: Sequence[Boundary] = ()) -> Live:
        return self.provider.read(
            Question(wanted=wanted, boundaries=boundaries, directory=self.directory, as_of=TODAY)
        )

    def diff(self, wanted: Sequence[Wanted], live: Live) -> Drift:
        kinds = {kind.name: kind for kind in VOCABULARY.kinds}
        named = {each for each in principals(wanted, live) if each.startswith(("user:", "group:", "sp:"))}
        identities = self.directory.resolve(sorted(named))
        return diff(wanted, live, Frame(environment="prod", kinds=kinds, identities=identities))

    def plan(self, wanted: Sequence[Wanted]) -> tuple[Action, ...]:
        """The ordered actions that would bring live state to what is wanted."""
        kinds = {kind.name: kind for kind in VOCABULARY.kinds}
        return order(self.diff(wanted, self.read(wanted)).actions, kinds, wanted)

    def write(self, actions: Iterable[Action]) -> dict[str, Outcome]:
        """Send actions as an apply does: by verb and address, in their order."""
        outcomes: dict[str, Outcome] = {}
        batches: dict[tuple[str, Address], list[Action]] = {}
        for action in actions:
            batches.setdefault((action.verb, action.address), []).append(action)
        for (_, address), batch in batches.items():
            for outcome in self.provider.write(address, batch):
                outcomes[outcome.action] = outcome
        return outcomes

    def acl(self, name: str) -> dict[str, str]:
        """A scope's ACL as the emulator holds it, by the names that it would show."""
        account = databricks(self.emulator).account
        held = self.workspace.scopes[name.lower()].acls
        return {
            account.identities[key].name if key in account.identities else key: permission
            for key, permission in held.items()
        }

    def held(self, principal: str) -> set[str]:
        """Entitlements that the emulator holds for somebody, without asking it over the wire."""
        identity = databricks(self.emulator).identities.principal(principal, self.workspace)
        return set(self.workspace.entitlements.get(identity.id, ()))

    def entitle(self, principal: str, *entitlements: str) -> None:
        """Give somebody exactly these entitlements behind everybody's back; `principal` may be an id."""
        account = databricks(self.emulator).account
        ident = principal if principal in account.identities else self.ident(principal)
        self.workspace.entitlements[ident] = {each: {"value": each} for each in entitlements}
        account.version += 1

    def ident(self, principal: str) -> str:
        """Somebody's Databricks id."""
        return databricks(self.emulator).identities.principal(principal, self.workspace).id

    def assign(self, principal: str, *permissions: str) -> None:
        """Give somebody a place in the workspace behind everybody's back."""
        self.workspace.assigned[self.ident(principal)] = list(permissions)
        databricks(self.emulator).account.version += 1

    def allow(self, name: str, principal: str, permission: str) -> None:
        """Put somebody on a scope's ACL behind everybody's back."""
        self.workspace.scopes[name.lower()].acls[self.ident(principal)] = permission
        self.workspace.scopes[name.lower()].listing = None

    def assigned(self, principal: str) -> list[str]:
        """Somebody's assignment as the emulator holds it."""
        identity = databricks(self.emulator).identities.principal(principal, self.workspace)
        return self.workspace.assigned.get(identity.id, [])

    def requests(self, method: str = "", path: str = "") -> list[Any]:
        """What was sent to Databricks so far, token requests aside."""
        return [
            entry
            for entry in self.emulator.world.log.entries
            if (not method or entry.method == method)
            and path in entry.path
            and not entry.path.startswith("/oidc/")
        ]


@contextmanager
def estate(
    folder: Path, *, sync: str = "aim", environ: Mapping[str, str] = ENVIRON, **change: Any
) -> Iterator[Estate]:
    """The sample estate with parts of its seed changed; `settings` are the environment's own."""
    settings = change.pop("settings", {})
    seed = merged(SEED, change)
    with running(seed, folder / "ca.pem") as emulator:
        result = Estate(emulator, sync, dict(settings), EmulatedDirectory(emulator.world.directory))
        try:
            result.open(environ)
            yield result
        finally:
            result.provider.close()
