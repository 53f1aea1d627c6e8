"""A large estate in step: policies for four kinds of access, and the seed of a cloud where all of it holds.

People, names and trees follow from the sizes alone, so that two runs measure the same.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.policy.lock import render

TENANT = "11111111-1111-4111-8111-111111111111"
ACCOUNT = "22222222-2222-4222-8222-222222222222"
SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
APP = {"name": "reconciler", "app-id": "aaaaaaaa-0000-4000-8000-000000000001", "secret": "emulated"}
ENVIRON = {
    "AZURE_CLIENT_ID": APP["app-id"],
    "AZURE_CLIENT_SECRET": APP["secret"],
    "DATABRICKS_CLIENT_ID": APP["app-id"],
    "DATABRICKS_CLIENT_SECRET": APP["secret"],
}
GUID = "00000000-0000-4000-8000-{:012x}"
ENTITLED = ("workspace-access", "databricks-sql-access")
PERMISSIONS = ("manage", "write", "read", "read", "read")
"""What the first five holders of a tenant may do with each of its scopes."""
RIGHTS = {"read": "r-x", "write": "rwx"}
BASE = "user::rwx,group::r-x,mask::rwx,other::---"
WAY = {"acl": "user::rwx,group::r-x,other::--x"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything there is; all of it is spread evenly over the tenants."""

    tenants: int
    groups: int
    members: int = 10
    people: int
    scopes: int = 0
    holders: int = 0
    """Groups with entitlements, each in one workspace."""
    folders: int = 0
    files: int = 1
    """In every folder."""
    workspaces: int = 1
    owners: bool = False
    """Whether documents speak of owners: one more listing for every group."""
    keys: bool = False
    """Whether documents speak of secrets: one more request for every scope."""

    @property
    def managed(self) -> int:
        """Things that documents speak of; ways to folders come on top."""
        return self.groups + self.scopes + self.holders + self.folders

    @property
    def workspace_names(self) -> list[str]:
        """The workspaces, of which each tenant uses one."""
        return [f"ml-{number}" for number in range(self.workspaces)] if self.scopes + self.holders else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """What one tenant has, by name."""

    name: str
    groups: Mapping[str, Sequence[str]]
    """Members by group."""
    holders: Sequence[str]
    scopes: Mapping[str, Mapping[str, str]]
    """What each group may do, by scope."""
    folders: Mapping[str, Mapping[str, str]]
    """What each group may do, by folder."""
    workspace: str


def teams(size: Size) -> Iterator[Team]:
    """Every tenant of an estate of this size."""
    chance = random.Random(7)
    people = _people(size)
    spaces = size.workspace_names
    for number in range(size.tenants):
        name = f"team-{number:04}"
        groups = [f"{name}-g{one:04}" for one in _share(size.groups, number, size.tenants)]
        holders = groups[: len(_share(size.holders, number, size.tenants))]
        scopes = [f"{name}-s{one:04}" for one in _share(size.scopes, number, size.tenants)]
        folders = [f"curated/{name}/d{one:04}" for one in _share(size.folders, number, size.tenants)]
        yield Team(
            name=name,
            groups={group: sorted(chance.sample(people, size.members)) for group in groups},
            holders=holders,
            scopes={scope: dict(zip(holders, PERMISSIONS, strict=False)) for scope in scopes},
            folders={folder: dict(zip(groups[:2], RIGHTS, strict=False)) for folder in folders},
            workspace=spaces[number % len(spaces)] if spaces else "",
        )


NO_LIMIT = {"count": 1_000_000, "percent": 100}
"""What is measured is the work, not how much of it somebody would let pass."""


def _people(size: Size) -> list[str]:
    return [f"person.{number:05}@corp.example" for number in range(size.people)]


