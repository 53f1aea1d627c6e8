"""Which run is used, why not a newer one, and what is said where none can be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.environment import InventorySettings
from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.runs import Blob, candidates, shortfall, spelled
from reconciler.providers.adls.inventory.source import wanted
from tests.providers.adls.inventory.runs import SMALL, WANTED, Inventoried, said


@pytest.fixture
def lake(tmp_path: Path) -> Inventoried:
    made = Inventoried(tmp_path)
    made.fill(SMALL)
    return made


def test_the_newest_run_is_used(lake: Inventoried) -> None:
    lake.make(hours_ago=30)
    newest = lake.make(hours_ago=6)
    lake.make(hours_ago=1, rule="other")
    chosen = lake.find()
    assert chosen.run.folder == newest
    assert chosen.run.manifest.objects == len(SMALL) + 8 and chosen.passed == ()
    assert chosen.as_of == f"run of {chosen.run.manifest.began:%Y-%m-%d %H:%M} UTC, 6 h old (rule nightly)"


FAULTS = [
    ("pending", Flaw.PENDING, "it is still under way (status Pending): wait for its end"),
    (
        "failed",
        Flaw.FAILED,
        "it failed (status Failed): look at the rule in the portal, wait for the next run",
    ),
    (
        "partial",
        Flaw.PARTIAL,
        "it only partially succeeded, and does not say which paths it lacks: wait for the next run",
    ),
    (
        "no-checksum",
        Flaw.NO_CHECKSUM,
        "its checksum file is missing, which the service writes last: wait for the end of the run, or look "
        "whether somebody deleted the file",
    ),
    (
        "bad-checksum",
        Flaw.CHECKSUM,
        "its checksum file says 'd41d8cd98f00b204e9800998ecf8427e': it was cut short or changed; wait for "
        "the next run",
    ),
    ("truncated-manifest", Flaw.CHECKSUM, "it was cut short or changed; wait for the next run"),
    ("corrupt-manifest", Flaw.MANIFEST, "is no JSON (Expecting ':' delimiter: line 4 column 11"),
    ("missing-file", Flaw.NO_FILE, "of its 2 files nightly_1.csv is missing; wait for the next run"),
    ("short-file", Flaw.SIZE, "its manifest says"),
]


@pytest.mark.parametrize(("fault", "flaw", "words"), FAULTS)
def test_a_run_that_is_not_whole_is_refused_by_name(
    lake: Inventoried, fault: str, flaw: Flaw, words: str
) -> None:
    folder = lake.make(hours_ago=2, files=2, faults=[fault])
    with pytest.raises(InventoryFault) as told:
        lake.find()
    assert told.value.flaw is flaw
    assert str(told.value).startswith(f"inventory {folder}: ")
    assert words in str(told.value)


@pytest.mark.parametrize(("fault", "flaw", "words"), FAULTS)
def test_the_one_before_it_is_used_instead_and_this_is_told(
    lake: Inventoried, fault: str, flaw: Flaw, words: str
) -> None:
    good = lake.make(hours_ago=26)
    bad = lake.make(hours_ago=2, files=2, faults=[fault])
    chosen = lake.find()
    assert chosen.run.folder == good
    assert [each.flaw for each in chosen.passed] == [flaw]
    assert f", 26 h old (rule nightly); passed over: {bad}: " in chosen.as_of
    assert words in chosen.as_of


def test_an_old_run_is_refused_with_both_ages(lake: Inventoried) -> None:
    folder = lake.make(hours_ago=50)
    assert said(lake.find) == (
        f"inventory {folder}: it began 50 h ago, and max-age is 36 h: look why the rule did not run since, "
        "or raise `max-age`"
    )
    assert lake.find(replace(WANTED, max_age=timedelta(hours=51))).run.folder == folder


def test_an_old_good_run_does_not_replace_a_new_bad_one(lake: Inventoried) -> None:
    old = lake.make(hours_ago=50)
    new = lake.make(hours_ago=2, faults=["failed"])
    assert said(lake.find) == (
        f"inventory {new}: it failed (status Failed): look at the rule in the portal, wait for the next run; "
        f"before it {old}: it began 50 h ago, and max-age is 36 h: look why the rule did not run since, or "
        "raise `max-age`"
    )


def test_how_long_a_run_took_counts_into_its_age(lake: Inventoried) -> None:
    """A folder may be young and its manifest old: what the run says of a path is as old as its beginning."""
    lake.make(hours_ago=2)
    edit(lake, inventoryStartTime="2020-01-01T00:00:00Z")
    assert "it began " in said(lake.find) and "max-age is 36 h" in said(lake.find)


def test_no_run_at_all(lake: Inventoried) -> None:
    lake.make(hours_ago=2, rule="other")
    assert said(lake.find) == (
        "inventory ./…/nightly: there is no run of this rule: look whether the rule is enabled and writes "
        "into this container; its first run takes a day"
    )


def test_a_run_of_another_account_or_rule_is_a_stranger(lake: Inventoried) -> None:
    folder = lake.make(hours_ago=2)
    stranger = replace(WANTED, accounts=frozenset({"otherlake"}))
    assert said(lake.find, stranger) == (
        f"inventory {folder}: it is of storage account 'datalake', not of otherlake: correct the lake's "
        "endpoints, or the inventory's container"
    )
    edit(lake, ruleName="weekly")
    assert "its manifest is of rule 'weekly', not of 'nightly'" in said(lake.find)


def edit(lake: Inventoried, checksum: bool = True, **changes: Any) -> None:
    """Change the only manifest, and its checksum with it."""
    import hashlib

    (file,) = lake.folder.rglob("nightly-manifest.json")
    document = json.loads(file.read_text())
    for key, value in changes.items():
        inner = document
        *path, last = key.split("__")
        for part in path:
            inner = inner[part]
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value
    file.write_text(json.dumps(document))
    if checksum:
        digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        file.with_suffix(".checksum").write_text(digest)


EDITS: list[tuple[dict[str, Any], Flaw, str]] = [
    ({"version": "2.0"}, Flaw.MANIFEST, "its manifest is of version '2.0', and 1.x is read here"),
    ({"version": None}, Flaw.MANIFEST, "its manifest has no version, which is a text"),
    ({"status": "Running"}, Flaw.MANIFEST, "its status 'Running' is none that is known"),
    ({"endpoint": "datalake"}, Flaw.MANIFEST, "its manifest is 'datalake', which names no account"),
    ({"summary__objectCount": "12"}, Flaw.MANIFEST, "its manifest has no objectCount, which is a number"),
    ({"summary__objectCount": True}, Flaw.MANIFEST, "its manifest has no objectCount, which is a number"),
    ({"inventoryStartTime": "yesterday"}, Flaw.MANIFEST, "is 'yesterday', which is no time"),
    ({"inventoryCompletionTime": "2001-01-01T00:00:00Z"}, Flaw.MANIFEST, "says that it ended at"),
    ({"inventoryStartTime": "2999-01-01T00:00:00Z", "inventoryCompletionTime": "2999-01-01T01:00:00Z"},
     Flaw.FUTURE, "it says that it began at 2999-01-01 00:00 UTC, which is to come: check the clock"),
    ({"ruleDefinition__format": "orc"}, Flaw.FORMAT, "its format is 'orc': set the rule's to Parquet or CSV"),
    ({"ruleDefinition__objectType": "container"}, Flaw.FORMAT, "the rule lists containers: set its"),
    ({"ruleDefinition__schemaFields": ["Name", "Owner"]}, Flaw.SCHEMA,
     "it has 2 fields without Acl, hdi_isfolder: add to the rule's schemaFields"),
    ({"ruleDefinition__schemaFields": "Name"}, Flaw.MANIFEST, "schemaFields of its manifest is no list"),
    ({"ruleDefinition__filters__creationTime": {"lastNDays": 3}}, Flaw.FILTER,
     "the rule lists recent paths only: take creationTime out of its filters"),
    ({"ruleDefinition__filters__blobTypes": ["blockBlob"]}, Flaw.FILTER,
     "the rule leaves out appendBlobs: add it to the blobTypes of its filters"),
    ({"ruleDefinition__filters__includeDeleted": True}, Flaw.FILTER,
     "the rule also lists what is no path any more: set includeDeleted to false"),
    ({"files": None}, Flaw.MANIFEST, "its manifest has no list of files"),
    ({"files": [{"blob": "x.csv"}]}, Flaw.MANIFEST, "its manifest has no size, which is a number"),
    ({"files": [{"blob": "a/nightly.csv", "size": 1}]}, Flaw.MANIFEST, "which is not in its folder"),
    ({"files": []}, Flaw.NO_FILE, "it counts 3 objects and names no file; wait for the next run"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "flaw", "words"), EDITS)
def test_a_manifest_is_read_strictly(
    lake: Inventoried, changes: dict[str, Any], flaw: Flaw, words: str
) -> None:
    lake.make(hours_ago=2)
    edit(lake, **changes)
    with pytest.raises(InventoryFault) as told:
        lake.find()
    assert (told.value.flaw, words in str(told.value)) == (flaw, True), str(told.value)


@pytest.mark.parametrize("name", ["../x.csv", "/etc/passwd", "..", "2020/01/01/00-00-00/nightly/.."])
def test_a_manifest_cannot_lead_out_of_its_folder(lake: Inventoried, name: str) -> None:
    lake.make(hours_ago=2)
    edit(lake, files=[{"blob": name, "size": 10}])
    assert f"its manifest names {name!r}, which is not in its folder" in said(lake.find)


def test_a_checksum_may_be_spelt_either_way(lake: Inventoried) -> None:
    folder = lake.make(hours_ago=2)
    file = lake.folder / folder / "nightly-manifest.checksum"
    import base64

    digest = bytes.fromhex(file.read_text())
    for text in (digest.hex().upper() + "\n", base64.b64encode(digest).decode(), f'"{digest.hex()}"'):
        file.write_text(text)
        assert lake.find().run.folder == folder


def test_a_moved_run_is_found_below_its_prefix_and_by_itself(lake: Inventoried) -> None:
    folder = lake.make(hours_ago=2, prefix="access/lake")
    assert folder.startswith("access/lake/2")
    assert "there is no run of this rule" in said(lake.find)
    moved = lake.find(replace(WANTED, prefix="access/lake"))
    assert moved.run.files[0].name == f"{folder}/nightly.csv"
    alone = Inventoried(lake.folder / folder, lake.service)
    assert alone.find().run.files[0].name == "nightly.csv"


def test_other_blobs_are_no_runs() -> None:
    names = [
        "x",
        "2026/11/23/02-00-00/nightly",
        "2026/13/23/02-00-00/nightly/a",
        "a/2026/11/23/02-00-00/nightly/a",
    ]
    names += ["2026/11/23/02-00-00/weekly/a", "2026/11/23/02-00-00/nightly/a/b"]
    assert candidates([Blob(name, 1) for name in names], "", "nightly") == []


def test_filters_say_which_trees_a_run_does_not_tell_of(lake: Inventoried) -> None:
    lake.make(hours_ago=2, matched=["curated/pri", "raw"], excluded=["curated/pricing/tmp/", "raw/x"])
    run = lake.find().run
    assert run.misses("curated", "pricing/a") == run.misses("raw", "y") == ""
    assert run.misses("curated", "pri") == ""
    assert run.misses("curated", "") == "the rule lists curated/pri, raw only"
    assert run.misses("curated", "sales") == "the rule lists curated/pri, raw only"
    assert run.misses("curated", "pricing") == "the rule leaves out curated/pricing/tmp/"
    assert run.misses("curated", "pricing/tmp/y") == "the rule leaves out curated/pricing/tmp/"
    assert run.misses("raw", "") == "the rule leaves out raw/x"
    assert run.misses("raw2", "a") == ""


def test_too_few_rows_are_a_fault_and_more_are_not(lake: Inventoried) -> None:
    folder = lake.make(hours_ago=2)
    run = lake.find().run
    assert str(shortfall(run, 2, "curated", 2)) == (
        f"inventory {folder}: 2 rows were read, and its manifest counts 3 objects; wait for the next run"
    )
    assert shortfall(run, 3, "curated", 3) is None and shortfall(run, 4, "curated", 4) is None
    assert str(shortfall(run, 3, "raw", 0)) == (
        f"inventory {folder}: none of its 3 rows is of container 'raw': look at the rule's prefixMatch, and "
        "at the inventory's `names`"
    )


@pytest.mark.parametrize(
    ("blob", "resource", "accounts"),
    [
        ("https://corplake.blob.core.windows.net", "", {"corplake"}),
        ("https://corplake.z12.blob.storage.azure.net", "", {"corplake"}),
        ("https://127.0.0.1:18447", "/subscriptions/1/x/storageAccounts/CorpLake", {"corplake"}),
        ("https://127.0.0.1:18447", "", set()),
    ],
)
def test_the_account_is_known_by_host_or_by_resource(blob: str, resource: str, accounts: set[str]) -> None:
    settings = InventorySettings(container="inventory", rule="nightly")
    assert wanted(settings, blob, resource).accounts == accounts


def test_ages_are_spelt_as_people_say_them() -> None:
    ages = [
        timedelta(minutes=5),
        timedelta(hours=2),
        timedelta(hours=71),
        timedelta(days=3),
        timedelta(days=-1),
    ]
    assert [spelled(age) for age in ages] == ["5 min", "2 h", "71 h", "3 days", "0 min"]
