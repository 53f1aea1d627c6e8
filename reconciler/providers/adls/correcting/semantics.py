"""What the service makes of a list, whether two lists grant the same, and what lies between two of them.

Its law: where nobody knows what the service would do, there is no answer, and so no such call.

Sources: hadoop-azure's live tests and recorded traffic for `set` and for what recursive calls do to files;
POSIX for the mask after `modify` and `remove`, which no recording shows: an effect that would depend on it is
not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from reconciler.providers.adls.acl import ALL, BITS, LIMIT, READ, SPELLED, WRITE, Acl, Entry, Scope

CONTENT = READ | WRITE
"""The bits that mean something on a file."""
BASE = ("user", "group", "other")
Bits = Mapping[Entry, int]


@lru_cache(maxsize=100_000)
def effect(mode: str, entries: str, text: str, directory: bool) -> Acl | None:
    """The list of a path after one recursive call, from the text of the one before.

    None where the service refuses it, or where its documentation leaves open what it would do.
    """
    from reconciler.providers.adls.canonical import parsed

    acl = parsed(text)
    access, default = _spoken(entries)
    if not directory:
        default = {}  # Recorded: default entries pass a file by, and count as done.
    if mode == "set":
        made = _set(acl, access, default)
    elif mode == "modify":
        made = _modified(acl, access, default)
    else:
        made = _removed(acl, access, default)
    scopes = [] if made is None else [made.access, *([made.default] if made.default else [])]
    return None if any(scope.size > LIMIT for scope in scopes) else made


def _spoken(entries: str) -> tuple[dict[Entry, int], dict[Entry, int]]:
    """The entries of both scopes; those of a removal say nothing of rights."""
    scopes: tuple[dict[Entry, int], dict[Entry, int]] = ({}, {})
    for part in entries.split(","):
        kind, _, rest = part.removeprefix("default:").partition(":")
        who, _, bits = rest.partition(":")
        scopes[part.startswith("default:")][Entry(kind, who)] = BITS.get(bits, 0)
    return scopes


def _set(acl: Acl, access: dict[Entry, int], default: dict[Entry, int]) -> Acl | None:
    if not _whole(access) or (default and not _whole(default)):
        return None
    if acl.default is not None and not default:
        # Whether a list without default entries takes away those that are there is told both ways.
        return None
    return Acl(_scope(access), _scope(default) if default else None)


def _whole(entries: Mapping[Entry, int]) -> bool:
    """Whether nothing is left to the service to fill in."""
    named = any(entry.who for entry in entries)
    return all(Entry(kind) in entries for kind in BASE) and (Entry("mask") in entries or not named)


def _modified(acl: Acl, access: dict[Entry, int], default: dict[Entry, int]) -> Acl | None:
    new = acl.access if not access else _merged(acl.access, access)
    if not default:
        return Acl(new, acl.default)
    if acl.default is None:
        # A default list is begun from entries that nobody has written down: all have to be given.
        return Acl(new, _scope(default)) if _whole(default) else None
    return Acl(new, _merged(acl.default, default))


def _merged(scope: Scope, spoken: dict[Entry, int]) -> Scope:
    entries = {**_entries(scope), **spoken}
    if Entry("mask") not in spoken:
        entries.pop(Entry("mask"), None)
        _mask(entries)
    return _scope(entries)


def _removed(acl: Acl, access: dict[Entry, int], default: dict[Entry, int]) -> Acl | None:
    new = _without(acl.access, access) if access else acl.access
    rest = _without(acl.default, default) if default and acl.default is not None else acl.default
    return None if new is None or (rest is None and acl.default is not None) else Acl(new, rest)


def _without(scope: Scope, spoken: dict[Entry, int]) -> Scope | None:
    """The scope without these entries; None where it matters whether the mask is computed anew."""
    kept = {entry: bits for entry, bits in _entries(scope).items() if entry not in spoken or not entry.who}
    anew = {entry: bits for entry, bits in kept.items() if entry.kind != "mask"}
    _mask(anew)
    left, made = _scope(kept), _scope(anew)
    return made if _meaning(left, ALL) == _meaning(made, ALL) else None


def _mask(entries: dict[Entry, int]) -> None:
    """Add the mask that POSIX computes: the union of what it covers, and none where nobody is named."""
    if any(entry.who for entry in entries):
        covered = [bits for entry, bits in entries.items() if entry.who or entry.kind == "group"]
        mask = 0
        for bits in covered:
            mask |= bits
        entries[Entry("mask")] = mask


def _entries(scope: Scope) -> dict[Entry, int]:
    found = {Entry("user"): scope.owner, **scope.named, Entry("group"): scope.group}
    if scope.mask is not None:
        found[Entry("mask")] = scope.mask
    return {**found, Entry("other"): scope.other}


def _scope(entries: dict[Entry, int]) -> Scope:
    left = dict(entries)
    owner, group, other = (left.pop(Entry(kind)) for kind in BASE)
    mask = left.pop(Entry("mask"), None)
    return Scope(owner=owner, group=group, other=other, mask=mask, named=left)


def same(one: Acl, two: Acl, directory: bool) -> bool:
    """Whether two lists grant everybody the same, whichever of Microsoft's texts on `other` holds."""
    if one is two:
        return True
    meant = ALL if directory else CONTENT
    if _meaning(one.access, meant) != _meaning(two.access, meant):
        return False
    if not directory:
        return True
    return _inherited(one.default) == _inherited(two.default)


