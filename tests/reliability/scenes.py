"""Every scene; of those here, what is special is where the lake is read from, or the journal is kept."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from tests.reliability.estate import (
    ACLS,
    APPLY,
    BY_PATH,
    FOLDERS,
    GROUPS,
    LISTS,
    MEMBERS,
    OWNERS,
    PLACES,
    SCOPES,
    TREE,
    Scene,
    group_document,
    live,
)

CSV = Scene(
    name="csv",
    inventory="csv",
    leaver="group:red",
    seed={**BY_PATH.seed, "switches": LISTS.seed["switches"]},
    documents=BY_PATH.documents,
    after=BY_PATH.after,
)
PARQUET = replace(CSV, name="parquet", inventory="parquet")
CONTAINER = "journals"
EARLIER = b"".join(
    b'{"v":1,"event":"progress","at":"2026-11-01T00:00:00+00:00","run":"0","environment":"test",'
    b'"address":"adls/lake/folder/data/%d","ids":[],"path":"data","mode":"set","entries":"",'
    b'"continuation":"","done":1}\n' % number
    for number in range(2)
)
"""What an earlier run put on record; it is read before anything is planned."""
OLD = {"path": "test/journal/0.jsonl", "type": "file", "content": base64.b64encode(EARLIER).decode()}
KEPT = live(lakes={"memory": {"filesystems": {CONTAINER: {"paths": [OLD]}}}}, groups=[{"name": "closing"}])
"""With an account of its own for the store."""
KEPT["arm"]["storage-accounts"]["memory"] = {}
KEPT["arm"]["role-assignments"] += [
    {"principal": APPLY, "role": "Storage Blob Data Contributor", "scope": "memory"}
]
STORE = Scene(
    name="store",
    stored=True,
    seed=KEPT,
    documents=(group_document("closing", state="retired", destroy=True), group_document("fresh")),
    after={"group closing": {"exists": ""}, "group fresh": {"exists": "1"}},
)
SCENES = (MEMBERS, OWNERS, GROUPS, PLACES, ACLS, SCOPES, LISTS, TREE, FOLDERS, BY_PATH, CSV, PARQUET, STORE)


def first() -> dict[str, Any]:
    """What the emulator serves before any scene: it has every endpoint that a scene needs."""
    document = live()
    document["lakes"]["memory"] = {"filesystems": {}}
    document["arm"]["storage-accounts"]["memory"] = {}
    return document
