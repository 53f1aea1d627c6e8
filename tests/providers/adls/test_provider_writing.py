"""What the provider writes: the approved actions and nothing else, asserted on the emulator's own facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from reconciler.core.model import Attribute, Evidence, Verb
from reconciler.core.plan import Status
from tests.providers.adls.lake import ACCOUNT, BASE, ODD, TREE, Lake, about, folder, lake, statuses


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lake]:
    with lake(tmp_path, TREE, patience=3) as running:
        running.documents = [folder(grants={"group:pricing-ds": "read", "group:pricing-eng": "write"})]
        yield running


def test_after_an_apply_every_path_holds_what_the_document_says(here: Lake) -> None:
    here.set("pricing/a", BASE + ",user:ana@corp.example:rwx,default:user:ana@corp.example:rwx")
    here.set("pricing/a/f", "user::rw-,group::r--,group:pricing-ds:rwx,mask::r--,other::r--")
    assert statuses(here) == {Status.ACCEPTED}
    for path, node in here.paths("pricing").items():
        acl = here.acl(path).split(",")
        named = {entry for entry in acl if not entry.startswith("default:") and "::" not in entry}
        # Execute means nothing on a file.
        meant = named if node.is_folder else {entry.replace(":r--", ":r-x") for entry in named}
        assert meant == {"group:pricing-ds:r-x", "group:pricing-eng:rwx"}, path
        assert "mask::rwx" in acl and "other::---" in acl, path
        if node.is_folder:
            default = {entry for entry in acl if entry.startswith("default:group:p")}
            assert default == {"default:group:pricing-ds:r-x", "default:group:pricing-eng:rwx"}, path
            assert {"default:mask::rwx", "default:other::---"} <= set(acl), path
    assert "group:pricing-ds:--x" in here.acl("") and "group:pricing-eng:--x" in here.acl("")
    assert here.plan() == []


def test_what_is_in_step_is_not_written(here: Lake) -> None:
    here.apply()
    here.emulator.world.log.clear()
    assert here.apply() == {}
    assert here.requests("PATCH") == []


@pytest.mark.parametrize("name", [name for name in ODD if name.isprintable()])
def test_odd_names_are_written_like_any_other(here: Lake, name: str) -> None:
    paths = [{"path": f"pricing/{name}"}, {"path": f"pricing/{name}/{name}", "type": "file"}]
    here.emulator.services["lake"].seed({ACCOUNT: {"filesystems": {"curated": {"paths": paths}}}})
    here.documents.append(folder(f"curated/pricing/{name}", grants={"group:sales": "read"}))
    assert statuses(here) == {Status.ACCEPTED}
    assert "group:sales:r-x" in here.acl(f"pricing/{name}/{name}")
    assert here.plan() == []


def test_only_paths_that_change_are_written(here: Lake) -> None:
    here.apply()
    here.set("pricing/a/b", BASE)
    here.emulator.world.log.clear()
    here.apply()
    written = [unquote(line.partition("?")[0]) for line in here.requests("PATCH")]
    assert written == ["PATCH /curated/pricing/a/b"]
    assert here.plan() == []


def test_a_new_file_inherits_what_was_granted(here: Lake) -> None:
    here.apply()
    account = here.emulator.services["lake"]
    seed = {"filesystems": {"curated": {"paths": [{"path": "pricing/new/sub/f", "type": "file"}]}}}
    account.seed({ACCOUNT: seed})
    assert here.plan() == []


def test_the_order_of_entries_of_others_and_defaults_stay(here: Lake) -> None:
    keep = ",user:bo@corp.example:r--,default:user:bo@corp.example:-w-"
    here.documents = [folder(grants={"group:pricing-ds": "read"}, unlisted="keep")]
    here.set("pricing/a", BASE + keep)
    here.apply(about(here, role="access", kind="folder"))
    acl = here.acl("pricing/a").split(",")
    assert {"user:bo@corp.example:r--", "default:user:bo@corp.example:-w-", "default:mask::rwx"} <= set(acl)


def test_raising_one_entry_narrows_the_others_to_what_they_had(here: Lake) -> None:
    """bo spells rwx under a mask of r-x: a wider mask must not let bo write."""
    here.documents = [folder(grants={"group:pricing-eng": "write"}, unlisted="keep")]
    here.set("pricing/a", "user::rwx,user:bo@corp.example:rwx,group::rwx,mask::r-x,other::---")
    here.apply(about(here, role="access", kind="folder"))
    acl = here.acl("pricing/a").split(",")
    assert {"user:bo@corp.example:r-x", "group::r-x", "mask::rwx", "group:pricing-eng:rwx"} <= set(acl)


def test_a_path_whose_mask_nobody_may_widen_is_told(here: Lake) -> None:
    here.documents = [folder(grants={"group:pricing-eng": "write"}, unlisted="keep")]
    here.set("pricing/a", "user::rwx,user:bo@corp.example:r--,group::r--,mask::r--,other::rwx")
    before = here.acl("pricing/a")
    (action,) = about(here, role="access", kind="folder")
    outcome = here.apply([action])[action.id]
    assert outcome.status is Status.PARTIAL
    assert "1 path has (pricing/a) no room for it: other:: holds rwx beyond the mask r--" in outcome.reason
    assert "5 others were written" in outcome.reason
    assert here.acl("pricing/a") == before
    # Once others have nothing beyond the mask any more, the next run does the rest.
    here.documents = [folder(grants={"group:pricing-eng": "write"})]
    here.apply()
    here.apply()
    assert here.plan() == []


def test_execute_for_everybody_is_no_obstacle_on_a_file(here: Lake) -> None:
    here.set("pricing/a/f", "user::rw-,group::r--,group:pricing-ds:---,mask::---,other::--x")
    assert statuses(here) == {Status.ACCEPTED}
    assert {"group:pricing-ds:r--", "mask::rw-", "other::--x"} <= set(here.acl("pricing/a/f").split(","))
    assert here.plan() == []


def test_a_path_with_an_unapproved_right_is_refused_and_the_rest_is_done(here: Lake) -> None:
    here.documents = [folder(grants={"group:pricing-ds": "read"})]
    (action,) = about(here, role="access", principal="group:pricing-ds", kind="folder")
    assert (action.verb, action.before, action.after) == (Verb.GRANT, (None,), "r-x")
    here.set("pricing/a/b", BASE + ",group:pricing-ds:rwx")
    outcome = here.apply([action])[action.id]
    assert outcome.status is Status.PARTIAL
    assert "1 path has (pricing/a/b) no approved right to start from" in outcome.reason
    assert "5 others were written" in outcome.reason
    assert "group:pricing-ds:rwx" in here.acl("pricing/a/b")
    assert "group:pricing-ds:r-x" in here.acl("pricing/a")


def test_a_path_that_the_plan_knew_of_is_left_to_its_own_action(here: Lake) -> None:
    here.documents = [folder(grants={"group:pricing-ds": "read"})]
    here.set("pricing/a/b", BASE + ",group:pricing-ds:rwx")
    grant, lower = about(here, role="access", principal="group:pricing-ds", kind="folder")
    assert (grant.verb, lower.verb, lower.before) == (Verb.GRANT, Verb.LOWER, ("rwx",))
    assert here.apply([grant])[grant.id].status is Status.ACCEPTED
    assert "group:pricing-ds:rwx" in here.acl("pricing/a/b")
    assert here.apply([lower])[lower.id].status is Status.ACCEPTED
    assert "group:pricing-ds:r-x" in here.acl("pricing/a/b")


def test_a_path_that_appears_later_with_an_approved_right_is_covered(here: Lake) -> None:
    actions = here.plan()
    paths = [{"path": "pricing/later"}, {"path": "pricing/later/f", "type": "file"}]
    here.emulator.services["lake"].seed({ACCOUNT: {"filesystems": {"curated": {"paths": paths}}}})
    assert statuses(here, actions) == {Status.ACCEPTED}
    assert "group:pricing-ds:r-x" in here.acl("pricing/later/f")
    assert here.plan() == []


def test_a_deeper_folder_is_not_touched(here: Lake) -> None:
    here.documents.append(folder("curated/pricing/a", tenant="sales", grants={"group:sales": "read"}))
    before = {path: here.acl(path) for path in here.paths("pricing/a") if path != "pricing/a"}
    actions = [action for action in here.plan() if str(action.address).endswith("folder/curated/pricing")]
    assert statuses(here, actions) == {Status.ACCEPTED}
    assert {path: here.acl(path) for path in before} == before
    assert "group:pricing-ds" not in here.acl("pricing/a")
    statuses(here)
    assert here.plan() == []
    assert "group:sales:--x" in here.acl("pricing")
    assert "group:sales:r-x" in here.acl("pricing/a/b")


def test_revoking_on_the_way_to_a_deeper_folder_leaves_the_way_open(here: Lake) -> None:
    here.documents = [
        folder(grants={}),
        folder("curated/pricing/a/b", tenant="sales", grants={"group:sales": "read"}),
    ]
    for path in ("pricing", "pricing/a"):
        here.set(path, BASE + ",group:sales:r-x")
    assert statuses(here, about(here, verb=Verb.REVOKE)) == {Status.ACCEPTED}
    assert "group:sales:--x" in here.acl("pricing") and "group:sales:--x" in here.acl("pricing/a")
    here.apply()
    assert here.plan() == []


def test_list_gives_names_in_one_folder(here: Lake) -> None:
    here.documents = [folder(grants={"group:sales": "list"})]
    here.set("pricing/a", BASE + ",group:sales:r-x,default:group:sales:r-x")
    assert statuses(here) == {Status.ACCEPTED}
    assert "group:sales:r-x" in here.acl("pricing")
    assert not any("sales" in here.acl(path) for path in here.paths("pricing") if path != "pricing")
    assert here.plan() == []
    here.documents = [folder(grants={"group:sales": "read"})]
    assert statuses(here) == {Status.ACCEPTED}
    assert "group:sales:r-x" in here.acl("pricing/a/f")
    here.documents = [folder(grants={"group:sales": "list"})]
    assert statuses(here) == {Status.ACCEPTED}
    assert "sales" not in here.acl("pricing/a/f")
    assert here.plan() == []


def test_file_masks_are_corrected_where_that_is_asked(here: Lake) -> None:
    here.apply()
    eng, narrow = f"group:{here.oid('group:pricing-eng')}:rwx", "mask::r--"
    here.set("pricing/a/f", f"user::rw-,group::r--,{eng},group:pricing-ds:r-x,{narrow},other::---")
    assert here.plan() == []
    grants = {"group:pricing-ds": "read", "group:pricing-eng": "write"}
    here.documents = [folder(grants=grants, enforce_file_masks=True)]
    (action,) = here.plan()
    assert (action.verb, action.before, action.after) == (Verb.RAISE, ("r-x",), "rwx")
    here.apply()
    acl = here.acl("pricing/a/f").split(",")
    assert {"group:pricing-eng:rwx", "mask::rwx", "group:pricing-ds:r--"} <= set(acl)
    assert here.plan() == []


def test_passing_is_given_beside_what_somebody_holds(here: Lake) -> None:
    here.set("", "user::rwx,group::r-x,group:pricing-ds:r--,group:auditors:r-x,mask::r--,other::---")
    assert statuses(here, about(here, kind="traverse")) == {Status.ACCEPTED}
    acl = here.acl("").split(",")
    assert {"group:pricing-ds:r-x", "group:pricing-eng:--x", "group:auditors:r--", "group::r--"} <= set(acl)
    assert about(here, kind="traverse") == []


def test_passing_is_taken_from_nobody_but_the_unlisted(here: Lake) -> None:
    here.apply()
    here.documents = [folder(grants={"group:pricing-eng": "write"})]
    here.set("", here.acl("").replace("group:pricing-eng", "group:auditors:r-x,group:pricing-eng"))
    here.apply()
    acl = here.acl("").split(",")
    assert {"group:auditors:r-x", "group:pricing-eng:--x"} <= set(acl)
    assert "pricing-ds" not in here.acl("")
    assert here.plan() == []


def test_everybody_is_let_through(tmp_path: Path) -> None:
    with lake(tmp_path, [{"path": "x/pricing"}], traverse="everyone") as here:
        here.documents = [folder("curated/x/pricing", grants={"group:pricing-ds": "read"})]
        here.set("x", "user::rwx,group::rwx,user:bo@corp.example:rwx,mask::r--,other::---")
        assert statuses(here) == {Status.ACCEPTED}
        assert here.acl("").endswith("other::--x")
        assert {"user:bo@corp.example:r--", "mask::r-x", "other::--x"} <= set(here.acl("x").split(","))
        assert here.plan() == []


def test_a_folder_is_made_and_starts_with_nobody_elses_entries(here: Lake) -> None:
    here.set("", "user::rwx,group::r-x,other::---,default:user:ana@corp.example:rwx,default:other::r-x")
    here.documents = [folder("curated/new/deep", grants={"group:pricing-ds": "read"})]
    assert statuses(here) == {Status.ACCEPTED}
    assert "ana" not in here.acl("new/deep") and "other::r" not in here.acl("new/deep")
    assert "group:pricing-ds:r-x" in here.acl("new/deep")
    assert "group:pricing-ds:--x" in here.acl("new")
    assert here.plan() == []


def test_a_retired_folder_loses_what_was_granted(here: Lake) -> None:
    here.apply()
    here.set("pricing/a", here.acl("pricing/a") + ",user:ana@corp.example:r-x")
    here.documents = [
        folder(grants={"group:pricing-ds": "read", "group:pricing-eng": "write"}, state="retired")
    ]
    assert statuses(here) == {Status.ACCEPTED}
    assert not any("pricing-" in here.acl(path) for path in here.paths("pricing"))
    assert "ana" in here.acl("pricing/a")
    assert here.plan() == []


def test_only_an_empty_folder_is_deleted(here: Lake) -> None:
    here.documents = [folder(grants={}, state="retired", destroy=True)]
    (delete,) = here.plan()
    outcome = here.apply([delete])[delete.id]
    assert (outcome.status, "not empty" in outcome.reason) == (Status.REFUSED, True)
    assert here.exists("pricing/a/f")
    here.documents = [folder("curated/pricing/a/b", grants={}, state="retired", destroy=True)]
    (delete,) = here.plan()
    assert here.apply([delete])[delete.id].status is Status.ACCEPTED
    assert not here.exists("pricing/a/b")
    assert here.plan() == []


def test_a_folder_is_renamed_with_everything_in_it(here: Lake) -> None:
    here.apply()
    old = here.documents[0].document
    grants = {grant.who: grant.can for grant in old.grants}
    here.documents = [folder("curated/prices", grants=grants, was=old.folder)]
    (rename,) = here.plan()
    assert (rename.verb, rename.attribute) == (Verb.SET, Attribute("name"))
    assert here.apply()[rename.id].status is Status.ACCEPTED
    assert "group:pricing-ds:r-x" in here.acl("prices/a/f")
    assert here.plan() == []
    assert not here.exists("pricing")


def test_a_rename_never_replaces_anything(here: Lake) -> None:
    here.documents = [folder("curated/prices", grants={}, was="datalake/curated/pricing")]
    rename = next(action for action in here.plan() if action.attribute.role == "name")
    paths = [{"path": "prices/x", "type": "file"}]
    here.emulator.services["lake"].seed({ACCOUNT: {"filesystems": {"curated": {"paths": paths}}}})
    assert here.apply([rename])[rename.id].status is Status.FAILED
    assert here.exists("pricing/a/f") and here.exists("prices/x")


def test_an_entry_for_nobody_is_taken_away(here: Lake) -> None:
    here.apply()
    ghost = "99999999-0000-4000-8000-000000000009"
    here.set("pricing/a", here.acl("pricing/a") + f",user:{ghost}:r-x,default:group:{ghost}:r-x")
    assert statuses(here) == {Status.ACCEPTED}
    assert ghost not in here.acl("pricing/a")
    assert here.plan() == []


def test_evidence_is_no_part_of_what_is_done(here: Lake) -> None:
    actions = [replace(action, evidence=Evidence()) for action in here.plan()]
    assert statuses(here, actions) == {Status.ACCEPTED}
    assert here.plan() == []
