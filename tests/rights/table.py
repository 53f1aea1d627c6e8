"""What the reading identity may do, right by right, and what a plan asks: tables of the documentation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PLAN, APPLY = "reconciler-plan", "reconciler-apply"
Seed = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One right of the reading identity."""

    system: str
    name: str
    gaps: tuple[str, ...]
    """What becomes a gap without it, as patterns over addresses; `<…>` in the documentation is `*` here."""
    give: Callable[[Seed], None]

    def row(self) -> str:
        """Its line in the documentation."""
        return f"| {self.system} | `{self.name}` | {', '.join(f'`{gap}`' for gap in self.gaps)} |"


def _role(name: str) -> Callable[[Seed], None]:
    def give(seed: Seed) -> None:
        principals = seed["directory"]["service-principals"]
        next(each for each in principals if each["name"] == PLAN)["app-roles"].append(name)

    return give


def _administers(workspace: str) -> Callable[[Seed], None]:
    def give(seed: Seed) -> None:
        seed["databricks"]["workspaces"][workspace]["admins"].append(f"sp:{PLAN}")

    return give


def _reads_assignments(seed: Seed) -> None:
    seed["arm"]["readers"].append(f"sp:{PLAN}")


def _reads_data(seed: Seed) -> None:
    role = {"principal": f"sp:{PLAN}", "role": "Storage Blob Data Reader", "scope": "datalake"}
    seed["arm"]["role-assignments"].append(role)


PEOPLE = ("entra/*/group/*", "databricks/*", "adls/*")
RIGHTS = (
    Right(system="Microsoft Graph", name="Directory.Read.All", gaps=PEOPLE, give=_role("Directory.Read.All")),
    Right(
        system="Microsoft Graph",
        name="PrivilegedAssignmentSchedule.Read.AzureADGroup",
        gaps=("entra/*/group/*",),
        give=_role("PrivilegedAssignmentSchedule.Read.AzureADGroup"),
    ),
    Right(
        system="Microsoft Graph",
        name="Member.Read.Hidden",
        gaps=("entra/*/group/fraud-investigations",),
        give=_role("Member.Read.Hidden"),
    ),
    Right(
        system="Databricks",
        name="workspace admin of ml-dev",
        gaps=("databricks/ml-dev/entitlements/*", "databricks/ml-dev/secret-scope/*"),
        give=_administers("ml-dev"),
    ),
    Right(
        system="Databricks",
        name="workspace admin of ml-prod",
        gaps=("databricks/ml-prod/entitlements/*", "databricks/ml-prod/secret-scope/*"),
        give=_administers("ml-prod"),
    ),
    Right(
        system="Azure",
        name="Reader",
        gaps=("adls/datalake/role-assignments/*",),
        give=_reads_assignments,
    ),
    Right(
        system="Azure",
        name="Storage Blob Data Reader",
        gaps=("adls/datalake/folder/*", "adls/datalake/traverse/*"),
        give=_reads_data,
    ),
)
NARROW = ("GroupMember.Read.All", "User.Read.All", "Application.Read.All")
"""In place of Directory.Read.All."""


def bare(seed: Seed) -> Seed:
    """A copy of the sample estate in which the reading identity may do nothing."""
    seed = copy.deepcopy(seed)
    next(each for each in seed["directory"]["service-principals"] if each["name"] == PLAN)["app-roles"] = []
    for workspace in seed["databricks"]["workspaces"].values():
        workspace["admins"].remove(f"sp:{PLAN}")
    seed["arm"]["readers"].remove(f"sp:{PLAN}")
    held = seed["arm"]["role-assignments"]
    seed["arm"]["role-assignments"] = [each for each in held if each["principal"] != f"sp:{PLAN}"]
    return seed


@dataclass(frozen=True, slots=True)
class Posted:
    """A request that reads and is sent as POST."""

    service: str
    """A regular expression over the emulator's endpoints."""
    path: str
    """The same over paths."""
    shown: str
    why: str
    source: str

    def row(self) -> str:
        """Its line in the documentation."""
        return f"| `POST {self.shown}` | {self.why} | {self.source} |"


POSTED = (
    Posted(
        "entra",
        r"/[^/]+/oauth2/v2\.0/token",
        "/<tenant>/oauth2/v2.0/token",
        "signs in",
        "Microsoft identity platform, client credentials flow",
    ),
    Posted(
        "databricks/.*|databricks-account",
        r"(/oidc/v1/token|/oidc/accounts/[^/]+/v1/token)",
        "/oidc/v1/token",
        "signs in",
        "Databricks, OAuth for service principals",
    ),
    Posted(
        "graph",
        r"/(v1\.0|beta)/\$batch",
        "/$batch",
        "up to 20 requests in one, each of them a GET",
        "Microsoft Graph, JSON batching",
    ),
    Posted(
        "graph",
        r"/(v1\.0|beta)/directoryObjects/getByIds",
        "/directoryObjects/getByIds",
        "looks up to 1,000 ids up",
        "Microsoft Graph, directoryObject: getByIds",
    ),
)
"""All of them; everything else that a plan sends is GET or HEAD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """One right of the writing identity."""

    system: str
    name: str
    fails: str
    """What cannot be done without it, in words."""
    said: str
    """What every outcome says that it stops."""
    things: tuple[str, ...]
    """The things that stay as they were, as patterns."""
    take: Callable[[Seed], None]

    def row(self) -> str:
        """Its line in the documentation."""
        return f"| {self.system} | `{self.name}` | {self.fails} |"


def _members_only(seed: Seed) -> None:
    principals = seed["directory"]["service-principals"]
    roles = next(each for each in principals if each["name"] == APPLY)["app-roles"]
    roles.remove("Group.ReadWrite.All")
    roles += ["Group.Read.All", "GroupMember.ReadWrite.All"]


def _no_account(seed: Seed) -> None:
    seed["databricks"]["account"]["admins"].remove(f"sp:{APPLY}")


def _no_workspace(seed: Seed) -> None:
    seed["databricks"]["workspaces"]["ws"]["admins"].remove(f"sp:{APPLY}")


def _contributor(seed: Seed) -> None:
    for each in seed["arm"]["role-assignments"]:
        if each["principal"] == f"sp:{APPLY}":
            each["role"] = "Storage Blob Data Contributor"


NEEDED = (
    Needed(
        system="Microsoft Graph",
        name="Group.ReadWrite.All",
        fails="create, rename, describe and delete groups, change owners; members only need "
        "`GroupMember.ReadWrite.All`",
        said="this identity needs Group.ReadWrite.All",
        things=("group *",),
        take=_members_only,
    ),
    Needed(
        system="Databricks",
        name="account admin",
        fails="assign somebody whom the account does not know yet",
        said="let an account admin add it",
        things=("workspace user:bo",),
        take=_no_account,
    ),
    Needed(
        system="Databricks",
        name="workspace admin",
        fails="everything in the workspace: it cannot even be read, and is a gap",
        said="databricks/ws/entitlements/*: 403",
        things=("workspace *", "scope *"),
        take=_no_workspace,
    ),
    Needed(
        system="Azure",
        name="Storage Blob Data Owner",
        fails="access lists; `Storage Blob Data Contributor` makes, renames and deletes folders",
        said="grant the applying identity Storage Blob Data Owner on the container",
        things=("path *",),
        take=_contributor,
    ),
)
"""What each right of the applying identity is for; the estate that crashes are tried on needs all of it."""
