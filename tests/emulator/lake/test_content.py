"""File content, blocks and leases over the wire."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.emulator.lake.harness import ANA, BO, Lake

WHOLE = {"x_ms_blob_type": "BlockBlob"}
NOT_YET = "FeatureNotYetSupportedForHierarchicalNamespaceAccounts"


@pytest.fixture
def lake() -> Lake:
    """A filesystem with one empty file and one directory."""
    lake = Lake()
    lake.make("f", "d/")
    return lake


def append(lake: Lake, position: int, body: bytes, **headers: str) -> int:
    """The status of an append."""
    return lake.ask("PATCH", f"/curated/f?action=append&position={position}", body=body, **headers).status


def flush(lake: Lake, position: int, query: str = "", **headers: str) -> tuple[int, str]:
    """Status and code of a flush."""
    answer = lake.ask("PATCH", f"/curated/f?action=flush&position={position}{query}", **headers)
    return answer.status, answer.code


def read(lake: Lake, **headers: str) -> bytes:
    """What the file holds."""
    return lake.ask("GET", "/curated/f", host="blob", **headers).response.body


def test_appended_data_is_there_once_it_is_flushed(lake: Lake) -> None:
    """In whatever order the pieces came."""
    assert append(lake, 3, b"def") == append(lake, 0, b"abc") == 202
    assert read(lake) == b""
    assert flush(lake, 6) == (200, "")
    assert read(lake) == b"abcdef"
    assert append(lake, 6, b"!") == 202
    assert flush(lake, 7) == (200, "")
    assert read(lake) == b"abcdef!"


@pytest.mark.parametrize(("pieces", "position"), [([0], 4), ([1], 4), ([0, 4], 7), ([], 1)])
def test_a_flush_wants_everything_up_to_its_position(lake: Lake, pieces: list[int], position: int) -> None:
    """Without a gap, and no more."""
    for piece in pieces:
        append(lake, piece, b"abc")
    assert flush(lake, position) == (400, "InvalidFlushPosition")


def test_what_a_flush_leaves_over_can_be_kept(lake: Lake) -> None:
    """With `retainUncommittedData`."""
    append(lake, 0, b"abc")
    append(lake, 3, b"def")
    assert flush(lake, 3, "&retainUncommittedData=true") == (200, "")
    assert flush(lake, 6) == (200, "")
    assert read(lake) == b"abcdef"


def test_an_append_can_flush_at_once_and_checks_its_digest(lake: Lake) -> None:
    """A wrong digest stores nothing."""
    wrong = base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
    assert append(lake, 0, b"abc", content_md5=wrong) == 400
    answer = lake.ask("PATCH", "/curated/f?action=append&position=0&flush=true", body=b"abc")
    assert (answer.status, "etag" in answer.headers) == (202, True)
    assert read(lake) == b"abc"


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=0-33554431", 206, b"abcdef", "bytes 0-5/6"),
        ("bytes=2-3", 206, b"cd", "bytes 2-3/6"),
        ("bytes=4-", 206, b"ef", "bytes 4-5/6"),
        ("bytes=6-", 416, None, "bytes */6"),
    ],
)
def test_ranges(lake: Lake, asked: str, status: int, body: bytes | None, content_range: str) -> None:
    """Over either endpoint."""
    append(lake, 0, b"abcdef")
    flush(lake, 6)
    for host in ("dfs", "blob"):
        answer = lake.ask("GET", "/curated/f", host=host, x_ms_range=asked)
        assert (answer.status, answer.headers["content-range"]) == (status, content_range)
        assert body is None or answer.response.body == body


def test_whole_blobs_and_blocks_make_files_too(lake: Lake) -> None:
    """With lists and parents like any other creation."""
    put = {"x_ms_blob_type": "BlockBlob", "x_ms_meta_a": "1", "x_ms_blob_content_type": "text/plain"}
    answer = lake.ask("PUT", "/curated/new/b", host="blob", body=b"abc", **put)
    assert answer.status == 201
    assert lake.acl("new/b") == "user::rw-,group::r--,other::---"
    head = lake.ask("HEAD", "/curated/new/b", host="blob").headers
    assert (head["content-length"], head["content-type"], head["x-ms-meta-a"]) == ("3", "text/plain", "1")
    names = [base64.b64encode(name).decode() for name in (b"one", b"two")]
    for name, data in zip(names, (b"123", b"456"), strict=True):
        url = f"/curated/c?comp=block&blockid={name.replace('=', '%3D')}"
        assert lake.ask("PUT", url, host="blob", body=data).status == 201
    assert lake.ask("HEAD", "/curated/c", host="blob").status == 404
    staged = lake.ask("GET", "/curated/c?comp=blocklist", host="blob").xml
    assert [element.text for element in staged.iter("Name")] == names
    wanted = "".join(f"<Latest>{name}</Latest>" for name in reversed(names))
    body = f"<BlockList>{wanted}</BlockList>".encode()
    assert lake.ask("PUT", "/curated/c?comp=blocklist", host="blob", body=body).status == 201
    assert lake.ask("GET", "/curated/c", host="blob").response.body == b"456123"
    missing = b"<BlockList><Latest>bm8=</Latest></BlockList>"
    assert lake.ask("PUT", "/curated/c?comp=blocklist", host="blob", body=missing).code == "InvalidBlockList"


@pytest.mark.parametrize(
    ("method", "url", "host", "headers", "code"),
    [
        ("PUT", "/curated/d", "blob", WHOLE, "ResourceTypeMismatch"),
        (
            "PUT",
            "/curated/f",
            "blob",
            {"x_ms_blob_type": "BlockBlob", "if_none_match": "*"},
            "BlobAlreadyExists",
        ),
        ("PUT", "/curated/x", "blob", {}, "MissingRequiredHeader"),
        (
            "PUT",
            "/curated/f?comp=snapshot",
            "blob",
            {},
            "FeatureNotYetSupportedForHierarchicalNamespaceAccounts",
        ),
        ("PATCH", "/curated/d?action=append&position=0", "dfs", {}, "PathConflict"),
        ("PATCH", "/curated/x?action=append&position=0", "dfs", {}, "PathNotFound"),
        ("PATCH", "/curated/f?action=append", "dfs", {}, "MissingRequiredQueryParameter"),
        ("PATCH", "/curated/f?action=dance", "dfs", {}, "InvalidQueryParameterValue"),
        ("POST", "/curated?restype=container", "blob", {}, "InvalidQueryParameterValue"),
    ],
)
def test_what_cannot_be_done_is_refused(
    lake: Lake, method: str, url: str, host: str, headers: dict[str, str], code: str
) -> None:
    """In the service's codes."""
    assert lake.ask(method, url, host=host, body=b"x", **headers).code == code


