"""What the paths of one declared folder should hold, in object ids: enough to judge a path where it is met.

Its law: a verdict is about granted access, never about spelling, and it agrees with the comparison that makes
the plan: what is plainly in step here has no action there, and everything else is kept to be looked at.

Names are looked up once, before anything is read, so that millions of paths can be judged by a table of the
few distinct lists that they hold, on one machine or on many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from reconciler.core.model import (
    EXISTS,
    Address,
    Attribute,
    Identity,
    Lifecycle,
    Presence,
    Source,
    Unlisted,
    Value,
    Wanted,
)
from reconciler.providers.adls.acl import OTHER, Acl, AclError, Entry
from reconciler.providers.adls.canonical import NOWHERE, SUPERUSER, Lens, parsed, scope_of
from reconciler.providers.adls.documents import ACCESS, DEFAULT, EVERYBODY
from reconciler.providers.adls.ground import Key, Tract
from reconciler.providers.adls.naming import entry_of


class Verdict(IntEnum):
    """How one path stands to what is wanted of it."""

    PLAIN = 0
    """In step, and nothing else to tell: paths of one folder that are, are all alike."""
    NOTED = 1
    """In step or nobody's drift, but it holds what a report speaks of: a kept entry, a narrowed file mask, an
    owning group with rights."""
    DRIFT = 2
    UNREADABLE = 3
    """Its list does not parse: the path's folder is a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What decides about a path that is no spot of its folder; folders of equal shape share verdicts."""

    wanted: frozenset[tuple[Attribute, Value, frozenset[Entry]]]
    gone: frozenset[tuple[str, Entry]]
    """Role and entry of what was granted and is to be taken back, whatever else may stay."""
    keeps: bool
    """Whether entries that the document does not list may stay."""
    file_masks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One declared folder as its paths are judged."""

    tract: Tract
    lens: Lens
    shape: Shape

    def verdict(self, key: Key) -> Verdict:
        """How paths with this list, of this sort, at this spot stand."""
        try:
            acl = parsed(key.acl)
        except AclError:
            return Verdict.UNREADABLE
        held = {(role, entry) for role in (ACCESS, DEFAULT) for entry in _named(acl, role)}
        noted = self._owning(acl, key)
        for attribute, value, entries in self.shape.wanted:
            held -= {(attribute.role, entry) for entry in entries}
            if self.lens.value(key, attribute, entries) not in (value, NOWHERE):
                return Verdict.DRIFT
            noted = noted or self.lens.narrowed(key, attribute, entries)
        for role, entry in held:
            if self.lens.value(key, _stranger(role, entry), [entry]) in (None, NOWHERE):
                continue
            if not self.shape.keeps or (role, entry) in self.shape.gone:
                return Verdict.DRIFT
            noted = True
        return Verdict.NOTED if noted else Verdict.PLAIN

    def _owning(self, acl: Acl, key: Key) -> bool:
        """Whether members of the owning group may do anything: what a finding looks into."""
        if not key.group or key.group == SUPERUSER:
            return False
        return bool(acl.access.group & acl.access.limit & (7 if key.directory else 6))


def _named(acl: Acl, role: str) -> Iterable[Entry]:
    scope = scope_of(acl, role)
    return () if scope is None else (*scope.named, OTHER)


def _stranger(role: str, entry: Entry) -> Attribute:
    return Attribute(role, EVERYBODY if entry == OTHER else f"id:{entry.who}")


def expect(tract: Tract, identities: Mapping[str, Identity]) -> Expectation:
    """What the paths of a folder should hold, by who the names of its document stand for.

    A name that stands for nobody today is left out: its grants are blocked, and no path drifts for them.
    """
    want = tract.want
    active = want.lifecycle is Lifecycle.ACTIVE
    grants = {fact: value for fact, value in want.grants.items() if fact.role != EXISTS}
    asked = {fact: value for fact, value in grants.items() if active}
    entries = {fact: frozenset(_entries(fact.principal, identities)) for fact in (*grants, *want.terms)}
    gone = {
        (fact.role, entry)
        for fact, held in entries.items()
        if fact not in asked and fact.role in (ACCESS, DEFAULT)
        for entry in held
    }
    return _expectation(
        tract,
        Shape(
            wanted=frozenset((fact, value, entries[fact]) for fact, value in asked.items() if entries[fact]),
            gone=frozenset(gone),
            keeps=not active or want.unlisted is Unlisted.KEEP or not want.adopted,
            file_masks=tract.enforce_file_masks,
        ),
    )


def _entries(principal: str, identities: Mapping[str, Identity]) -> Iterator[Entry]:
    if principal == EVERYBODY:
        yield OTHER
        return
    identity = identities.get(principal)
    if identity is not None and identity.presence is Presence.KNOWN:
        yield entry_of(principal, identity.object_id)


def _expectation(tract: Tract, shape: Shape) -> Expectation:
    lens = Lens(tract=tract, grants={attribute: value for attribute, value, _ in shape.wanted})
    return Expectation(tract=tract, lens=lens, shape=shape)


def to_document(expectation: Expectation) -> dict[str, Any]:
    """The expectation as JSON-ready values, for a machine that cannot ask the directory."""
    tract, shape = expectation.tract, expectation.shape
    return {
        "lake": tract.address.installation,
        "container": tract.container,
        "path": tract.path,
        "deeper": sorted(tract.deeper),
        "passages": {place: sorted(who) for place, who in sorted(tract.passages.items())},
        "file_masks": shape.file_masks,
        "keeps": shape.keeps,
        "wanted": sorted(
            [fact.role, fact.principal, value, sorted([entry.kind, entry.who] for entry in entries)]
            for fact, value, entries in shape.wanted
        ),
        "gone": sorted([role, entry.kind, entry.who] for role, entry in shape.gone),
    }


def from_document(document: Mapping[str, Any]) -> Expectation:
    """The expectation that `to_document` wrote; raises KeyError, TypeError, ValueError for anything else."""
    locator = f"{document['container']}/{document['path']}"
    address = Address("adls", str(document["lake"]), "folder", locator)
    wanted = frozenset(
        (
            Attribute(str(role), str(principal)),
            str(value),
            frozenset(Entry(str(kind), str(who)) for kind, who in held),
        )
        for role, principal, value, held in document["wanted"]
    )
    want = Wanted(
        address=address, tenant="", source=Source("", 1), grants={fact: value for fact, value, _ in wanted}
    )
    shape = Shape(
        wanted=wanted,
        gone=frozenset((str(role), Entry(str(kind), str(who))) for role, kind, who in document["gone"]),
        keeps=bool(document["keeps"]),
        file_masks=bool(document["file_masks"]),
    )
    tract = Tract(
        address=address,
        want=want,
        container=str(document["container"]),
        path=str(document["path"]),
        deeper=frozenset(map(str, document["deeper"])),
        passages={str(place): frozenset(map(str, who)) for place, who in document["passages"].items()},
        enforce_file_masks=shape.file_masks,
    )
    return _expectation(tract, shape)
