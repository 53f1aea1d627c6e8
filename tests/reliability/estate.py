"""Small estates, one a scene, that between them make the reconciler send every kind of request it knows.

A scene is a live state, policies that want another one, and what must hold once those are applied: written
out here by hand, as the suite's own idea of right and wrong.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulator.arm.service import ArmService
from reconciler.emulator.server import Emulator
from tests.cli.desk import seed
from tests.laws.estate import Policies

APPLY = "sp:reconciler-apply"
APPS = ["Group.ReadWrite.All", "User.Read.All", "Application.Read.All", "Member.Read.Hidden"]
APPS += ["PrivilegedAssignmentSchedule.Read.AzureADGroup", "AdministrativeUnit.Read.All"]
PEOPLE = ("ana", "bo", "cy", "eve", "lea", "bea", "noor", "glass")
BOUNDARY = {"groups": ["**"], "workspaces": ["ws"], "scopes": ["ws/**"], "folders": ["lake/**"]}

Facts = dict[tuple[str, str], str]
"""(thing, who holds what on it) to how: `("group team", "member user:ana")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One estate with its drift."""

    name: str
    seed: Mapping[str, Any]
    documents: tuple[Mapping[str, Any], ...]
    after: Mapping[str, Mapping[str, str]]
    """What is other once all is applied, by thing: holder to value, "" for nothing."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the environment document that are other than usual."""
    stored: bool = False
    """Whether its journal and its lock are in a container."""
    inventory: str = ""
    """The form of the inventory that the lake is read from; "" where it is listed."""
    leaver: str = ""
    """Whom somebody may delete in the meantime; "" where the scene is about nobody."""


def user(name: str) -> str:
    """A person of the estates."""
    return f"user:{name}@corp.example"


def live(**parts: Any) -> dict[str, Any]:
    """A seed in which every object id is the same in every run, as consent is given for them."""
    document = seed(**parts)
    document["directory"]["service-principals"][1]["app-roles"] = APPS
    document["directory"]["service-principals"].append({"name": "bot"})
    return document


def policies(scene: Scene, emulator: Emulator) -> Policies:
    """The scene's policies, of one tenant that has adopted the environment."""
    documents: dict[str, list[Mapping[str, Any]]] = {
        "policies/environment.yaml": [
            _inventoried(environment(emulator), scene.inventory) | dict(scene.environment)
        ],
        "policies/boundaries.yaml": [{"kind": "boundaries", "tenants": {"t": BOUNDARY}}],
        "policies/guardrails.yaml": [{"kind": "guardrails", "own-identities": [APPLY]}],
        "tenants.d/t/tenant.yaml": [{"kind": "tenant", "name": "T", "adopted": ["test"]}],
        "tenants.d/t/access.yaml": list(scene.documents),
    }
    texts = {path: "\n---\n".join(map(json.dumps, docs)) for path, docs in documents.items()}
    return Policies(tuple(sorted(texts.items())))


def _inventoried(document: dict[str, Any], form: str) -> dict[str, Any]:
    if form:
        document["lakes"]["lake"]["inventory"] = {"container": "inventory", "rule": "nightly"}
    return document


def environment(emulator: Emulator) -> dict[str, Any]:
    """The environment document of the emulated cloud, with the patience that is the default."""
    arm = emulator.services["arm"]
    assert isinstance(arm, ArmService)
    return {
        "kind": "environment",
        "name": "test",
        "entra": {
            "name": "corp",
            "tenant-id": "11111111-1111-4111-8111-111111111111",
            "authority": emulator.url("entra"),
            "graph": emulator.url("graph"),
            "arm": emulator.url("arm"),
        },
        "databricks": {
            "account-id": "22222222-2222-4222-8222-222222222222",
            "account-host": emulator.url("databricks-account"),
            "workspaces": {"ws": {"host": emulator.url("databricks/ws"), "workspace-id": "1000000000000001"}},
        },
        "lakes": {
            "lake": {
                "dfs": emulator.url("lake/lake/dfs"),
                "blob": emulator.url("lake/lake/blob"),
                "resource-id": arm.estate.account_id("lake"),
                "containers": {"data": {"traverse": "everyone"}},
            }
        },
        "azure-credential": "client-secret",
        "databricks-credential": "oauth-m2m",
        "ca-file": str(emulator.ca_file),
    }


def group_document(name: str, **more: Any) -> dict[str, Any]:
    """A group as a document."""
    return {"kind": "group", "name": name, "members": [], **more}


LENT = {"group": "group:team", "principal": user("glass"), "end": "2027-02-01", "activated": True}
"""No document names whom PIM has let in for a while: who does not see that would throw him out."""
MEMBERS = Scene(
    name="members",
    leaver=user("cy"),
    seed=live(
        groups=[
            {"name": "team", "members": [user("ana"), user("bo"), user("glass"), "sp:bot"]},
            {"name": "nested", "members": [user("eve")]},
        ],
        directory={"pim-assignments": [LENT]},
    ),
    documents=(group_document("team", members=[user("ana"), user("cy"), "group:nested"]),),
    after={
        "group team": {
            f"member {user('bo')}": "",
            "member sp:bot": "",
            f"member {user('cy')}": "held",
            "member group:nested": "held",
        }
    },
)
OWNERS = Scene(
    name="owners",
    leaver=user("ana"),
    seed=live(groups=[{"name": "team", "members": [user("bo")], "owners": [user("lea"), user("bea")]}]),
    documents=(
        group_document(
            "team", members=[user("ana")], owners=[user("lea"), user("noor")], description="all of us"
        ),
    ),
    after={
        "group team": {
            "description": "all of us",
            f"member {user('ana')}": "held",
            f"member {user('bo')}": "",
            f"owner {user('bea')}": "",
            f"owner {user('noor')}": "held",
        }
    },
)
GROUPS = Scene(
    name="groups",
    leaver=user("ana"),
    seed=live(groups=[{"name": "old-name", "members": [user("ana")]}, {"name": "closing"}]),
    documents=(
        group_document("new-name", was="old-name", members=[user("ana")]),
        group_document("closing", state="retired", destroy=True),
        group_document("fresh"),
    ),
    after={
        "group old-name": {"exists": "", f"member {user('ana')}": ""},
        "group new-name": {"exists": "1", f"member {user('ana')}": "held"},
        "group closing": {"exists": ""},
        "group fresh": {"exists": "1"},
    },
)
LEAVER = {"who": user("eve"), "can": ["allow-cluster-create"]}
PLACES = Scene(
    name="places",
    leaver="group:blue",
    seed=live(
        groups=[{"name": "red", "members": [user("ana")]}, {"name": "blue"}],
        workspace={
            "assigned": [
                {"principal": "group:red", "permissions": ["USER"]},
                {"principal": user("eve"), "permissions": ["USER"]},
            ],
            "entitlements": {"group:red": ["workspace-access"], user("eve"): ["allow-cluster-create"]},
        },
    ),
    documents=(
        {
            "kind": "entitlements",
            "workspace": "ws",
            "grants": [
                {"who": "group:red", "can": ["databricks-sql-access"]},
                {"who": "group:blue", "can": ["workspace-access"]},
            ],
        },
        {"kind": "entitlements", "workspace": "ws", "state": "retired", "grants": [LEAVER]},
    ),
    after={
        "workspace group:red": {"workspace-access": "", "databricks-sql-access": "held"},
        "workspace group:blue": {"assigned": "USER", "workspace-access": "held"},
        f"workspace {user('eve')}": {"assigned": "", "allow-cluster-create": ""},
    },
)


def _scope(name: str, *grants: tuple[str, str], **more: Any) -> dict[str, Any]:
    held = [{"who": who, "can": can} for who, can in grants]
    return {"kind": "secret-scope", "workspace": "ws", "name": name, "grants": held, **more}


ASSIGNED = [{"principal": f"group:{name}", "permissions": ["USER"]} for name in ("red", "green")]
VALUE = {"value": "canary-secret-value", "updated": "2026-11-01T08:00:00Z"}
ACLS = Scene(
    name="acls",
    leaver="group:red",
    seed=live(
        groups=[{"name": "red", "members": [user("ana")]}, {"name": "green"}],
        workspace={
            "assigned": ASSIGNED,
            "scopes": [
                {
                    "name": "one",
                    "acls": {"red": "READ", "green": "READ", APPLY: "MANAGE"},
                    "secrets": {"key": VALUE},
                }
            ],
        },
    ),
    documents=(_scope("one", ("group:red", "write"), keys=[{"name": "key"}]),),
    after={"scope one": {"group:red": "WRITE", "group:green": ""}},
)
SCOPES = Scene(
    name="scopes",
    seed=live(
        groups=[{"name": "green"}],
        workspace={
            "assigned": ASSIGNED[1:],
            "scopes": [{"name": "closing", "acls": {APPLY: "MANAGE"}}],
        },
    ),
    documents=(_scope("two"), _scope("closing", state="retired", destroy=True)),
    after={
        "scope two": {"exists": "1", APPLY: "MANAGE"},
        "scope closing": {"exists": "", APPLY: ""},
    },
)
RED = {"name": "red", "members": [user("ana")]}
PLAIN = "user::rwx,group::r-x,other::---"


def _folder(path: str, *grants: tuple[str, str], **more: Any) -> dict[str, Any]:
    held = [{"who": who, "can": can} for who, can in grants]
    return {"kind": "lake-folder", "folder": f"lake/data/{path}", "grants": held, **more}


def _lists(*who: str, folder: bool, gone: str = "") -> dict[str, str]:
    """What a path's lists say of these once they may read, and of one who may not any more."""
    held = {f"access {name}": "101" for name in who} | ({f"access {gone}": ""} if gone else {})
    if folder:
        base = {"default user::": "111", "default group::": "101", "default other::": "000"}
        held |= base | {f"default {name}": "101" for name in who}
    return held


def _whole(path: str, there: bool) -> dict[str, dict[str, str]]:
    """A path with a plain list, or none."""
    held = {"exists": "1", "access user::": "111", "access group::": "101", "access other::": "000"}
    return {f"path data/{path}": held if there else dict.fromkeys(held, "")}


OPERATOR = {"name": "Lake operator", "data-actions": ["Microsoft.Storage/*"]}
HOLDERS = [
    {"principal": APPLY, "role": "Storage Blob Data Owner", "scope": "lake"},
    {"principal": user("glass"), "role": "Lake operator", "scope": "lake"},
]
READERS = ("group:red", user("bo"))
LISTS = Scene(
    name="lists",
    leaver="group:red",
    seed=live(
        groups=[RED],
        paths=[
            {"path": "red", "acl": f"{PLAIN},{user('eve')}:r-x"},
            {"path": "red/odd", "acl": f"{PLAIN},{user('bo')}:r-x,{user('eve')}:r-x"},
        ],
        arm={"role-definitions": [OPERATOR], "role-assignments": HOLDERS},
    ),
    documents=(_folder("red", *((who, "read") for who in READERS)),),
    after={
        "path data/red": _lists(*READERS, folder=True, gone=user("eve")),
        "path data/red/odd": _lists(*READERS, folder=True, gone=user("eve")),
    },
)
TREE = Scene(
    name="tree",
    leaver="group:red",
    seed=live(
        groups=[RED],
        paths=[
            {"path": "red", "acl": f"{PLAIN},{user('eve')}:r-x"},
            *({"path": f"red/{n}", "type": "file", "acl": f"{PLAIN},{user('eve')}:r-x"} for n in range(12)),
        ],
    ),
    documents=(_folder("red", ("group:red", "read")),),
    after={
        "path data/red": _lists("group:red", folder=True, gone=user("eve")),
        **{f"path data/red/{n}": _lists("group:red", folder=False, gone=user("eve")) for n in range(12)},
    },
)
FOLDERS = Scene(
    name="folders",
    seed=live(
        paths=[
            {"path": "was", "acl": PLAIN},
            {"path": "was/x", "acl": PLAIN},
            {"path": "closing", "acl": PLAIN},
        ]
    ),
    documents=(
        _folder("now", was="lake/data/was"),
        _folder("fresh"),
        _folder("closing", state="retired", destroy=True),
    ),
    after={
        **_whole("now", True),
        **_whole("now/x", True),
        **_whole("was", False),
        **_whole("was/x", False),
        **_whole("fresh", True),
        **_whole("closing", False),
    },
)
BY_PATH = Scene(
    name="by-path",
    leaver="group:red",
    seed=live(
        groups=[RED],
        paths=[{"path": "red", "acl": PLAIN}, {"path": "red/a", "type": "file", "acl": PLAIN}],
        switches={"lake.list-blobs-permissions": "refused"},
    ),
    documents=(_folder("red", ("group:red", "read")),),
    after={
        "path data/red": _lists("group:red", folder=True),
        "path data/red/a": _lists("group:red", folder=False),
    },
    environment={
        "accepted-gaps": [{"address": "adls/lake/folder/data/[*]", "until": "2099-01-01", "because": "known"}]
    },
)


def wanted(scene: Scene, before: Facts) -> Facts:
    """What must hold once all is applied."""
    changes = {(thing, fact): value for thing, held in scene.after.items() for fact, value in held.items()}
    return {key: value for key, value in {**before, **changes}.items() if value}


def reseeded(scene: Scene) -> dict[str, Any]:
    """The scene's seed, to be handed to an emulator that may keep it."""
    return copy.deepcopy(dict(scene.seed))
