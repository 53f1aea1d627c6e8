"""Access control lists as values: read them, weigh them, and merge approved entries into them.

Its law: a merge changes what the named entries grant and nobody else's effective access, whichever of
Microsoft's two texts on `other` holds: the prose says that the mask does not cover it, the algorithm beside
it masks it too (Microsoft docs: access control lists in Azure Data Lake Storage).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

READ, WRITE, EXECUTE = 4, 2, 1
ALL = READ | WRITE | EXECUTE
LIMIT = 32
"""Entries that the access list and the default list may hold, each for itself (Microsoft docs: limits for
Azure RBAC and ACLs)."""
NAMED_LIMIT = 28
"""Named entries that fit beside owner, owning group, mask and other (same source)."""

SPELLED = tuple(
    f"{'r' if bits & READ else '-'}{'w' if bits & WRITE else '-'}{'x' if bits & EXECUTE else '-'}"
    for bits in range(8)
)
BITS = {text: bits for bits, text in enumerate(SPELLED)}


class Entry(NamedTuple):
    """Who an entry is for: a `user` or a `group` by object id, or `other`, everybody else."""

    kind: str
    who: str = ""


OTHER = Entry("other")
Changes = Mapping[Entry, int | None]
"""What each entry should grant effectively; None takes a named entry away, and leaves `other` nothing."""


class AclError(ValueError):
    """A text that is not an access control list; the message quotes the part that is wrong."""


class Conflict(Exception):
    """No list exists that grants these entries what they should have and leaves everybody else alone."""

    def __init__(self, entries: frozenset[Entry], reason: str) -> None:
        super().__init__(reason)
        self.entries = entries
        """The changes without which the rest can be merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The access list, or the default list, of one path."""

    owner: int
    group: int
    other: int
    mask: int | None = None
    named: Mapping[Entry, int]

    def effective(self, entry: Entry) -> int | None:
        """What an entry grants after the mask; None where there is no such entry.  `other` is not masked."""
        if entry.kind == "other":
            return self.other
        bits = self.named.get(entry)
        return bits if bits is None else bits & self.limit

    @property
    def limit(self) -> int:
        """The bits that named entries and the owning group may use."""
        return ALL if self.mask is None else self.mask

    @property
    def size(self) -> int:
        """How many entries the service counts."""
        return 3 + len(self.named) + (self.mask is not None)

    def entries(self) -> Iterator[str]:
        """The entries in the service's own order."""
        yield f"user::{SPELLED[self.owner]}"
        yield from self._named("user")
        yield f"group::{SPELLED[self.group]}"
        yield from self._named("group")
        if self.mask is not None:
            yield f"mask::{SPELLED[self.mask]}"
        yield f"other::{SPELLED[self.other]}"

    def _named(self, kind: str) -> Iterator[str]:
        for entry, bits in self.named.items():
            if entry.kind == kind:
                yield f"{kind}:{entry.who}:{SPELLED[bits]}"


@dataclass(frozen=True, slots=True)
class Acl:
    """Both lists of one path; files and many directories have no default list."""

    access: Scope
    default: Scope | None = None

    @property
    def text(self) -> str:
        """The whole list as `x-ms-acl` takes it.

        Both scopes always go together: a list without default entries may remove those that are there.
        """
        parts = list(self.access.entries())
        if self.default is not None:
            parts += [f"default:{entry}" for entry in self.default.entries()]
        return ",".join(parts)


FRESH = Scope(owner=ALL, group=READ | EXECUTE, other=0, named={})
"""The default list that is begun with where a directory has none.

It gives a new child what it would have got without: the service creates with mode 0777 (0666 for files) and
umask 0027 where the request names neither (SDK source; recorded traffic).
"""


