"""Listings of both endpoints: order, pages, prefixes, names, versions and the switches of List Blobs."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.emulator.lake.harness import ACCOUNT, ANA, TEAM, Lake

BLOBS = "/curated?restype=container&comp=list"
PATHS = "/curated?resource=filesystem&recursive=true"
part = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=4)


def built(paths: list[list[str]]) -> Lake:
    """A filesystem with these directories."""
    lake = Lake()
    lake.make()
    lake.service.grow(ACCOUNT, "curated", [("/".join(path), True, "") for path in paths])
    return lake


def paged(lake: Lake, url: str, size: int) -> list[str]:
    """All pages of a listing, one after the other."""
    blob = "restype" in url
    found: list[str] = []
    token = ""
    while True:
        limit = f"&{'maxresults' if blob else 'maxResults'}={size}"
        more = f"&{'marker' if blob else 'continuation'}={quote(token, safe='')}" if token else ""
        answer = lake.ask("GET", url + limit + more, host="blob" if blob else "dfs")
        assert answer.status == 200
        assert len(answer.names) <= size
        found += answer.names
        token = answer.xml.findtext("NextMarker", "") if blob else answer.headers.get("x-ms-continuation", "")
        if not token:
            return found


@given(st.lists(st.lists(part, min_size=1, max_size=3), max_size=15), st.integers(1, 7))
@example([["a"], ["a", "b"], ["a-"], ["a b"], ["a%20b"], ["ü"], ["\U0001f4ca"], ["<&>"]], 2)
def test_pages_together_are_the_tree_in_order(paths: list[list[str]], size: int) -> None:
    """Depth first, parents before children, nothing twice and nothing left out, on both endpoints."""
    lake = built(paths)
    everything = {tuple(path[:end]) for path in paths for end in range(1, len(path) + 1)}
    expected = ["/".join(path) for path in sorted(everything)]
    assert paged(lake, PATHS, size) == expected
    encoded = [unquote(name) if "%" in name else name for name in paged(lake, BLOBS, size)]
    assert encoded == [unquote(name) if "%" in name else name for name in expected]


@pytest.fixture
def lake() -> Lake:
    """A tree with files between directories."""
    lake = Lake()
    lake.make("a/", "a/b/", "a/b/f", "a/c", "ab/", "ab/x", "z")
    return lake


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "a/b", "a/b/f", "a/c", "ab", "ab/x", "z"]),
        ("&prefix=a", ["a", "a/b", "a/b/f", "a/c", "ab", "ab/x"]),
        ("&prefix=a/", ["a/b", "a/b/f", "a/c"]),
        ("&prefix=a/b", ["a/b", "a/b/f"]),
        ("&prefix=nowhere/at/all", []),
        ("&delimiter=/", ["a/", "ab/", "z"]),
        ("&delimiter=/&prefix=a/", ["a/b/", "a/c"]),
        ("&showonly=directories", ["a", "a/b", "ab"]),
        ("&showonly=files", ["a/b/f", "a/c", "ab/x", "z"]),
        ("&showonly=directories&prefix=a/", ["a/b"]),
    ],
)
def test_prefix_delimiter_and_kind_choose_blobs(lake: Lake, query: str, names: list[str]) -> None:
    """The root is never among them."""
    assert lake.ask("GET", BLOBS + query, host="blob").names == names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("recursive=true", ["a", "a/b", "a/b/f", "a/c", "ab", "ab/x", "z"]),
        ("recursive=false", ["a", "ab", "z"]),
        ("recursive=true&directory=a", ["a/b", "a/b/f", "a/c"]),
        ("recursive=false&directory=a", ["a/b", "a/c"]),
        ("recursive=true&directory=a&beginFrom=b/f", ["a/b/f", "a/c"]),
        ("recursive=false&beginFrom=ab", ["ab", "z"]),
    ],
)
def test_directory_depth_and_start_choose_paths(lake: Lake, query: str, names: list[str]) -> None:
    """`beginFrom` is relative to the directory, and inclusive."""
    assert lake.ask("GET", f"/curated?resource=filesystem&{query}").names == names


FROM = BLOBS + "&startFrom="


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("a/b/f", ["a/b/f", "a/c", "ab", "ab/x", "z"]),
        ("a/bb", ["a/c", "ab", "ab/x", "z"]),
        ("zz", []),
        ("b&prefix=a/", []),
        ("A&prefix=ab/", ["ab/x"]),
        ("ab&prefix=a", ["ab", "ab/x"]),
        ("a/c&prefix=a/&delimiter=/", ["a/c"]),
        ("ab&delimiter=/", ["ab/", "z"]),
    ],
)
def test_a_listing_may_begin_at_a_name(lake: Lake, query: str, names: list[str]) -> None:
    """A whole path within the container, inclusive, whether it exists or not."""
    assert lake.ask("GET", FROM + query, host="blob", version="2026-02-06").names == names
    _, ampersand, rest = query.partition("&")
    older = lake.ask("GET", FROM + query, host="blob", version="2025-11-05").names
    assert older == lake.ask("GET", BLOBS + ampersand + rest, host="blob").names


def test_a_listing_by_level_begins_at_a_level(lake: Lake) -> None:
    """And an account may refuse all of it, or take it otherwise."""
    deep = lake.ask("GET", FROM + "a/b/f&prefix=a/&delimiter=/", host="blob", version="2026-02-06")
    assert (deep.status, deep.code) == (400, "InvalidQueryParameterValue")
    lake.world.switches["lake.list-blobs-start-from"] = "refused"
    assert lake.ask("GET", FROM + "a/c", host="blob", version="2026-02-06").status == 400
    lake.world.switches["lake.list-blobs-start-from"] = "ignored"
    assert lake.ask("GET", FROM + "a/c", host="blob", version="2026-02-06").names[0] == "a"
    lake.world.switches["lake.list-blobs-start-from"] = "relative"
    answer = lake.ask("GET", FROM + "c&prefix=a/", host="blob", version="2026-02-06")
    assert answer.names == ["a/c"]


def test_a_listing_in_the_order_of_whole_names(lake: Lake) -> None:
    """What nobody has seen of such an account, and nobody has ruled out."""
    lake.make("a-b/")
    lake.world.switches["lake.list-blobs-order"] = "names"
    assert paged(lake, BLOBS, 3) == ["a", "a-b", "a/b", "a/b/f", "a/c", "ab", "ab/x", "z"]
    answer = lake.ask("GET", FROM + "a/b", host="blob", version="2026-02-06")
    assert answer.names == ["a/b", "a/b/f", "a/c", "ab", "ab/x", "z"]


def test_permissions_come_with_owner_group_and_both_lists(lake: Lake) -> None:
    """In the documented place, before the resource type."""
    lake.set_acl("a", f"group:{TEAM}:r-x,default:group:{TEAM}:r-x")
    answer = lake.ask("GET", BLOBS + "&include=permissions", host="blob")
    properties = answer.xml.find("Blobs/Blob/Properties")
    assert properties is not None
    tags = [element.tag for element in properties]
    assert tags[:9] == [
        "Creation-Time",
        "Last-Modified",
        "Etag",
        "Owner",
        "Group",
        "Permissions",
        "Acl",
        "ResourceType",
        "Content-Length",
    ]
    assert properties.findtext("Acl") == lake.acl("a")
    assert properties.findtext("Permissions") == "rwxr-x---+"
    assert not (properties.findtext("Etag") or "").startswith('"')
    assert answer.response.body.startswith(b"\xef\xbb\xbf<?xml")


def test_prefixes_carry_properties_and_names_may_be_asked_for(lake: Lake) -> None:
    """`x-ms-upn` turns users' ids into names."""
    lake.set_acl("a", f"user:{ANA}:r-x")
    url = BLOBS + "&include=permissions&delimiter=/"
    prefix = lake.ask("GET", url, host="blob").xml.find("Blobs/BlobPrefix")
    assert prefix is not None
    assert f"user:{ANA}:r-x" in (prefix.findtext("Properties/Acl") or "")
    named = lake.ask("GET", url, host="blob", x_ms_upn="true").xml.find("Blobs/BlobPrefix")
    assert named is not None
    assert "user:ana@corp.example:r-x" in (named.findtext("Properties/Acl") or "")


