"""An emulated Entra tenant, providers that sign in to it as to the real one, and what is asked of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from typing import Any

from reconciler.core.consent import action_id
from reconciler.core.desired import Frame
from reconciler.core.diff import diff
from reconciler.core.environment import EntraSettings, Environment
from reconciler.core.model import Address, Attribute, Live, Source, Verb, Wanted
from reconciler.core.plan import Action, Cause, Outcome, Status
from reconciler.core.vocabulary import Boundary
from reconciler.emulator.log import Entry
from reconciler.emulator.server import Emulator
from reconciler.providers.contract import Question
from reconciler.providers.entra.client import CONNECTIONS
from reconciler.providers.entra.documents import GROUP
from reconciler.providers.entra.provider import EntraProvider
from reconciler.providers.entra.wire import LIMITS
from reconciler.providers.pacing import Pacer

PLANNER, APPLIER = "reconciler-plan", "reconciler-apply"
READ = ["Directory.Read.All", "PrivilegedAssignmentSchedule.Read.AzureADGroup"]
WRITE = [*READ, "GroupMember.ReadWrite.All", "Group.ReadWrite.All"]
APP = {PLANNER: "00000000-0000-4000-8000-000000000001", APPLIER: "00000000-0000-4000-8000-000000000002"}


def identity(name: str, roles: list[str]) -> dict[str, Any]:
    return {"name": name, "app-id": APP[name], "secret": f"secret of {name}", "app-roles": roles}


def user(name: str, **more: Any) -> dict[str, Any]:
    return {"upn": f"{name}@corp.example", **more}


def sent(entry: Entry) -> Iterator[tuple[str, str]]:
    """Method and path of a logged request, or of each item of a batch."""
    if entry.path.endswith("$batch"):
        version = entry.path.removesuffix("/$batch")
        for item in json.loads(entry.body)["requests"]:
            yield item["method"], version + item["url"].partition("?")[0]
    else:
        yield entry.method, entry.path


class Tenant:
    """One emulated tenant, and the ways into it."""

    def __init__(self, emulator: Emulator, stack: ExitStack) -> None:
        self.emulator = emulator
        self.stack = stack
        self.world = emulator.world
        self.directory = emulator.world.directory
        self.world.clock.freeze()

    @property
    def environment(self) -> Environment:
        return Environment(
            name="local",
            entra=EntraSettings(
                name="corp",
                tenant_id=self.directory.tenant_id,
                authority=self.emulator.url("entra"),
                graph=self.emulator.url("graph"),
            ),
            azure_credential="client-secret",
            ca_file=str(self.emulator.ca_file),
        )

    def provider(
        self, who: str = APPLIER, pins: Mapping[str, str] | None = None, **more: Any
    ) -> EntraProvider:
        """A provider that signs in as `who`; time is emulated, and only waiting moves it."""
        clock = self.world.clock

        async def sleep(seconds: float) -> None:
            clock.advance(seconds)

        environ = {"AZURE_CLIENT_ID": APP[who], "AZURE_CLIENT_SECRET": f"secret of {who}"}
        own = Pacer(LIMITS, clock=clock.now, sleep=clock.advance, sleep_async=sleep)
        pacer = more.pop("pacer", own)
        environment = more.pop("environment", self.environment)
        connections = more.pop("connections", CONNECTIONS)
        provider = EntraProvider(environment, {**environ, **more}, "/", pacer, connections)
        provider.directory.pins = pins or {}
        self.stack.callback(provider.close)
        return provider

    def id(self, principal: str) -> str:
        return self.directory.resolve(principal)

    def members(self, name: str) -> set[str]:
        """Who is in a group, as a fact of the directory."""
        group = self.directory.groups[self.id(f"group:{name}")]
        return {self.directory.reference(oid) for oid in group.members}

    def requests(self) -> int:
        """HTTP requests to Graph since the log was cleared."""
        return self.world.log.counts["graph"]

    def writes(self) -> list[str]:
        """Method and path of everything that changes something, inside batches too."""
        return [
            f"{method} {path}"
            for entry in self.world.log.entries
            if entry.service == "graph"
            for method, path in sent(entry)
            if method != "GET" and not path.endswith("/getByIds")
        ]


TODAY = date(2026, 11, 23)
ANA, BO, LEA, MIA = (f"user:{name}@corp.example" for name in ("ana", "bo", "lea", "mia"))


def address(name: str) -> Address:
    return Address("entra", "corp", "group", name)


def want(
    name: str,
    members: Iterable[str] = (),
    owners: Iterable[str] | None = None,
    *,
    description: str = "",
    **more: Any,
) -> Wanted:
    """A group as a document would want it, adopted unless said otherwise."""
    grants = {Attribute("exists"): "present"}
    grants |= {Attribute("member", one): "member" for one in members}
    grants |= {Attribute("owner", one): "owner" for one in owners or ()}
    grants |= {Attribute("description"): description} if description else {}
    details = {"owners": "declared"} if owners is not None else {}
    given: dict[str, Any] = {"tenant": "pricing", "adopted": True, "details": details, **more}
    return Wanted(address=address(name), source=Source("groups.yaml", 1), grants=grants, **given)


def boundary(*patterns: str) -> Boundary:
    return Boundary(tenant="pricing", kind="group", installation="", patterns=patterns)


def read(provider: EntraProvider, wanted: Iterable[Wanted], boundaries: Sequence[Boundary] = ()) -> Live:
    """What the provider finds."""
    question = Question(wanted=list(wanted), boundaries=boundaries, directory=provider.directory, as_of=TODAY)
    return provider.read(question)


def holders(live: Live, name: str, role: str = "member") -> set[str]:
    """Who holds a role in a group as it was found."""
    return {fact.principal for fact in live.found[address(name)].grants if fact.role == role}


def plan(provider: EntraProvider, wanted: Iterable[Wanted]) -> list[Action]:
    """The actions that a comparison comes to, in no order."""
    asked = list(wanted)
    named = {fact.principal for each in asked for fact in each.grants if fact.principal}
    identities = dict(provider.directory.resolve(sorted(named)))
    live = read(provider, asked)
    found = {fact.principal for each in live.found.values() for fact in each.grants if fact.principal}
    identities |= provider.directory.resolve(sorted(one for one in found if not one.startswith("id:")))
    frame = Frame(environment="local", kinds={"group": GROUP}, identities=identities)
    return diff(asked, live, frame).actions


def apply(provider: EntraProvider, actions: Iterable[Action]) -> dict[str, Outcome]:
    """Write actions address by address; outcomes by `verb role principal`."""
    by_address: dict[Address, list[Action]] = {}
    for each in actions:
        by_address.setdefault(each.address, []).append(each)
    ends = {}
    for place, group in by_address.items():
        outcomes = provider.write(place, group)
        assert [outcome.action for outcome in outcomes] == [each.id for each in group]
        ends.update({told(each): outcome for each, outcome in zip(group, outcomes, strict=True)})
    return ends


def told(each: Action) -> str:
    """An action in short: `grant member user:ana@corp.example`."""
    return " ".join(filter(None, (each.verb, *each.attribute)))


def action(
    tenant: Tenant,
    verb: Verb,
    name: str,
    role: str,
    principal: str = "",
    *,
    before: str | None = None,
    after: str | None = None,
    ids: Mapping[str, str] | None = None,
) -> Action:
    """An action as planning would make it from the facts of today."""
    place, attribute = address(name), Attribute(role, principal)
    if ids is None:
        ids = {} if verb is Verb.CREATE else {str(place): tenant.id(f"group:{name}")}
        ids |= {principal: tenant.id(principal)} if principal else {}
    return Action(
        id=action_id("local", verb, place, attribute, (before,), after, None, ids),
        environment="local",
        verb=verb,
        address=place,
        attribute=attribute,
        before=(before,),
        after=after,
        until=None,
        object_ids=ids,
        tenant="pricing",
        cause=Cause.MISSING,
        source=Source("groups.yaml", 1),
    )


def grant(tenant: Tenant, name: str, principal: str, role: str = "member", **more: Any) -> Action:
    return action(tenant, Verb.GRANT, name, role, principal, after=role, **more)


def revoke(tenant: Tenant, name: str, principal: str, role: str = "member", **more: Any) -> Action:
    return action(tenant, Verb.REVOKE, name, role, principal, before=role, **more)


def statuses(ends: Mapping[str, Outcome]) -> dict[str, Status]:
    return {name: outcome.status for name, outcome in ends.items()}
