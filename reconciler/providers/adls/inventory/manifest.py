"""Read what a run says of itself: the manifest, and the checksum that ends it.

Its law: what is not understood is refused, since a filter or a field that is overlooked hides paths.

Layout and words are those of Microsoft's docs (Azure Storage blob inventory: inventory output).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault

NEEDED = ("Name", "Acl", "hdi_isfolder")
"""Fields without which nothing can be judged; `Group` is read where it is."""
FORMS = ("csv", "parquet")
BLOB_TYPES = ("blockBlob", "appendBlob")
"""What accounts with a hierarchical namespace hold."""
LARGEST = 16 << 20
"""Bytes of a manifest at most: it takes about a hundred for each file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryFile:
    """One file of a run, as the manifest names it."""

    name: str
    """From the top of the container."""
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest that says: everything was listed, with the fields that are needed."""

    rule: str
    account: str
    """The storage account's name."""
    container: str
    """The destination container."""
    form: str
    """`csv` or `parquet`."""
    fields: tuple[str, ...]
    files: tuple[InventoryFile, ...]
    began: datetime
    ended: datetime
    objects: int
    """How many objects the service counted: at least as many rows there have to be."""
    matched: tuple[str, ...]
    """Beginnings of `container/path` that alone are listed; empty for everything."""
    excluded: tuple[str, ...]
    """Beginnings of `container/path` that are left out."""


class _Misread(Exception):
    """What is wrong, in words, before it is known where."""

    def __init__(self, flaw: Flaw, text: str) -> None:
        super().__init__(text)
        self.flaw = flaw


def read(place: str, body: bytes, checksum: bytes | None) -> Manifest:
    """What a run's manifest says; raises InventoryFault with `place`, the run's folder.

    `checksum` is None where the run has no such file yet.
    """
    try:
        _finished(body, checksum)
        return _manifest(_document(body))
    except _Misread as error:
        raise InventoryFault(error.flaw, place, str(error)) from None


def _finished(body: bytes, checksum: bytes | None) -> None:
    """The state first: a run that is under way has a manifest, and no checksum."""
    if len(body) > LARGEST:
        raise _Misread(Flaw.MANIFEST, f"its manifest is {len(body)} bytes long, at most {LARGEST} are read")
    if checksum is None:
        try:
            status = _document(body).get("status")
        except _Misread:
            status = None
        _judge_status(status if isinstance(status, str) else "Succeeded")
        raise _Misread(
            Flaw.NO_CHECKSUM,
            "its checksum file is missing, which the service writes last: wait for the end of the run, or "
            "look whether somebody deleted the file",
        )
    digest = hashlib.md5(body, usedforsecurity=False)
    said = checksum.strip().strip(b'"').decode("ascii", "replace")
    if not _same(said, digest.digest()):
        raise _Misread(
            Flaw.CHECKSUM,
            f"its manifest of {len(body)} bytes has MD5 {digest.hexdigest()}, its checksum file says "
            f"{said[:64]!r}: it was cut short or changed; wait for the next run",
        )


def _same(said: str, digest: bytes) -> bool:
    # The docs name the algorithm and not the spelling: both usual ones are taken.
    if re.fullmatch(r"[0-9A-Fa-f]{32}", said):
        return bytes.fromhex(said) == digest
    try:
        return base64.b64decode(said, validate=True) == digest
    except (binascii.Error, ValueError):
        return False


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _Misread(
            Flaw.MANIFEST, f"its manifest of {len(body)} bytes is no JSON ({error}); wait for the next run"
        ) from None
    if not isinstance(found, dict):
        raise _Misread(Flaw.MANIFEST, "its manifest is no JSON object; wait for the next run")
    return found


def _judge_status(status: str) -> None:
    match status:
        case "Succeeded":
            return
        case "Pending":
            raise _Misread(Flaw.PENDING, "it is still under way (status Pending): wait for its end")
        case "PartiallySucceeded":
            raise _Misread(
                Flaw.PARTIAL,
                "it only partially succeeded, and does not say which paths it lacks: wait for the next run",
            )
        case "Failed":
            raise _Misread(
                Flaw.FAILED,
                "it failed (status Failed): look at the rule in the portal, wait for the next run",
            )
    raise _Misread(Flaw.MANIFEST, f"its status {status!r} is none that is known")


