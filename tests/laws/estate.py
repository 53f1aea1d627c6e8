"""Estates in plain words: what should hold and what does, written out as policies and as a seed.

`Facts` is the common tongue: for each address, who holds what.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core.model import Address, Attribute
from reconciler.policy.tree import WORKING_TREE, File, Listing

Grants = dict[Attribute, str]
Facts = dict[Address, Grants]

TENANT = "11111111-1111-4111-8111-111111111111"
USERS = ("user:ana@corp.example", "user:bo@corp.example", "user:cy@corp.example", "user:di@corp.example")
GROUPS = ("group:red", "group:Blue Team", "group:grün")
BOT = "sp:bot one"
PEOPLE = (*USERS, *GROUPS, BOT)
OWN = "sp:reconciler"
APP = {"name": "reconciler", "app-id": "aaaaaaaa-0000-4000-8000-000000000002", "secret": "s"}
ENTITLEMENTS = (
    "workspace-access",
    "databricks-sql-access",
    "allow-cluster-create",
    "allow-instance-pool-create",
)
EXISTS = Attribute("exists")
BELONGS = {"red": (USERS[0],), "Blue Team": (USERS[1], BOT), "grün": ("group:red",)}
"""Who is in the groups that grants are made to."""


def group(name: str) -> Address:
    return Address("entra", "corp", "group", name)


def entitlements(principal: str) -> Address:
    return Address("databricks", "ws", "entitlements", principal)


def scope(name: str) -> Address:
    return Address("databricks", "ws", "secret-scope", name)


def folder(path: str) -> Address:
    return Address("adls", "lake", "folder", path)


MANAGED = {
    "group": (group("team-a"), group("Team B")),
    "entitlements": tuple(entitlements(who) for who in (USERS[0], GROUPS[0], GROUPS[1], BOT)),
    "secret-scope": (scope("one"), scope("two.b")),
    "folder": (folder("data/x"), folder("data/x/deep er"), folder("data/y%20y")),
}
"""The things that the generated policies speak of, by kind."""
RIGHTS = {
    "secret-scope": {"READ": "read", "WRITE": "write", "MANAGE": "manage"},
    "folder": {"r-x": "read", "rwx": "write"},
}
NO_LIMIT = {"*": {"count": 1_000, "percent": 100}}
"""These estates are so small that every second removal would be over a limit."""
FILES = ("data/x/f 1.csv", "data/x/sub/g+h.csv", "data/x/deep er/ü.csv", "data/y%20y/k")
DIRECTORIES = ("data/x", "data/x/sub", "data/x/deep er", "data/y%20y")


@dataclass(frozen=True, slots=True)
class Policies:
    """Policies in memory: a tree that was never on a disk."""

    documents: tuple[tuple[str, str], ...]
    revision: str = WORKING_TREE

    def read(self) -> Listing:
        """Every file, as the loader wants it."""
        return Listing(files=tuple(File(path, text.encode()) for path, text in self.documents), problems=())


def policies(wanted: Facts, environment: Mapping[str, Any], **terms: Any) -> Policies:
    """Policies that want exactly these facts, of one tenant that has adopted the environment.

    `terms` go into every document, such as `unlisted="keep"`.
    """
    boundary = {"groups": ["**"], "workspaces": ["ws"], "scopes": ["ws/**"], "folders": ["lake/**"]}
    platform: dict[str, list[Any]] = {
        "policies/environment.yaml": [environment],
        "policies/boundaries.yaml": [{"kind": "boundaries", "tenants": {"t": boundary}}],
        "policies/guardrails.yaml": [
            {"kind": "guardrails", "removals": NO_LIMIT, "own-identities": ["sp:reconciler"]}
        ],
        "tenants.d/t/tenant.yaml": [{"kind": "tenant", "name": "T", "adopted": ["test"]}],
        "tenants.d/t/access.yaml": [{**document(*each), **terms} for each in sorted(wanted.items())],
    }
    texts = {
        path: "\n---\n".join(json.dumps(each) for each in docs) for path, docs in platform.items() if docs
    }
    return Policies(tuple(sorted(texts.items())))


def document(address: Address, grants: Grants) -> dict[str, Any]:
    """The document that asks for one thing's facts."""
    held = {fact: value for fact, value in grants.items() if fact.principal}
    if address.kind == "group":
        return {
            "kind": "group",
            "name": address.locator,
            "members": sorted(fact.principal for fact in held if fact.role == "member"),
            "owners": sorted(fact.principal for fact in held if fact.role == "owner"),
        }
    if address.kind == "entitlements":
        can = sorted(fact.role for fact in held if fact.role != "assignment")
        return {"kind": "entitlements", "workspace": "ws", "grants": [{"who": address.locator, "can": can}]}
    words = RIGHTS[address.kind]
    listed = [
        {"who": fact.principal, "can": words[value]}
        for fact, value in sorted(held.items())
        if fact.role in ("acl", "access")
    ]
    if address.kind == "secret-scope":
        return {"kind": "secret-scope", "workspace": "ws", "name": address.locator, "grants": listed}
    return {"kind": "lake-folder", "folder": f"lake/{address.locator}", "grants": listed}