def _share(total: int, number: int, parts: int) -> range:
    """The numbers of one part, when so many are dealt out evenly."""
    return range(total * number // parts, total * (number + 1) // parts)


def write_policies(root: Path, size: Size, endpoints: Mapping[str, str], ca_file: Path) -> None:
    """Write the policies that want exactly what the seed has; `endpoints` are the URLs of the cloud."""
    (root / "policies").mkdir(parents=True)
    dealt = list(teams(size))
    for name, document in {
        "environment": environment(size, endpoints, ca_file),
        "boundaries": {"kind": "boundaries", "tenants": {team.name: _boundary(team) for team in dealt}},
        "guardrails": {
            "kind": "guardrails",
            "removals": {"*": NO_LIMIT},
            "removals-together": dict.fromkeys(("tenant", "kind", "all"), NO_LIMIT),
            "own-identities": [f"sp:{APP['name']}"],
        },
        "approval-rules": {"kind": "approval-rules", "rules": [{"who": ["user:noor@corp.example"]}]},
    }.items():
        # JSON is YAML; the platform's files are few and nobody measures them.
        (root / "policies" / f"{name}.yaml").write_text(json.dumps(document, indent=1), "utf-8")
    (root / "policies" / "principals.lock.yaml").write_text(render({"corp": pins(size)}), "utf-8")
    for team in dealt:
        folder = root / "tenants.d" / team.name
        folder.mkdir(parents=True)
        for file, lines in (("groups", _group_lines(team, size)), ("access", _access_lines(team, size))):
            (folder / f"{file}.yaml").write_text("\n".join([*lines, ""]), "utf-8")


def environment(size: Size, endpoints: Mapping[str, str], ca_file: Path) -> dict[str, Any]:
    """The environment of the emulated cloud."""
    document: dict[str, Any] = {
        "kind": "environment",
        "name": "bench",
        "entra": {
            "name": "corp",
            "tenant-id": TENANT,
            "authority": endpoints["entra"],
            "graph": endpoints["graph"],
            "arm": endpoints["arm"],
        },
        "azure-credential": "client-secret",
        "databricks-credential": "oauth-m2m",
        "ca-file": str(ca_file),
        "patience": 30,
    }
    if size.workspace_names:
        document["databricks"] = {
            "account-id": ACCOUNT,
            "account-host": endpoints["databricks-account"],
            "workspaces": {
                name: {"host": endpoints[f"databricks/{name}"], "workspace-id": str(number + 1)}
                for number, name in enumerate(size.workspace_names)
            },
        }
    if size.folders:
        account = "resourceGroups/data/providers/Microsoft.Storage/storageAccounts/datalake"
        document["lakes"] = {
            "datalake": {
                "dfs": endpoints["lake/datalake/dfs"],
                "blob": endpoints["lake/datalake/blob"],
                "resource-id": f"/subscriptions/{SUBSCRIPTION}/{account}",
                "containers": {"curated": {"traverse": "everyone"}},
            }
        }
    return document


def _boundary(team: Team) -> dict[str, list[str]]:
    boundary = {"groups": [f"{team.name}-*"]}
    if team.workspace:
        boundary |= {"workspaces": [team.workspace], "scopes": [f"{team.workspace}/{team.name}-*"]}
    return boundary | ({"folders": [f"datalake/curated/{team.name}/**"]} if team.folders else {})


def _group_lines(team: Team, size: Size) -> Iterator[str]:
    for group, members in team.groups.items():
        yield from ("---", "kind: group", f"name: {group}")
        yield from [f"owners: [user:{members[0]}]"] if size.owners else []
        yield "members:"
        yield from (f"  - user:{member}" for member in members)


def _access_lines(team: Team, size: Size) -> Iterator[str]:
    yield from ("kind: tenant", f"name: Team {team.name}", "adopted: [bench]")
    if team.holders:
        yield from ("---", "kind: entitlements", f"workspace: {team.workspace}", "grants:")
        for group in team.holders:
            yield from (f"  - who: group:{group}", f"    can: [{', '.join(ENTITLED)}]")
    for scope, held in team.scopes.items():
        yield from ("---", "kind: secret-scope", f"workspace: {team.workspace}", f"name: {scope}", "grants:")
        yield from _grant_lines(held)
        yield from ("keys:", "  - {name: warehouse-password, rotate-every: 90d}") if size.keys else ()
    for folder, held in team.folders.items():
        yield from ("---", "kind: lake-folder", f"folder: datalake/{folder}", "grants:")
        yield from _grant_lines(held)


def _grant_lines(held: Mapping[str, str]) -> Iterable[str]:
    return (f"  - {{who: group:{group}, can: {right}}}" for group, right in held.items())


def pins(size: Size) -> dict[str, str]:
    """The object id of everybody."""
    names = [f"user:{upn}" for upn in _people(size)]
    names += [f"group:{group}" for team in teams(size) for group in team.groups]
    return {name: GUID.format(number) for number, name in enumerate([f"sp:{APP['name']}", *names], 1)}


def seed(size: Size) -> dict[str, Any]:
    """The cloud in which everything is as the policies want it."""
    known = pins(size)
    dealt = list(teams(size))
    document: dict[str, Any] = {
        "switches": {"databricks.stale-seconds": 0, "databricks.acl-fresh-group-seconds": 0},
        "directory": _directory(size, known, dealt),
        "arm": {
            "subscriptions": {SUBSCRIPTION: {}},
            "storage-accounts": {"datalake": {"subscription": SUBSCRIPTION, "resource-group": "data"}},
            "readers": [f"sp:{APP['name']}"],
            "role-assignments": [
                {"principal": f"sp:{APP['name']}", "role": "Storage Blob Data Owner", "scope": "datalake"}
            ],
        },
    }
    if size.workspace_names:
        document["databricks"] = _databricks(size, dealt)
    if size.folders:
        paths = list(_paths(size, dealt))
        document["lakes"] = {"datalake": {"filesystems": {"curated": {"root": WAY, "paths": paths}}}}
    return document


def _directory(size: Size, known: Mapping[str, str], dealt: Iterable[Team]) -> dict[str, Any]:
    roles = ["Group.ReadWrite.All", "User.Read.All", "Application.Read.All", "Member.Read.Hidden"]
    roles += ["PrivilegedAssignmentSchedule.Read.AzureADGroup"]
    own = f"sp:{APP['name']}"
    return {
        "tenant-id": TENANT,
        "users": [{"upn": upn, "id": known[f"user:{upn}"]} for upn in _people(size)],
        "service-principals": [{**APP, "id": known[own], "app-roles": roles}],
        "groups": [
            {
                "name": group,
                "id": known[f"group:{group}"],
                "members": [known[f"user:{member}"] for member in members],
                "owners": [known[f"user:{members[0]}"]],
            }
            for team in dealt
            for group, members in team.groups.items()
        ],
    }


def _databricks(size: Size, dealt: Sequence[Team]) -> dict[str, Any]:
    own = f"sp:{APP['name']}"
    workspaces: dict[str, Any] = {}
    for number, name in enumerate(size.workspace_names):
        here = [team for team in dealt if team.workspace == name]
        holders = [f"group:{group}" for team in here for group in team.holders]
        workspaces[name] = {
            "id": number + 1,
            "admins": [own],
            "assigned": [{"principal": holder, "permissions": ["USER"]} for holder in holders],
            "entitlements": dict.fromkeys(holders, list(ENTITLED)),
            "scopes": [_scope(scope, held) for team in here for scope, held in team.scopes.items()],
        }
    account = {
        "id": ACCOUNT,
        "identity-sync": "aim",
        "admins": [own],
        "secrets": {APP["app-id"]: APP["secret"]},
    }
    return {"account": account, "workspaces": workspaces}


def _scope(name: str, held: Mapping[str, str]) -> dict[str, Any]:
    # Whoever creates a scope manages it.
    acls = {f"sp:{APP['name']}": "MANAGE", **{f"group:{who}": right.upper() for who, right in held.items()}}
    secrets = {"warehouse-password": {"value": "x", "updated": "2099-01-01T00:00:00+00:00"}}
    return {"name": name, "acls": acls, "secrets": secrets}


def _paths(size: Size, dealt: Iterable[Team]) -> Iterator[dict[str, Any]]:
    for team in dealt:
        if team.folders:
            yield {"path": team.name, **WAY}
        for folder, held in team.folders.items():
            entries = [f"group:{group}:{RIGHTS[right]}" for group, right in held.items()]
            access = ",".join([BASE, *entries])
            default = ",".join(f"default:{entry}" for entry in access.split(","))
            path = folder.partition("/")[2]
            yield {"path": path, "acl": f"{access},{default}"}
            for number in range(size.files):
                yield {"path": f"{path}/part-{number:04}.parquet", "type": "file", "acl": access}
