"""Runs of a Blob Inventory rule, in the layout of the service, whole or with any fault that one may have.

Layout and manifest are those of Microsoft's docs (Azure Storage blob inventory).  No recording shows a row:
quoting, the container in front of a name, and how a directory is marked can be ordered either way.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import quote

from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake import digests
from reconciler.emulator.lake.account import SUPERUSER, Account, Filesystem
from reconciler.emulator.lake.stamps import iso_time, ticks
from reconciler.emulator.lake.tree import Folder, Node, walk

FIELDS = ("Name", "Creation-Time", "Last-Modified", "Content-Length", "BlobType")
LAKE_FIELDS = ("hdi_isfolder", "Owner", "Group", "Permissions", "Acl")
FAULTS = {
    "pending": "the manifest says Pending; no checksum",
    "failed": "the status is Failed",
    "partial": "the status is PartiallySucceeded, and a row in ten is missing",
    "no-checksum": "the checksum file is missing",
    "bad-checksum": "the checksum is that of something else",
    "truncated-manifest": "half the manifest is there",
    "corrupt-manifest": "the manifest is no JSON, with a checksum that fits",
    "missing-file": "the last file is missing",
    "short-file": "the last file lacks its last third, the manifest has its whole size",
    "truncated-file": "the last file lacks its last third, the manifest has that size",
    "corrupt-file": "bytes in the middle of the last file are others",
    "lost-rows": "a row in ten is missing, the manifest counts all",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One run: what is listed, how it is written, and what goes wrong."""

    destination: str
    """The container that it is written to; it is made if it is not there."""
    rule: str = "nightly"
    form: str = "csv"
    """`csv`, or `parquet`, which needs pyarrow."""
    files: int = 1
    fields: Sequence[str] = FIELDS + LAKE_FIELDS
    matched: Sequence[str] = ()
    """prefixMatch of the rule."""
    excluded: Sequence[str] = ()
    """excludePrefix of the rule."""
    filters: Mapping[str, Any] | None = None
    """More of the rule's filters, as the manifest shows them; they change no row."""
    hours_ago: float = 0.0
    """When the run began, before the emulated now."""
    prefix: str = ""
    """A folder that the run is moved into."""
    container_in_names: bool = True
    percent_encoded: bool = False
    mark: str = "true"
    """How a directory is marked; files have no mark.  In Parquet the column is a boolean when this is ""."""
    duplicates: int = 0
    """Rows that are there twice."""
    line_break: str = "\n"
    group_rows: int = 100_000
    """Rows of a row group."""
    faults: Sequence[str] = ()


def ordered(document: Mapping[str, Any]) -> Order:
    """An order with kebab-case keys, as a seed or a request has it; raises ValueError."""
    known = {each.name.replace("_", "-") for each in fields(Order)}
    for name in document:
        if name not in known:
            raise ValueError(f"inventory: unknown key {name!r}; known: {', '.join(sorted(known))}")
    order = Order(**{name.replace("-", "_"): value for name, value in document.items()})
    for fault in order.faults:
        if fault not in FAULTS:
            raise ValueError(f"inventory: unknown fault {fault!r}; known: {', '.join(FAULTS)}")
    if order.form not in ("csv", "parquet") or order.files < 1:
        raise ValueError("inventory: form is csv or parquet, and there is at least one file")
    return order


def run(account: Account, order: Order) -> str:
    """Write one run, and return its folder in the destination; raises ValueError."""
    store = account.filesystems.get(order.destination) or account.create_filesystem(order.destination)
    # Listed before anything is written: a run does not list itself.
    rows = list(_rows(account, order))
    began = account.now() - order.hours_ago * 3600
    instant = iso_time(ticks(began))
    day, _, time = instant[:19].partition("T")
    folder = f"{day.replace('-', '/')}/{time.replace(':', '-')}/{order.rule}"
    chance = random.Random(order.rule)
    objects = len(rows)
    if {"partial", "lost-rows"} & set(order.faults):
        rows = [row for number, row in enumerate(rows) if number % 10]
    rows += chance.sample(rows, min(order.duplicates, len(rows)))
    # The order of rows is not defined, nor which file one is in.
    chance.shuffle(rows)
    listed = []
    for number, (name, content) in enumerate(_contents(order, rows)):
        last = number == order.files - 1
        size, content = _spoilt(order, content) if last else (len(content), content)
        listed.append({"blob": f"{folder}/{name}", "size": size})
        if not (last and "missing-file" in order.faults):
            _put(account, store, f"{order.prefix}/{folder}/{name}", content)
    ended = iso_time(ticks(began + 600))
    manifest = json.dumps(_manifest(account, order, listed, objects, instant, ended), indent=2).encode()
    _end(account, store, order, f"{order.prefix}/{folder}/{order.rule}-manifest", manifest)
    return f"{order.prefix}/{folder}".lstrip("/")