def parse(text: str) -> Acl:
    """Read an `x-ms-acl` value or an `Acl` element; raises AclError."""
    if not text:
        raise AclError("there is no access control list")
    scopes: dict[bool, dict[Entry, int]] = {False: {}, True: {}}
    for part in text.split(","):
        fields = part.strip().split(":")
        default = fields[0] == "default"
        if default:
            del fields[0]
        if len(fields) != 3 or fields[2] not in BITS:
            raise AclError(f"{part!r} is not an entry of an access control list")
        entry = Entry(fields[0], fields[1].lower())
        if entry.kind not in ("user", "group", "mask", "other") or (entry.who and entry.kind in _UNNAMED):
            raise AclError(f"{part!r} is not an entry of an access control list")
        if entry in scopes[default]:
            raise AclError(f"{part!r} stands for somebody who is listed already")
        scopes[default][entry] = BITS[fields[2]]
    return Acl(_scope(scopes[False], text), _scope(scopes[True], text) if scopes[True] else None)


_UNNAMED = ("mask", "other")


def _scope(found: dict[Entry, int], text: str) -> Scope:
    try:
        owner, group, other = (found.pop(Entry(kind)) for kind in ("user", "group", "other"))
    except KeyError as error:
        raise AclError(f"{text!r} has no {error.args[0].kind}:: entry") from None
    mask = found.pop(Entry("mask"), None)
    made = Scope(owner=owner, group=group, other=other, mask=mask, named=found)
    if made.size > LIMIT:
        raise AclError(
            f"a list of {made.size} entries, where the service takes {LIMIT}: it is not read right"
        )
    return made


def of_mode(permissions: str) -> Acl:
    """The list that a path listing's permissions stand for; raises AclError where they are extended (`+`)."""
    triplets = [permissions[at : at + 3] for at in (0, 3, 6)]
    triplets[2] = triplets[2].replace("t", "x").replace("T", "-")
    if len(permissions) != 9 or any(triplet not in BITS for triplet in triplets):
        raise AclError(f"permissions {permissions!r} do not say the whole list")
    owner, group, other = (BITS[triplet] for triplet in triplets)
    return Acl(Scope(owner=owner, group=group, other=other, named={}))


def merge(acl: Acl, access: Changes, default: Changes) -> Acl:
    """The list with exactly these entries changed to these effective rights.

    Raises Conflict where nobody can tell whether `other` would gain.  The owner's entry, other people's
    entries and the owning group keep their effective rights, if need be by a narrower spelling.
    """
    merged = _merge(acl.access, access)
    if acl.default is not None:
        return Acl(merged, _merge(acl.default, default))
    if any(bits is not None for bits in default.values()):
        return Acl(merged, _merge(FRESH, default))
    return Acl(merged, None)


def _merge(scope: Scope, changes: Changes) -> Scope:
    if not changes:
        return scope
    other = (changes[OTHER] or 0) if OTHER in changes else scope.other
    gained = 0
    for bits in changes.values():
        gained |= bits or 0
    mask = scope.limit | gained
    grown = mask & ~scope.limit
    if grown & other and OTHER not in changes:
        raise Conflict(
            frozenset(entry for entry, bits in changes.items() if (bits or 0) & grown & other),
            f"other:: holds {SPELLED[other]} beyond the mask {SPELLED[scope.limit]}, and Microsoft's texts "
            "disagree on whether a wider mask would let everybody use it; take it from other:: first",
        )
    keep = scope.limit if grown else ALL
    named = {entry: bits & keep for entry, bits in scope.named.items() if changes.get(entry, ALL) is not None}
    named.update((entry, bits) for entry, bits in changes.items() if bits is not None and entry != OTHER)
    return _closed(scope, group=scope.group & keep, other=other, mask=mask, named=named)


def _closed(scope: Scope, *, group: int, other: int, mask: int, named: Mapping[Entry, int]) -> Scope:
    """The list with the mask that it needs: one where somebody is named, none where nobody is."""
    closing: int | None = mask
    if scope.mask is None:
        # The first named entry makes a mask.  It covers what was never masked before, `other` included.
        closing = _union(named.values()) | group | other if named else None
    elif not named and not other & ~mask:
        group, closing = group & mask, None
    return Scope(owner=scope.owner, group=group, other=other, mask=closing, named=named)


def _union(values: Iterable[int]) -> int:
    united = 0
    for bits in values:
        united |= bits
    return united
