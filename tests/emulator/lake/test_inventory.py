"""Runs of an emulated Blob Inventory: layout, manifest and rows, from a function, a seed and a request."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.emulator import control, services
from reconciler.emulator.lake.inventory import FAULTS, Order, ordered, run
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.wire import Request
from reconciler.emulator.world import World
from tests.emulator.lake.harness import ACCOUNT, ANA, TEAM, Lake

LISTED = f"group:{TEAM}:r-x,default:group:{TEAM}:r-x"


@pytest.fixture
def lake() -> Lake:
    made = Lake()
    made.service.grow(ACCOUNT, "curated", [("a", True, LISTED), ('a/b,"c"', False, ""), ("d", False, "")])
    return made


def blobs(lake: Lake, container: str = "inventory") -> dict[str, int]:
    """Files of the destination, as List Blobs has them."""
    page = lake.ask("GET", f"/{container}?restype=container&comp=list&showonly=files", host="blob").xml
    return {
        item.findtext("Name", ""): int(item.findtext("Properties/Content-Length", ""))
        for item in page.findall("Blobs/Blob")
    }


def content(lake: Lake, name: str, **headers: str) -> bytes:
    answer = lake.ask("GET", f"/inventory/{name}", host="blob", **headers)
    assert answer.status in (200, 206)
    return answer.response.body


def make(lake: Lake, **order: Any) -> str:
    return run(lake.service.account(ACCOUNT), Order(destination="inventory", **order))


def test_a_run_is_laid_out_as_documented(lake: Lake) -> None:
    lake.world.clock.advance(3600)
    folder = make(lake, hours_ago=1.0, files=2, matched=["curated"])
    found = blobs(lake)
    assert sorted(name.removeprefix(folder) for name in found) == [
        "/nightly-manifest.checksum", "/nightly-manifest.json", "/nightly_0.csv", "/nightly_1.csv"
    ]  # fmt: skip
    body = content(lake, f"{folder}/nightly-manifest.json")
    manifest = json.loads(body)
    assert content(lake, f"{folder}/nightly-manifest.checksum").decode() == hashlib.md5(body).hexdigest()
    files = [f"{folder}/nightly_{number}.csv" for number in (0, 1)]
    assert manifest["files"] == [{"blob": name, "size": found[name]} for name in files]
    began = manifest["inventoryStartTime"]
    assert folder == f"{began[:10].replace('-', '/')}/{began[11:19].replace(':', '-')}/nightly"
    assert manifest["summary"]["objectCount"] == 3 and manifest["status"] == "Succeeded"
    assert manifest["ruleDefinition"]["filters"]["prefixMatch"] == ["curated"]


def test_rows_are_what_requests_for_the_paths_answer(lake: Lake) -> None:
    folder = make(lake, matched=["curated"])
    rows = {row["Name"]: row for row in table(lake, folder)}
    assert sorted(rows) == ["curated/a", 'curated/a/b,"c"', "curated/d"]
    for name, row in rows.items():
        asked = lake.ask("HEAD", f"/{name}?action=getAccessControl".replace('"', "%22"))
        assert row["Acl"] == asked.headers["x-ms-acl"]
        assert (row["Owner"], row["Group"]) == (asked.headers["x-ms-owner"], asked.headers["x-ms-group"])
        assert row["Permissions"] == asked.headers["x-ms-permissions"]
    assert [rows[name]["hdi_isfolder"] for name in sorted(rows)] == ["true", "", ""]


def table(lake: Lake, folder: str, name: str = "nightly.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content(lake, f"{folder}/{name}").decode(), newline="")))


def test_parquet_holds_the_same_rows(lake: Lake) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    wanted = sorted((row["Name"], row["Acl"]) for row in table(lake, make(lake, matched=["curated"])))
    folder = make(lake, matched=["curated"], form="parquet", mark="", hours_ago=1)
    found = parquet.read_table(io.BytesIO(content(lake, f"{folder}/nightly.parquet")))
    columns = zip(found["Name"].to_pylist(), found["Acl"].to_pylist(), strict=True)
    assert sorted(columns) == wanted
    assert sorted(found["hdi_isfolder"].to_pylist(), key=str) == [None, None, True]


def test_files_are_given_in_ranges(lake: Lake) -> None:
    name = f"{make(lake)}/nightly.csv"
    whole = content(lake, name)
    assert content(lake, name, x_ms_range="bytes=5-24") == whole[5:25]
    answer = lake.ask("GET", f"/inventory/{name}", host="blob", range=f"bytes=10-{10**9}")
    assert answer.response.body == whole[10:]
    assert answer.headers["content-range"] == f"bytes 10-{len(whole) - 1}/{len(whole)}"


def test_filters_and_forms_of_names(lake: Lake) -> None:
    lake.service.grow(ACCOUNT, "raw", [("100% é", True, "")])
    folder = make(lake, excluded=["curated/a"], percent_encoded=True)
    assert sorted(row["Name"] for row in table(lake, folder)) == ["curated/d", "raw/100%25%20%C3%A9"]
    folder = make(lake, container_in_names=False, hours_ago=1, matched=["raw/"], duplicates=1)
    assert [row["Name"] for row in table(lake, folder)] == ["100% é"] * 2


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_seen_by_whoever_checks(lake: Lake, fault: str) -> None:
    lake.service.grow(ACCOUNT, "curated", ((f"f{number:03}", False, "") for number in range(100)))
    folder = make(lake, faults=[fault], files=2)
    found = blobs(lake)
    body = content(lake, f"{folder}/nightly-manifest.json")
    checksum = found.get(f"{folder}/nightly-manifest.checksum")
    wrong = []
    if checksum is None:
        wrong.append("no checksum")
    elif content(lake, f"{folder}/nightly-manifest.checksum").decode() != hashlib.md5(body).hexdigest():
        wrong.append("checksum")
    try:
        manifest = json.loads(body)
    except ValueError:
        wrong.append("manifest")
    else:
        wrong += [manifest["status"]] if manifest["status"] != "Succeeded" else []
        for file in manifest["files"]:
            if found.get(file["blob"]) != file["size"]:
                wrong.append("size")
            elif fault == "corrupt-file":
                wrong += [] if content(lake, file["blob"]).isascii() else ["bytes"]
        rows = sum(content(lake, name).count(b"\n") - 1 for name in found if name.endswith(".csv"))
        wrong += ["rows"] if "bytes" not in wrong and rows < manifest["summary"]["objectCount"] else []
    assert wrong == EXPECTED[fault]


EXPECTED = {
    "pending": ["no checksum", "Pending"],
    "failed": ["Failed"],
    "partial": ["PartiallySucceeded", "rows"],
    "no-checksum": ["no checksum"],
    "bad-checksum": ["checksum"],
    "truncated-manifest": ["checksum", "manifest"],
    "corrupt-manifest": ["manifest"],
    "missing-file": ["size", "rows"],
    "short-file": ["size", "rows"],
    "truncated-file": ["rows"],
    "corrupt-file": ["bytes"],
    "lost-rows": ["rows"],
}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"destination": "x", "files": 0}, "there is at least one file"),
        ({"destination": "x", "form": "orc"}, "form is csv or parquet"),
        ({"destination": "x", "faults": ["late"]}, "unknown fault 'late'; known: pending, failed"),
        ({"destination": "x", "when": 1}, "unknown key 'when'; known: container-in-names, destination"),
    ],
)
def test_an_order_is_checked(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ordered(document)


SEED = {
    "lakes": {
        ACCOUNT: {
            "filesystems": {"curated": {"paths": [{"path": "a"}]}},
            "inventories": [
                {"destination": "inventory", "hours-ago": 2, "fields": ["Name", "Acl", "hdi_isfolder"]}
            ],
        }
    }
}


def test_a_seed_and_a_request_make_runs() -> None:
    world = World()
    built = services.build(world)
    services.seed(world, built, SEED)
    lake = built["lake"]
    assert isinstance(lake, LakeService)
    dumped = lake.dump()[ACCOUNT]["filesystems"]["inventory"]["paths"]
    files = {row["path"]: base64.b64decode(row["content"]) for row in dumped if row["type"] == "file"}
    assert [text for name, text in files.items() if name.endswith(".csv")][0].startswith(b"Name,Acl,hdi_isf")

    def ask(document: dict[str, Any]) -> tuple[int, Any]:
        path = f"{control.PREFIX}inventories"
        request = Request(service="", method="POST", path=path, query=[], headers={},
                          body=json.dumps(document).encode(), base="")  # fmt: skip
        answer = control.handle(world, built, {}, request)
        return answer.status, json.loads(answer.body)

    status, answer = ask({"account": ACCOUNT, "destination": "inventory", "rule": "weekly"})
    assert status == 200 and answer["folder"].endswith("/weekly")
    assert ask({"account": "none"}) == (
        400,
        {"error": f"POST inventories: inventory: account is one of {ACCOUNT}"},
    )
    assert ask({"account": ACCOUNT})[0] == 400


def test_who_may_not_read_the_destination_is_refused(lake: Lake) -> None:
    name = f"{make(lake)}/nightly.csv"
    assert lake.ask("GET", f"/inventory/{name}", host="blob", who=ANA).status == 403


def test_the_reference_lists_every_key_and_fault_and_its_seed_loads(root: Path) -> None:
    text = (root / "docs" / "reference" / "emulator.md").read_text(encoding="utf-8")
    text = text.partition("### Inventories")[2].partition("\n### ")[0]
    keys, faults = text.split("| fault | ")
    assert first_cells(keys) == {each.name.replace("_", "-") for each in fields(Order)}
    assert first_cells(faults) == set(FAULTS)
    (sample,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    world = World()
    services.seed(world, services.build(world), yaml.safe_load(sample))


def first_cells(table: str) -> set[str]:
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
