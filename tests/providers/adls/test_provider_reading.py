"""What the provider reads: effective rights over whole trees, in one canonical form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.core.model import Address, Attribute, Finding, Found, Live
from reconciler.emulator.directory import Group
from tests.providers.adls.lake import ODD, Lake, folder, lake

PRICING = Address.parse("adls/datalake/folder/curated/pricing")
LIST = "user::rwx,group::r-x,group:pricing-ds:r-x,mask::r-x,other::---"
READ_LIST = LIST + "".join(f",default:{entry}" for entry in LIST.split(","))
EXISTS = Attribute("exists")
ACCESS, DEFAULT = Attribute("access", "group:pricing-ds"), Attribute("default", "group:pricing-ds")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lake]:
    """A lake with one tree in step with one document, and files and folders with odd names in it."""
    paths = [
        {"path": "pricing", "acl": READ_LIST},
        {"path": "pricing/a/b"},
        {"path": "pricing/a/b/f.parquet", "type": "file"},
        *({"path": f"pricing/{name}"} for name in ODD),
        *({"path": f"pricing/{name}/{name}", "type": "file"} for name in ODD),
    ]
    with lake(tmp_path, paths) as running:
        running.documents = [folder(grants={"group:pricing-ds": "read"})]
        yield running


def pricing(here: Lake) -> Found:
    live = here.read()
    assert [f"{gap.address}: {gap.reason}" for gap in live.gaps.values()] == []
    return live.found[PRICING]


def findings(live: Live) -> list[Finding]:
    """All but those about role assignments, of which the reconciler's own is one."""
    return [each for each in live.findings if each.rule != "bypass"]


def test_a_tree_in_step_is_one_right_for_everybody(here: Lake) -> None:
    found = pricing(here)
    assert dict(found.grants) == {EXISTS: "present", ACCESS: "r-x", DEFAULT: "r-x"}
    assert found.mixed == {}
    assert here.drift().actions == [] or all(a.address.kind == "traverse" for a in here.drift().actions)


def test_reading_twice_is_equal(here: Lake) -> None:
    here.set("pricing/a b", "user::rwx,group::r-x,user:ana@corp.example:rwx,mask::rwx,other::r--")
    assert here.read() == here.read()


@pytest.mark.parametrize("name", ["a/b", *ODD])
def test_one_odd_path_makes_the_tree_mixed(here: Lake, name: str) -> None:
    here.set(f"pricing/{name}", "user::rwx,group::r-x,group:pricing-ds:rwx,mask::rwx,other::---")
    found = pricing(here)
    assert found.mixed[ACCESS] == ("r-x", "rwx")
    assert found.mixed[DEFAULT] == (None, "r-x")
    evidence = found.evidence[ACCESS]
    assert evidence.counts["rwx"] == 1
    assert evidence.samples == (f"pricing/{name}",)


def test_spelling_makes_no_difference(here: Lake) -> None:
    before = pricing(here)
    wide = READ_LIST.replace("group:pricing-ds:r-x", "group:pricing-ds:rwx")
    here.set("pricing/a", wide)
    here.set("pricing/a/b/f.parquet", "user::rw-,group::r--,group:pricing-ds:r--,mask::rwx,other::--x")
    here.set("pricing/a/b", ",".join(reversed(READ_LIST.split(","))))
    assert pricing(here) == before


def test_a_mask_that_silences_a_grant_is_drift(here: Lake) -> None:
    here.set("pricing/a", READ_LIST.replace(",mask::r-x", ",mask::---", 1))
    assert pricing(here).mixed[ACCESS] == ("---", "r-x")
    here.set("pricing/a", READ_LIST.replace("default:mask::r-x", "default:mask::--x"))
    assert pricing(here).mixed[DEFAULT] == ("--x", "r-x")


def test_what_others_may_do_is_read(here: Lake) -> None:
    here.set("pricing/a", READ_LIST.replace("other::---", "other::r-x"))
    found = pricing(here)
    assert found.mixed[Attribute("access", "other")] == (None, "r-x")
    assert found.mixed[Attribute("default", "other")] == (None, "r-x")


def test_everybody_with_an_entry_is_named(here: Lake) -> None:
    here.set("pricing/a", READ_LIST + ",user:ana@corp.example:rwx,sp:airflow:r--")
    found = pricing(here)
    assert found.mixed[Attribute("access", "user:ana@corp.example")] == (None, "r-x")
    assert found.mixed[Attribute("access", "sp:airflow")] == (None, "r--")


