"""Whatever a lake answers: lists, listings and inventories are read as a parser reads them, or refused.

Pages of a listing are held against the standard library's own XML parser, lists against a reading of their
own, rows of CSV against the standard library's.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import io
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.providers.adls.acl import SPELLED, AclError, of_mode, parse
from reconciler.providers.adls.client import Endpoints, LakeReader, refused
from reconciler.providers.adls.inventory import manifest
from reconciler.providers.adls.inventory.columns import Rows, View
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.inventory.source import LocalFile
from reconciler.providers.adls.inventory.units import cut
from reconciler.providers.adls.listing import TYPES, Listed, PageError, scan
from reconciler.providers.adls.sweeping.walk import _plain
from reconciler.providers.transport import Answer, Lost
from tests.fuzz.shapes import damaged, deep, edited, spelt, texts, values
from tests.providers.adls.sweeping.test_listing import ACL, page

ENTRIES = (
    "user::rwx", "group::r-x", "other::---", "mask::rwx", "user:0000-a:r--", "group:0000-B:-wx",
    "default:user::rwx",
    "default:group::---", "default:other::---", "default:mask::r-x", "default:user:0000-a:rwx",
    "user:a:b:rwx",
    "other:x:rwx", "mask:x:r--", "user::rwz", "", " ", "default:", "default:default:user::rwx", "USER::rwx",
    "user:0000-A:rwx", "user::r-x",
)  # fmt: skip
lists = st.lists(st.sampled_from(ENTRIES) | texts, min_size=1, max_size=10).map(",".join)


@given(lists | damaged(f"{ACL},default:user::rwx".encode()).map(lambda data: data.decode("utf-8", "replace")))
@example(",".join(["user::rwx", "group::r-x", "other::---", *(f"user:{n}:r--" for n in range(40))]))
def test_access_control_lists(text: str) -> None:
    try:
        acl = parse(text)
    except AclError as error:
        assert str(error)
        return
    assert parse(acl.text) == acl
    said = sorted(part.strip().lower() for part in text.split(","))
    assert sorted(part.lower() for part in acl.text.split(",")) == said


@given(texts | st.text("rwxtTsS-+", min_size=8, max_size=11))
def test_permissions(text: str) -> None:
    try:
        acl = of_mode(text)
    except AclError:
        return
    assert len(text) == 9 and acl.access.owner == SPELLED.index(text[:3])


def conforming(body: bytes) -> tuple[list[Listed], str]:
    """A page by nothing but the standard library's parser; raises its ParseError.

    Raises AssertionError for XML that is no listing: markup within a name, properties elsewhere or twice.
    """
    tree = ElementTree.fromstring(body)
    assert [each.tag for each in tree] == ["Prefix", "Blobs", "NextMarker"] and not len(tree[2])
    entries = []
    for item in tree.findall("Blobs/*"):
        name, properties = item.find("Name"), item.find("Properties")
        assert name is not None and properties is not None and item.tag in ("Blob", "BlobPrefix")
        assert [each.tag for each in item][:2] == ["Name", "Properties"] and len(item) <= 3
        tags = [each.tag for each in properties]
        assert len(set(tags)) == len(tags) and not len(name) and not any(map(len, properties))
        text = unquote(name.text or "") if name.get("Encoded") == "true" else name.text or ""
        prefix = item.tag == "BlobPrefix"
        kind = TYPES.get(item.findtext("Properties/ResourceType") or "")
        called = text.removesuffix("/") if prefix else text
        acl, group = item.findtext("Properties/Acl") or None, item.findtext("Properties/Group") or ""
        entries.append(Listed(called, acl, True if prefix else kind, group))
    return entries, tree.findtext("NextMarker") or ""


LISTED = [
    Listed("pricing", ACL, True, "g1"), Listed("pricing/a&b", ACL, False, "g1"),
    Listed("pricing/c", None, False),
    Listed("pricing/d\x01", ACL, False), Listed("pricing/é", f"{ACL},default:user::rwx", True, "$superuser"),
]  # fmt: skip
PLAIN = [Listed(f"pricing/{number}", ACL, number % 2 == 0, "g1") for number in range(4)]
PAGES = [page(LISTED, "m&1"), page(PLAIN), page(PLAIN, "next"), page(LISTED, levels=True)]
MARKUP = tuple(
    text.encode()
    for text in (
        "<!-- ", " -->", "<![CDATA[", "]]>", "&lt;", "&amp;", "&#10;", "&#x1F600;", "&x;", "\r\n", "\r",
        "<Blob>",
        "</Blob>", "<Name>", "</Name>", "<Acl>", "</Acl>", "<Acl />", "<Blob />", "<BlobPrefix>",
        "</BlobPrefix>",
        "<NextMarker />", "<NextMarker>x</NextMarker>", "<ResourceType>", "</ResourceType>", "<Group>",
        "<Owner>",
        "<?xml version='1.0'?>", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "<?php x?>", " a='b'", ' Encoded="true"',
        "%0A",
        "</EnumerationResults>", "<Metadata><Acl>user::rwx</Acl></Metadata>", "\0", "\ufffe",
    )
)  # fmt: skip


@given(st.sampled_from(PAGES).flatmap(lambda body: damaged(body, 3, MARKUP)))
@example(PAGES[1].replace(b"<Blobs>", b"<Blobs><!-- <Blob><Name>ghost</Name></Blob> -->"))
@example(PAGES[1].replace(b"<Name>pricing/1</Name>", b"<Name><![CDATA[pricing/1]]></Name>"))
@example(PAGES[1].replace(b"pricing/1", b"pricing\r/1"))
@example(PAGES[0].replace(b"<Name>pricing<", b"<Name><?php x?>pricing<"))
@example(PAGES[0].replace(b"<Acl>user", b"<Acl>&#117;ser", 1))
@example(PAGES[0].replace(b"<NextMarker>m", b"<NextMarker>&quot;&#109;"))
@example(
    PAGES[0].replace(b"<OrMetadata />", b"<Metadata><Acl>user::rwx,group::rwx,other::rwx</Acl></Metadata>")
)
@example(PAGES[1].replace(b'encoding="utf-8"', b'encoding="tf-8"'))
def test_pages_of_a_listing(body: bytes) -> None:
    """Where the page is XML, the scanner reads in it what the parser reads."""
    try:
        found = scan(body)
    except PageError as error:
        assert str(error)
        return
    try:
        theirs = conforming(body)
    except (ElementTree.ParseError, LookupError, AssertionError, ValueError):
        return
    assert (found.entries, found.marker) == theirs


PATH_PAGE = {
    "paths": [
        {"name": "pricing", "isDirectory": "true", "permissions": "rwxr-x---", "group": "g1"},
        {"name": "pricing/a", "permissions": "rw-r-----+", "contentLength": "1"},
    ]
}


class Answering(LakeReader):
    """A lake that gives one answer to everything."""

    async def _storage(
        self, method: str, url: str, version: str = "", whole: Callable[[bytes], bool] = bool
    ) -> Answer:
        return ANSWER[0]


ANSWER: list[Answer] = []
NO_WIRE: Any = None
READER = Answering(wire=NO_WIRE, endpoints=Endpoints(dfs="https://dfs", blob="https://blob"))


def check_paths(body: bytes) -> None:
    ANSWER[:] = [Answer(200, {}, body)]
    try:
        names = asyncio.run(READER.paths("curated", "pricing", "", recursive=True))
    except Lost as error:
        assert "does not parse" in str(error)
        return
    for each in names.paths:
        listed = _plain(each)
        assert isinstance(listed.name, str) and (listed.acl is None or parse(listed.acl))


@given(edited(PATH_PAGE) | values)
def test_path_listings(document: Any) -> None:
    check_paths(spelt(document).encode())


@given(damaged(spelt(PATH_PAGE).encode()))
@example(deep("[", 100_000).encode())
@example(deep('{"paths":', 100_000).encode())
def test_damaged_path_listings(body: bytes) -> None:
    check_paths(body)


@given(edited({"error": {"code": "X", "message": "said\nmore"}}) | values, st.integers(400, 599))
@example(None, 404)
def test_refusals(document: Any, status: int) -> None:
    assert str(status) in str(refused(Answer(status, {}, spelt(document).encode())))


MANIFEST: dict[str, Any] = {
    "version": "1.0",
    "status": "Succeeded",
    "ruleName": "nightly",
    "endpoint": "https://datalake.blob.core.windows.net",
    "destinationContainer": "inventory",
    "inventoryStartTime": "2026-11-23T01:00:00Z",
    "inventoryCompletionTime": "2026-11-23T02:00:00Z",
    "summary": {"objectCount": 3},
    "files": [{"blob": "2026/11/23/01-00-00/nightly/nightly.csv", "size": 10}],
    "ruleDefinition": {
        "format": "csv", "objectType": "blob", "schemaFields": ["Name", "Acl", "hdi_isfolder", "Group"],
        "filters": {"blobTypes": ["blockBlob", "appendBlob"], "prefixMatch": ["curated/"]},
    },
}  # fmt: skip


def check_manifest(body: bytes, checksum: bytes | None) -> None:
    try:
        made = manifest.read("2026/11/23", body, checksum)
    except InventoryFault as fault:
        assert "2026/11/23" in str(fault)
        return
    assert made.objects >= 0 and made.began <= made.ended and set(manifest.NEEDED) <= set(made.fields)


def digest(body: bytes) -> bytes:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())


@given(edited(MANIFEST) | values)
def test_manifests(document: Any) -> None:
    body = spelt(document).encode()
    check_manifest(body, digest(body))


@given(damaged(spelt(MANIFEST).encode()), st.none() | st.binary(max_size=40))
@example(deep("[", 100_000).encode(), None)
def test_damaged_manifests(body: bytes, checksum: bytes | None) -> None:
    check_manifest(body, checksum)
    check_manifest(body, digest(body))


HEAD = "Name,hdi_isfolder,Acl,Group\n"
CSV = (
    HEAD
    + f'curated/pricing,true,"{ACL}",$superuser\n'
    + f'"curated/pricing/a,""b""",,"{ACL}",\n'
    + "curated/pricing/c\n".replace("\n", ",false,,g1\n")
).encode()
TABLE = tuple(
    text.encode()
    for text in ('"', '""', ",", "\n", "\r\n", "\r", "true", "Name", "curated/", "%2F", "\ufeff", "\0", "x")
)


