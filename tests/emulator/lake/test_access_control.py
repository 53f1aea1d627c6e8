"""Access control over the wire: what a write changes, what it leaves, and how a walk goes on."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.lake.harness import ANA, BO, TEAM, Answer, Lake

READ_DEFAULT = f"group:{TEAM}:r-x,default:group:{TEAM}:r-x"


@pytest.fixture
def lake() -> Lake:
    """A filesystem with a small tree."""
    lake = Lake()
    lake.make("a/", "a/b/", "a/b/f", "a/g", "h")
    return lake


def recursive(lake: Lake, mode: str, acl: str, path: str = "a", **query: str) -> Answer:
    """One recursive request."""
    more = "".join(f"&{name}={quote(value, safe='')}" for name, value in query.items())
    url = f"/curated/{path}?action=setAccessControlRecursive&mode={mode}{more}"
    return lake.ask("PATCH", url, x_ms_acl=acl)


def test_a_list_is_read_as_it_was_set(lake: Lake) -> None:
    """With owner, group and permissions beside it; status leaves the list out."""
    assert lake.set_acl("a", READ_DEFAULT).headers["x-ms-namespace-enabled"] == "true"
    answer = lake.ask("HEAD", "/curated/a?action=getAccessControl&upn=false")
    assert answer.headers["x-ms-acl"].startswith(
        f"user::rwx,group::r-x,group:{TEAM}:r-x,mask::r-x,other::---,"
    )
    assert answer.headers["x-ms-permissions"] == "rwxr-x---+"
    assert answer.headers["x-ms-owner"] == answer.headers["x-ms-group"] == "$superuser"
    assert "x-ms-acl" not in lake.ask("HEAD", "/curated/a?action=getStatus").headers


def test_no_write_of_a_list_moves_etag_or_time(lake: Lake) -> None:
    """Not one path's, not a tree's: nothing can be polled for such a change."""
    before = lake.ask("HEAD", "/curated/a?action=getStatus").headers
    lake.world.clock.advance(60)
    assert lake.set_acl("a", READ_DEFAULT).headers["etag"] == before["etag"]
    recursive(lake, "modify", f"user:{ANA}:rwx")
    after = lake.ask("HEAD", "/curated/a?action=getStatus").headers
    assert (after["etag"], after["last-modified"]) == (before["etag"], before["last-modified"])


def test_names_stand_for_users_only_on_request(lake: Lake) -> None:
    """Groups keep their ids, as no name of theirs is unique."""
    lake.set_acl("a", f"user:{ANA}:r-x,group:{TEAM}:r-x", x_ms_owner=BO)
    url = "/curated/a?action=getAccessControl&upn="
    named = lake.ask("HEAD", url + "true").headers
    assert named["x-ms-owner"] == "bo@corp.example"
    assert "user:ana@corp.example:r-x" in named["x-ms-acl"]
    assert f"group:{TEAM}:r-x" in named["x-ms-acl"]
    assert f"user:{ANA}:r-x" in lake.ask("HEAD", url + "false").headers["x-ms-acl"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x_ms_acl": "asdf"}, 400, "InvaldAccessControlList"),
        ({"x_ms_permissions": "asdf"}, 400, "InvalidPermission"),
        ({"x_ms_acl": "user::rwx", "x_ms_permissions": "0700"}, 400, "InvalidHeaderValue"),
        ({}, 400, "MissingRequiredHeader"),
        ({"x_ms_acl": "user::rwx", "if_match": '"0x1"'}, 412, "ConditionNotMet"),
        ({"x_ms_acl": "user::rwx", "x_ms_lease_id": ANA}, 412, "LeaseNotPresent"),
    ],
)
def test_a_refused_write_changes_nothing(lake: Lake, headers: dict[str, str], status: int, code: str) -> None:
    """And says why, in the service's own codes."""
    before = lake.acl("a")
    answer = lake.ask("PATCH", "/curated/a?action=setAccessControl", **headers)
    assert (answer.status, answer.code) == (status, code)
    assert answer.json["error"]["code"] == code
    assert lake.acl("a") == before


