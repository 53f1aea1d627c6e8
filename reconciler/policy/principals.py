"""What can be said of principals without asking anybody: pinned, declared, near another, or posing as one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby, islice

from reconciler.core.model import Source
from reconciler.core.spelling import skeleton
from reconciler.core.vocabulary import Problem
from reconciler.policy.claims import Claim
from reconciler.policy.lock import Lock
from reconciler.policy.suggest import nearest_principal

MOST_TOLD = 100
"""So many unpinned names are told, with what may have been meant; more of them are no slips of the pen."""
_NOWHERE = Source("", 0)


def named(claims: Iterable[Claim]) -> dict[str, Claim]:
    """Every principal of the documents, with the first document that names it.

    Nearly all names are pinned, and nothing is said of them: so nobody is asked where they stand.
    """
    found: dict[str, Claim] = {}
    for claim in claims:
        for name, _ in claim.kind.principals(replace(claim.declared, locate=lambda *path: _NOWHERE)):
            if name not in found:
                found[name] = claim
    return found


def _places(names: Mapping[str, Claim]) -> dict[str, Source]:
    """Where each of these names first stands in its document, which is walked once for all of them."""
    places: dict[str, Source] = {}
    for _, several in groupby(names.items(), key=lambda each: id(each[1])):
        wanted = dict(several)
        claim = next(iter(wanted.values()))
        for name, source in claim.kind.principals(claim.declared):
            if name in wanted:
                places.setdefault(name, source)
                del wanted[name]
            if not wanted:
                break
    return places


def declared_groups(claims: Iterable[Claim]) -> frozenset[str]:
    """Groups that documents speak of, as principals."""
    return frozenset(
        f"group:{reach.locator}" for claim in claims for reach in claim.reaches if reach.boundary == "groups"
    )


def unpinned(names: Mapping[str, Claim], groups: frozenset[str], lock: Lock) -> Iterator[Problem]:
    """A note for each name that no lock entry pins and no document declares, with what may have been meant.

    It is no error: the name of somebody new looks like this too, and the directory will be asked.  Of more
    names than anybody reads, only their number is told.
    """
    pinned = frozenset(name for pins in lock.values() for name in pins)
    if not pinned:
        yield Problem(
            source=Source("policies/principals.lock.yaml", 1),
            text="no name is pinned to its object id yet; run `reconciler pin`",
        )
        return
    missing = {name: claim for name, claim in names.items() if name not in pinned and name not in groups}
    placed = dict(islice(missing.items(), MOST_TOLD + 1))
    known = {kind: _of_kind(kind, pinned | groups) for kind in ("user", "group", "sp")}
    places = _places(placed)
    for number, (name, claim) in enumerate(placed.items()):
        source, tenant = places.get(name, claim.declared.source), claim.declared.tenant
        if number == MOST_TOLD:
            more = len(missing) - MOST_TOLD
            are = "name is" if more == 1 else "names are"
            text = f"from here on, {more:,} more {are} not pinned to an object id; run `reconciler pin`"
            yield Problem(source=source, text=text, tenant=tenant)
            return
        near = nearest_principal(name, known[name.partition(":")[0]])
        hint = f"did you mean {near!r}?" if near else "if it is meant, run `reconciler pin`"
        text = f"{name} is not pinned to an object id; {hint}"
        yield Problem(source=source, text=text, tenant=tenant)


def _of_kind(kind: str, names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if name.startswith(f"{kind}:"))


def impostors(
    claims: Iterable[Claim], names: Mapping[str, Claim], groups: frozenset[str], lock: Lock
) -> Iterator[Problem]:
    """An error wherever a name stands that a reader would take for another one of the estate."""
    odd = {name for name in (*names, *groups) if not name.isascii()}
    if not odd:
        return
    everything = {*groups, *names, *(name for pins in lock.values() for name in pins)}
    known = {name.lower(): name for name in sorted(everything) if name.isascii()}
    posing = {name: original for name in odd if (original := known.get(skeleton(name)))}
    for claim in claims if posing else ():
        declared = [
            (f"group:{each.locator}", each.source) for each in claim.reaches if each.boundary == "groups"
        ]
        for name, source in (*declared, *claim.kind.principals(claim.declared)):
            if name in posing:
                yield Problem(source=source, text=_posing(name, posing[name]), tenant=claim.declared.tenant)


def _posing(name: str, original: str) -> str:
    signs = (sign for sign in name if not sign.isascii())
    letters = ", ".join(f"U+{ord(sign):04X} {unicodedata.name(sign, '?')}" for sign in signs)
    return f"{name!r} looks like {original!r} and is another name ({letters}); write {original!r}"
