"""Role assignments that outrank access control lists: who reads or writes a container whatever its lists say.

Its law: a role that cannot be looked up is a gap, not a harmless role.

Azure checks data roles first, and asks the lists only where no role allows it (Microsoft docs: access control
model in Azure Data Lake Storage).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from reconciler.core.model import Address, Finding, Gap, Identity
from reconciler.providers.adls.client import LakeReader, Refused
from reconciler.providers.adls.documents import PROVIDER, ROLES
from reconciler.providers.transport import Lost, Unreachable

API_VERSION = "2022-04-01"
BLOBS = "microsoft.storage/storageaccounts/blobservices/containers/blobs/"
READING = (f"{BLOBS}read",)
WRITING = tuple(
    BLOBS + action
    for action in (
        "write",
        "delete",
        "add/action",
        "move/action",
        "manageownership/action",
        "modifypermissions/action",
        "runassuperuser/action",
    )
)
"""Data actions on what a container holds (Microsoft docs: Azure permissions for Storage)."""


class Role(NamedTuple):
    """What a role is called and what it does to data."""

    name: str
    does: str
    """`read`, `write`, both, or "" where it does not reach data."""


BUILT_IN = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": Role("Storage Blob Data Owner", "read and write"),
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": Role("Storage Blob Data Contributor", "read and write"),
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": Role("Storage Blob Data Reader", "read"),
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": Role("Owner", ""),
    "b24988ac-6180-42a0-ab88-20f7382dd24c": Role("Contributor", ""),
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": Role("Reader", ""),
}
"""Microsoft docs: Azure built-in roles.  Every other role is looked up."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Somebody holds a data role on a container, be it from far above."""

    container: str
    """"*" where it holds on more than one container."""
    who: str
    """Object id."""
    role: Role
    scope: str
    condition: str


@dataclass(slots=True, kw_only=True)
class Roles:
    """What was read of one lake's role assignments."""

    lake: str
    assignments: list[Assignment] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def findings(self, names: Mapping[str, Identity]) -> Iterable[Finding]:
        """One finding for every assignment that outranks the lists."""
        for each in sorted(set(self.assignments), key=lambda each: (each.container, each.scope, each.who)):
            identity = names.get(each.who)
            who = identity.principal if identity else f"id:{each.who}"
            where = "every container" if each.container == "*" else f"container {each.container}"
            condition = ", under a condition" if each.condition else ""
            yield Finding(
                rule="bypass",
                address=Address(PROVIDER, self.lake, ROLES, each.container),
                text=f"{who} holds {each.role.name} at {each.scope}{condition}, and may {each.role.does} "
                f"in {where} whatever the folders' lists say",
            )


async def read_roles(reader: LakeReader, lake: str, resource_id: str, containers: Sequence[str]) -> Roles:
    """Every assignment of a data role at and above these containers."""
    found = Roles(lake=lake)
    if not resource_id:
        found.gaps.append(
            _gap(
                lake,
                "*",
                f"the environment gives no `resource-id` for lake {lake}; add the account's",
            )
        )
        return found
    known: dict[str, Role] = dict(BUILT_IN)
    await asyncio.gather(*(_container(reader, found, resource_id, each, known) for each in containers))
    return found


async def _container(
    reader: LakeReader, found: Roles, resource_id: str, container: str, known: dict[str, Role]
) -> None:
    scope = f"{resource_id}/blobServices/default/containers/{container}"
    try:
        for item in await _listed(reader, f"{scope}/providers/Microsoft.Authorization/roleAssignments"):
            properties = item["properties"]
            role = await _role(reader, str(properties["roleDefinitionId"]), known)
            if not role.does:
                continue
            own = str(properties["scope"]).lower() == scope.lower()
            found.assignments.append(
                Assignment(
                    container=container if own else "*",
                    who=str(properties["principalId"]).lower(),
                    role=role,
                    scope=_short(str(properties["scope"])),
                    condition=str(properties.get("condition") or ""),
                )
            )
    except Refused as error:
        hint = "; grant the reading identity Reader on the storage account" if error.status == 403 else ""
        found.gaps.append(_gap(found.lake, container, f"{error}{hint}", error.short))
    except (Unreachable, Lost) as error:
        found.gaps.append(_gap(found.lake, container, str(error)))
    except (KeyError, TypeError, AttributeError) as error:
        found.gaps.append(_gap(found.lake, container, f"an assignment is not of the known shape: {error!r}"))


async def _listed(reader: LakeReader, path: str) -> list[Any]:
    """All pages of a list."""
    items: list[Any] = []
    # `atScope()` is at and above, never below (Microsoft docs: list role assignments by REST).
    page = await reader.resource(path, {"api-version": API_VERSION, "$filter": "atScope()"})
    followed = set[str]()
    while True:
        items += page["value"]
        link = page.get("nextLink")
        if not link:
            return items
        if link in followed:
            raise Lost("the list of role assignments goes round in circles")
        followed.add(link)
        page = await reader.resource(str(link), {})


async def _role(reader: LakeReader, definition: str, known: dict[str, Role]) -> Role:
    ident = definition.rpartition("/")[2].lower()
    if ident not in known:
        properties = (await reader.resource(definition, {"api-version": API_VERSION}))["properties"]
        known[ident] = Role(str(properties["roleName"]), _does(properties["permissions"]))
    return known[ident]


def _does(permissions: Iterable[Mapping[str, Any]]) -> str:
    """What the data actions of a definition come to."""
    does = []
    permissions = list(permissions)
    for word, actions in (("read", READING), ("write", WRITING)):
        if any(
            _matches(action, each.get("dataActions") or ())
            and not _matches(action, each.get("notDataActions") or ())
            for each in permissions
            for action in actions
        ):
            does.append(word)
    return " and ".join(does)


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(action, pattern.lower()) for pattern in patterns)


def _short(scope: str) -> str:
    """A scope in the words that people use for it."""
    parts = scope.strip("/").split("/")
    if scope in ("", "/"):
        return "the root of the tenant"
    names = {
        "containers": "container",
        "storageaccounts": "storage account",
        "resourcegroups": "resource group",
    }
    for at in range(len(parts) - 2, -1, -1):
        word = names.get(parts[at].lower())
        if word:
            return f"{word} {parts[at + 1]}"
    return f"{parts[-2]} {parts[-1]}" if len(parts) > 1 else scope


def _gap(lake: str, container: str, reason: str, status: str = "") -> Gap:
    address = Address(PROVIDER, lake, ROLES, container)
    return Gap(address=address, reason=f"role assignments cannot be read: {reason}", status=status)
