"""One emulated lake for one test: documents in, live state out, and the facts of the emulator beside it.

The directory is asked here without Graph: these tests are about the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from reconciler.core.desired import Frame
from reconciler.core.diff import Drift, diff
from reconciler.core.environment import ContainerSettings, EntraSettings, Environment, LakeSettings
from reconciler.core.model import Address, Identity, Live, Presence, Source, Wanted
from reconciler.core.order import order
from reconciler.core.plan import Action, Outcome, Status
from reconciler.core.vocabulary import Boundary, Context, Declared
from reconciler.emulator import directory as emulated
from reconciler.emulator.arm.service import ArmService
from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import Folder, Node, find, walk
from reconciler.emulator.server import Emulator, running
from reconciler.providers.adls import VOCABULARY
from reconciler.providers.adls.documents import LakeFolder
from reconciler.providers.adls.provider import Lakes
from reconciler.providers.contract import Question

TODAY = date(2026, 11, 23)
ACCOUNT = "datalake"
RECONCILER = {"name": "reconciler", "app-id": "11111111-0000-4000-8000-000000000001", "secret": "s3cret"}
GROUPS = ("pricing-ds", "pricing-eng", "lake-users", "sales", "auditors")
ODD = [
    "100%",
    "a+b",
    "a b",
    "%2F",
    "Größe",
    "\N{PILE OF POO}",
    "x&amp;<y>",
    "line\nbreak",
    "tab\t",
    "semi;colon?#",
    "trailing.",
    "ends with space ",
]
"""Names that have to be escaped somewhere on the way."""
USERS = ("ana@corp.example", "bo@corp.example", "lea@corp.example")


BASE = "user::rwx,group::r-x,other::---"
TREE = (
    {"path": "pricing"},
    {"path": "pricing/a/b"},
    {"path": "pricing/a/f", "type": "file"},
    {"path": "pricing/100% + ü/x y", "type": "file"},
)


def seed(paths: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A seed with the usual people, the reconciler as Storage Blob Data Owner, and these paths."""
    filesystem: dict[str, Any] = {"paths": list(paths)} | {"root": more.pop("root", {})}
    assignments = [
        {
            "principal": "sp:reconciler",
            "role": more.pop("role", "Storage Blob Data Owner"),
            "scope": more.pop("scope", ACCOUNT),
        },
        *more.pop("assignments", []),
    ]
    return {
        "directory": {
            "users": [{"upn": upn} for upn in USERS],
            "groups": [{"name": name} for name in GROUPS],
            "service-principals": [RECONCILER, {"name": "airflow", "app-id": "22222222-0000-4000-8000-1"}],
        },
        "arm": {
            "storage-accounts": {ACCOUNT: {}},
            "role-assignments": assignments,
            "readers": ["sp:reconciler"],
        },
        "lakes": {ACCOUNT: {"filesystems": {"curated": filesystem, **more.pop("filesystems", {})}}},
        **more,
    }


def folder(
    path: str = "curated/pricing", *, tenant: str = "pricing", adopted: bool = True, **keys: Any
) -> Declared:
    """A `lake-folder` document: `grants` by principal, `{"group:pricing-ds": "read"}`."""
    grants = [
        {"who": who, **({"can": can} if isinstance(can, str) else can)}
        for who, can in keys.pop("grants", {}).items()
    ]
    document = LakeFolder.model_validate(
        {"kind": "lake-folder", "folder": f"{ACCOUNT}/{path}", "grants": grants, **keys}
    )
    return declare(document, tenant, adopted)


def declare(document: LakeFolder, tenant: str = "pricing", adopted: bool = True) -> Declared:
    """A valid document with its place."""
    place = f"tenants.d/{tenant}/{document.folder.replace('/', '-')}.yaml"
    return Declared(
        tenant=tenant,
        document=document,
        source=Source(place, 1),
        locate=lambda *at: Source(place, 2 + sum(part for part in at if isinstance(part, int))),
        adopted=frozenset({"test"}) if adopted else frozenset(),
    )


