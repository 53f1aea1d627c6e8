"""What holds in the emulated cloud, in plain words and taken from its own state, never through a provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import walk
from reconciler.emulator.server import Emulator

OWN = frozenset({"sp:reconciler-apply", "sp:reconciler-plan"})


def held(emulator: Emulator) -> dict[str, Any]:
    """Groups, scopes, assignments and paths, each under a name like `group red-ds`, with who holds what."""
    return dict((*_groups(emulator), *_workspace(emulator), *_paths(emulator)))


def _names(emulator: Emulator) -> dict[str, str]:
    directory = emulator.world.directory
    names = {oid: f"user:{user.upn.partition('@')[0]}" for oid, user in directory.users.items()}
    names |= {oid: f"group:{one.display_name}" for oid, one in directory.groups.items()}
    return names | {oid: f"sp:{one.display_name}" for oid, one in directory.service_principals.items()}


def _groups(emulator: Emulator) -> Iterator[tuple[str, Any]]:
    names = _names(emulator)
    for group in emulator.world.directory.groups.values():
        yield (
            f"group {group.display_name}",
            {
                "members": sorted(names.get(oid, oid) for oid in group.members),
                "owners": sorted(names.get(oid, oid) for oid in group.owners),
            },
        )


def _workspace(emulator: Emulator) -> Iterator[tuple[str, Any]]:
    service = emulator.services["databricks"]
    assert isinstance(service, DatabricksService)
    names = _names(emulator)
    account = service.account
    called = {ident: names.get(str(who.external_id), who.name) for ident, who in account.identities.items()}
    space = account.workspaces["ws"]
    for ident, permissions in space.assigned.items():
        rights = sorted([*permissions, *space.entitlements.get(ident, ())])
        yield f"workspace {called[ident]}", rights
    for scope in space.scopes.values():
        acls = sorted((called.get(who, who), right) for who, right in scope.acls.items())
        yield f"scope {scope.name}", {who: right for who, right in acls if who not in OWN}


def _paths(emulator: Emulator) -> Iterator[tuple[str, Any]]:
    service = emulator.services["lake"]
    assert isinstance(service, LakeService)
    names = _names(emulator)
    for container, store in service.account("lake").filesystems.items():
        for path, node in walk(store.root, f"{container}/"):
            acl = node.acl.text
            for oid, name in names.items():
                acl = acl.replace(f"{name.partition(':')[0].replace('sp', 'user')}:{oid}:", f"{name}:")
            yield f"path {path}", acl
