"""Paths over the wire: creation, conditions, renames, deletion, soft deletion, expiry, properties."""

from __future__ import annotations

import base64
import re

import pytest

from tests.emulator.lake.harness import ACCOUNT, Lake

PUT_FILE = "/curated/f?resource=file"


@pytest.fixture
def lake() -> Lake:
    """An empty filesystem."""
    lake = Lake()
    lake.make()
    return lake


def test_parents_are_made_on_the_way(lake: Lake) -> None:
    """With default permissions, and without the content type of a directory that somebody asked for."""
    lake.make("a/b/f")
    assert lake.acl("a") == "user::rwx,group::r-x,other::---"
    assert "content-type" not in lake.ask("HEAD", "/curated/a", host="blob").headers
    lake.make("c/")
    assert "content-type" in lake.ask("HEAD", "/curated/c", host="blob").headers


@pytest.mark.parametrize(
    ("headers", "acl"),
    [
        ({}, "user::rw-,group::r--,other::---"),
        ({"x_ms_permissions": "0777", "x_ms_umask": "0000"}, "user::rwx,group::rwx,other::rwx"),
        ({"x_ms_permissions": "rwxrwxrwx", "x_ms_umask": "0007"}, "user::rwx,group::rwx,other::---"),
        ({"x_ms_permissions": "0777"}, "user::rwx,group::r-x,other::---"),
    ],
)
def test_permissions_and_umask_make_the_first_list(lake: Lake, headers: dict[str, str], acl: str) -> None:
    """Recorded."""
    assert lake.ask("PUT", PUT_FILE, **headers).status == 201
    assert lake.acl("f") == acl


def test_one_thing_cannot_be_the_other_nor_below_a_file(lake: Lake) -> None:
    """Files do not become directories, and hold nothing."""
    lake.make("f", "d/")
    assert lake.ask("PUT", "/curated/f?resource=directory").code == "PathConflict"
    assert lake.ask("PUT", "/curated/d?resource=file").code == "PathConflict"
    assert lake.ask("PUT", "/curated/f/x?resource=file").code == "PathConflict"


def test_creating_over_a_file_makes_a_new_one_and_over_a_directory_keeps_it(lake: Lake) -> None:
    """Unless `If-None-Match: *` forbids it."""
    lake.make("f", "d/", "d/x")
    before = lake.ask("HEAD", "/curated/f", host="blob").headers["etag"]
    assert lake.ask("PUT", PUT_FILE, if_none_match="*").code == "PathAlreadyExists"
    assert lake.ask("PUT", PUT_FILE).headers["etag"] != before
    lake.make("d/")
    assert lake.node("d/x")


def test_the_same_path_can_be_written_in_many_ways(lake: Lake) -> None:
    """Escaped slashes, doubled ones, one at the end; `+` is a plus."""
    lake.make("a/", "a/b c+d/")
    for path in ("a%2Fb%20c+d", "a/b%20c%2Bd/", "a//b%20c+d"):
        assert lake.ask("HEAD", f"/curated/{path}?action=getStatus").status == 200
    assert lake.ask("PUT", "/curated/a%01b?resource=file").status == 400


@pytest.mark.parametrize("root", ["/curated/", "/curated/%2F"])
def test_the_root_has_a_list_of_its_own_and_stays(lake: Lake, root: str) -> None:
    """Its ETag is not the container's; it can be neither made nor deleted."""
    status = lake.ask("HEAD", f"{root}?action=getAccessControl").headers
    assert status["x-ms-acl"] == "user::rwx,group::r-x,other::---"
    container = lake.ask("HEAD", "/curated?restype=container", host="blob").headers
    assert status["etag"] != container["etag"]
    assert lake.ask("DELETE", f"{root}?recursive=true").status == 400


