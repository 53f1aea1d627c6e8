"""Access control lists as the storage service holds, prints, changes, inherits and evaluates them.

Nothing here knows a request, a path or an account.  Every list is minimal or extended POSIX.1e: three base
entries, and a mask as soon as there is a named entry.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

READ, WRITE, EXECUTE = 4, 2, 1
LIMIT = 32
"""Entries that an access or a default list may hold, each for itself (Microsoft docs: limits for Azure RBAC
and ACLs in Data Lake Storage)."""
DEFAULT_UMASK = 0o027
"""What a creation that names no umask is masked with (SDK source; recorded traffic agrees)."""

_TRIPLETS = [
    f"{'r' if bits & 4 else '-'}{'w' if bits & 2 else '-'}{'x' if bits & 1 else '-'}" for bits in range(8)
]
_BITS = {text: bits for bits, text in enumerate(_TRIPLETS)}
_RANK = {("user", False): 0, ("user", True): 1, ("group", False): 2, ("group", True): 3, ("mask", False): 4}
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
"""Principals are object ids: names are for people (Microsoft docs: access control model)."""
_KINDS = ("user", "group", "mask", "other")


class AclError(ValueError):
    """An access control list, or a permission text, that the service refuses."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list: `who` is an object id, or empty for the owner, the owning group, mask and other."""

    kind: str
    who: str
    bits: int

    @property
    def text(self) -> str:
        """The entry as it stands in `x-ms-acl`."""
        return f"{self.kind}:{self.who}:{_TRIPLETS[self.bits]}"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a requested list: `bits` is None where only the name of an entry is asked for."""

    default: bool
    kind: str
    who: str
    bits: int | None


@dataclass(frozen=True, slots=True)
class Acl:
    """The access and default lists of one path, complete, in the service's order, and the sticky bit."""

    access: tuple[Entry, ...] = field(compare=False)
    default: tuple[Entry, ...] = field(default=(), compare=False)
    sticky: bool = False
    text: str = field(init=False)
    """The two lists in one, as `x-ms-acl` and the `Acl` element of List Blobs give them."""
    permissions: str = field(init=False, compare=False)
    """`rwxr-x---`: the group triplet is the mask's where there is one, and `+` marks an extended list."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "access", _ordered(self.access))
        object.__setattr__(self, "default", _ordered(self.default))
        parts = [entry.text for entry in self.access]
        parts += ["default:" + entry.text for entry in self.default]
        object.__setattr__(self, "text", ",".join(parts))
        object.__setattr__(self, "permissions", self._permissions())

    def _permissions(self) -> str:
        mask = bits_of(self.access, "mask")
        group = bits_of(self.access, "group") if mask is None else mask
        other = _TRIPLETS[bits_of(self.access, "other") or 0]
        if self.sticky:
            other = other[:2] + ("t" if other[2] == "x" else "T")
        extended = len(self.access) > 3 or bool(self.default)
        user = _TRIPLETS[bits_of(self.access, "user") or 0]
        return f"{user}{_TRIPLETS[group or 0]}{other}{'+' if extended else ''}"


def _ordered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    # Stable: among named entries of one kind the service is not known to sort.
    return tuple(sorted(entries, key=lambda entry: _RANK.get((entry.kind, bool(entry.who)), 5)))


def bits_of(entries: Iterable[Entry], kind: str, who: str = "") -> int | None:
    """The permission bits of one entry, or None when the list has no such entry."""
    return next((entry.bits for entry in entries if entry.kind == kind and entry.who == who), None)


def minimal(mode: int, sticky: bool = False) -> Acl:
    """The list of three base entries that a nine-bit mode stands for."""
    return Acl(_base(mode >> 6 & 7, mode >> 3 & 7, mode & 7), sticky=sticky)


def _base(user: int, group: int, other: int) -> tuple[Entry, ...]:
    return Entry("user", "", user), Entry("group", "", group), Entry("other", "", other)


def parse(text: str, removal: bool = False) -> list[Change]:
    """Read an `x-ms-acl` value; raises AclError on anything that is not one.

    `removal` reads the form of a recursive removal, whose entries carry no permissions and whose mask and
    other may be written without a colon.
    """
    if not text:
        raise AclError("empty")
    changes = [_change(part.strip(), removal) for part in text.split(",")]
    seen = {(change.default, change.kind, change.who) for change in changes}
    if len(seen) != len(changes):
        raise AclError("duplicate entry")
    return changes


def _change(part: str, removal: bool) -> Change:
    fields = part.split(":")
    default = fields[0] == "default"
    fields = fields[1:] if default else fields
    if removal and 1 <= len(fields) <= 2 and fields[0] in _KINDS:
        return Change(default, fields[0], (fields + [""])[1].lower(), None)
    if len(fields) != 3 or fields[0] not in _KINDS or fields[2] not in _BITS:
        raise AclError(f"entry {part!r}")
    if fields[1] and (fields[0] in ("mask", "other") or not _GUID.fullmatch(fields[1])):
        raise AclError(f"entry {part!r}")
    return Change(default, fields[0], fields[1].lower(), _BITS[fields[2]])


def parse_permissions(text: str) -> tuple[int, bool]:
    """Read `x-ms-permissions`, symbolic or octal: nine mode bits and the sticky bit; raises AclError."""
    if len(text) == 9 and text[8] in "tT":
        mode, _ = parse_permissions(text[:8] + ("x" if text[8] == "t" else "-"))
        return mode, True
    if len(text) == 9 and all(text[at : at + 3] in _BITS for at in (0, 3, 6)):
        return _BITS[text[0:3]] << 6 | _BITS[text[3:6]] << 3 | _BITS[text[6:9]], False
    if len(text) in (3, 4) and all(digit in "01234567" for digit in text):
        number = int(text, 8)
        if number <= 0o1777:
            return number & 0o777, bool(number & 0o1000)
    raise AclError(f"permission {text!r}")


def parse_umask(text: str) -> int:
    """Read `x-ms-umask`, four octal digits; raises AclError."""
    if len(text) != 4 or any(digit not in "01234567" for digit in text) or text[0] != "0":
        raise AclError(f"umask {text!r}")
    return int(text, 8)


def chmod(acl: Acl, mode: int, sticky: bool) -> Acl:
    """Set permissions as chmod does: named and default entries stay, and a mask takes the group triplet."""
    group = "group" if bits_of(acl.access, "mask") is None else "mask"
    wanted = {("user", ""): mode >> 6 & 7, (group, ""): mode >> 3 & 7, ("other", ""): mode & 7}
    access = [replace(entry, bits=wanted.get((entry.kind, entry.who), entry.bits)) for entry in acl.access]
    return Acl(tuple(access), acl.default, sticky)


def assign(acl: Acl, changes: Collection[Change], *, directory: bool, drops_default: bool) -> Acl:
    """Replace the scopes that the changes mention, as `setAccessControl` does; raises AclError.

    Base entries left out keep their value; default ones are taken from the access list, and a mask left out
    is computed (hadoop-azure's live tests).  `drops_default`: a list without default entries removes those
    that are there.
    """
    access, default = _scopes(changes)
    if default and not directory:
        raise AclError("default entries on a file")
    new_access = _complete(access, acl.access) if access else acl.access
    new_default = _complete(default, new_access) if default else acl.default
    if access and not default and drops_default:
        new_default = ()
    return _limited(Acl(new_access, new_default, acl.sticky))


def modify(acl: Acl, changes: Collection[Change], *, directory: bool) -> Acl:
    """Add entries or change those that are there; default entries pass a file by; raises AclError."""
    access, default = _scopes(changes)
    new_access = _merged(acl.access, access, acl.access) if access else acl.access
    new_default = _merged(acl.default, default, new_access) if default and directory else acl.default
    return _limited(Acl(new_access, new_default, acl.sticky))


def remove(acl: Acl, changes: Collection[Change]) -> Acl:
    """Take entries away; those that are not there, and base access entries, are passed by."""
    gone = {(change.kind, change.who) for change in changes if not change.default}
    gone_default = {(change.kind, change.who) for change in changes if change.default}
    access = [entry for entry in acl.access if (entry.kind, entry.who) not in gone or _is_base(entry)]
    default = [entry for entry in acl.default if (entry.kind, entry.who) not in gone_default]
    if not any(_is_base(entry) or entry.who for entry in default):
        default = []
    return Acl(
        _masked(access, ("mask", "") in gone or gone != set()),
        _masked(_filled(default, access), gone_default != set()) if default else (),
        acl.sticky,
    )


def _scopes(changes: Iterable[Change]) -> tuple[list[Entry], list[Entry]]:
    access: list[Entry] = []
    default: list[Entry] = []
    for change in changes:
        if change.bits is None:
            raise AclError("an entry without permissions")
        (default if change.default else access).append(Entry(change.kind, change.who, change.bits))
    return access, default


def _is_base(entry: Entry) -> bool:
    return not entry.who and entry.kind != "mask"


def _complete(entries: list[Entry], fallback: Iterable[Entry]) -> tuple[Entry, ...]:
    filled = _filled(entries, fallback)
    return _masked(filled, bits_of(entries, "mask") is None)


def _filled(entries: list[Entry], fallback: Iterable[Entry]) -> list[Entry]:
    have = {entry.kind for entry in entries if _is_base(entry)}
    return entries + [entry for entry in fallback if _is_base(entry) and entry.kind not in have]


def _masked(entries: Iterable[Entry], compute: bool) -> tuple[Entry, ...]:
    """Compute the mask anew where asked: the union of all it covers, and none where nobody is named."""
    kept = list(entries)
    if not compute:
        return tuple(kept)
    kept = [entry for entry in kept if entry.kind != "mask"]
    if any(entry.who for entry in kept):
        mask = 0
        for entry in kept:
            if entry.who or entry.kind == "group":
                mask |= entry.bits
        kept.append(Entry("mask", "", mask))
    return tuple(kept)


def _merged(old: Iterable[Entry], new: list[Entry], fallback: Iterable[Entry]) -> tuple[Entry, ...]:
    changed = {(entry.kind, entry.who): entry for entry in new}
    kept = [changed.pop((entry.kind, entry.who), entry) for entry in old]
    merged = _filled(kept + list(changed.values()), fallback)
    return _masked(merged, bits_of(new, "mask") is None)


def _limited(acl: Acl) -> Acl:
    for name, entries in (("access", acl.access), ("default", acl.default)):
        if len(entries) > LIMIT:
            raise AclError(f"{len(entries)} {name} entries, at most {LIMIT} are allowed")
    return acl


def inherit(parent: Acl, *, directory: bool, mode: int | None = None, umask: int | None = None) -> Acl:
    """The list of a new child.  `mode` and `umask` are what the creation named, if it did.

    With a default list on the parent the umask is ignored, and the mode only narrows user, mask (or group)
    and other (Microsoft docs and hadoop-azure's live tests); without one the mode is cut by the umask.
    """
    wanted = (0o777 if directory else 0o666) if mode is None else mode
    if not parent.default:
        return minimal(wanted & ~(DEFAULT_UMASK if umask is None else umask))
    group = "group" if bits_of(parent.default, "mask") is None else "mask"
    limits = {("user", ""): wanted >> 6 & 7, (group, ""): wanted >> 3 & 7, ("other", ""): wanted & 7}
    access = [replace(e, bits=e.bits & limits.get((e.kind, e.who), 7)) for e in parent.default]
    return Acl(tuple(access), parent.default if directory else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Which of Microsoft's texts on evaluation holds, where they contradict each other."""

    groups: str = "union"
    """`union`: the rights of all matching groups are united and decide (text of 2020); `any`: one matching
    group must grant everything, else evaluation falls through to other (text of today)."""
    masked_other: bool = True
    """The published algorithm masks other; the prose beside it says that the mask does not."""


def allows(
    acl: Acl,
    asked: int,
    *,
    who: str,
    groups: Collection[str],
    owner: str,
    owning_group: str,
    reading: Reading,
) -> bool:
    """Whether this identity, in these groups, gets all the asked bits from the access list.

    The first class that applies decides: owner, named user, groups, other (Microsoft docs: access control
    model).  Superusers are not known here.
    """
    access = acl.access
    mask = bits_of(access, "mask")
    mask = 7 if mask is None else mask
    if who == owner:
        return (bits_of(access, "user") or 0) & asked == asked
    named = bits_of(access, "user", who)
    if named is not None:
        return named & mask & asked == asked
    matching = list(_matching(access, groups, owning_group))
    if reading.groups == "union" and matching:
        union = 0
        for bits in matching:
            union |= bits
        return union & mask & asked == asked
    if any(bits & mask & asked == asked for bits in matching):
        return True
    other = bits_of(access, "other") or 0
    return other & (mask if reading.masked_other else 7) & asked == asked


def _matching(access: Iterable[Entry], groups: Collection[str], owning_group: str) -> Iterator[int]:
    return (entry.bits for entry in access if entry.kind == "group" and (entry.who or owning_group) in groups)
