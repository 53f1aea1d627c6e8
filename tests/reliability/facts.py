"""What holds in the emulated cloud, fact by fact, taken from its own state and never through a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.lake import acl as acls
from reconciler.emulator.server import Emulator
from tests.laws.facts import directory_names, lake_nodes
from tests.reliability.estate import Facts


def facts(emulator: Emulator) -> Facts:
    """Everything that anybody holds anywhere, and every thing that is there."""
    names = directory_names(emulator.world.directory)
    return dict((*_groups(emulator, names), *_workspace(emulator, names), *_lake(emulator, names)))


def _groups(emulator: Emulator, names: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    alike: dict[str, int] = {}
    for group in emulator.world.directory.groups.values():
        thing = f"group {group.display_name}"
        alike[thing] = alike.get(thing, 0) + 1
        # Two groups of one name are what a creation that was sent twice would leave.
        yield (thing, "exists"), str(alike[thing])
        if group.description:
            yield (thing, "description"), str(group.description)
        for role, holders in {"member": group.members, "owner": group.owners}.items():
            for oid in holders:
                yield (thing, f"{role} {names.get(oid, oid)}"), "held"


def _workspace(emulator: Emulator, names: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    service = emulator.services["databricks"]
    assert isinstance(service, DatabricksService)
    account = service.account
    space = account.workspaces["ws"]
    called = {ident: names.get(str(who.external_id), who.name) for ident, who in account.identities.items()}
    for ident, permissions in space.assigned.items():
        yield (f"workspace {called[ident]}", "assigned"), "+".join(permissions)
    for ident, rights in space.entitlements.items():
        for right in rights:
            yield (f"workspace {called.get(ident, ident)}", right), "held"
    for scope in space.scopes.values():
        yield (f"scope {scope.name}", "exists"), "1"
        yield from (((f"scope {scope.name}", f"secret {key}"), "there") for key in scope.secrets)
        for who, right in scope.acls.items():
            yield (f"scope {scope.name}", called.get(who, who)), str(right)


def _lake(emulator: Emulator, names: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Per path what each entry grants, the mask applied."""
    for path, node in lake_nodes(emulator):
        if not path.startswith("data"):
            continue
        yield (f"path {path}", "exists"), "1"
        for role, entries in {"access": node.acl.access, "default": node.acl.default}.items():
            mask = acls.bits_of(entries, "mask")
            for entry in entries:
                if entry.kind == "mask":
                    continue
                who = names.get(entry.who, entry.who) or f"{entry.kind}::"
                masked = bool(entry.who) or entry.kind == "group"
                bits = entry.bits & mask if masked and mask is not None else entry.bits
                yield (f"path {path}", f"{role} {who}"), format(bits, "03b")


def difference(found: Mapping[tuple[str, str], str], wanted: Mapping[tuple[str, str], str]) -> list[str]:
    """Where facts are other than they should be, in words."""
    keys = sorted(found.keys() | wanted.keys())
    return [
        f"{' '.join(key)} is {found.get(key, 'not there')}, not {wanted.get(key, 'absent')}"
        for key in keys
        if found.get(key) != wanted.get(key)
    ]
