"""Find the runs of a rule among the blobs of its destination, and choose the newest that may be believed.

Its law: no run is used that is not whole, and none that is too old; which one was used, and why not a newer
one, is told.

Nothing here reads a clock or a network.  Runs lie at `YYYY/MM/DD/HH-MM-SS/<rule>/` (Microsoft docs: Azure
Storage blob inventory, inventory output).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from reconciler.providers.adls.inventory import manifest as manifests
from reconciler.providers.adls.inventory.faults import Flaw, InventoryFault
from reconciler.providers.adls.inventory.manifest import InventoryFile, Manifest

_PLACE = re.compile(r"(\d{4})/(\d\d)/(\d\d)/(\d\d)-(\d\d)-(\d\d)/([^/]+)/([^/]+)", re.ASCII)
SKEW = timedelta(minutes=10)
"""How far clocks may be apart before a run counts as one of the future."""


class Blob(NamedTuple):
    """A blob of the destination container."""

    name: str
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs are meant, and how old one may be."""

    rule: str
    max_age: timedelta
    prefix: str = ""
    accounts: frozenset[str] = frozenset()
    """Names that the lake's account may have; empty where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The folder of a run, whatever it is worth."""

    folder: str
    """From the top; "" where the top is itself the folder of a run."""
    rule: str
    began: datetime
    """By the folder's name."""
    blobs: Mapping[str, int] = field(repr=False)
    """Names and sizes of what is in it."""

    @property
    def manifest(self) -> str:
        """The name of its manifest."""
        return _joined(self.folder, f"{self.rule}-manifest.json")

    @property
    def checksum(self) -> str:
        """The name of its checksum file."""
        return _joined(self.folder, f"{self.rule}-manifest.checksum")

    @property
    def place(self) -> str:
        """How messages name it."""
        return self.folder or "."

    def documents(self) -> list[str]:
        """The blobs that have to be read to check it."""
        return [name for name in (self.manifest, self.checksum) if name in self.blobs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that is whole: its manifest is true to its checksum, and every file is there in full length."""

    folder: str
    """`2026/11/23/02-00-00/nightly`, from the top of the container; names the run in messages."""
    manifest: Manifest
    files: tuple[InventoryFile, ...]
    """Its files, by the names under which they are found."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.size for each in self.files)

    def misses(self, container: str, path: str) -> str:
        """Why the run does not tell of every path of this tree, in words; "" when it does."""
        tree = f"{container}/{path}" if path else container
        matched, excluded = self.manifest.matched, self.manifest.excluded
        # Filters are beginnings of texts, not of paths: `cur` matches `curated/x` (Microsoft docs).
        whole = f"{tree}/"
        # A filter that ends in the folder's slash would let everything through but the folder itself.
        named = tree if path else whole
        if matched and not any(named.startswith(each) for each in matched):
            return f"the rule lists {_listed(matched)} only"
        touched = [each for each in excluded if whole.startswith(each) or each.startswith(whole)]
        return f"the rule leaves out {_listed(touched)}" if touched else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The run that is used, and the newer ones that were passed over."""

    run: Run
    age: timedelta
    passed: tuple[InventoryFault, ...] = ()
    """Newest first."""

    @property
    def as_of(self) -> str:
        """The run and its age, in words, for the evidence of a plan."""
        began = self.run.manifest.began
        text = f"run of {began:%Y-%m-%d %H:%M} UTC, {spelled(self.age)} old (rule {self.run.manifest.rule})"
        if self.passed:
            text += f"; passed over: {'; '.join(f'{each.place}: {each.text}' for each in self.passed)}"
        return text


def candidates(blobs: Iterable[Blob], prefix: str, rule: str) -> list[Candidate]:
    """The folders of a rule's runs among these blobs, newest first; other blobs are none of ours."""
    base = f"{prefix}/" if prefix else ""
    began: dict[str, datetime] = {}
    within: dict[str, dict[str, int]] = {}
    for name, size in blobs:
        match = _PLACE.fullmatch(name.removeprefix(base)) if name.startswith(base) else None
        if match is None or match[7] != rule:
            continue
        folder = name.rpartition("/")[0]
        if folder not in began:
            try:
                began[folder] = datetime.strptime("".join(match.groups()[:6]), "%Y%m%d%H%M%S").replace(
                    tzinfo=UTC
                )
            except ValueError:
                continue
        within.setdefault(folder, {})[name] = size
    found = [
        Candidate(folder=folder, rule=rule, began=began[folder], blobs=inside)
        for folder, inside in within.items()
    ]
    return sorted(found, key=lambda each: (each.began, each.folder), reverse=True)


def recent(found: Sequence[Candidate], wanted: Wanted, now: datetime) -> list[Candidate]:
    """Those that are young enough to be looked at, newest first."""
    return [each for each in found if now - each.began <= wanted.max_age]


def choose(
    found: Sequence[Candidate], documents: Callable[[str], bytes | None], wanted: Wanted, now: datetime
) -> Chosen:
    """The newest usable run among these, newest first; raises InventoryFault where there is none.

    `documents` gives the content of a manifest or a checksum file, None where it is gone.
    """
    passed: list[InventoryFault] = []
    for candidate in found:
        age = now - candidate.began
        if age > wanted.max_age:
            passed.append(old(candidate.place, age, wanted.max_age))
            break
        try:
            run = check(candidate, documents, wanted, now)
        except InventoryFault as fault:
            passed.append(fault)
            continue
        return Chosen(run=run, age=now - run.manifest.began, passed=tuple(passed))
    raise unusable(passed, wanted)


def unusable(passed: Sequence[InventoryFault], wanted: Wanted) -> InventoryFault:
    """What is said where no run can be used: the newest's own fault, and how the others fare."""
    if not passed:
        place = f"{wanted.prefix or '.'}/…/{wanted.rule}"
        return InventoryFault(
            Flaw.NO_RUN,
            place,
            "there is no run of this rule: look whether the rule is enabled and writes into this container; "
            "its first run takes a day",
        )
    first, *others = passed
    more = "".join(f"; before it {each.place}: {each.text}" for each in others)
    return InventoryFault(first.flaw, first.place, f"{first.text}{more}")


def old(place: str, age: timedelta, most: timedelta) -> InventoryFault:
    """A run that says what was, and no longer what is."""
    return InventoryFault(
        Flaw.OLD,
        place,
        f"it began {spelled(age)} ago, and max-age is {spelled(most)}: look why the rule did not run since, "
        "or raise `max-age`",
    )


def check(
    candidate: Candidate, documents: Callable[[str], bytes | None], wanted: Wanted, now: datetime
) -> Run:
    """The run in a folder, where it may be believed; raises InventoryFault."""
    place = candidate.place
    body = documents(candidate.manifest) if candidate.manifest in candidate.blobs else None
    if body is None:
        text = (
            f"it has no {candidate.rule}-manifest.json: look whether somebody deleted it, wait for the next"
        )
        raise InventoryFault(Flaw.MANIFEST, place, text)
    checksum = documents(candidate.checksum) if candidate.checksum in candidate.blobs else None
    manifest = manifests.read(place, body, checksum)
    _judge_origin(place, manifest, wanted)
    age = now - manifest.began
    if age < -SKEW:
        text = (
            f"it says that it began at {manifest.began:%Y-%m-%d %H:%M} UTC, which is to come: check the clock"
        )
        raise InventoryFault(Flaw.FUTURE, place, text)
    if age > wanted.max_age:
        raise old(place, age, wanted.max_age)
    return Run(folder=place, manifest=manifest, files=tuple(_files(candidate, manifest)))


def shortfall(run: Run, met: int, container: str, kept: int) -> InventoryFault | None:
    """What is said once all files were read, where rows are missing; None where none is known to be.

    Args:
        met: rows of all files, of whatever container.
        kept: rows of the container.
    """
    objects = run.manifest.objects
    if met < objects:
        text = f"{met:,} rows were read, and its manifest counts {objects:,} objects; wait for the next run"
        return InventoryFault(Flaw.ROWS, run.folder, text)
    if not kept:
        text = (
            f"none of its {met:,} rows is of container {container!r}: look at the rule's prefixMatch, and at "
            "the inventory's `names`"
        )
        return InventoryFault(Flaw.ROWS, run.folder, text)
    return None


def _judge_origin(place: str, manifest: Manifest, wanted: Wanted) -> None:
    if manifest.rule != wanted.rule:
        text = f"its manifest is of rule {manifest.rule!r}, not of {wanted.rule!r}: look who copied it here"
        raise InventoryFault(Flaw.STRANGER, place, text)
    if wanted.accounts and manifest.account not in wanted.accounts:
        text = (
            f"it is of storage account {manifest.account!r}, not of {_listed(sorted(wanted.accounts))}: "
            "correct the lake's endpoints, or the inventory's container"
        )
        raise InventoryFault(Flaw.STRANGER, place, text)


def _files(candidate: Candidate, manifest: Manifest) -> Iterable[InventoryFile]:
    """The manifest's files as they lie in the folder, each in full length."""
    if not manifest.files and manifest.objects:
        text = f"it counts {manifest.objects:,} objects and names no file; wait for the next run"
        raise InventoryFault(Flaw.NO_FILE, candidate.place, text)
    for file in manifest.files:
        folder, _, name = file.name.rpartition("/")
        # Whoever moved a run moved its folder; a name that leads elsewhere is not followed.
        if not name or name in (".", "..") or not _same_place(candidate.folder, folder):
            text = f"its manifest names {file.name!r}, which is not in its folder; wait for the next run"
            raise InventoryFault(Flaw.MANIFEST, candidate.place, text)
        here = _joined(candidate.folder, name)
        size = candidate.blobs.get(here)
        if size is None:
            text = f"of its {len(manifest.files)} files {name} is missing; wait for the next run"
            raise InventoryFault(Flaw.NO_FILE, candidate.place, text)
        if size != file.size:
            text = f"{name} is {size:,} bytes long, its manifest says {file.size:,}; wait for the next run"
            raise InventoryFault(Flaw.SIZE, candidate.place, text)
        yield InventoryFile(name=here, size=size)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _same_place(here: str, said: str) -> bool:
    return here == said or here.endswith(f"/{said}") or said.endswith(f"/{here}") or not here


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(texts[:3])
    return f"{shown} and {len(texts) - 3} more" if len(texts) > 3 else shown


def spelled(age: timedelta) -> str:
    """An age as people say it: minutes below two hours, hours below three days, else days."""
    minutes = max(int(age.total_seconds() // 60), 0)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // 1440} days"
