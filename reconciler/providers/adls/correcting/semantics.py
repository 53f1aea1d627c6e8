"""What the service makes of a list.

Its law: where nobody knows what the service would do, there is no answer, and so no such call.

Sources: hadoop-azure's live tests and recorded traffic for `set` and for what recursive calls do to files.
Whether `modify` without a mask, and `remove`, leave the mask or compute it anew as POSIX does, no recording
shows: an effect that would depend on it is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from reconciler.providers.adls.acl import BITS, LIMIT, SPELLED, Acl, Entry, Scope
from reconciler.providers.adls.canonical import parsed
from reconciler.providers.adls.correcting.meaning import between, granted, same

__all__ = ["between", "effect", "same", "spell", "spoken"]

BASE = ("user", "group", "other")
Bits = Mapping[Entry, int]


@lru_cache(maxsize=100_000)
def effect(mode: str, entries: str, text: str, directory: bool) -> Acl | None:
    """The list of a path after one recursive call, from the text of the one before.

    None where the service refuses it, or where its documentation leaves open what it would do.
    """
    acl = parsed(text)
    access, default = spoken(entries)
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


@lru_cache(maxsize=10_000)
def spoken(entries: str) -> tuple[Bits, Bits]:
    """The entries of both scopes that a request names; those of a removal say nothing of rights."""
    scopes: tuple[dict[Entry, int], dict[Entry, int]] = ({}, {})
    for part in entries.split(","):
        kind, _, rest = part.removeprefix("default:").partition(":")
        who, _, bits = rest.partition(":")
        scopes[part.startswith("default:")][Entry(kind, who)] = BITS.get(bits, 0)
    return scopes


def _set(acl: Acl, access: Bits, default: Bits) -> Acl | None:
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


def _modified(acl: Acl, access: Bits, default: Bits) -> Acl | None:
    new = acl.access if not access else _merged(acl.access, access)
    if new is None:
        return None
    if not default:
        return Acl(new, acl.default)
    if acl.default is None:
        # A default list is begun from entries that nobody has written down: all have to be given.
        return Acl(new, _scope(default)) if _whole(default) else None
    merged = _merged(acl.default, default)
    return None if merged is None else Acl(new, merged)


def _merged(scope: Scope, spoken: Bits) -> Scope | None:
    """The scope with these entries; None where it matters whether the mask is computed anew."""
    entries = {**_entries(scope), **spoken}
    return _scope(entries) if Entry("mask") in spoken else _either_way(entries)


def _removed(acl: Acl, access: Bits, default: Bits) -> Acl | None:
    new = _without(acl.access, access) if access else acl.access
    rest = _without(acl.default, default) if default and acl.default is not None else acl.default
    return None if new is None or (rest is None and acl.default is not None) else Acl(new, rest)


def _without(scope: Scope, spoken: Bits) -> Scope | None:
    """The scope without these entries; None where it matters whether the mask is computed anew."""
    return _either_way({e: bits for e, bits in _entries(scope).items() if e not in spoken or not e.who})


def _either_way(kept: dict[Entry, int]) -> Scope | None:
    """The scope with its mask computed anew, if that grants the same as the mask that it has."""
    anew = {entry: bits for entry, bits in kept.items() if entry.kind != "mask"}
    _mask(anew)
    left, made = _scope(kept), _scope(anew)
    # The first named entry makes a mask, as every list that is recorded shows.
    return made if left.mask is None or granted(left) == granted(made) else None


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


def _scope(entries: Bits) -> Scope:
    left = dict(entries)
    owner, group, other = (left.pop(Entry(kind)) for kind in BASE)
    mask = left.pop(Entry("mask"), None)
    return Scope(owner=owner, group=group, other=other, mask=mask, named=left)


def spell(entries: Bits, prefix: str = "") -> Iterator[str]:
    """Entries as `x-ms-acl` takes them."""
    for entry, bits in entries.items():
        yield f"{prefix}{entry.kind}:{entry.who}:{SPELLED[bits]}"