def _inherited(scope: Scope | None) -> Bits | None:
    return None if scope is None else _meaning(scope, ALL)


MASKED = Entry("other", "masked")
"""What the algorithm leaves to `other`, beside what the prose does."""


def _meaning(scope: Scope, meant: int) -> Bits:
    limit = scope.limit & meant
    held = {entry: bits & limit for entry, bits in scope.named.items()}
    held[Entry("user")] = scope.owner & meant
    held[Entry("group")] = scope.group & limit
    held[Entry("other")] = scope.other & meant
    held[MASKED] = scope.other & limit
    return held


def between(before: Acl, now: Acl, after: Acl, directory: bool) -> bool:
    """Whether nobody holds now what he holds neither before nor after, or lacks what he holds both times."""
    if same(now, before, directory) or same(now, after, directory):
        return True
    meant = ALL if directory else CONTENT
    scopes = [(before.access, now.access, after.access)]
    if directory:
        defaults = (before.default, now.default, after.default)
        given = [scope for scope in defaults if scope is not None]
        if len(given) == 3:
            scopes.append((given[0], given[1], given[2]))
        elif given:
            return False
    return all(_lies_between(*(_meaning(scope, meant) for scope in three)) for three in scopes)


def _lies_between(before: Bits, now: Bits, after: Bits) -> bool:
    # Where somebody is named only at one end, he falls back on others' entries: then only the ends are safe.
    if not before.keys() == now.keys() == after.keys():
        return False
    for entry, bits in now.items():
        if bits & ~(before[entry] | after[entry]) or before[entry] & after[entry] & ~bits:
            return False
    return not any(_lost(before, now, after, bit) for bit in (1, 2, 4))


def _lost(before: Bits, now: Bits, after: Bits, bit: int) -> bool:
    """Whether who is in two groups may lack a right meanwhile that one gives before, the other after."""
    shared = [entry for entry in now if entry.kind != "user" and not now[entry] & bit]
    return any(before[entry] & bit for entry in shared) and any(after[entry] & bit for entry in shared)


def spell(entries: Bits, prefix: str = "") -> Iterator[str]:
    """Entries as `x-ms-acl` takes them."""
    for entry, bits in entries.items():
        yield f"{prefix}{entry.kind}:{entry.who}:{SPELLED[bits]}"
