"""Delta queries over groups: everything once, then what changed since a token.

Source: Microsoft docs, "group: delta" and "Use delta query"; page sizes as observed in public threads.
The law of the feed: following it from the start gives the state, as the same change may be told twice but is
never left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from reconciler.emulator.directory import Change, Group, ServicePrincipal
from reconciler.emulator.graph import rights, shapes
from reconciler.emulator.graph.call import Call, Reply, State
from reconciler.emulator.graph.errors import GraphError, bad_request
from reconciler.emulator.graph.filters import compile_filter

GROUPS_PER_PAGE = 200
MEMBERS_PER_PAGE = 500
LIFETIME = 7 * 86_400
FILTER_LIMIT = 50
RELATIONS = ("members", "owners")
LAST = "~"
"""Behind every member of a group: object ids are hexadecimal."""

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Where a reader stands: the journal position it knows, and how far into the present answer it is.

    The place within an answer is an object id, not a number, so that it stays right when groups or members
    come and go between two pages.
    """

    seen: int
    """Changes before this position are known; -1 knows nothing."""
    upto: int
    group: str = ""
    member: str = ""
    issued: float
    select: tuple[str, ...]
    ids: tuple[str, ...]
    minimal: bool

    def encode(self) -> str:
        """The opaque form."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode().rstrip("=")

    @staticmethod
    def decode(text: str) -> Token:
        """Read the opaque form; raises GraphError (400) for anything else."""
        try:
            raw = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return Token(**{**raw, "select": tuple(raw["select"]), "ids": tuple(raw["ids"])})
        except (ValueError, TypeError, KeyError, UnicodeDecodeError):
            raise bad_request("Badly formed token.") from None


def groups(state: State, call: Call) -> Reply:
    """`GET /groups/delta`: a page of the feed, with a nextLink or, on the last one, a deltaLink."""
    rights.need_read(state, call, Group)
    token = _token(state, call)
    payload: Entry = {"@odata.context": call.context("groups")}
    root = f"{call.root}/groups/delta"
    page: list[Entry] = []
    members = 0
    place = token
    for following, entry in _entries(state, call, token):
        members += len(entry.get("members@delta", ()))
        if len(page) == GROUPS_PER_PAGE or (page and members > MEMBERS_PER_PAGE):
            payload["@odata.nextLink"] = f"{root}?$skiptoken={place.encode()}"
            break
        page.append(entry)
        place = following
    else:
        now = state.world.clock.now()
        done = replace(token, seen=token.upto, group="", member="", issued=now)
        payload["@odata.deltaLink"] = f"{root}?$deltatoken={done.encode()}"
    payload["value"] = page
    return Reply(200, payload)


def _token(state: State, call: Call) -> Token:
    present = len(state.directory.journal)
    now = state.world.clock.now()
    given = call.query.skiptoken or call.query.deltatoken
    if given and given != "latest":
        token = Token.decode(given)
        if now - token.issued > LIFETIME:
            raise GraphError(
                400,
                "syncStateNotFound",
                "The sync state generation is not found. The delta token is expired and data must be "
                "synchronized again.",
            )
        return token if call.query.skiptoken else replace(token, upto=present)
    return Token(
        seen=present if given == "latest" else -1,
        upto=present,
        issued=now,
        select=call.query.select,
        ids=_ids(call),
        minimal="return=minimal" in call.headers.get("prefer", ""),
    )


def _ids(call: Call) -> tuple[str, ...]:
    if not call.query.filter:
        return ()
    alternatives = compile_filter(call.query.filter).alternatives
    if not alternatives or any(name != "id" for name, _ in alternatives) or len(alternatives) > FILTER_LIMIT:
        raise bad_request("Filter clause is not supported: only 'id eq' joined by 'or', at most 50 of them.")
    return tuple(str(value).lower() for _, value in alternatives)


def _entries(state: State, call: Call, token: Token) -> Iterator[tuple[Token, Entry]]:
    """What comes after the token's place, each entry with the token of the place behind it."""
    changes: dict[str, list[Change]] = {}
    if token.seen < 0:
        changes = {oid: [Change("created", oid)] for oid in state.directory.groups}
    else:
        for change in state.directory.journal[token.seen : token.upto]:
            changes.setdefault(change.group, []).append(change)
    for oid in sorted(changes):
        if oid < token.group or (token.ids and oid not in token.ids):
            continue
        after = token.member if oid == token.group else ""
        if oid == token.group and after == LAST:
            continue
        yield from _of_group(state, call, replace(token, group=oid, member=after), changes[oid])


def _of_group(state: State, call: Call, place: Token, changes: list[Change]) -> Iterator[tuple[Token, Entry]]:
    oid = place.group
    group = state.directory.groups.get(oid)
    if group is None:
        reason = "changed" if oid in state.directory.deleted else "deleted"
        yield replace(place, member=LAST), {"id": oid, "@removed": {"reason": reason}}
        return
    whole = any(change.kind == "created" for change in changes)
    touched = whole or any(change.kind == "group" for change in changes)
    entry: Entry = _properties(call, place, group) if touched or not place.minimal else {"id": oid}
    links = _links(state, call, place, group, changes, whole)
    owners = links.get("owners@delta", [])
    if owners and not place.member:
        entry["owners@delta"] = owners
    members = [link for link in links.get("members@delta", []) if link["id"] > place.member]
    if not members and place.member:
        return
    for start in range(0, max(1, len(members)), MEMBERS_PER_PAGE):
        part = members[start : start + MEMBERS_PER_PAGE]
        more = start + MEMBERS_PER_PAGE < len(members)
        here = replace(place, member=part[-1]["id"] if more else LAST)
        yield here, entry | ({"members@delta": part} if part else {})


def _links(
    state: State, call: Call, place: Token, group: Group, changes: list[Change], whole: bool
) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for name in RELATIONS:
        if name not in place.select and (place.select or name != "members"):
            continue
        latest = {change.member: change.added for change in changes if change.kind == name}
        if whole:
            latest |= dict.fromkeys(getattr(group, name), True)
        told = ((oid, added) for oid, added in sorted(latest.items()) if _tells(state, call, oid))
        found[f"{name}@delta"] = [_link(state, oid, added) for oid, added in told]
    return found


def _link(state: State, oid: str, added: bool) -> Entry:
    found = state.directory.find(oid)
    gone = state.directory.deleted.get(oid)
    thing = found or (gone.thing if gone else None)
    link: Entry = {"@odata.type": shapes.TYPES[type(thing)] if thing else "#microsoft.graph.user", "id": oid}
    return link if added else link | {"@removed": {"reason": "deleted"}}


def _tells(state: State, call: Call, oid: str) -> bool:
    # Whether v1.0 tells of service principals here is not documented; it hides them as in member lists.
    switch = state.world.switches.get("graph.v1-delta-includes-service-principals", False)
    return bool(call.beta or switch or not isinstance(state.directory.find(oid), ServicePrincipal))


def _properties(call: Call, token: Token, group: Group) -> Entry:
    names = tuple(name for name in token.select if name not in RELATIONS)
    if token.select and not names:
        return {"id": group.id}
    return shapes.chosen(group, names, call.beta, typed=False) | {"id": group.id}