def test_conditions_guard_content_but_not_lists(lake: Lake) -> None:
    """412 for what changes, 304 for what reads."""
    lake.make("f")
    head = lake.ask("HEAD", "/curated/f", host="blob").headers
    old = '"0x8D000000000000"'
    assert lake.ask("DELETE", "/curated/f", if_match=old).code == "ConditionNotMet"
    assert lake.ask("DELETE", "/curated/f", if_none_match=head["etag"]).status == 412
    assert lake.ask("HEAD", "/curated/f", host="blob", if_none_match=head["etag"]).status == 304
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert lake.ask("HEAD", "/curated/f", host="blob", if_modified_since=later).status == 304
    assert lake.ask("DELETE", "/curated/f", if_unmodified_since="Sat, 01 Jan 2000 00:00:00 GMT").status == 412
    assert lake.ask("DELETE", "/curated/f", if_match="nonsense", if_unmodified_since=later).status == 412
    assert lake.ask("DELETE", "/curated/f", if_match=head["etag"], if_unmodified_since=later).status == 200


def test_a_rename_moves_all_below_and_changes_nothing_of_it(lake: Lake) -> None:
    """ETags, times and lists; also into another filesystem."""
    lake.make("a/", "a/b/", "a/b/f")
    lake.make(filesystem="other")
    before = lake.ask("HEAD", "/curated/a/b/f", host="blob").headers
    moved = lake.ask("PUT", "/other/n?mode=legacy", x_ms_rename_source="/curated/a")
    assert moved.status == 201
    after = lake.ask("HEAD", "/other/n/b/f", host="blob").headers
    for name in ("etag", "last-modified", "x-ms-creation-time", "x-ms-permissions"):
        assert after[name] == before[name]
    assert lake.ask("HEAD", "/curated/a", host="blob").code == "BlobNotFound"


@pytest.mark.parametrize(
    ("source", "target", "status", "code"),
    [
        ("/curated/nowhere", "n", 404, "SourcePathNotFound"),
        ("/nowhere/a", "n", 404, "SourcePathNotFound"),
        ("curated/d", "n", 400, "InvalidSourceUri"),
        ("/curated/d", "no/parent", 404, "RenameDestinationParentPathNotFound"),
        ("/curated/d", "d/below", 409, "InvalidRenameSourcePath"),
        ("/curated/d", "full", 409, "PathAlreadyExists"),
        ("/curated/d", "f", 409, "InvalidSourceOrDestinationResourceType"),
        ("/curated/d", "empty", 201, ""),
        ("/curated/f", "full/x", 201, ""),
        ("/curated/d%20e", "n", 201, ""),
    ],
)
def test_where_a_rename_may_go(lake: Lake, source: str, target: str, status: int, code: str) -> None:
    """An empty directory and a file are replaced."""
    lake.make("d/", "f", "empty/", "full/", "full/x", "d e/")
    answer = lake.ask("PUT", f"/curated/{target}?mode=legacy", x_ms_rename_source=source)
    assert (answer.status, answer.code) == (status, code)


def test_a_rename_has_conditions_on_both_ends(lake: Lake) -> None:
    """Those on the source are worded so."""
    lake.make("f", "g")
    move = {"x_ms_rename_source": "/curated/f"}
    answer = lake.ask("PUT", "/curated/g?mode=legacy", x_ms_source_if_match='"0x1"', **move)
    assert (answer.status, answer.code) == (412, "SourceConditionNotMet")
    answer = lake.ask("PUT", "/curated/g?mode=legacy", if_none_match="*", **move)
    assert (answer.status, answer.code) == (409, "PathAlreadyExists")


def test_a_full_directory_is_deleted_only_as_a_whole(lake: Lake) -> None:
    """Each endpoint refuses in its own words."""
    lake.make("d/", "d/f")
    assert lake.ask("DELETE", "/curated/d?recursive=false").code == "DirectoryNotEmpty"
    assert lake.ask("DELETE", "/curated/d", host="blob").code == "DirectoryIsNotEmpty"
    assert lake.ask("DELETE", "/curated/d?recursive=true").headers["x-ms-delete-type-permanent"] == "true"
    assert lake.ask("DELETE", "/curated/d?recursive=true").code == "PathNotFound"