def seed(live: Facts, lists: Mapping[str, str] | None = None, assigned: bool = False) -> dict[str, Any]:
    """A seed with these facts, and beside them things that no policy speaks of.

    `lists` gives access lists of single paths of the lake, where they are to be other than plain;
    `assigned` puts everybody into the workspace, as whoever is on a secret scope's list has to be.
    """
    return {
        "switches": {"databricks.stale-seconds": 0, "databricks.acl-fresh-group-seconds": 0},
        "directory": _directory(live),
        "arm": {
            "storage-accounts": {"lake": {}},
            "readers": ["sp:reconciler"],
            "role-assignments": [
                {"principal": "sp:reconciler", "role": "Storage Blob Data Owner", "scope": "lake"}
            ],
        },
        "databricks": _databricks(live, assigned),
        "lakes": {"lake": {"filesystems": {"data": {"root": ROOT, "paths": _paths(live, lists or {})}}}},
    }


def _directory(live: Facts) -> dict[str, Any]:
    managed = [
        {
            "name": address.locator,
            "members": [fact.principal for fact in grants if fact.role == "member"],
            "owners": [fact.principal for fact in grants if fact.role == "owner"],
        }
        for address, grants in live.items()
        if address.kind == "group"
    ]
    fixed = [{"name": name, "members": list(members)} for name, members in BELONGS.items()]
    roles = ["Group.ReadWrite.All", "User.Read.All", "Application.Read.All"]
    roles += ["PrivilegedAssignmentSchedule.Read.AzureADGroup", "Member.Read.Hidden"]
    return {
        "tenant-id": TENANT,
        "users": [{"upn": name.removeprefix("user:")} for name in (*USERS, "user:out@corp.example")],
        "service-principals": [
            {**APP, "app-roles": roles},
            {"name": "bot one", "app-id": "bbbbbbbb-0000-4000-8000-000000000001"},
        ],
        "groups": [*fixed, {"name": "not ours", "members": ["user:out@corp.example"]}, *managed],
    }


def _databricks(live: Facts, everybody: bool) -> dict[str, Any]:
    assigned = [
        {"principal": address.locator, "permissions": ["USER"]}
        for address, grants in live.items()
        if address.kind == "entitlements" and any(fact.role == "assignment" for fact in grants)
    ]
    if everybody:
        assigned = [{"principal": who, "permissions": ["USER"]} for who in PEOPLE]
    held = {
        address.locator: sorted(fact.role for fact in grants if fact.role != "assignment")
        for address, grants in live.items()
        if address.kind == "entitlements"
    }
    scopes = [
        {
            "name": address.locator,
            "acls": {_label(fact.principal): value for fact, value in grants.items() if fact.principal},
        }
        for address, grants in live.items()
        if address.kind == "secret-scope"
    ]
    others = {"name": "not-ours", "acls": {"red": "MANAGE"}, "secrets": {"k": {"value": CANARY}}}
    return {
        "account": {
            "id": "22222222-2222-4222-8222-222222222222",
            "identity-sync": "aim",
            "admins": ["sp:reconciler"],
            "resolved": list(PEOPLE),
            "secrets": {APP["app-id"]: APP["secret"]},
        },
        "workspaces": {
            "ws": {
                "id": 1,
                "admins": ["sp:reconciler"],
                "assigned": assigned,
                "entitlements": held,
                "scopes": [others, *scopes],
            }
        },
    }


ROOT = {"acl": "user::rwx,group::r-x,other::--x"}
CANARY = "canary-7f3d9c-secret-value"


def _label(principal: str) -> str:
    """What Databricks calls a principal in an access list."""
    name = principal.partition(":")[2]
    return "bbbbbbbb-0000-4000-8000-000000000001" if principal == BOT else name


def _paths(live: Facts, lists: Mapping[str, str]) -> list[dict[str, Any]]:
    paths: list[dict[str, Any]] = [
        {"path": "not ours/z", "acl": "user::rwx,user:out@corp.example:rwx,group::r-x,mask::rwx,other::---"}
    ]
    for path in (*DIRECTORIES, *FILES):
        is_file = path in FILES
        owner = declared_above(path, live)
        text = lists.get(path) or access_list(live.get(owner, {}) if owner else {}, is_file)
        text = text.replace("other::---", "other::--x", 1) if path == "data/x" else text
        paths.append(
            {"path": path.partition("/")[2], "type": "file" if is_file else "directory", "acl": text}
        )
    return paths


def declared_above(path: str, live: Facts) -> Address | None:
    above = [
        address
        for address in live
        if address.kind == "folder" and (path == address.locator or path.startswith(address.locator + "/"))
    ]
    return max(above, key=lambda address: len(address.locator), default=None)


def access_list(grants: Grants, is_file: bool) -> str:
    """The plain access list that grants these rights: the mask lets everything through."""
    entries = ["user::rwx", "group::r-x", "mask::rwx", "other::---"]
    entries += [f"{fact.principal}:{value}" for fact, value in grants.items() if fact.role == "access"]
    if not is_file:
        entries += ["default:user::rwx", "default:group::r-x", "default:mask::rwx", "default:other::---"]
        entries += [
            f"default:{fact.principal}:{value}" for fact, value in grants.items() if fact.role == "default"
        ]
    return ",".join(entries)
