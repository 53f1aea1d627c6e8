"""What holds in the emulated cloud, taken from its own state: never through a provider, which may not vouch
for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from deepdiff import DeepDiff

from reconciler.core.model import Address, Attribute
from reconciler.emulator.databricks.service import DatabricksService
from reconciler.emulator.directory import Directory
from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import Node, walk
from reconciler.emulator.server import Emulator
from tests.laws.estate import (
    DIRECTORIES,
    EXISTS,
    FILES,
    MANAGED,
    OWN,
    Facts,
    declared_above,
    entitlements,
    group,
    scope,
)


def read_facts(emulator: Emulator) -> Facts:
    """Who holds what of the managed things, in the emulator's own words; own identities left out."""
    facts: Facts = {}
    directory = emulator.world.directory
    names = directory_names(directory)
    for thing in directory.groups.values():
        if group(thing.display_name) in MANAGED["group"]:
            held = {Attribute("member", names[oid]): "member" for oid in thing.members}
            held |= {Attribute("owner", names[oid]): "owner" for oid in thing.owners}
            facts[group(thing.display_name)] = {EXISTS: "present", **held}
    facts.update(_workspace_facts(emulator, names))
    facts.update(_lake_facts(emulator, names))
    return facts


def directory_names(directory: Directory) -> dict[str, str]:
    """Object id to principal."""
    names = {oid: f"user:{user.upn}" for oid, user in directory.users.items()}
    names |= {oid: f"group:{one.display_name}" for oid, one in directory.groups.items()}
    return names | {oid: f"sp:{one.display_name}" for oid, one in directory.service_principals.items()}


def _workspace_facts(emulator: Emulator, names: Mapping[str, str]) -> Facts:
    service = emulator.services["databricks"]
    assert isinstance(service, DatabricksService)
    account = service.account
    space = account.workspaces["ws"]
    called = {ident: names.get(str(who.attrs.get("externalId"))) for ident, who in account.identities.items()}
    facts: Facts = {}
    for ident, permissions in space.assigned.items():
        if entitlements(str(called[ident])) in MANAGED["entitlements"]:
            facts[entitlements(str(called[ident]))] = {
                Attribute("assignment", str(called[ident])): permissions[0]
            }
    for ident, held in space.entitlements.items():
        principal = str(called[ident])
        if entitlements(principal) in MANAGED["entitlements"]:
            granted = {Attribute(role, principal): "held" for role in held}
            facts.setdefault(entitlements(principal), {}).update(granted)
    for found in space.scopes.values():
        if scope(found.name) in MANAGED["secret-scope"]:
            listed = {called.get(ident) or ident: value for ident, value in found.acls.items()}
            granted = {Attribute("acl", who): value for who, value in listed.items() if who != OWN}
            facts[scope(found.name)] = {EXISTS: "present", **granted}
    return facts


def lake_nodes(emulator: Emulator) -> Iterator[tuple[str, Node]]:
    """Every path of the lake with its container, `data/x/f 1.csv`."""
    service = emulator.services["lake"]
    assert isinstance(service, LakeService)
    for name, store in service.account("lake").filesystems.items():
        yield from walk(store.root, f"{name}/")


def _lake_facts(emulator: Emulator, names: Mapping[str, str]) -> Facts:
    """Per path of the managed trees, what each named entry effectively grants: the mask applied.

    What execute says on a file means nothing, so there it follows read.
    """
    facts: Facts = {}
    for path, node in lake_nodes(emulator):
        if not path.startswith(("data/x", "data/y%20y")):
            continue
        lists = {"access": node.acl.access, "default": node.acl.default}
        facts[Address("adls", "lake", "path", path)] = {
            Attribute(role, names.get(entry.who, entry.who)): value
            for role, entries in lists.items()
            for entry in entries
            if entry.who and (value := _effective(entry.bits, entries, node.is_folder)) != "---"
        }
    return facts


def _effective(bits: int, entries: Iterable[acls.Entry], is_folder: bool) -> str:
    mask = acls.bits_of(entries, "mask")
    granted = bits & (7 if mask is None else mask)
    if not is_folder:
        granted = granted & 6 | (1 if granted & 4 else 0)
    return "".join(letter if granted & bit else "-" for letter, bit in zip("rwx", (4, 2, 1), strict=True))


def expected(wanted: Facts) -> Facts:
    """What `read_facts` must give once these facts hold: folders spelt out path by path."""
    facts = {address: grants for address, grants in wanted.items() if address.kind != "folder"}
    if any(address.kind == "folder" for address in wanted):
        for path in (*DIRECTORIES, *FILES):
            owner = declared_above(path, wanted)
            roles = ("access",) if path in FILES else ("access", "default")
            grants = wanted[owner] if owner else {}
            facts[Address("adls", "lake", "path", path)] = {
                fact: value for fact, value in grants.items() if fact.role in roles
            }
    return facts


def reach(emulator: Emulator) -> dict[tuple[str, str], str]:
    """What every person effectively may do at every path of the lake: the services' own evaluation.

    Both readings of Microsoft's documentation are asked; where they differ both are shown.
    """
    directory = emulator.world.directory
    rights = {}
    for path, node in lake_nodes(emulator):
        for oid, name in directory_names(directory).items():
            if not name.startswith("group:"):
                rights[path, name] = "/".join(_may(node, oid, directory.transitive_groups(oid)))
    return rights


def _may(node: Node, oid: str, groups: frozenset[str]) -> Iterator[str]:
    for rule in ("union", "any"):
        for masked in (True, False):
            reading = acls.Reading(groups=rule, masked_other=masked)
            yield "".join(
                letter
                for letter, bit in zip("rwx", (4, 2, 1), strict=True)
                if acls.allows(
                    node.acl,
                    bit,
                    who=oid,
                    groups=groups,
                    owner=node.owner,
                    owning_group=node.group,
                    reading=reading,
                )
            )


def others(emulator: Emulator) -> object:
    """Everything that no policy speaks of, as plain values: it must never change."""
    directory = emulator.world.directory
    databricks = emulator.services["databricks"]
    assert isinstance(databricks, DatabricksService)
    space = databricks.account.workspaces["ws"]
    names = {address.locator for address in MANAGED["group"]}
    scopes = {address.locator for address in MANAGED["secret-scope"]}
    return (
        {
            g.id: (g.display_name, tuple(g.members), tuple(g.owners))
            for g in directory.groups.values()
            if g.display_name not in names
        },
        sorted(directory.users),
        {
            key: (dict(each.acls), sorted(each.secrets))
            for key, each in space.scopes.items()
            if each.name not in scopes
        },
        {path: node.acl.text for path, node in lake_nodes(emulator) if path.startswith("data/not ours/")},
    )


def difference(held: Facts, wanted: Facts) -> str:
    """Where facts differ from what they should be, in words and one line each; "" where they do not."""
    chosen = {str(address): held.get(address, {}) for address in wanted}
    plain = {name: {"/".join(fact): value for fact, value in facts.items()} for name, facts in chosen.items()}
    goal = {
        str(address): {"/".join(fact): value for fact, value in facts.items()}
        for address, facts in wanted.items()
    }
    return DeepDiff(goal, plain, verbose_level=2).pretty() if plain != goal else ""
