"""Nobody has a bad moment in the emulated cloud: who reaches what is asked of it after every request.

`Snapshots` asks the services' own evaluation, person by person; no part of the reconciler has a say in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model import Attribute
from reconciler.core.plan import Outcome, Status
from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.log import AccessLog, Entry
from reconciler.emulator.server import Emulator
from reconciler.store.folder import FolderStore
from tests.laws.estate import EXISTS, USERS, Facts, Grants, Policies, folder, group, scope, seed
from tests.laws.facts import directory_names, reach
from tests.laws.loop import Loop

ANA, BO, CY, _ = USERS
TEAM_A, TEAM_B = "group:team-a", "group:Team B"
Held = frozenset[tuple[str, str, str]]
"""Who, on what, which right."""


def members(*people: str) -> Grants:
    return {
        EXISTS: "present",
        Attribute("owner", USERS[3]): "owner",
        **{Attribute("member", who): "member" for who in people},
    }


def acl(**held: str) -> Grants:
    names = {"ana": ANA, "bo": BO, "a": TEAM_A, "b": TEAM_B}
    return {EXISTS: "present", **{Attribute("acl", names[who]): value for who, value in held.items()}}


def tree(**held: str) -> Grants:
    names = {"ana": ANA, "bo": BO, "a": TEAM_A, "b": TEAM_B}
    facts = {Attribute(role, names[who]): v for who, v in held.items() for role in ("access", "default")}
    return {EXISTS: "present", **facts}


X, DEEP = folder("data/x"), folder("data/x/deep er")
A, B = group("team-a"), group("Team B")
ONE, TWO = scope("one"), scope("two.b")
FEW = {A: members(CY), B: members(CY)}
SCENARIOS: dict[str, tuple[Facts, Facts]] = {
    "a user moves between two groups that both may read": (
        {A: members(ANA, CY), B: members(BO, CY), ONE: acl(a="READ", b="READ")},
        {A: members(CY), B: members(ANA, BO, CY), ONE: acl(a="READ", b="READ")},
    ),
    "a user moves between two groups as the group of old days is given more": (
        {A: members(ANA, CY), B: members(BO), ONE: acl(a="READ")},
        {A: members(CY), B: members(ANA, BO), ONE: acl(a="MANAGE", b="READ")},
    ),
    "a user leaves as the other group takes over": (
        {A: members(ANA, BO), B: members(), ONE: acl(a="WRITE"), TWO: acl(b="READ")},
        {A: members(BO), B: members(ANA), ONE: acl(a="WRITE"), TWO: acl(a="READ")},
    ),
    "one group replaces another on a scope": (
        {A: members(ANA, BO), B: members(BO, CY), ONE: acl(a="WRITE")},
        {A: members(ANA, BO), B: members(BO, CY), ONE: acl(b="WRITE")},
    ),
    "a direct grant becomes one through a group that is new to both": (
        {A: members(CY), ONE: acl(ana="READ"), X: tree(ana="rwx")},
        {A: members(ANA, CY), ONE: acl(a="READ"), X: tree(a="rwx")},
    ),
    "a grant moves down a tree": (
        {**FEW, A: members(ANA, CY), X: tree(a="r-x")},
        {**FEW, A: members(ANA, CY), X: tree(), DEEP: tree(a="r-x")},
    ),
    "a grant moves up a tree": (
        {**FEW, A: members(ANA, CY), X: tree(), DEEP: tree(a="r-x", bo="r-x")},
        {**FEW, A: members(ANA, CY), X: tree(a="r-x"), DEEP: tree(a="r-x")},
    ),
    "one group replaces another on a tree, and somebody changes sides": (
        {A: members(ANA, BO), B: members(CY), X: tree(a="rwx")},
        {A: members(BO), B: members(ANA, CY), X: tree(b="rwx")},
    ),
}


class Snapshots:
    """What everybody effectively holds, after each request that may have changed something."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.seen: list[tuple[str, Held]] = []

    def take(self, entry: Entry) -> None:
        """Look at the state as it is now."""
        if entry.method != "GET":
            self.seen.append((f"{entry.method} {entry.service} {entry.path}", self.now()))

    def now(self) -> Held:
        return frozenset((*self._groups(), *self._scopes(), *self._paths()))

    def _people(self) -> Iterator[tuple[str, str]]:
        for oid, name in directory_names(self.emulator.world.directory).items():
            if not name.startswith("group:"):
                yield oid, name

    def _groups(self) -> Iterator[tuple[str, str, str]]:
        directory = self.emulator.world.directory
        for oid, name in self._people():
            for inside in directory.transitive_groups(oid):
                yield name, f"group {inside}", "member"

    def _scopes(self) -> Iterator[tuple[str, str, str]]:
        service = self.emulator.services["databricks"]
        assert isinstance(service, DatabricksService)
        account = service.account
        ids = {ident: str(who.external_id) for ident, who in account.identities.items()}
        parts = {"READ": ["read"], "WRITE": ["read", "write"], "MANAGE": ["read", "write", "manage"]}
        for found in account.workspaces["ws"].scopes.values():
            for oid, name in self._people():
                groups = {oid, *self.emulator.world.directory.transitive_groups(oid)}
                for ident, value in found.acls.items():
                    if ids.get(ident) in groups:
                        yield from ((name, f"scope {found.name}", part) for part in parts[value])

    def _paths(self) -> Iterator[tuple[str, str, str]]:
        """What somebody may do at a path that he can get to, under every reading of the documentation."""
        rights = reach(self.emulator)
        for (path, name), letters in rights.items():
            texts = letters.split("/")
            above = [path[:at] for at, letter in enumerate(path) if letter == "/"][1:]
            for number, text in enumerate(texts):
                if all("x" in rights[place, name].split("/")[number] for place in above):
                    yield from ((name, path, f"{letter} {number}") for letter in text)