def test_a_paginated_deletion_goes_on_where_it_stopped(lake: Lake) -> None:
    """Without being a superuser a large tree takes several requests."""
    lake.service.grow(ACCOUNT, "curated", [(f"big/{number:05}", False, "") for number in range(12_000)])
    lake.roles["00000000-0000-4000-8000-0000000000a1"] = []
    lake.set_acl("", "other::rwx")
    lake.set_acl("big", "other::rwx")
    who = "00000000-0000-4000-8000-0000000000a1"
    url = "/curated/big?recursive=true&paginated=true"
    token = lake.ask("DELETE", url, who=who).headers["x-ms-continuation"]
    assert len(lake.ask("GET", "/curated?resource=filesystem&recursive=true").names) > 0
    while token:
        token = lake.ask("DELETE", f"{url}&continuation={token}", who=who).headers.get(
            "x-ms-continuation", ""
        )
    assert lake.ask("GET", "/curated?resource=filesystem&recursive=true").names == []


def test_soft_deletion_keeps_lists_and_gives_back(lake: Lake) -> None:
    """Until the days are over."""
    account = lake.service.account(ACCOUNT)
    account.retention_days = 3
    lake.make("d/", "d/f", "g")
    gone = lake.ask("DELETE", "/curated/d?recursive=true").headers
    assert gone["x-ms-delete-type-permanent"] == "false"
    again = lake.ask("DELETE", "/curated/g").headers["x-ms-deletion-id"]
    url = "/curated?restype=container&comp=list&showonly=deleted"
    listed = lake.ask("GET", url, host="blob")
    assert listed.names == ["d", "g"]
    first = lake.ask("GET", url + "&maxresults=1", host="blob")
    assert first.names == ["d"]
    marker = first.xml.findtext("NextMarker", "")
    assert lake.ask("GET", f"{url}&marker={marker}", host="blob").names == ["g"]
    back = {"x_ms_undelete_source": f"d?deletionid={gone['x-ms-deletion-id']}"}
    assert lake.ask("PUT", "/curated/d?comp=undelete", host="blob", **back).status == 200
    assert lake.node("d/f")
    lake.world.clock.advance(3 * 86400 + 1)
    assert lake.ask("GET", url, host="blob").names == []
    late = {"x_ms_undelete_source": f"g?deletionid={again}"}
    assert lake.ask("PUT", "/curated/g?comp=undelete", host="blob", **late).status == 404


def test_an_expired_file_is_gone(lake: Lake) -> None:
    """Set at creation or later, absolute or relative, and lifted again."""
    lake.ask("PUT", PUT_FILE, x_ms_expiry_option="RelativeToNow", x_ms_expiry_time="5000")
    assert "x-ms-expiry-time" in lake.ask("HEAD", "/curated/f", host="blob").headers
    row = lake.ask("GET", "/curated?resource=filesystem&recursive=true").json["paths"][0]
    assert row["expiryTime"] != "0"
    lake.world.clock.advance(6)
    assert lake.ask("HEAD", "/curated/f", host="blob").status == 404
    lake.make("f")
    url = "/curated/f?comp=expiry"
    soon = {"x_ms_expiry_option": "RelativeToCreation", "x_ms_expiry_time": "1000"}
    etag = lake.ask("HEAD", "/curated/f", host="blob").headers["etag"]
    assert lake.ask("PUT", url, host="blob", **soon).headers["etag"] == etag
    assert lake.ask("PUT", url, host="blob", x_ms_expiry_option="NeverExpire").status == 200
    lake.world.clock.advance(10)
    assert lake.node("f")
    assert lake.ask("PUT", url, host="blob", x_ms_expiry_option="Sometime").status == 400