def test_default_entries_on_a_file_are_an_error_alone_and_skipped_in_a_walk(lake: Lake) -> None:
    """The walk counts the file as done."""
    assert lake.set_acl("h", f"default:user:{ANA}:rwx").status == 400
    answer = recursive(lake, "modify", f"default:user:{ANA}:rwx", path="h")
    assert answer.json["filesSuccessful"] == 1
    assert lake.acl("h") == "user::rw-,group::r--,other::---"


def test_a_walk_reaches_everything_and_counts_the_root_first(lake: Lake) -> None:
    """Set replaces, modify adds, remove takes away; default lists are for directories alone."""
    answer = recursive(lake, "set", f"user::rwx,group::r-x,other::---,{READ_DEFAULT}")
    assert answer.json == {
        "directoriesSuccessful": 2,
        "failedEntries": [],
        "failureCount": 0,
        "filesSuccessful": 2,
    }
    assert answer.response.body.endswith(b"\n")
    assert f"default:group:{TEAM}:r-x" in lake.acl("a/b")
    assert lake.acl("a/b/f") == f"user::rwx,group::r-x,group:{TEAM}:r-x,mask::r-x,other::---"
    recursive(lake, "modify", f"user:{ANA}:-wx")
    assert lake.acl("a/g") == f"user::rwx,user:{ANA}:-wx,group::r-x,group:{TEAM}:r-x,mask::rwx,other::---"
    recursive(lake, "remove", f"user:{ANA},group:{TEAM},default:group:{TEAM}")
    assert lake.acl("a/b/f") == "user::rwx,group::r-x,other::---"
    assert "h" not in answer.json["failedEntries"]
    assert lake.acl("h") == "user::rw-,group::r--,other::---"


@given(size=st.integers(1, 12), paths=st.sets(st.text("ab/", min_size=1, max_size=6), max_size=12))
def test_batches_of_any_size_reach_every_path_once(size: int, paths: set[str]) -> None:
    """The continuation names the next path; together the batches are the whole walk."""
    lake = Lake()
    lake.make("root/")
    for path in sorted(paths):
        lake.ask("PUT", f"/curated/root/{quote(path, safe='')}?resource=directory")
    token = ""
    total = 0
    while True:
        more = {"continuation": token} if token else {}
        answer = recursive(lake, "modify", f"user:{ANA}:r-x", "root", maxRecords=str(size), **more)
        assert answer.json["directoriesSuccessful"] <= size
        total += answer.json["directoriesSuccessful"]
        token = answer.headers.get("x-ms-continuation", "")
        if not token:
            break
    everything = lake.ask("GET", "/curated?resource=filesystem&recursive=true").names
    assert total == len(everything)
    assert all(f"user:{ANA}:r-x" in lake.acl(path) for path in everything)


def test_somebody_elses_paths_are_listed_as_failures_and_end_the_walk_unless_forced(lake: Lake) -> None:
    """The page is worked off whole, as recorded; without force no continuation follows."""
    lake.roles[ANA] = ["Storage Blob Data Contributor"]
    for path in ("mine/", "mine/x", "mine/y/", "mine/y/z"):
        kind = "directory" if path.endswith("/") else "file"
        assert lake.ask("PUT", f"/curated/{path.strip('/')}?resource={kind}", who=ANA).status == 201
    lake.make("mine/theirs")
    url = "/curated/mine?action=setAccessControlRecursive&mode=modify&maxRecords=3"
    answer = lake.ask("PATCH", url, who=ANA, x_ms_acl=f"user:{BO}:r-x")
    assert answer.status == 200
    assert answer.json["failedEntries"] == [
        {
            "errorMessage": "This request is not authorized to perform this operation using this permission.",
            "name": "mine/theirs",
            "type": "FILE",
        }
    ]
    assert (answer.json["directoriesSuccessful"], answer.json["filesSuccessful"]) == (1, 1)
    assert "x-ms-continuation" not in answer.headers
    forced = lake.ask("PATCH", url + "&forceFlag=true", who=ANA, x_ms_acl=f"user:{BO}:r-x")
    assert "x-ms-continuation" in forced.headers
    assert BO not in lake.acl("mine/theirs")


