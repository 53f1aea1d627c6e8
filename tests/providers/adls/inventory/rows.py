"""Rows of inventories and grounds for tests, and what the rules for single paths make of the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from reconciler.core.vocabulary import Context
from reconciler.providers.adls import VOCABULARY
from reconciler.providers.adls.expectation import Expectation, Verdict, expect
from reconciler.providers.adls.ground import Key, Tally, plots, tract
from reconciler.providers.adls.inventory.estate import Ground, ground
from reconciler.providers.adls.inventory.kernel import judge
from reconciler.providers.adls.inventory.merging import PATHS, Judged, merge
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.sweeping.catch import Catch, places_of
from tests.providers.adls.lake import TODAY, folder
from tests.providers.adls.test_expectation import ENVIRONMENT, PEOPLE

KEY = 0x5EED
SCHEMA = pa.schema(
    [("Name", pa.string()), ("hdi_isfolder", pa.bool_()), ("Acl", pa.string()), ("Group", pa.string())]
)


class Row(NamedTuple):
    """One path of an inventory."""

    name: str
    directory: bool
    acl: str | None
    group: str | None = "$superuser"


def expectations(folders: Mapping[str, Mapping[str, Any]]) -> dict[str, Expectation]:
    """What documents of container `curated` come to, by path of the folder."""
    documents = [folder(f"curated/{path}", **keys) for path, keys in folders.items()]
    compiled = VOCABULARY.compile(documents, Context(environment=ENVIRONMENT, as_of=TODAY))
    assert not compiled.problems
    wants = [want for want in compiled.wanted if want.address.kind == "folder"]
    return {each.path: expect(each, PEOPLE) for each in map(tract, wants)}


def on(found: Iterable[Expectation]) -> Ground:
    """A ground of these folders."""
    return ground(found, KEY)


def batch(rows: Sequence[Row], dictionary: bool = False) -> pa.RecordBatch:
    """Rows as a batch, texts plain or as dictionaries."""
    made = pa.RecordBatch.from_pylist([row._asdict() for row in renamed(rows)], schema=SCHEMA)
    if not dictionary:
        return made
    columns = [made["Name"], made["hdi_isfolder"], made["Acl"].dictionary_encode()]
    return pa.RecordBatch.from_arrays([*columns, made["Group"].dictionary_encode()], SCHEMA.names)


class _Named(NamedTuple):
    Name: str
    hdi_isfolder: bool
    Acl: str | None
    Group: str | None


def renamed(rows: Iterable[Row]) -> Iterator[_Named]:
    """Rows under the names of columns."""
    return (_Named(*row) for row in rows)


@dataclass(slots=True)
class Outcome:
    """What the columns made of rows."""

    judged: Judged
    paths: list[dict[str, Any]]
    """Rows by themselves, by path."""


def outcome(workers: Iterable[Iterable[pa.RecordBatch]], where: Ground) -> Outcome:
    """Judge batches, by one worker each, and put the results together."""
    spooled: list[pa.RecordBatch] = []
    outputs = [found for batches in workers for found in judge(batches, where)]
    judged = merge(outputs, where, spooled.append)
    assert all(each.schema == PATHS for each in spooled)
    paths = [row for each in spooled for row in each.to_pylist()]
    return Outcome(judged, sorted(paths, key=lambda row: str(row["path"])))


@dataclass(slots=True)
class ByPath:
    """What the rules for single paths make of the same rows."""

    tallies: dict[str, Tally]
    verdicts: dict[str, dict[tuple[bool, Verdict], int]] = field(default_factory=dict)
    alone: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, set[str]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    """What `Catch` would ask the service for."""
    outside: int = 0


def by_path(rows: Sequence[Row], found: Mapping[str, Expectation]) -> ByPath:
    """Judge rows one by one."""
    folders = plots(each.tract for each in found.values())
    spots = {spot for each in found.values() for spot in each.tract.spots}
    catch = Catch(
        plots=folders,
        make=lambda each: Tally(each.spots),
        places=places_of({*folders, *spots}),
        # Rows come in no order.
        remember=True,
    )
    catch.take(Listed(row.name, row.acl or "", row.directory, row.group or "") for row in rows)
    result = ByPath(
        {path: sink for path, sink in catch.sinks.items() if isinstance(sink, Tally) and sink.counts}
    )
    result.asked = set(catch.missing())
    order = sorted(found)
    directories = {row.name for row in rows if row.directory}
    for path in {path for row in rows for path in ancestry(row.name)[1:]} - directories:
        home = next((each for each in ancestry(path) if each in folders), None)
        if home is not None and folders[home] is not None:
            result.missing.setdefault(home, set()).add(path)
    for row in rows:
        home = next((path for path in ancestry(row.name) if path in folders), None)
        if home is None or folders[home] is None:
            result.outside += 1
            continue
        spot = row.name if row.name in found[home].tract.spots else ""
        verdict = found[home].verdict(Key(row.acl or "", row.directory, spot, row.group or ""))
        if spot or verdict >= Verdict.DRIFT:
            result.alone.append(
                {
                    "home": order.index(home), "path": row.name, "directory": row.directory,
                    "acl": row.acl or "", "group": row.group or "", "spot": bool(spot), "verdict": verdict,
                }
            )  # fmt: skip
        else:
            counts = result.verdicts.setdefault(home, {})
            counts[row.directory, verdict] = counts.get((row.directory, verdict), 0) + 1
    result.alone.sort(key=lambda each: str(each["path"]))
    return result


def ancestry(path: str) -> list[str]:
    """A path and all directories that it lies in, the deepest first."""
    found = []
    while path:
        found.append(path)
        path = path[: max(path.rfind("/"), 0)]
    return found
