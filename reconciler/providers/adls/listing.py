"""Take List Blobs pages apart: a byte scanner for what the service usually sends, a parser for the rest.

Its law: an entry never gets another entry's list, and a page that is not whole is an error, not a short page.

The scanner costs a tenth of the fastest conforming parser.  It is trusted with plain elements only; a page
with a comment, an instruction, a CDATA section or a carriage return goes to the parser whole.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

END = b"</EnumerationResults>"
TAIL = 2_048
"""Bytes at the end of a page in which its marker stands, that has exclamation marks."""
KNOWN = 20_000
"""Different texts of owner, group, rights and type that are remembered; a lake holds few."""
UNENDED = "the page does not say whether another one follows"
TYPES = {"directory": True, "file": False}


class PageError(Exception):
    """A page that is cut short, or is no List Blobs page at all."""


class Listed(NamedTuple):
    """One path of a listing."""

    name: str
    """From the container's root, without a slash at the end."""
    acl: str | None
    """The whole list as text; None where the service did not say."""
    directory: bool | None
    """None where the service did not say."""
    group: str = ""
    """The owning group's object id, or `$superuser`; "" where the service did not say."""


Alike = tuple[str, bool, str]
"""List, whether it is a directory, owning group: what many entries have in common."""


class Page(NamedTuple):
    """One answer of a listing."""

    entries: list[Listed]
    marker: str
    """Where the next page begins; "" after the last one."""


def scan(body: bytes, known: dict[bytes, Alike] | None = None) -> Page:
    """The entries of a page; raises PageError.

    `known` keeps what entries have in common from page to page, so that equal lists are one object.
    """
    if not body.rstrip().endswith(END):
        raise PageError(f"the page of {len(body)} bytes is cut short or is no listing")
    try:
        if _unusual(body) or b"<EnumerationResults " not in body[:4096]:
            return parse(body)
        page = _plain(body, {} if known is None else known)
        return page if page is not None else _careful(body)
    except UnicodeDecodeError as error:
        near = error.object[max(0, error.start - 40) : error.end + 40]
        raise PageError(f"a name of the listing is not UTF-8: {near!r}") from None


def _unusual(body: bytes) -> bool:
    """Whether a page holds what only the conforming parser may read."""
    # A page without an exclamation mark, those of its marker at the end aside, holds no `<!` either.
    exclaims = body.find(b"!", 0, -TAIL) >= 0
    declares = b"<!" in (body if exclaims else body[-TAIL - 1 :])
    # Of question marks after the declaration likewise: names hold them seldom, instructions always.
    instructs = body.find(b"?", body.find(b"?>") + 2) >= 0 and body.find(b"<?", 8) >= 0
    return declares or instructs or b"\r" in body or b"<?xml version='" in body[:64]


_COMMON = re.compile(
    rb"<Owner>[^<]*</Owner><Group>([^<&]*)</Group><Permissions>[^<]*</Permissions>"
    rb"<Acl>([^<&]+)</Acl><ResourceType>(directory|file)"
)


def _plain(body: bytes, known: dict[bytes, Alike]) -> Page | None:
    """The page when all of it is as the service usually writes it; None when any of it is not.

    Everything from the owner to the resource type is the same text for most entries: it is taken apart once.
    """
    before, *chunks = body.split(b"<Blob><Name>")
    if not chunks or b"<BlobPrefix>" in before or body.count(b"</Blob>") != len(chunks):
        return None
    last = chunks[-1]
    end = last.rfind(b"</Blob>") + 7
    if b"<BlobPrefix>" in last[end:]:
        return None
    chunks[-1] = last[:end]
    entries: list[Listed] = []
    add, new = entries.append, tuple.__new__
    escapes = b"&" in body
    for chunk in chunks:
        close = chunk.find(b"</Name>")
        start = chunk.find(b"<Owner>", close)
        common = chunk[start : chunk.find(b"</ResourceType>", start)]
        raw = chunk[:close]
        alike = known.get(common)
        if alike is None:
            match = _COMMON.fullmatch(common)
            if match is None:
                return None
            group, acl, kind = match.groups()
            if len(known) > KNOWN:
                known.clear()
            alike = known[common] = acl.decode(), TYPES[kind.decode()], group.decode()
        if (escapes and b"&" in raw) or not chunk.endswith(b"</Blob>"):
            # A directory of a listing by level may stand between two entries.
            return None
        add(new(Listed, (raw.decode(), *alike)))
    return Page(entries, _marker(last))


