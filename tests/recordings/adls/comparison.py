"""Hold an emulated answer against a recorded one: everything must agree but ids, times and opaque tokens.

Ids are not ignored but paired: what the service said twice the same, the emulator must say twice the same,
and what differed must differ.  So an ETag that changes where the recorded one did not is a difference.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from reconciler.emulator.wire import Response
from tests.recordings.adls.exchanges import Exchange

IGNORED = frozenset(
    {
        "date",
        "connection",
        "content-length",
        "transfer-encoding",
        "vary",
        "x-ms-request-id",
        # Recorders of some SDKs strip it, and the pipeline of others never asks for it.
        "x-ms-client-request-id",
    }
)
LATER = {
    "x-ms-request-server-encrypted": "2021-04-01",
    "expiryTime": "2021-04-01",
    "flush 304": "2021-01-01",
    "rename etag": "2021-04-01",
    "rename last-modified": "2021-04-01",
    "x-ms-access-tier": "2020-04-04",
    "x-ms-access-tier-inferred": "2020-04-04",
}
"""What the service says since a day, whatever protocol version is asked for.

Older recordings lack it; the emulator is the service of today.
"""
SECONDS_APART = 120
"""The real service's machines, and the recording client's clock, are seconds apart."""

_ETAG = re.compile(r'"?0x[0-9A-F]{15,16}"?')
_DATE = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
_TICKS = re.compile(r"1[3-4]\d{16}")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z")
_OPAQUE_NAMES = frozenset(
    {"x-ms-continuation", "NextMarker", "Marker", "Value", "x-ms-version-id", "Version"}
)
_SIGNATURE = re.compile(r"\nRequestId:[0-9a-f-]+\nTime:\S+$")


class Pairs:
    """Which emulated id stands for which recorded one, in both directions."""

    def __init__(self) -> None:
        self.ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}

    def agree(self, theirs: str, ours: str) -> bool:
        """Pair two ids when both are new; afterwards only that pair agrees."""
        if theirs not in self.ours and ours not in self._theirs:
            self.ours[theirs], self._theirs[ours] = ours, theirs
        return self.ours.get(theirs) == ours


def differences(exchange: Exchange, response: Response, pairs: Pairs) -> Iterator[str]:
    """What a client could tell apart, one line for each."""
    if exchange.status != response.status:
        code = exchange.headers.get("x-ms-error-code", "")
        if code == "ConditionNotMet" and response.status == 304 and _came_later(exchange, "flush 304"):
            return
        yield f"status {response.status} instead of {exchange.status} {code}"
        return
    ours = {name.lower(): value for name, value in response.headers}
    yield from _headers(exchange, ours, pairs)
    if exchange.method != "HEAD":
        yield from _body(exchange, response.body.decode("utf-8", "replace"), pairs)


def _headers(exchange: Exchange, ours: Mapping[str, str], pairs: Pairs) -> Iterator[str]:
    for name, value in exchange.headers.items():
        if name in IGNORED or name.startswith("access-control-"):
            continue
        if name not in ours:
            yield f"header {name}: {value} is missing"
        else:
            yield from _value(f"header {name}", name, value, ours[name], pairs)
    for name, value in ours.items():
        if name not in exchange.headers and name not in IGNORED and not _came_later(exchange, name):
            yield f"header {name}: {value} is not in the recording"
    length = exchange.headers.get("content-length")
    if exchange.method == "HEAD" and length is not None and ours.get("content-length", "0") != length:
        yield f"header content-length: {ours.get('content-length')} instead of {length}"


def _came_later(exchange: Exchange, name: str) -> bool:
    day = parsedate_to_datetime(exchange.headers["date"]).strftime("%Y-%m-%d")
    renames = "x-ms-rename-source" in exchange.request_headers
    return day < LATER.get(f"rename {name}" if renames else name, "")


def _value(where: str, name: str, theirs: str, ours: str, pairs: Pairs) -> Iterator[str]:
    if name in _OPAQUE_NAMES and theirs and ours:
        if not pairs.agree(theirs, ours):
            yield f"{where}: {ours} is paired with another value than {theirs}"
    elif _ETAG.fullmatch(theirs) and _ETAG.fullmatch(ours):
        if theirs.count('"') != ours.count('"'):
            yield f"{where}: quotes of {ours} instead of {theirs}"
        elif not pairs.agree(theirs.strip('"'), ours.strip('"')):
            yield f"{where}: the ETag changed, or did not, otherwise than recorded"
    elif _DATE.fullmatch(theirs) and _DATE.fullmatch(ours):
        apart = abs((parsedate_to_datetime(theirs) - parsedate_to_datetime(ours)).total_seconds())
        if apart > SECONDS_APART:
            yield f"{where}: {ours} instead of {theirs}"
    elif _TICKS.fullmatch(theirs) and _TICKS.fullmatch(ours):
        if not pairs.agree(f"{name}/{theirs}", f"{name}/{ours}"):
            yield f"{where}: {ours} is paired with another value than {theirs}"
    elif not (_ISO.fullmatch(theirs) and _ISO.fullmatch(ours)) and theirs != ours:
        yield f"{where}: {ours!r} instead of {theirs!r}"


def _body(exchange: Exchange, ours: str, pairs: Pairs) -> Iterator[str]:
    theirs = exchange.body
    kind = exchange.headers.get("content-type", "")
    if "json" in kind or theirs.startswith("{"):
        later = frozenset(name for name in LATER if _came_later(exchange, name))
        yield from _json("body", json.loads(theirs), _parsed(ours, later), pairs)
        if theirs.endswith("\n") != ours.endswith("\n"):
            yield "body: the newline at the end"
    elif "xml" in kind and theirs:
        if theirs.startswith("\ufeff") and not ours.startswith("\ufeff"):
            yield "body: no byte order mark"
        yield from _xml("body", _tree(theirs), _tree(ours), pairs)
    elif theirs != ours and exchange.status < 400:
        yield f"body: {ours[:80]!r} instead of {theirs[:80]!r}"


def _parsed(text: str, later: frozenset[str]) -> Any:
    def without(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in pairs if name not in later}

    try:
        return json.loads(text, object_pairs_hook=without)
    except ValueError:
        return text


def _tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.lstrip("\ufeff"))


def _in_order(theirs: ElementTree.Element, ours: ElementTree.Element) -> list[ElementTree.Element]:
    """Our containers in their order: recorders replaced names after the service had sorted them."""
    names = [child.findtext("Name") for child in theirs]
    mine = {child.findtext("Name"): child for child in ours}
    renamed = names != sorted(names, key=str) and len(mine) == len(names)
    if theirs.tag == "Containers" and renamed and set(names) == set(mine):
        return [mine[name] for name in names]
    return list(ours)


def _json(where: str, theirs: Any, ours: Any, pairs: Pairs) -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if list(theirs) != list(ours):
            yield f"{where}: keys {list(ours)} instead of {list(theirs)}"
        for key in theirs.keys() & ours.keys():
            yield from _json(f"{where}.{key}", theirs[key], ours[key], pairs)
    elif isinstance(theirs, list) and isinstance(ours, list):
        if where.endswith("failedEntries"):
            # The service works on the paths of a page at once: two requests alike fail in different order.
            theirs, ours = (sorted(items, key=lambda item: str(item["name"])) for items in (theirs, ours))
        if len(theirs) != len(ours):
            yield f"{where}: {len(ours)} items instead of {len(theirs)}"
        for at, (left, right) in enumerate(zip(theirs, ours, strict=False)):
            yield from _json(f"{where}[{at}]", left, right, pairs)
    elif isinstance(theirs, str) and isinstance(ours, str):
        name = where.rpartition(".")[2]
        yield from _value(where, name, _SIGNATURE.sub("", theirs), _SIGNATURE.sub("", ours), pairs)
    elif theirs != ours or type(theirs) is not type(ours):
        yield f"{where}: {ours!r} instead of {theirs!r}"


def _xml(where: str, theirs: ElementTree.Element, ours: ElementTree.Element, pairs: Pairs) -> Iterator[str]:
    where = f"{where}/{theirs.tag}"
    if [child.tag for child in theirs] != [child.tag for child in ours]:
        yield f"{where}: {[child.tag for child in ours]} instead of {[child.tag for child in theirs]}"
    if theirs.attrib != ours.attrib:
        yield f"{where}: attributes {ours.attrib} instead of {theirs.attrib}"
    left, right = _SIGNATURE.sub("", theirs.text or ""), _SIGNATURE.sub("", ours.text or "")
    yield from _value(where, theirs.tag, left.strip(), right.strip(), pairs)
    for child, other in zip(theirs, _in_order(theirs, ours), strict=False):
        yield from _xml(where, child, other, pairs)