def test_a_token_of_another_filesystem_or_of_nowhere_is_refused(lake: Lake) -> None:
    """As is a record count below one."""
    lake.make("a/", "a/f", filesystem="other")
    url = "/other/a?action=setAccessControlRecursive&mode=modify&maxRecords=1"
    token = lake.ask("PATCH", url, x_ms_acl=f"user:{ANA}:r-x").headers["x-ms-continuation"]
    for wrong in (token, "nonsense", "VBbb"):
        answer = recursive(lake, "modify", f"user:{ANA}:r-x", continuation=wrong)
        assert (answer.status, answer.code) == (400, "InvalidQueryParameterValue")
    assert (
        recursive(lake, "modify", f"user:{ANA}:r-x", maxRecords="0").code == "OutOfRangeQueryParameterValue"
    )


def test_permissions_may_be_given_instead_and_keep_who_is_named(lake: Lake) -> None:
    """`x-ms-permissions` is chmod."""
    lake.set_acl("a", READ_DEFAULT)
    lake.ask("PATCH", "/curated/a?action=setAccessControl", x_ms_permissions="0700")
    assert f"group:{TEAM}:r-x,mask::---" in lake.acl("a")
    assert f"default:group:{TEAM}:r-x" in lake.acl("a")
    lake.ask("PATCH", "/curated/h?action=setAccessControl", x_ms_permissions="rw-r-x-wt")
    status = lake.ask("HEAD", "/curated/h?action=getAccessControl").headers
    assert status["x-ms-permissions"] == "rw-r-x-wt"
    assert status["x-ms-acl"] == "user::rw-,group::r-x,other::-wx"


def test_children_inherit_at_creation_and_never_later(lake: Lake) -> None:
    """A rename keeps what a path has; so does a change of the parent's default list."""
    lake.set_acl("a", READ_DEFAULT)
    assert TEAM not in lake.acl("a/g")
    lake.make("a/new", "a/deep/er/")
    assert f"group:{TEAM}:r-x,mask::r--" in lake.acl("a/new")
    assert f"default:group:{TEAM}:r-x" in lake.acl("a/deep/er")
    lake.ask("PUT", "/curated/a/moved?mode=legacy", x_ms_rename_source="/curated/h")
    assert lake.acl("a/moved") == "user::rw-,group::r--,other::---"


def test_a_constant_umask_on_default_lists_is_a_switch(lake: Lake) -> None:
    """One of Microsoft's articles has it, everything else speaks against it."""
    lake.set_acl("a", "default:other::r-x")
    lake.make("a/open/")
    assert "other::r-x" in lake.acl("a/open")
    lake.world.switches["lake.default-list-umask"] = "007"
    lake.make("a/cut/", "a/deep/er")
    assert "other::---" in lake.acl("a/cut")
    assert "default:other::---" in lake.acl("a/deep")


def test_creation_may_state_its_own_list_owner_and_group(lake: Lake) -> None:
    """As recorded with version 2021-08-06 of the protocol."""
    lake.ask(
        "PUT", "/curated/s?resource=directory", x_ms_acl=f"user:{ANA}:rwx", x_ms_owner=BO, x_ms_group=TEAM
    )
    node = lake.node("s")
    assert (node.owner, node.group) == (BO, TEAM)
    assert node.acl.text == f"user::rwx,user:{ANA}:rwx,group::r-x,mask::rwx,other::---"
    lake.make("s/child")
    assert lake.node("s/child").group == TEAM