@pytest.fixture
def snapshots(cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> Snapshots:
    taken = Snapshots(cloud)
    add = AccessLog.add

    def noted(log: AccessLog, entry: Entry) -> None:
        taken.take(entry)
        add(log, entry)

    monkeypatch.setattr(AccessLog, "add", noted)
    return taken


def begun(cloud: Emulator, live: Facts, wanted: Facts, store: Path) -> Loop:
    document: dict[str, Any] = seed(live, assigned=True)
    space = document["databricks"]["workspaces"]["ws"]
    space["assigned"] += [{"principal": name, "permissions": ["USER"]} for name in (TEAM_A, TEAM_B)]
    document["databricks"]["account"]["resolved"] += [TEAM_A, TEAM_B]
    names = {each["name"] for each in document["directory"]["groups"]}
    document["directory"]["groups"] += [
        {"name": name, "members": [], "owners": []} for name in ("team-a", "Team B") if name not in names
    ]
    cloud.reset(document)
    loop = Loop(cloud, FolderStore(store), frozenset({"entra", "databricks", "adls"}), Policies(()))
    loop.want(wanted)
    return loop


def bad_moments(before: Held, seen: list[tuple[str, Held]], after: Held) -> list[str]:
    said = []
    for request, now in seen:
        said += [f"after {request}: {fact} is lost" for fact in sorted((before & after) - now)]
        said += [f"after {request}: {fact} is let in" for fact in sorted(now - (before | after))]
    return said


@pytest.mark.emulator
@pytest.mark.parametrize("name", SCENARIOS)
def test_nobody_has_a_bad_moment(name: str, cloud: Emulator, snapshots: Snapshots, tmp_path: Path) -> None:
    live, wanted = SCENARIOS[name]
    loop = begun(cloud, live, wanted, tmp_path)
    before = snapshots.now()
    loop.approve(loop.plan())
    snapshots.seen.clear()
    outcomes: tuple[Outcome, ...] = loop.apply()
    assert {each.status for each in outcomes} == {Status.VERIFIED}, outcomes
    after = snapshots.now()
    assert before != after or "both may read" in name
    assert len(snapshots.seen) > 1
    assert bad_moments(before, snapshots.seen, after) == []
    assert loop.plan().plan.actions == ()