def lease(
    lake: Lake, action: str, container: bool = False, **headers: str
) -> tuple[int, str, dict[str, str]]:
    """Status, code and headers of a lease request."""
    url = "/curated?restype=container&comp=lease" if container else "/curated/f?comp=lease"
    answer = lake.ask("PUT", url, host="blob", x_ms_lease_action=action, **headers)
    return answer.status, answer.code, answer.headers


@pytest.mark.parametrize("container", [False, True])
def test_a_lease_is_taken_kept_changed_and_given_back(lake: Lake, container: bool) -> None:
    """On a path and on a container alike."""
    acquire = {"x_ms_lease_duration": "15", "x_ms_proposed_lease_id": ANA}
    status, _, headers = lease(lake, "acquire", container, **acquire)
    assert (status, headers["x-ms-lease-id"]) == (201, ANA)
    other = {"x_ms_lease_duration": "15", "x_ms_proposed_lease_id": BO}
    assert lease(lake, "acquire", container, **other)[:2] == (409, "LeaseAlreadyPresent")
    assert lease(lake, "renew", container, x_ms_lease_id=BO)[1] == "LeaseIdMismatchWithLeaseOperation"
    lake.world.clock.advance(10)
    assert lease(lake, "renew", container, x_ms_lease_id=ANA)[0] == 200
    lake.world.clock.advance(10)
    change = {"x_ms_lease_id": ANA, "x_ms_proposed_lease_id": BO}
    assert lease(lake, "change", container, **change)[2]["x-ms-lease-id"] == BO
    assert lease(lake, "release", container, x_ms_lease_id=BO)[0] == 200
    assert lease(lake, "break", container)[:2] == (409, "LeaseNotPresentWithLeaseOperation")