def _careful(body: bytes) -> Page:
    """The page entry by entry: each may lack what others have, or hold escapes."""
    chunks = body.split(b"<Blob>")
    # Metadata, which nobody asks for, may be called like a property.
    if b"<Metadata>" in body or body.count(b"</Blob>") != len(chunks) - 1:
        return parse(body)
    before, *rest = chunks
    entries = list(_prefixes(before))
    known: dict[bytes, str] = {}
    for chunk in rest:
        end = chunk.find(b"</Blob>")
        if end < 0:
            return parse(body)
        entries.append(_entry(chunk, end, known))
        if b"<BlobPrefix>" in chunk[end:]:
            entries += _prefixes(chunk[end:])
    return Page(entries, _marker(chunks[-1]))


def _entry(chunk: bytes, end: int, known: dict[bytes, str]) -> Listed:
    close = chunk.find(b"</Name>", 0, end)
    if close < 0:
        raise PageError("an entry of the listing has no name")
    raw = chunk[6:close] if chunk.startswith(b"<Name>") else None
    name = _element(chunk[: close + 7]) if raw is None or b"&" in raw else raw.decode()
    acl = None
    start = chunk.find(b"<Acl>", close, end)
    if start >= 0:
        text = chunk[start + 5 : chunk.find(b"<", start + 5, end)]
        acl = known.get(text)
        if acl is None:
            acl = known[text] = _text(text)
    directory = None
    start = chunk.find(b"<ResourceType>", close, end)
    if start >= 0:
        directory = TYPES.get(_text(chunk[start + 14 : chunk.find(b"<", start + 14, end)]))
    group = ""
    start = chunk.find(b"<Group>", close, end)
    if start >= 0:
        group = _text(chunk[start + 7 : chunk.find(b"<", start + 7, end)])
    return Listed(name, acl or None, directory, group)


def _prefixes(text: bytes) -> Iterator[Listed]:
    """Directories of a listing by level: each stands as a prefix that ends in a slash."""
    known: dict[bytes, str] = {}
    for chunk in text.split(b"<BlobPrefix>")[1:]:
        end = chunk.find(b"</BlobPrefix>")
        if end < 0:
            raise PageError("a prefix of the listing has no end")
        found = _entry(chunk, end, known)
        yield Listed(found.name.removesuffix("/"), found.acl, True, found.group)


def _marker(tail: bytes) -> str:
    start = tail.rfind(b"<NextMarker>")
    if start < 0:
        if b"<NextMarker />" in tail or b"<NextMarker/>" in tail:
            return ""
        raise PageError(UNENDED)
    return _text(tail[start + 12 : tail.find(b"</NextMarker>", start)])


def _text(raw: bytes) -> str:
    """What an element holds; escapes may be spelt in numbers, so the conforming parser reads them."""
    return _element(b"<Text>" + raw + b"</Text>") if b"&" in raw else raw.decode()


def _element(text: bytes) -> str:
    """An element with escapes, read by the conforming parser."""
    try:
        return _name(ElementTree.fromstring(text))
    except ElementTree.ParseError as error:
        raise PageError(f"an element of the listing does not parse: {error}") from None


def _name(element: ElementTree.Element | None) -> str:
    if element is None:
        raise PageError("an entry of the listing has no name")
    text = element.text or ""
    # Names that XML cannot hold are percent-encoded whole and say so (Microsoft docs: List Blobs).
    return unquote(text) if element.get("Encoded") == "true" else text


def parse(body: bytes) -> Page:
    """The same by a conforming parser, ten times slower; raises PageError."""
    if b"<!DOCTYPE" in body:
        raise PageError("the page declares a document type, which the service never does")
    try:
        tree = ElementTree.fromstring(body)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        # The last two are an encoding that nobody knows, or that the parser does not take.
        raise PageError(f"the page does not parse: {error}") from None
    if tree.tag != "EnumerationResults":
        raise PageError(f"the page is <{tree.tag}>, not a listing")
    entries = [
        Listed(
            _name(item.find("Name")).removesuffix("/" if item.tag == "BlobPrefix" else ""),
            item.findtext("Properties/Acl") or None,
            True if item.tag == "BlobPrefix" else TYPES.get(item.findtext("Properties/ResourceType") or ""),
            item.findtext("Properties/Group") or "",
        )
        for item in tree.findall("Blobs/*")
    ]
    marker = tree.findtext("NextMarker")
    if marker is None:
        raise PageError(UNENDED)
    return Page(entries, marker)
