"""A small policy language and a small estate, so that these tests do not depend on any provider."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from reconciler.core.environment import Environment
from reconciler.core.model import Kind, Source
from reconciler.core.vocabulary import Compiled, Declared, DocumentKind, Reach, Vocabulary
from reconciler.policy.load import load
from reconciler.policy.policies import Policies
from reconciler.policy.tree import WorkingTree
from reconciler.providers.document import Document, Principal, Terminable


class Grant(Terminable):
    """Somebody and a right."""

    can: Literal["read", "list", "write"] | tuple[Literal["read", "list", "write"], ...]


class Group(Document):
    """A group."""

    kind: Literal["group"]
    name: str
    members: tuple[Principal | Terminable, ...]


class Scope(Document):
    """A secret scope."""

    kind: Literal["secret-scope"]
    workspace: str
    name: str
    grants: tuple[Grant, ...]


class Folder(Document):
    """A folder."""

    kind: Literal["lake-folder"]
    folder: str
    grants: tuple[Grant, ...]


def _group_reach(declared: Declared) -> Iterator[Reach]:
    yield Reach(
        boundary="groups", installation="", locator=declared.document.name, source=declared.locate("name")
    )


def _scope_reach(declared: Declared) -> Iterator[Reach]:
    document = declared.document
    yield Reach(
        boundary="scopes",
        installation=document.workspace,
        locator=document.name,
        source=declared.locate("name"),
    )


def _folder_reach(declared: Declared) -> Iterator[Reach]:
    lake, _, path = declared.document.folder.partition("/")
    yield Reach(boundary="folders", installation=lake, locator=path, source=declared.locate("folder"))


def _members(declared: Declared) -> Iterator[tuple[str, Source]]:
    for number, member in enumerate(declared.document.members):
        yield getattr(member, "who", member), declared.locate("members", number, "who")


def _grants(declared: Declared) -> Iterator[tuple[str, Source]]:
    for number, grant in enumerate(declared.document.grants):
        yield grant.who, declared.locate("grants", number, "who")


def _workspaces(environment: Environment) -> Collection[str]:
    return environment.databricks.workspaces if environment.databricks else ()


def _vocabulary(provider: str, kind: str, document: DocumentKind[Any]) -> Vocabulary:
    return Vocabulary(
        provider=provider,
        documents=(document,),
        kinds=(Kind(name=kind, rank=1),),
        compile=lambda declared, context: Compiled(),
        open=lambda *arguments: None,
    )


VOCABULARIES = (
    _vocabulary("entra", "group", DocumentKind(
        kind="group", model=Group, reach=_group_reach, principals=_members,
        environments=lambda document, environment: True,
    )),
    _vocabulary("databricks", "secret-scope", DocumentKind(
        kind="secret-scope", model=Scope, reach=_scope_reach, principals=_grants,
        environments=lambda document, environment: document.workspace in _workspaces(environment),
    )),
    _vocabulary("adls", "folder", DocumentKind(
        kind="lake-folder", model=Folder, reach=_folder_reach, principals=_grants,
        environments=lambda document, environment: document.folder.partition("/")[0] in environment.lakes,
    )),
)  # fmt: skip

GUID = "00000000-0000-4000-8000-{:012x}"


def environment(name: str, workspaces: tuple[str, ...] = ("ml",), directory: str = "") -> str:
    """The text of an environment with a lake and these workspaces."""
    return "".join(
        [
            f"kind: environment\nname: {name}\n",
            f"entra: {{name: {directory or name}, tenant-id: {GUID.format(1)}}}\n",
            f"databricks:\n  account-id: {GUID.format(2)}\n  workspaces:\n",
            *(f'    {each}: {{host: "https://{each}.example", workspace-id: "1"}}\n' for each in workspaces),
            "lakes:\n  lake:\n    dfs: https://dfs.example\n    blob: https://blob.example\n",
            "    containers: {curated: {}}\n",
        ]
    )


PLATFORM = {
    "policies/local.yaml": environment("local"),
    "policies/boundaries.yaml": (
        "kind: boundaries\n"
        "tenants:\n"
        "  red: {groups: ['red-*', 'shared'], scopes: [ml/red], folders: [lake/curated/red]}\n"
        "  blue: {groups: ['blue-*', 'shared'], scopes: [ml/blue]}\n"
    ),
    "policies/guardrails.yaml": "kind: guardrails\n",
    "policies/approval-rules.yaml": "kind: approval-rules\nrules: []\n",
    "policies/principals.lock.yaml": (
        "kind: principals-lock\ndirectories:\n  local:\n"
        f"    user:ana@corp.example: {GUID.format(3)}\n    user:bo@corp.example: {GUID.format(4)}\n"
    ),
}
RED = {
    "tenants.d/red/tenant.yaml": "kind: tenant\nname: Red\nadopted: [local]\n",
    "tenants.d/red/groups.yaml": "kind: group\nname: red-ds\nmembers: [user:ana@corp.example]\n",
}

APPROVAL = """\
kind: approval
environment: local
because: agreed in CHG-7
expires: 2027-01-31
override: [{rule: removals, because: "the team moves"}]
actions:
  - verb: grant
    address: databricks/ml/secret-scope/red
    role: acl
    who: group:red-ds
    after: READ
    until: 2027-02-01
    ids: {"group:red-ds": 00000000-0000-4000-8000-000000000007}
  - {verb: set, address: adls/lake/folder/a/b, role: access, who: user:x, before: [null, r-x], after: rwx}
"""
"""Consent to two actions of the tenant red."""


def estate(root: Path, files: Mapping[str, str | bytes | None]) -> Policies:
    """Load the small estate with these files put in (None leaves one out)."""
    for path, text in {**PLATFORM, **RED, **files}.items():
        if text is not None:
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(WorkingTree(root), VOCABULARIES)


def said(policies: Policies) -> list[str]:
    """Every error as a person reads it."""
    return [str(problem) for problem in policies.problems]


def group(name: str, *members: str, more: str = "") -> str:
    """The text of a group."""
    return f"kind: group\nname: {name}\nmembers: [{', '.join(members)}]\n{more}"


def scope(name: str, workspace: str = "ml", more: str = "") -> str:
    """The text of a secret scope without grants."""
    return f"kind: secret-scope\nworkspace: {workspace}\nname: {name}\ngrants: []\n{more}"


def folder(path: str, more: str = "") -> str:
    """The text of a lake folder without grants."""
    return f"kind: lake-folder\nfolder: {path}\ngrants: []\n{more}"