def _manifest(document: Mapping[str, Any]) -> Manifest:
    version = _text(document, "version")
    if re.fullmatch(r"1\.\d+", version) is None:
        raise _Misread(Flaw.MANIFEST, f"its manifest is of version {version!r}, and 1.x is read here")
    _judge_status(_text(document, "status"))
    rule = _object(document, "ruleDefinition")
    filters = _object(rule, "filters") if rule.get("filters") is not None else {}
    _judge_rule(rule, filters)
    began, ended = _instant(document, "inventoryStartTime"), _instant(document, "inventoryCompletionTime")
    if ended < began:
        raise _Misread(Flaw.MANIFEST, f"its manifest says that it ended at {ended} and began at {began}")
    return Manifest(
        rule=_text(document, "ruleName"),
        account=_account(_text(document, "endpoint")),
        container=_text(document, "destinationContainer"),
        form=_text(rule, "format").lower(),
        fields=tuple(_texts(rule, "schemaFields")),
        files=_files(document),
        began=began,
        ended=ended,
        objects=_number(_object(document, "summary"), "objectCount"),
        matched=tuple(text for text in _texts(filters, "prefixMatch") if text),
        excluded=tuple(text for text in _texts(filters, "excludePrefix") if text),
    )


def _judge_rule(rule: Mapping[str, Any], filters: Mapping[str, Any]) -> None:
    """Refuse a rule that leaves out fields that are needed, or paths in a way that no path tells."""
    kind, form = _text(rule, "objectType"), _text(rule, "format")
    if kind.lower() != "blob":
        raise _Misread(Flaw.FORMAT, f"the rule lists {kind}s: set its objectType to blob")
    if form.lower() not in FORMS:
        raise _Misread(Flaw.FORMAT, f"its format is {form!r}: set the rule's to Parquet or CSV")
    fields = _texts(rule, "schemaFields")
    missing = [field for field in NEEDED if field not in fields]
    if missing:
        raise _Misread(
            Flaw.SCHEMA,
            f"it has {len(fields)} fields without {', '.join(missing)}: add to the rule's schemaFields",
        )
    if filters.get("creationTime"):
        raise _Misread(Flaw.FILTER, "the rule lists recent paths only: take creationTime out of its filters")
    types = {each.lower() for each in _texts(filters, "blobTypes")}
    lacking = [each for each in BLOB_TYPES if types and each.lower() not in types]
    if lacking:
        raise _Misread(
            Flaw.FILTER, f"the rule leaves out {lacking[0]}s: add it to the blobTypes of its filters"
        )
    for each in ("includeSnapshots", "includeBlobVersions", "includeDeleted"):
        if filters.get(each):
            raise _Misread(Flaw.FILTER, f"the rule also lists what is no path any more: set {each} to false")


def _files(document: Mapping[str, Any]) -> tuple[InventoryFile, ...]:
    files = document.get("files")
    if not isinstance(files, list) or not all(isinstance(each, dict) for each in files):
        raise _Misread(Flaw.MANIFEST, "its manifest has no list of files")
    found = tuple(InventoryFile(name=_text(each, "blob"), size=_number(each, "size")) for each in files)
    names = {each.name for each in found}
    if len(names) < len(found):
        raise _Misread(
            Flaw.MANIFEST, f"its manifest names {len(found)} files, and only {len(names)} of them differ"
        )
    return found


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    if not isinstance(found, dict):
        raise _Misread(Flaw.MANIFEST, f"its manifest has no {key}, which is an object")
    return found


def _text(document: Mapping[str, Any], key: str) -> str:
    found = document.get(key)
    if not isinstance(found, str) or not found:
        raise _Misread(Flaw.MANIFEST, f"its manifest has no {key}, which is a text")
    return found


def _texts(document: Mapping[str, Any], key: str) -> list[str]:
    found = document.get(key)
    found = [] if found is None else found
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise _Misread(Flaw.MANIFEST, f"{key} of its manifest is no list of texts")
    return found


def _number(document: Mapping[str, Any], key: str) -> int:
    found = document.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise _Misread(Flaw.MANIFEST, f"its manifest has no {key}, which is a number")
    return found


def _instant(document: Mapping[str, Any], key: str) -> datetime:
    text = _text(document, key)
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Misread(Flaw.MANIFEST, f"{key} of its manifest is {text!r}, which is no time") from None


def _account(endpoint: str) -> str:
    found = re.match(r"https?://([a-z0-9]{3,24})\.", endpoint)
    if found is None:
        raise _Misread(Flaw.MANIFEST, f"endpoint of its manifest is {endpoint!r}, which names no account")
    return found[1]
