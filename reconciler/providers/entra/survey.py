"""Find objects by name in as few requests as possible: look names up, or list everything.

Its law: a name that comes back without objects was asked of the directory itself, not only of its index.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.providers.entra.batch import Listing, Report, listings, remainder, unheard
from reconciler.providers.entra.canonical import GROUP, GROUP_SELECT, SP, USER
from reconciler.providers.entra.client import Failed, GraphClient
from reconciler.providers.entra.wire import CHUNK, IN_VALUES, LONG_NAME, PAGE, Call, Trouble, literal, query

Payload = Mapping[str, Any]

FEW_REQUESTS = 2
"""Look-ups that are made without asking how large the directory is."""

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where objects of one kind are listed, and what their name is called there."""

    path: str
    property: str
    select: str


SHELVES: Mapping[str, Shelf] = {
    USER: Shelf(
        path="/users", property="userPrincipalName", select="id,displayName,userPrincipalName,accountEnabled"
    ),
    GROUP: Shelf(path="/groups", property="displayName", select=GROUP_SELECT),
    SP: Shelf(
        path="/servicePrincipals", property="displayName", select="id,displayName,appId,accountEnabled"
    ),
}


@dataclass(slots=True)
class Survey:
    """What was found: payloads by folded name, and whatever lies under the prefixes that were asked for."""

    by_name: dict[str, list[Payload] | Trouble] = field(default_factory=dict)
    """Every name asked for is a key, in the spelling of `fold`; no objects means that there are none."""
    below: Listing = field(default_factory=list)
    """Objects whose names begin with one of the prefixes."""
    everything: bool = False
    """Whether all objects of the kind were listed."""


def fold(name: str) -> str:
    """What names are filed under: Graph's filters compare them without regard to case."""
    return name.lower()


def is_guid(name: str) -> bool:
    """Whether a name is spelt as an application or object id is."""
    return _GUID.fullmatch(name) is not None


async def survey(
    client: GraphClient,
    kind: str,
    names: Iterable[str],
    prefixes: Iterable[str] = (),
    report: Report = unheard,
) -> Survey:
    """Find the objects of a kind that bear these names, and those whose names begin with these prefixes.

    An empty prefix asks for everything.
    """
    shelf = SHELVES[kind]
    wanted = {fold(name): name for name in sorted(names) if name}
    starts = _shortest(prefixes)
    requests = math.ceil((math.ceil(len(wanted) / IN_VALUES) + len(starts)) / CHUNK)
    if "" in starts or requests > FEW_REQUESTS:
        everything = await _list_all(client, shelf, requests, "" in starts)
        if everything is not None:
            return await _from_listing(client, kind, wanted, everything)
    return await _from_lookups(client, kind, wanted, starts, report)


async def _list_all(client: GraphClient, shelf: Shelf, requests: int, needed: bool) -> Listing | None:
    """Every object of the kind; None when looking names up takes fewer requests."""
    call = Call(path=shelf.path + query(select=shelf.select, top=str(PAGE), count="true"), advanced=True)
    try:
        first = await client.send(call)
    except Failed as error:
        return error.trouble
    counted = first.payload.get("@odata.count") if isinstance(first.payload, dict) else None
    if first.ok and not needed and isinstance(counted, int) and counted > PAGE * (requests + 1):
        return None
    return await remainder(client, call, first)


async def _from_listing(
    client: GraphClient, kind: str, wanted: Mapping[str, str], everything: Listing
) -> Survey:
    found = Survey(below=everything, everything=not isinstance(everything, Trouble))
    if isinstance(everything, Trouble):
        found.by_name = dict.fromkeys(wanted, everything)
        return found
    for payload in everything:
        for name in _names(kind, payload):
            known = found.by_name.setdefault(name, [])
            if isinstance(known, list):
                known.append(payload)
    await confirm(client, kind, found, wanted.values())
    return found


async def confirm(client: GraphClient, kind: str, found: Survey, names: Iterable[str]) -> None:
    """Look up what a listing lacks: counting is answered by an index that lags behind the directory."""
    absent = {fold(name): name for name in sorted(names) if name and fold(name) not in found.by_name}
    if absent:
        found.by_name.update((await _from_lookups(client, kind, absent, (), unheard)).by_name)


async def _from_lookups(
    client: GraphClient, kind: str, wanted: Mapping[str, str], starts: Sequence[str], report: Report
) -> Survey:
    shelf = SHELVES[kind]
    asked = [(names, _named(shelf, property_, names)) for property_, names in _chunks(kind, wanted)]
    below = [_below(shelf, start) for start in starts]
    answers = await listings(client, [call for _, call in asked] + below, report=report)
    found = Survey(by_name={name: [] for name in wanted})
    for (names, _), answer in zip(asked, answers, strict=False):
        _file(found, kind, names, answer)
    merged: dict[str, dict[str, Any]] = {}
    for answer in answers[len(asked) :]:
        if isinstance(answer, Trouble):
            found.below = answer
            return found
        merged.update({payload["id"]: payload for payload in answer})
    found.below = list(merged.values())
    return found


def _file(found: Survey, kind: str, spelt: Sequence[str], answer: Listing) -> None:
    """Put what a look-up of these names gave to each of them."""
    names = {fold(name) for name in spelt}
    if isinstance(answer, Trouble):
        found.by_name.update(dict.fromkeys(names, answer))
        return
    for payload in answer:
        for name in set(_names(kind, payload)).intersection(names):
            known = found.by_name[name]
            if isinstance(known, list) and payload not in known:
                known.append(payload)


def _names(kind: str, payload: Payload) -> list[str]:
    """What an object may be called by, folded: its name, and for an application its id."""
    found = [fold(str(payload.get(SHELVES[kind].property) or ""))]
    if kind == SP and payload.get("appId"):
        found.append(fold(str(payload["appId"])))
    return found


def _chunks(kind: str, wanted: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Property and names of each look-up; a long name has one to itself."""
    by_property: dict[str, list[str]] = {SHELVES[kind].property: list(wanted.values())}
    if kind == SP:
        by_property["appId"] = [name for name in wanted.values() if is_guid(name)]
    chunks: list[tuple[str, list[str]]] = []
    for property_, names in by_property.items():
        short = [name for name in names if len(name) <= LONG_NAME]
        chunks += [(property_, short[start : start + IN_VALUES]) for start in range(0, len(short), IN_VALUES)]
        chunks += [(property_, [name]) for name in names if len(name) > LONG_NAME]
    return chunks


def _named(shelf: Shelf, property_: str, names: Sequence[str]) -> Call:
    if len(names) == 1:
        condition = f"{property_}%20eq%20{literal(names[0])}"
    else:
        condition = f"{property_}%20in%20({','.join(map(literal, names))})"
    if len(names[0]) > LONG_NAME:
        options = query(filter=condition, select=shelf.select, top=str(PAGE), count="true")
        return Call(path=shelf.path + options, advanced=True)
    return Call(path=shelf.path + query(filter=condition, select=shelf.select, top=str(PAGE)))


def _below(shelf: Shelf, start: str) -> Call:
    condition = f"startsWith({shelf.property},{literal(start)})"
    return Call(path=shelf.path + query(filter=condition, select=shelf.select, top=str(PAGE)))


def _shortest(prefixes: Iterable[str]) -> list[str]:
    """Prefixes without those that another one covers; Graph compares them without regard to case."""
    kept: list[str] = []
    for prefix in sorted(prefixes, key=fold):
        if not any(fold(prefix).startswith(fold(shorter)) for shorter in kept):
            kept.append(prefix)
    return kept