@dataclass(slots=True)
class Phonebook:
    """The directory contract, answered from the emulator's own directory."""

    truth: emulated.Directory
    silent_about: set[str] = field(default_factory=set)
    """Object ids and names that cannot be asked about."""
    pinned: dict[str, str] = field(default_factory=dict)
    """Names that stand for an object id, whoever else is called so."""

    def resolve(self, principals: Iterable[str]) -> Mapping[str, Identity]:
        return {name: self._resolve(name) for name in principals}

    def _resolve(self, name: str) -> Identity:
        if name in self.silent_about:
            return Identity(principal=name, presence=Presence.UNREADABLE, reason="403 from Graph")
        try:
            oid = self.pinned.get(name) or self.truth.resolve(name)
            return Identity(principal=name, presence=Presence.KNOWN, object_id=oid)
        except ValueError as error:
            return Identity(principal=name, presence=Presence.UNKNOWN, reason=str(error))

    def name(self, object_ids: Iterable[str]) -> Mapping[str, Identity]:
        return {oid: self._name(oid) for oid in object_ids}

    def _name(self, oid: str) -> Identity:
        if oid in self.silent_about:
            return Identity(principal=f"id:{oid}", presence=Presence.UNREADABLE, reason="403 from Graph")
        thing = self.truth.find(oid)
        if thing is None:
            return Identity(principal=f"id:{oid}", presence=Presence.UNKNOWN, object_id=oid)
        if isinstance(thing, emulated.User):
            name = f"user:{thing.upn}"
        else:
            name = f"{'group' if isinstance(thing, emulated.Group) else 'sp'}:{thing.display_name}"
        return Identity(principal=name, presence=Presence.KNOWN, object_id=oid)

    def members(self, group_ids: Iterable[str]) -> Mapping[str, frozenset[str] | None]:
        return {oid: frozenset(self.truth.groups[oid].members) for oid in group_ids}


@dataclass(slots=True, repr=False)
class Lake:
    """An emulated lake, the provider on it, and the present documents."""

    emulator: Emulator
    environment: Environment
    environ: Mapping[str, str]
    provider: Lakes
    people: Phonebook
    documents: list[Declared] = field(default_factory=list)
    boundaries: Sequence[Boundary] = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Spare a failing example the whole emulator."""
        printer.text("lake")

    # What the policies and the provider say.

    def wanted(self) -> list[Wanted]:
        """What the documents come to."""
        compiled = VOCABULARY.compile(self.documents, Context(environment=self.environment, as_of=TODAY))
        assert not compiled.problems, [str(problem) for problem in compiled.problems]
        return list(compiled.wanted)

    def read(self, *addresses: str) -> Live:
        """Live state, of everything or of these addresses only."""
        wanted = [w for w in self.wanted() if not addresses or str(w.address) in addresses]
        question = Question(wanted=wanted, boundaries=self.boundaries, directory=self.people, as_of=TODAY)
        return self.provider.read(question)

    def drift(self, live: Live | None = None) -> Drift:
        """What would have to happen, by what is read now or was read before."""
        wanted, live = self.wanted(), live or self.read()
        named = {fact.principal for want in wanted for fact in want.grants}
        found = {fact.principal for each in live.found.values() for fact in (*each.grants, *each.mixed)}
        names = sorted(name for name in named | found if name[:3] in ("use", "gro", "sp:"))
        identities = self.people.resolve(names)
        kinds = {kind.name: kind for kind in VOCABULARY.kinds}
        return diff(wanted, live, Frame(environment="test", kinds=kinds, identities=identities))

    def plan_of(self, live: Live) -> list[Action]:
        """The actions of a plan that was made from this."""
        kinds = {kind.name: kind for kind in VOCABULARY.kinds}
        return list(order(self.drift(live).actions, kinds))

    def plan(self) -> list[Action]:
        """The actions of a plan, blocked ones aside."""
        kinds = {kind.name: kind for kind in VOCABULARY.kinds}
        return list(order(self.drift().actions, kinds))

    def apply(self, actions: Iterable[Action] | None = None) -> dict[str, Outcome]:
        """Write actions in batches of one verb and address, as an apply does; outcomes by action id."""
        outcomes: dict[str, Outcome] = {}
        batches: dict[tuple[str, Address], list[Action]] = {}
        for action in self.plan() if actions is None else actions:
            batches.setdefault((action.verb, action.address), []).append(action)
        for (_, address), batch in batches.items():
            outcomes.update((each.action, each) for each in self.provider.write(address, batch))
        return outcomes

    # What is true.

    def node(self, path: str, container: str = "curated") -> Node:
        """A path of the emulator."""
        service = self.emulator.services["lake"]
        assert isinstance(service, LakeService)
        parts = [part for part in path.split("/") if part]
        chain = find(service.accounts[ACCOUNT].filesystems[container].root, parts)
        assert len(chain) == len(parts) + 1, f"{path} does not exist"
        return chain[-1]

    def exists(self, path: str) -> bool:
        """Whether a path is there."""
        try:
            self.node(path)
        except AssertionError:
            return False
        return True

    def paths(self, path: str = "", container: str = "curated") -> dict[str, Node]:
        """A path and everything below it."""
        top = self.node(path, container)
        below = walk(top, f"{path}/" if path else "") if isinstance(top, Folder) else iter(())
        return {path: top, **dict(below)}

    def acl(self, path: str) -> str:
        """A path's list with names in place of ids."""
        parts = []
        for entry in self.node(path).acl.text.split(","):
            scope = "default:" if entry.startswith("default:") else ""
            kind, who, bits = entry.removeprefix("default:").split(":")
            name = self.people._name(who).principal.partition(":")[2] if who else ""
            parts.append(f"{scope}{kind}:{name}:{bits}")
        return ",".join(parts)

    def set(self, path: str, acl: str, container: str = "curated") -> None:
        """Give a path a list, as somebody does in a portal; names stand for ids."""
        node = self.node(path, container)
        changes = acls.parse(",".join(self._entry(part) for part in acl.split(",")))
        node.acl = acls.assign(node.acl, changes, directory=node.is_folder, drops_default=True)

    def _entry(self, text: str) -> str:
        """An entry of a list with the object id in place of the name."""
        scope = "default:" if text.startswith("default:") else ""
        name, _, bits = text.removeprefix("default:").rpartition(":")
        kind, _, who = name.partition(":")
        if who and who.count("-") != 4:
            who = self.oid(f"{kind}:{who}")
        return f"{scope}{'user' if kind == 'sp' else kind}:{who}:{bits}"

    def oid(self, principal: str) -> str:
        """The object id of a principal."""
        return self.people.truth.resolve(principal)

    def requests(self, pattern: str = "") -> list[str]:
        """What was asked of the lake since the log was cleared."""
        return [
            f"{entry.method} {entry.path}?{entry.query}"
            for entry in self.emulator.world.log.entries
            if entry.service.startswith("lake/") and pattern in f"{entry.method} {entry.path}?{entry.query}"
        ]