@pytest.mark.parametrize(
    ("version", "query", "status"),
    [
        ("2020-06-12", "&include=permissions", 200),
        ("2020-04-08", "&include=permissions", 400),
        ("2023-11-03", "&include=nonsense", 400),
        ("2023-11-03", "&delimiter=!", 400),
        ("2023-11-03", "&maxresults=0", 400),
        ("2023-11-03", "&maxresults=six", 400),
        ("2023-11-03", "&marker=nonsense", 400),
        ("2023-11-03", "&prefix=z/", 400),
        ("2023-11-03", "&maxresults=99999", 200),
    ],
)
def test_what_a_version_does_not_know_is_refused(lake: Lake, version: str, query: str, status: int) -> None:
    """With the parameter's name in the error."""
    answer = lake.ask("GET", BLOBS + query, host="blob", version=version)
    assert answer.status == status
    if status == 400:
        assert answer.code in ("InvalidQueryParameterValue", "OutOfRangeQueryParameterValue")


def test_resource_types_and_kinds_come_with_their_versions(lake: Lake) -> None:
    """2020-10-02 names the type, 2020-12-06 chooses by it."""
    old = lake.ask("GET", BLOBS + "&include=permissions", host="blob", version="2020-06-12")
    assert old.xml.find("Blobs/Blob/Properties/ResourceType") is None
    assert old.xml.find("Blobs/Blob/Properties/Acl") is not None
    ignored = lake.ask("GET", BLOBS + "&showonly=files", host="blob", version="2020-10-02")
    assert "a" in ignored.names