def _end(account: Account, store: Filesystem, order: Order, stem: str, manifest: bytes) -> None:
    faults = set(order.faults)
    if "corrupt-manifest" in faults:
        manifest = manifest.replace(b'"files":', b'"files"', 1)
    digest = hashlib.md5(manifest, usedforsecurity=False).hexdigest()
    if "bad-checksum" in faults:
        digest = hashlib.md5(b"", usedforsecurity=False).hexdigest()
    if "truncated-manifest" in faults:
        manifest = manifest[: len(manifest) // 2]
    _put(account, store, f"{stem}.json", manifest)
    if not faults & {"pending", "no-checksum"}:
        _put(account, store, f"{stem}.checksum", digest.encode())


def _manifest(
    account: Account, order: Order, files: list[dict[str, Any]], objects: int, began: str, ended: str
) -> dict[str, Any]:
    status = {"pending": "Pending", "failed": "Failed", "partial": "PartiallySucceeded"}
    filters: dict[str, Any] = {
        "blobTypes": ["blockBlob", "appendBlob"],
        "includeSnapshots": False,
        "includeBlobVersions": False,
    }
    filters |= {"prefixMatch": list(order.matched)} if order.matched else {}
    filters |= {"excludePrefix": list(order.excluded)} if order.excluded else {}
    return {
        "destinationContainer": order.destination,
        "endpoint": f"https://{account.name}.blob.core.windows.net",
        "files": [] if {"pending", "failed"} & set(order.faults) else files,
        "inventoryCompletionTime": ended[:19] + "Z",
        "inventoryStartTime": began[:19] + "Z",
        "ruleDefinition": {
            "filters": filters | dict(order.filters or {}),
            "format": order.form,
            "objectType": "blob",
            "schedule": "daily",
            "schemaFields": list(order.fields),
        },
        "ruleName": order.rule,
        "status": next((status[fault] for fault in order.faults if fault in status), "Succeeded"),
        "summary": {"objectCount": objects, "totalObjectSize": 0},
        "version": "1.0",
    }


def _rows(account: Account, order: Order) -> Iterator[tuple[Any, ...]]:
    for name, store in sorted(account.filesystems.items()):
        for path, node in walk(store.root, ""):
            whole = f"{name}/{path}"
            if order.matched and not any(whole.startswith(each) for each in order.matched):
                continue
            if any(whole.startswith(each) for each in order.excluded):
                continue
            shown = whole if order.container_in_names else path
            values = _values(quote(shown) if order.percent_encoded else shown, node, order.mark)
            yield tuple(values[field] for field in order.fields)


def _values(name: str, node: Node, mark: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Creation-Time": iso_time(node.created),
        "Last-Modified": iso_time(node.changed),
        "Content-Length": node.size,
        "BlobType": "BlockBlob",
        "hdi_isfolder": (mark or True) if node.is_folder else ("" if mark else None),
        "Owner": node.owner,
        "Group": node.group,
        "Permissions": node.acl.permissions,
        "Acl": node.acl.text,
    }


def _contents(order: Order, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, bytes]]:
    for number in range(order.files):
        stem = order.rule if order.files == 1 else f"{order.rule}_{number}"
        share = rows[number :: order.files]
        content = _csv(order, share) if order.form == "csv" else _parquet(order, share)
        yield f"{stem}.{order.form}", content


def _csv(order: Order, rows: Sequence[tuple[Any, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=order.line_break)
    writer.writerow(order.fields)
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(order: Order, rows: Sequence[tuple[Any, ...]]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise ValueError("inventory: parquet needs pyarrow: install reconciler[lake]") from None
    columns = {name: [row[at] for row in rows] for at, name in enumerate(order.fields)}
    types = {"Content-Length": pa.int64(), "hdi_isfolder": pa.string() if order.mark else pa.bool_()}
    table = pa.table(
        {name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()}
    )
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=order.group_rows)
    return out.getvalue()


def _spoilt(order: Order, content: bytes) -> tuple[int, bytes]:
    """The size that the manifest gives to the last file, and what is in it."""
    faults = set(order.faults)
    if "corrupt-file" in faults:
        middle = len(content) // 2
        content = (
            content[:middle] + bytes(255 - byte for byte in content[middle:][:64]) + content[middle + 64 :]
        )
    kept = content[: len(content) * 2 // 3]
    if "short-file" in faults:
        return len(content), kept
    return (len(kept), kept) if "truncated-file" in faults else (len(content), content)


def _put(account: Account, store: Filesystem, path: str, content: bytes) -> None:
    folder = store.root
    *parents, name = [part for part in path.split("/") if part]
    for part in parents:
        child = folder.children.get(part)
        if child is None:
            acl = account.intern(acls.inherit(folder.acl, directory=True))
            child = Folder(part, SUPERUSER, folder.group, acl, account.tick())
            folder.put(child)
        if not isinstance(child, Folder):
            raise ValueError(f"inventory: {path!r} goes through the file {part!r}")
        folder = child
    acl = account.intern(acls.inherit(folder.acl, directory=False))
    node = Node(name, SUPERUSER, folder.group, acl, account.tick(), len(content))
    node.detail().content = content
    node.detail().headers["Content-MD5"] = digests.md5(content)
    folder.put(node)
