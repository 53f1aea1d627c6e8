"""Soft-deleted objects: list, look at, restore, and delete for good.

Source: Microsoft docs, "List deletedItems", "Restore deleted item": objects wait for 30 days.
"""

from __future__ import annotations

from typing import Any

from reconciler.emulator.directory import Deleted, DirectoryObject
from reconciler.emulator.graph import rights, shapes
from reconciler.emulator.graph.call import Call, Reply, State, timestamp
from reconciler.emulator.graph.errors import bad_request, not_found
from reconciler.emulator.graph.reads import CASTS

KEPT = 30 * 86_400


def _waiting(state: State) -> dict[str, Deleted]:
    horizon = state.world.clock.now() - KEPT
    for oid in [oid for oid, gone in state.directory.deleted.items() if gone.at <= horizon]:
        del state.directory.deleted[oid]
    return state.directory.deleted


def _shown(call: Call, gone: Deleted, typed: bool) -> dict[str, Any]:
    payload = shapes.chosen(gone.thing, call.query.select, call.beta, typed)
    if not call.query.select or "deletedDateTime" in call.query.select:
        payload["deletedDateTime"] = timestamp(gone.at)
    return payload


def listing(state: State, call: Call, cast: str) -> Reply:
    """`GET /directory/deletedItems/microsoft.graph.group` and the like."""
    kind = CASTS.get(cast.lower())
    if kind is None:
        raise bad_request(f"Unsupported resource type '{cast}' for query.")
    rights.need_read(state, call, kind)
    found = [_shown(call, gone, typed=False) for gone in _waiting(state).values() if type(gone.thing) is kind]
    return Reply(200, {"@odata.context": call.context(shapes.COLLECTIONS[kind]), "value": found})


def single(state: State, call: Call, oid: str) -> Reply:
    """`GET /directory/deletedItems/{id}`."""
    gone = _find(state, oid)
    rights.need_read(state, call, type(gone.thing))
    context = call.context("directoryObjects/$entity")
    return Reply(200, {"@odata.context": context} | _shown(call, gone, typed=True))


def restore(state: State, call: Call, oid: str) -> Reply:
    """`POST /directory/deletedItems/{id}/restore`."""
    gone = _find(state, oid)
    rights.need_write(state, call, type(gone.thing))
    state.note(oid.lower())
    try:
        thing: DirectoryObject = state.directory.restore(oid.lower())
    except ValueError:
        raise bad_request("Another object with the same value for property already exists.") from None
    context = call.context("directoryObjects/$entity")
    return Reply(200, {"@odata.context": context} | shapes.chosen(thing, (), call.beta, typed=True))


def purge(state: State, call: Call, oid: str) -> Reply:
    """`DELETE /directory/deletedItems/{id}`: gone for good."""
    gone = _find(state, oid)
    rights.need_write(state, call, type(gone.thing))
    del state.directory.deleted[oid.lower()]
    return Reply(204)


def _find(state: State, oid: str) -> Deleted:
    gone = _waiting(state).get(oid.lower())
    if gone is None:
        raise not_found(oid)
    return gone