def test_an_entry_for_nobody_is_a_finding(here: Lake) -> None:
    ghost = "99999999-0000-4000-8000-000000000009"
    here.set("pricing/a", READ_LIST + f",user:{ghost}:r-x")
    live = here.read()
    assert live.found[PRICING].mixed[Attribute("access", f"id:{ghost}")] == (None, "r-x")
    assert [(each.rule, each.address) for each in findings(live)] == [("dangling", PRICING)]


def test_a_groups_id_in_a_user_entry_grants_nothing(here: Lake) -> None:
    group = here.oid("group:sales")
    here.set("pricing/a", READ_LIST + f",user:{group}:r-x")
    here.documents = [folder(grants={"group:pricing-ds": "read", "group:sales": "read"})]
    live = here.read()
    assert Attribute("access", "group:sales") not in live.found[PRICING].mixed
    assert live.found[PRICING].mixed[Attribute("access", f"id:{group}")] == (None, "r-x")
    assert [each.rule for each in findings(live)] == ["misplaced"]


def test_a_namesake_is_somebody_else(here: Lake) -> None:
    twin = "77777777-0000-4000-8000-000000000007"
    here.people.pinned["group:pricing-ds"] = here.oid("group:pricing-ds")
    here.set("pricing/a", READ_LIST + f",group:{twin}:rwx")
    here.people.truth.add(Group(id=twin, display_name="pricing-ds"))
    live = here.read()
    assert live.found[PRICING].grants[ACCESS] == "r-x"
    assert live.found[PRICING].mixed[Attribute("access", f"id:{twin}")] == (None, "r-x")
    assert [each.rule for each in findings(live)] == ["namesake"]


def test_an_owning_group_that_holds_more_than_it_is_granted_is_told(here: Lake) -> None:
    for path in ("pricing/a", "pricing/a/b/f.parquet"):
        here.node(path).group = here.oid("group:sales")
    here.node("pricing/a/b").group = here.oid("group:pricing-ds")
    (finding,) = findings(here.read())
    assert (finding.rule, finding.address) == ("owning-group", PRICING)
    assert "group:sales is the owning group and holds r-- on 1, r-x on 1" in finding.text


WRITE_LIST = READ_LIST.replace("pricing-ds:r-x", "pricing-ds:rwx").replace("mask::r-x", "mask::rwx")
NARROWED = "user::rw-,group::r--,group:pricing-ds:rwx,mask::r--,other::---"


def test_a_file_narrowed_by_its_mode_is_counted(here: Lake) -> None:
    for path in here.paths("pricing"):
        here.set(path, WRITE_LIST if here.node(path).is_folder else WRITE_LIST.partition(",default")[0])
    here.set("pricing/a/b/f.parquet", NARROWED)
    here.documents = [folder(grants={"group:pricing-ds": "write"})]
    live = here.read()
    assert live.found[PRICING].grants[ACCESS] == "rwx"
    (finding,) = findings(live)
    assert finding.rule == "file-mask"
    assert "group:pricing-ds on 1 (pricing/a/b/f.parquet)" in finding.text


def test_a_file_narrowed_by_its_mode_is_drift_where_that_is_enforced(here: Lake) -> None:
    for path in here.paths("pricing"):
        here.set(path, WRITE_LIST if here.node(path).is_folder else WRITE_LIST.partition(",default")[0])
    here.set("pricing/a/b/f.parquet", NARROWED)
    here.documents = [folder(grants={"group:pricing-ds": "write"}, enforce_file_masks=True)]
    live = here.read()
    assert live.found[PRICING].mixed[ACCESS] == ("r-x", "rwx")
    assert findings(live) == []


def test_list_is_an_entry_on_the_folder_alone(here: Lake) -> None:
    here.documents = [folder(grants={"group:pricing-ds": "read", "group:sales": "list"})]
    sales = Attribute("access", "group:sales")
    assert sales not in pricing(here).grants
    here.set("pricing", READ_LIST + ",group:sales:r-x")
    assert pricing(here).grants[sales] == "list"
    assert sales not in pricing(here).mixed
    here.set("pricing/a", READ_LIST + ",group:sales:r-x")
    assert pricing(here).mixed[sales] == ("list", "r-x")
    here.set("pricing/a", READ_LIST)
    here.set("pricing", READ_LIST + ",group:sales:r--")
    assert pricing(here).grants[sales] == "r--"


