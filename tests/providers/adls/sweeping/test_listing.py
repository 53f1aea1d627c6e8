"""The byte scanner reads what a conforming parser reads, and refuses what is not whole."""

from __future__ import annotations

from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.adls import listing
from reconciler.providers.adls.listing import Listed, Page, PageError, parse, scan

ACL = "user::rwx,group::r-x,other::---"

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: not name.endswith("/")
)
groups = st.sampled_from(["", "$superuser", "g1"])
lists = st.sampled_from([ACL, f"{ACL},default:user::rwx"])
usual = st.builds(Listed, names, lists, st.booleans(), st.just("$superuser"))
entries = usual | st.builds(Listed, names, st.none() | lists, st.none() | st.booleans(), groups)
"""Most are as the service writes them, so that many pages are all of that sort."""
some = st.lists(usual, max_size=6) | st.lists(entries, max_size=6)


def element(name: str) -> str:
    if any(ord(char) < 32 or char in "\ufffe\uffff" for char in name):
        return f'<Name Encoded="true">{quote(name, safe="")}</Name>'
    return f"<Name>{escape(name)}</Name>"


def page(found: list[Listed], marker: str = "", levels: bool = False) -> bytes:
    rows = []
    for name, acl, directory, group in found:
        kind = {True: "directory", False: "file"}.get(directory) if directory is not None else None
        properties = (
            "<Etag>0x8D</Etag><Owner>$superuser</Owner>"
            + (f"<Group>{group}</Group>" if group else "<Group />")
            + "<Permissions>rwxr-x---</Permissions>"
            + (f"<Acl>{acl}</Acl>" if acl else "<Acl />")
            + (f"<ResourceType>{kind}</ResourceType>" if kind else "")
            + "<Content-Length>0</Content-Length><Content-MD5 />"
        )
        tag = "BlobPrefix" if levels and directory else "Blob"
        shown = name + "/" if tag == "BlobPrefix" else name
        rows.append(f"<{tag}>{element(shown)}<Properties>{properties}</Properties><OrMetadata /></{tag}>")
    tail = f"<NextMarker>{escape(marker)}</NextMarker>" if marker else "<NextMarker />"
    return (
        '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="c">'
        f"<Prefix>a/</Prefix><Blobs>{''.join(rows)}</Blobs>{tail}</EnumerationResults>"
    ).encode()


@given(some, st.sampled_from(["", "2!92!MDAw-", "a&b<c"]))
def test_the_scanner_reads_what_was_listed(found: list[Listed], marker: str) -> None:
    body = page(found, marker)
    assert scan(body) == parse(body) == Page(found, marker)


@given(some)
def test_a_listing_by_level_names_directories_as_prefixes(found: list[Listed]) -> None:
    body = page(found, levels=True)
    assert sorted(scan(body).entries, key=repr) == sorted(found, key=repr), "in whatever order they stand"
    assert sorted(parse(body).entries, key=repr) == sorted(found, key=repr)


@given(some.filter(len), st.data())
def test_no_part_of_a_page_passes_for_a_page(found: list[Listed], data: st.DataObject) -> None:
    body = page(found, "next")
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(PageError):
        scan(body[:cut])


def test_an_entry_without_a_list_does_not_take_the_next_ones() -> None:
    found = [Listed("a", None, False), Listed("b", ACL, False), Listed("c", None, True)]
    assert scan(page(found)).entries == found


def test_the_common_page_never_meets_the_slow_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Listed(f"a/{number}", ACL, number % 2 == 0) for number in range(5)]
    monkeypatch.setattr(listing, "parse", None)
    assert scan(page(found)).entries == found


def test_unusual_pages_go_to_the_parser() -> None:
    body = page([Listed("a", ACL, False)])
    hidden = body.replace(b"<Blobs>", b"<Blobs><!-- <Blob><Name>ghost</Name></Blob> -->")
    assert scan(hidden) == scan(body)
    broken_lines = body.replace(b"<Blob>", b"\r\n<Blob>\r\n")
    assert scan(broken_lines) == scan(body)


def test_plain_pages_and_only_these_are_read_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken apart once is remembered from page to page, and stays one object."""
    found = [Listed(f"a/{number}", ACL, number % 2 == 0, "g1") for number in range(5)]
    monkeypatch.setattr(listing, "_careful", None)
    known: dict[bytes, tuple[str, bool, str]] = {}
    first, second = scan(page(found), known), scan(page(found), known)
    assert first.entries == found
    assert len(known) == 2
    assert first.entries[0].acl is second.entries[2].acl
    for odd in (found[0]._replace(acl=None), found[0]._replace(name="a&b"), found[0]._replace(name="a\n")):
        with pytest.raises(TypeError):
            scan(page([*found, odd]))
    with pytest.raises(TypeError):
        scan(page(found, levels=True))


def test_a_name_that_is_no_text_is_an_error_that_shows_it() -> None:
    body = page([Listed("a/name", ACL, False, "g1"), Listed("b", None, False)])
    for end in (body, page([Listed("a/name", ACL, False, "g1")])):
        with pytest.raises(PageError, match=r"not UTF-8: .*a/\\xff\\xfe"):
            scan(end.replace(b"a/name", b"a/\xff\xfe"))


def test_a_page_that_does_not_say_whether_more_follow_is_an_error() -> None:
    body = page([Listed("a", ACL, False)]).replace(b"<NextMarker />", b"")
    for read in (scan, parse):
        with pytest.raises(PageError, match="whether another one follows"):
            read(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in</html>",
        b"<Blobs><Blob></Blobs></EnumerationResults>",
        b"<Other></EnumerationResults>",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><EnumerationResults></EnumerationResults>',
        b"<EnumerationResults><Blobs><Blob><Properties /></Blob></Blobs></EnumerationResults>",
        b"<EnumerationResults><Blobs><Blob><Name>&nope;</Name></Blob></Blobs></EnumerationResults>",
    ],
)
def test_what_is_no_listing_is_an_error(body: bytes) -> None:
    with pytest.raises(PageError):
        scan(body)