@contextmanager
def lake(
    tmp: Path,
    paths: Sequence[Mapping[str, Any]] = (),
    *,
    traverse: str = "named",
    patience: float = 5.0,
    resource_id: bool = True,
    **more: Any,
) -> Iterator[Lake]:
    """A running lake with these paths in container `curated`, and the provider on it."""
    with running(seed(paths, **more), tmp / "ca.pem") as emulator:
        arm = emulator.services["arm"]
        assert isinstance(arm, ArmService)
        account = arm.estate.account_id(ACCOUNT)
        environment = Environment(
            name="test",
            entra=EntraSettings(
                name="corp",
                tenant_id=emulator.world.directory.tenant_id,
                authority=emulator.url("entra"),
                graph=emulator.url("graph"),
                arm=emulator.url("arm"),
            ),
            lakes={
                ACCOUNT: LakeSettings(
                    name=ACCOUNT,
                    dfs=emulator.url(f"lake/{ACCOUNT}/dfs"),
                    blob=emulator.url(f"lake/{ACCOUNT}/blob"),
                    resource_id=account if resource_id else "",
                    containers={"curated": ContainerSettings(name="curated", traverse=traverse)},
                )
            },
            azure_credential="client-secret",
            ca_file=str(tmp / "ca.pem"),
            patience=patience,
        )
        environ = {"AZURE_CLIENT_ID": RECONCILER["app-id"], "AZURE_CLIENT_SECRET": RECONCILER["secret"]}
        provider = Lakes(environment, environ, tmp)
        try:
            yield Lake(emulator, environment, environ, provider, Phonebook(emulator.world.directory))
        finally:
            provider.close()


def statuses(here: Lake, actions: list[Action] | None = None) -> set[Status]:
    return {outcome.status for outcome in here.apply(actions).values()}


def about(here: Lake, **wanted: object) -> list[Action]:
    """The planned actions of this verb, principal or role."""
    return [
        action
        for action in here.plan()
        if wanted.get("verb", action.verb) == action.verb
        and wanted.get("principal", action.attribute.principal) == action.attribute.principal
        and wanted.get("role", action.attribute.role) == action.attribute.role
        and wanted.get("kind", action.address.kind) == action.address.kind
    ]