def test_a_lease_expires_and_breaks_in_time(lake: Lake) -> None:
    """Breaking takes what is left of it, or the shorter period that was asked for."""
    lease(lake, "acquire", x_ms_lease_duration="30", x_ms_proposed_lease_id=ANA)
    head = lake.ask("HEAD", "/curated/f", host="blob").headers
    assert (head["x-ms-lease-state"], head["x-ms-lease-duration"]) == ("leased", "fixed")
    assert lease(lake, "break", x_ms_lease_break_period="20")[2]["x-ms-lease-time"] == "20"
    assert lake.ask("HEAD", "/curated/f", host="blob").headers["x-ms-lease-state"] == "breaking"
    lake.world.clock.advance(21)
    assert lake.ask("HEAD", "/curated/f", host="blob").headers["x-ms-lease-state"] == "broken"
    lease(lake, "acquire", x_ms_lease_duration="15", x_ms_proposed_lease_id=BO)
    lake.world.clock.advance(16)
    assert lake.ask("HEAD", "/curated/f", host="blob").headers["x-ms-lease-state"] == "expired"
    assert lease(lake, "acquire", x_ms_lease_duration="5")[1] == "InvalidHeaderValue"


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("DELETE", "/curated/f"),
        ("PUT", "/curated/f?resource=file"),
        ("PATCH", "/curated/f?action=append&position=0"),
        ("PATCH", "/curated/f?action=setAccessControl"),
        ("PATCH", "/curated/f?action=setProperties"),
    ],
)
def test_a_leased_path_wants_its_lease_named(lake: Lake, method: str, url: str) -> None:
    """By every write over the DFS endpoint."""
    lease(lake, "acquire", x_ms_lease_duration="-1", x_ms_proposed_lease_id=ANA)
    more = {"x_ms_acl": "user::rwx"} if "Access" in url else {}
    assert lake.ask(method, url, **more).code == "LeaseIdMissing"
    wrong = lake.ask(method, url, x_ms_lease_id=BO, **more)
    assert wrong.code == "LeaseIdMismatch"
    assert lake.ask(method, url, x_ms_lease_id=ANA, **more).status in (200, 201, 202)


def test_a_leased_container_is_not_deleted_without(lake: Lake) -> None:
    """In the words of containers."""
    lease(lake, "acquire", True, x_ms_lease_duration="-1", x_ms_proposed_lease_id=ANA)
    answer = lake.ask("DELETE", "/curated?restype=container", host="blob")
    assert (answer.status, answer.code) == (412, "LeaseIdMissing")
    assert lake.ask("DELETE", "/curated?restype=container", host="blob", x_ms_lease_id=ANA).status == 202
    assert lake.ask("HEAD", "/curated?restype=container", host="blob").code == "ContainerNotFound"


def test_user_delegation_keys_are_for_people(lake: Lake) -> None:
    """The account key gets none."""
    url = "/?restype=service&comp=userdelegationkey"
    body = b"<KeyInfo><Start>2026-01-01T00:00:00Z</Start><Expiry>2026-01-02T00:00:00Z</Expiry></KeyInfo>"
    assert lake.ask("POST", url, host="blob", body=body).code == "AuthenticationFailed"
    assert lake.ask("POST", url, host="blob", body=body, who=ANA).status == 403
    lake.roles[ANA] = ["Storage Blob Delegator"]
    key = lake.ask("POST", url, host="blob", body=body, who=ANA).xml
    assert key.findtext("SignedOid") == ANA
    assert key.findtext("SignedTid") == lake.world.directory.tenant_id