def test_properties_are_told_by_each_endpoint_in_its_way(lake: Lake) -> None:
    """Base64 in one header, or one header each; a directory carries its mark."""
    pairs = ",".join(
        f"{name}={base64.b64encode(value).decode()}" for name, value in (("a", b"1"), ("b", b"2"))
    )
    lake.ask("PUT", "/curated/d?resource=directory", x_ms_properties=pairs)
    dfs = lake.ask("HEAD", "/curated/d").headers
    assert dfs["x-ms-resource-type"] == "directory"
    assert dict(item.split("=", 1) for item in dfs["x-ms-properties"].split(",")) == {
        "a": "MQ==",
        "b": "Mg==",
        "hdi_isfolder": "dHJ1ZQ==",
    }
    blob = lake.ask("HEAD", "/curated/d", host="blob").headers
    assert (blob["x-ms-meta-a"], blob["x-ms-meta-hdi_isfolder"]) == ("1", "true")
    assert blob["x-ms-acl"] == lake.acl("d")
    assert "x-ms-acl" not in lake.ask("HEAD", "/curated/d", host="blob", version="2021-08-06").headers
    changed = lake.ask("PATCH", "/curated/d?action=setProperties", x_ms_properties="c=Mw==")
    assert changed.headers["etag"] != blob["etag"]
    assert "x-ms-meta-a" not in lake.ask("HEAD", "/curated/d", host="blob").headers
    assert lake.ask("PATCH", "/curated/d?action=setProperties", x_ms_properties="c=?").status == 400


def test_filesystems_have_a_native_form_too(lake: Lake) -> None:
    """With properties in one header."""
    assert lake.ask("PUT", "/native?resource=filesystem", x_ms_properties="a=MQ==").status == 201
    head = lake.ask("HEAD", "/native?resource=filesystem").headers
    assert (head["x-ms-properties"], head["x-ms-namespace-enabled"]) == ("a=MQ==", "true")
    lake.ask("PATCH", "/native?resource=filesystem", x_ms_properties="b=Mg==")
    assert lake.ask("HEAD", "/native?restype=container", host="blob").headers["x-ms-meta-b"] == "2"
    assert lake.ask("PUT", "/native?resource=filesystem").code == "FilesystemAlreadyExists"
    assert lake.ask("DELETE", "/native?resource=filesystem").status == 202
    assert lake.ask("PUT", "/native?resource=filesystem").code == "FilesystemBeingDeleted"
    lake.world.clock.advance(31)
    assert lake.ask("PUT", "/native?resource=filesystem").status == 201


def test_errors_are_worded_for_their_endpoint(lake: Lake) -> None:
    """JSON with the id and time on lines of their own; XML after a mark; nothing to a HEAD."""
    answer = lake.ask("PATCH", "/curated/x?action=setAccessControl", x_ms_acl="user::rwx")
    message = answer.json["error"]["message"]
    first, request, time = message.split("\n")
    assert first == "The specified path does not exist."
    assert re.fullmatch(r"RequestId:[0-9a-f-]{36}", request)
    assert re.fullmatch(r"Time:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", time)
    assert answer.headers["x-ms-request-id"] in message
    blob = lake.ask("GET", "/curated/x", host="blob")
    assert blob.xml.findtext("Code") == "BlobNotFound"
    assert blob.response.body.startswith(b"\xef\xbb\xbf")
    head = lake.ask("HEAD", "/curated/x", host="blob")
    assert (head.code, head.response.body) == ("BlobNotFound", b"")


def test_every_answer_says_who_it_is_from(lake: Lake) -> None:
    """Server, version, the caller's own request id, and an id in the service's form."""
    headers = lake.ask("HEAD", "/curated/?action=getStatus", x_ms_client_request_id="mine").headers
    assert headers["server"] == "Windows-Azure-HDFS/1.0 Microsoft-HTTPAPI/2.0"
    assert headers["x-ms-version"] == "2023-11-03"
    assert headers["x-ms-client-request-id"] == "mine"
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-00[0-9a-f]{2}-[0-9a-f]{4}-[0-9a-f]{6}000000", headers["x-ms-request-id"]
    )
    blob = lake.ask("GET", "/?comp=list", host="blob").headers
    assert blob["server"] == "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"


def test_requests_are_counted_against_the_published_limit() -> None:
    """503 with the seconds to wait, once a limit is set."""
    lake = Lake()
    lake.world.clock.freeze()
    lake.world.throttle.limit("lake/requests", 2, 1.0, lake.world.clock.now())
    assert [lake.ask("GET", "/?comp=list", host="blob").status for _ in range(3)] == [200, 200, 503]
    answer = lake.ask("GET", "/?comp=list", host="blob")
    assert (answer.code, answer.headers["retry-after"]) == ("ServerBusy", "1")
