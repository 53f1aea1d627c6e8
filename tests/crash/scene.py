"""An estate whose one plan needs every kind of write, approved and ready to be applied."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cli.desk import ESTATE, Desk, seed

HERE = Path(__file__).parent
EVE = "user:eve@corp.example"
BO = "user:bo@corp.example"
LISTED = "user::rwx,group::r-x,mask::rwx,other::---"
TREE = f"{LISTED},{EVE}:r-x,{BO}:r-x,default:user::rwx,default:{EVE}:r-x,default:group::r-x"
TREE = f"{TREE},default:mask::rwx,default:other::---"
FILE = f"user::rw-,{EVE}:r-x,group::r--,mask::rwx,other::---"
LIVE: dict[str, Any] = {
    "groups": [
        {
            "name": "red-ds",
            "owners": ["user:lea@corp.example", "user:cy@corp.example"],
            "members": ["user:ana@corp.example", EVE],
        },
        {
            "name": "red-gang",
            "owners": ["user:lea@corp.example"],
            "members": ["user:cy@corp.example"],
        },
        {"name": "red-left", "members": [EVE]},
    ],
    "workspace": {
        "assigned": [
            {"principal": "group:red-ds", "permissions": ["USER"]},
            {"principal": EVE, "permissions": ["USER"]},
            {"principal": "user:ana@corp.example", "permissions": ["USER"]},
        ],
        "entitlements": {
            "group:red-ds": ["workspace-access", "allow-cluster-create"],
            EVE: ["workspace-access"],
        },
        "scopes": [
            {
                "name": "red",
                "acls": {"red-ds": "MANAGE", "ana@corp.example": "MANAGE", "eve@corp.example": "READ"},
            },
            {"name": "red-left", "acls": {"ana@corp.example": "READ"}},
        ],
    },
    "paths": [
        {"path": "red", "acl": TREE},
        {"path": "red/2026", "acl": TREE},
        {"path": "red/2026/a.csv", "type": "file", "acl": FILE},
        {"path": "red/2026/b.csv", "type": "file", "acl": FILE},
        {"path": "red-old", "acl": LISTED},
        {"path": "red-old/d.csv", "type": "file", "acl": "user::rw-,group::r--,other::---"},
        {"path": "red/left", "acl": f"{LISTED},{EVE}:r-x"},
    ],
}
"""What is live before: somebody in every place who has to go, somebody who is missing, things of every sort
to make, to rename and to delete."""


PARTS = {"groups": "groups.yaml", "databricks": "databricks.yaml", "lake": "lake.yaml"}
"""The documents of one provider each: a run of these alone is short, and has as many ends as it has steps."""


def set_scene(desk: Desk, *parts: str, store: str = "", cloud: Mapping[str, Any] | None = None) -> None:
    """Bring the cloud to the beginning; lay out these documents, plan them, and have all of it approved.

    `store` is the URL of a container that keeps the journal in place of a folder.
    """
    begin_anew(desk, cloud)
    desk.lay_out(ESTATE / "platform", HERE / "estate")
    for part in PARTS.keys() - parts:
        (desk.root / "tenants.d/red" / PARTS[part]).unlink()
    if store:
        place = desk.root / "policies/environment.yaml"
        text = place.read_text("utf-8").replace("folder: .reconciler/store", f'container: "{store}"')
        place.write_text(text, "utf-8")
    desk.commit("sam")
    planned = desk.run("plan", "--out", "plan.json")
    assert planned.code == 2, planned.everything
    approved = desk.run("approve", "plan.json", "--because", "CHG-1")
    assert approved.code == 0, approved.everything
    desk.commit("lea")


def begin_anew(desk: Desk, cloud: Mapping[str, Any] | None = None) -> None:
    """Bring the cloud to the beginning, and forget every run; policies and approvals stay."""
    desk.emulator.reset(cloud or seed(**LIVE))
    shutil.rmtree(desk.root / ".reconciler/store", ignore_errors=True)


def journal(desk: Desk) -> list[dict[str, Any]]:
    """Every line of every run that can be read, in order of runs."""
    files = sorted((desk.root / ".reconciler/store/test/journal").glob("*.jsonl"), key=os.path.getmtime)
    texts = [line for file in files for line in file.read_text("utf-8").splitlines(keepends=True)]
    return [json.loads(line) for line in texts if line.endswith("\n")]