def csv_rows(data: bytes) -> list[tuple[str, ...]]:
    """What our reader makes of a file, as texts; raises InventoryFault."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "nightly.csv")
        place.write_bytes(data)
        parts = cut([LocalFile(path=str(place), name="nightly.csv")], "csv", size=64)
        if parts.faults:
            raise parts.faults[0]
        view = View(container="curated", qualified=False, alone=False, encoded=False)
        found: list[tuple[str, ...]] = []
        for unit in sorted(parts.units, key=lambda each: each.start):
            for batch in Rows(unit, view):
                names, lists = (batch.column(each).to_pylist() for each in ("Name", "Acl"))
                found += [(name, acl or "") for name, acl in zip(names, lists, strict=True)]
        return found


def their_rows(data: bytes) -> list[tuple[str, ...]] | None:
    """The same by the standard library; None for what is no table of four columns."""
    try:
        text = data.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        return None
    if any(rows[0].count(name) != 1 for name in ("Name", "Acl")):
        return None
    at = rows[0].index("Name"), rows[0].index("Acl")
    return [(row[at[0]].rstrip("/"), row[at[1]]) for row in rows[1:]]


@given(damaged(CSV, 3, TABLE) | st.binary(max_size=40).map(lambda data: HEAD.encode() + data))
@example(b"a\rb," + CSV)
def test_rows_of_csv(data: bytes) -> None:
    """A file is refused, or every row is what the standard library reads in it."""
    try:
        found = csv_rows(data)
    except InventoryFault as fault:
        assert "nightly.csv" in str(fault)
        return
    theirs = their_rows(data)
    if theirs is not None:
        assert found == theirs


@pytest.mark.parametrize("body", PAGES)
def test_the_good_ones_are_good(body: bytes) -> None:
    assert (scan(body).entries, scan(body).marker) == conforming(body)
    assert csv_rows(CSV) == their_rows(CSV) != []
    check_paths(spelt(PATH_PAGE).encode())
    assert manifest.read("x", spelt(MANIFEST).encode(), digest(spelt(MANIFEST).encode())).objects == 3