@pytest.mark.parametrize(
    ("setting", "status", "acl"), [("on", 200, True), ("without-acl", 200, False), ("refused", 400, False)]
)
def test_the_bulk_reading_of_lists_can_be_switched_off(
    lake: Lake, setting: str, status: int, acl: bool
) -> None:
    """An account that refuses it, and entries that lack it, are both to be coped with."""
    lake.world.switches["lake.list-blobs-permissions"] = setting
    answer = lake.ask("GET", BLOBS + "&include=permissions", host="blob")
    assert answer.status == status
    assert (b"<Acl>" in answer.response.body) is acl
    if status == 200:
        assert b"<Owner>" in answer.response.body


def test_a_flat_account_refuses_permissions(lake: Lake) -> None:
    """Which is how clients tell it from one with a hierarchical namespace."""
    lake.service.account(ACCOUNT).hns = False
    answer = lake.ask("GET", BLOBS + "&include=permissions", host="blob")
    assert (answer.status, answer.code) == (400, "InvalidQueryParameterValue")
    assert lake.ask("GET", BLOBS, host="blob").status == 200
    assert lake.ask("HEAD", "/curated/?action=getAccessControl").status == 400
    head = lake.ask("HEAD", "/curated?resource=filesystem").headers
    assert head["x-ms-namespace-enabled"] == "false"


def test_names_that_xml_cannot_hold_are_encoded_and_say_so(lake: Lake) -> None:
    """Others are escaped."""
    lake.make("a&<b>/", "noncharacter\uffff/")
    answer = lake.ask("GET", BLOBS, host="blob")
    names = {element.text: element.attrib for element in answer.xml.iterfind("Blobs/Blob/Name")}
    assert names["a&<b>"] == {}
    assert names["noncharacter%EF%BF%BF"] == {"Encoded": "true"}


def test_path_listings_are_strings_in_alphabetical_keys(lake: Lake) -> None:
    """And grow with the protocol's version."""
    lake.set_acl("a", f"group:{TEAM}:rwx")
    row = lake.ask("GET", PATHS).json["paths"][0]
    assert list(row) == sorted(row)
    assert all(isinstance(value, str) for value in row.values())
    assert row["isDirectory"] == "true"
    assert row["permissions"] == "rwxrwx---+"
    old = lake.ask("GET", PATHS, version="2019-02-02").json["paths"][0]
    assert "creationTime" not in old


def test_a_file_lists_itself_and_nowhere_is_not_found(lake: Lake) -> None:
    """And a listing must say whether it goes deep."""
    assert lake.ask("GET", PATHS + "&directory=z").names == ["z"]
    answer = lake.ask("GET", PATHS + "&directory=nowhere")
    assert (answer.status, answer.code) == (404, "PathNotFound")
    assert lake.ask("GET", "/curated?resource=filesystem").status == 400
    assert lake.ask("GET", "/nowhere?resource=filesystem&recursive=true").code == "FilesystemNotFound"


def test_listed_metadata_and_containers(lake: Lake) -> None:
    """Directories carry their mark; containers come by name, in pages, with what was asked for."""
    lake.ask("PUT", "/curated/z?comp=metadata", host="blob", x_ms_meta_team="pricing")
    listed = lake.ask("GET", BLOBS + "&include=metadata", host="blob").xml
    metadata = {
        blob.findtext("Name"): [m.tag for m in blob.iterfind("Metadata/*")] for blob in listed.iter("Blob")
    }
    assert metadata["z"] == ["team"]
    assert metadata["a"] == ["hdi_isfolder"]
    for name in ("more", "other", "outer"):
        lake.make(filesystem=name)
    page = lake.ask("GET", "/?comp=list&maxresults=2&prefix=o", host="blob").xml
    assert [element.text for element in page.iter("Name")] == ["other", "outer"]
    page = lake.ask("GET", "/?comp=list&maxresults=3", host="blob").xml
    marker = page.findtext("NextMarker", "")
    assert marker == f"/{ACCOUNT}/outer"
    rest = lake.ask("GET", f"/?comp=list&marker={quote(marker)}", host="blob").xml
    assert [element.text for element in rest.iter("Name")] == ["outer"]
    rows = lake.ask("GET", "/?resource=account&prefix=ou").json["filesystems"]
    assert [row["name"] for row in rows] == ["outer"]