def test_list_that_nobody_asks_for_is_what_it_is(here: Lake) -> None:
    here.set("pricing", READ_LIST + ",group:sales:r-x")
    assert pricing(here).mixed[Attribute("access", "group:sales")] == (None, "r-x")


def test_deeper_folders_are_not_counted(here: Lake) -> None:
    here.set("pricing/a", READ_LIST.replace("pricing-ds", "pricing-eng"))
    here.set("pricing/a/b", READ_LIST.replace("pricing-ds", "pricing-eng"))
    here.set("pricing/a/b/f.parquet", LIST.replace("pricing-ds", "pricing-eng"))
    assert pricing(here).mixed[ACCESS] == (None, "r-x")
    here.documents.append(folder("curated/pricing/a", grants={"group:pricing-eng": "read"}))
    live = here.read()
    assert live.found[PRICING].grants[ACCESS] == "r-x"
    deeper = live.found[Address.parse("adls/datalake/folder/curated/pricing/a")]
    assert deeper.grants[Attribute("access", "group:pricing-eng")] == "r-x"
    assert not deeper.mixed


def test_deeper_folders_are_not_counted_when_they_are_not_asked_about(here: Lake) -> None:
    """Verification reads single addresses."""
    here.set("pricing/a", READ_LIST.replace("pricing-ds", "pricing-eng"))
    here.documents.append(folder("curated/pricing/a", grants={"group:pricing-eng": "read"}))
    live = here.read(str(PRICING))
    assert set(live.found) == {PRICING}
    assert live.found[PRICING].grants[ACCESS] == "r-x"


def test_entries_that_let_through_to_a_deeper_folder_are_the_platforms(here: Lake) -> None:
    here.documents.append(folder("curated/pricing/a/b", grants={"group:sales": "read"}))
    passing = READ_LIST + ",group:sales:--x"
    here.set("pricing", passing)
    here.set("pricing/a", passing)
    sales = Attribute("access", "group:sales")
    live = here.read()
    assert sales not in live.found[PRICING].mixed
    for way in ("curated/pricing", "curated/pricing/a"):
        found = live.found[Address.parse(f"adls/datalake/traverse/{way}")]
        assert dict(found.grants) == {sales: "--x"}
    here.set("pricing/a", READ_LIST + ",group:sales:r-x")
    live = here.read()
    assert live.found[PRICING].mixed[sales] == (None, "r-x")
    assert live.found[Address.parse("adls/datalake/traverse/curated/pricing/a")].grants[sales] == "--x"


def test_a_folder_that_is_not_there_is_absent(here: Lake) -> None:
    here.documents = [folder("curated/nowhere", grants={"group:pricing-ds": "read"})]
    live = here.read()
    assert Address.parse("adls/datalake/folder/curated/nowhere") not in {*live.found, *live.gaps}


ROOT = Address.parse("adls/datalake/traverse/curated")


def test_passing_through_the_root_is_read(here: Lake) -> None:
    assert dict(here.read().found[ROOT].grants) == {}
    here.set("", "user::rwx,group::r-x,group:pricing-ds:--x,mask::r-x,other::---")
    assert dict(here.read().found[ROOT].grants) == {ACCESS: "--x"}
    here.set("", "user::rwx,group::r-x,group:pricing-ds:r-x,mask::r-x,other::---")
    assert dict(here.read().found[ROOT].grants) == {ACCESS: "--x"}
    here.set("", "user::rwx,group::r-x,group:pricing-ds:--x,mask::r--,other::---")
    assert dict(here.read().found[ROOT].grants) == {ACCESS: "---"}


def test_other_entries_on_the_way_are_nobodys_business(here: Lake) -> None:
    here.set("", "user::rwx,group::r-x,group:sales:r-x,group:auditors:--x,mask::r-x,other::r-x")
    assert dict(here.read().found[ROOT].grants) == {Attribute("access", "group:auditors"): "--x"}


def test_everybody_may_be_let_through(tmp_path: Path) -> None:
    with lake(tmp_path, [{"path": "pricing"}], traverse="everyone") as here:
        here.documents = [folder(grants={"group:pricing-ds": "read"})]
        other = Attribute("access", "other")
        assert [want.grants for want in here.wanted() if want.address == ROOT] == [{other: "--x"}]
        assert dict(here.read().found[ROOT].grants) == {}
        here.set("", "user::rwx,group::r-x,other::r-x")
        assert dict(here.read().found[ROOT].grants) == {other: "--x"}
