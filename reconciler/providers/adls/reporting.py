"""Turn what lakes answered into live state: facts, gaps and findings at their addresses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.core.model import (
    Address,
    Attribute,
    Finding,
    Found,
    Gap,
    Identity,
    Lifecycle,
    Live,
    Value,
    Wanted,
)
from reconciler.core.vocabulary import Boundary
from reconciler.providers.adls.acl import OTHER, Acl, AclError, Entry
from reconciler.providers.adls.canonical import Canon, Judged, Lens, parsed, passing
from reconciler.providers.adls.documents import ACCESS, FOLDER, NAME, PROVIDER
from reconciler.providers.adls.ground import Tally, Tract
from reconciler.providers.adls.naming import Names
from reconciler.providers.adls.reading import Answer, LakeAnswer, covering, within
from reconciler.providers.adls.sweeping.sweep import Reading, Unread


def lens_of(tract: Tract) -> Lens:
    """How a tract is read: by what its document asks for, as long as it asks for anything."""
    active = tract.want.lifecycle is Lifecycle.ACTIVE
    return Lens(tract=tract, grants=tract.want.grants if active else {})


def _named(tract: Tract, found: Found) -> Found:
    """A folder that was to be renamed shows its name, or nobody could see that the renaming worked."""
    if not tract.want.was or tract.address != tract.want.address:
        return found
    return replace(found, grants={**found.grants, Attribute(NAME): tract.want.address.locator})


@dataclass(slots=True, kw_only=True)
class Report:
    """Collects live state."""

    names: Names
    boundaries: Sequence[Boundary] = ()
    holders: Mapping[str, Identity] = field(default_factory=dict)
    """Who holds role assignments, by object id."""
    found: dict[Address, Found] = field(default_factory=dict)
    gaps: dict[Address, Gap] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def live(self) -> Live:
        """What was collected."""
        return Live(found=self.found, gaps=self.gaps, findings=tuple(self.findings))

    def dead(self, lake: str, wanted: Iterable[Wanted], reason: str) -> None:
        """Nothing of a lake could be read."""
        for address in (*(want.address for want in wanted), Address(PROVIDER, lake, FOLDER, "*")):
            self._gap(address, reason)

    def lake(self, answer: LakeAnswer) -> None:
        """Everything that one lake answered."""
        for gap in answer.roles.gaps:
            self.gaps[gap.address] = gap
        self.findings += answer.roles.findings(self.holders)
        for container, part in sorted(answer.containers.items()):
            for tract, reading in part.tracts():
                self._tract(tract, reading)
            self._ways(part)
            self._siblings(answer.lake, container, part)

    def _tract(self, tract: Tract, reading: Reading | Unread) -> None:
        reason = reading if isinstance(reading, Unread) else reading.unread.get(tract.path)
        if reason is not None:
            self._gap(tract.address, str(reason), reason.status)
            return
        assert isinstance(reading, Reading)
        tally = reading.sinks.get(tract.path)
        if not isinstance(tally, Tally):
            return
        top = {key.directory for key in tally.counts if key.spot == tract.path}
        if not top:
            return
        if False in top:
            self._gap(tract.address, f"{tract.container}/{tract.path} is a file, not a folder")
            return
        fault = self._fault(tract, tally)
        if fault:
            self._gap(tract.address, fault)
            return
        canon = Canon(lens_of(tract), tally, lambda entry: self.names.by_entry[entry])
        judged = canon.judge()
        self.found[tract.address] = _named(tract, judged.found)
        self._strangers(tract.address, tract.want, canon.entries.values())
        self._file_masks(tract, judged)
        self._owning_groups(tract, judged)

    def _fault(self, tract: Tract, tally: Tally) -> str:
        """Why the lists of a tree cannot be understood; "" when they can."""
        for key in sorted(tally.counts):
            try:
                acl = parsed(key.acl)
            except AclError as error:
                return f"{tract.container}/{tally.samples[key][0]}: {error}"
            unnamed = self._unnamed(acl)
            if unnamed:
                return f"{tract.container}/{tally.samples[key][0]}: {unnamed}"
        return ""

    def _unnamed(self, acl: Acl) -> str:
        for entry in (*acl.access.named, *(acl.default.named if acl.default else ())):
            if entry not in self.names.by_entry:
                reason = self.names.unnamed.get(entry.who, "it was not asked for")
                return f"who is behind object id {entry.who} is unknown: {reason}"
        return ""

    def _file_masks(self, tract: Tract, judged: Judged) -> None:
        counts = judged.narrowed.counts
        if counts:
            who = ", ".join(f"{name} on {number}" for name, number in sorted(counts.items()))
            self._find(
                "file-mask",
                tract.address,
                tract.want,
                f"files grant less than declared, as their creation mode narrowed the mask: {who} "
                f"({', '.join(judged.narrowed.samples)}); `enforce-file-masks: true` corrects them",
            )

    def _owning_groups(self, tract: Tract, judged: Judged) -> None:
        for group, evidence in judged.owning.items():
            name = self.names.by_entry.get(Entry("group", group), f"id:{group}")
            held = ", ".join(f"{right} on {number}" for right, number in sorted(evidence.counts.items()))
            self._find(
                "owning-group",
                tract.address,
                tract.want,
                f"{name} is the owning group and holds {held} that no document grants "
                f"({', '.join(evidence.samples)}); change the owning group, or its `group::` entry",
            )

    def _strangers(self, address: Address, want: Wanted, entries: Iterable[Iterable[Entry]]) -> None:
        for entry in sorted({entry for group in entries for entry in group} & self.names.strange.keys()):
            rule, text = self.names.strange[entry]
            self._find(rule, address, want, f"has entries for object id {entry.who}: {text}")

    def _ways(self, part: Answer) -> None:
        for path, want in sorted(part.ask.ways.items()):
            reading = part.main
            reason = reading if isinstance(reading, Unread) else reading.unread_ways.get(path)
            if reason is not None:
                self._gap(want.address, str(reason), reason.status)
                continue
            assert isinstance(reading, Reading)
            if path in reading.lists:
                self._way(want, reading.lists[path])

    def _way(self, want: Wanted, text: str) -> None:
        try:
            acl = parsed(text)
        except AclError as error:
            self._gap(want.address, str(error))
            return
        unnamed = self._unnamed(acl)
        if unnamed:
            self._gap(want.address, unnamed)
            return
        held = frozenset(json.loads(want.details.get("held", "[]")))
        by_name: dict[str, list[Entry]] = {}
        for entry in (*acl.access.named, OTHER):
            by_name.setdefault(self.names.by_entry[entry], []).append(entry)
        grants: dict[Attribute, Value] = {}
        for principal, entries in sorted(by_name.items()):
            attribute = Attribute(ACCESS, principal)
            value = passing(acl, entries, attribute in want.grants)
            if value is not None and principal not in held:
                grants[attribute] = value
        self.found[want.address] = Found(address=want.address, grants=grants)
        shown = [by_name[attribute.principal] for attribute in grants]
        self._strangers(want.address, want, shown)

    def _siblings(self, lake: str, container: str, part: Answer) -> None:
        if isinstance(part.main, Unread):
            if part.ask.parents and not part.main.status.startswith("404"):
                self._gap(Address(PROVIDER, lake, FOLDER, f"{container}/*"), str(part.main), part.main.status)
            return
        boundaries = covering(self.boundaries, lake)
        reported: list[str] = []
        known = part.ask.ways.keys() | {each.path for each in part.ask.tracts}
        for path in sorted(part.main.siblings - known):
            tenants = within(boundaries, f"{container}/{path}")
            if not tenants or any(path.startswith(f"{above}/") for above in reported):
                continue
            reported.append(path)
            self.findings.append(
                Finding(
                    rule="unmanaged",
                    address=Address(PROVIDER, lake, FOLDER, f"{container}/{path}"),
                    tenant=tenants[0] if len(tenants) == 1 else "",
                    text=f"lies within the boundary of {' and '.join(tenants)}; no document declares it",
                )
            )
        for parent, reason in part.main.unread_parents.items():
            place = f"{container}/{parent}/*" if parent else f"{container}/*"
            self._gap(Address(PROVIDER, lake, FOLDER, place), str(reason), reason.status)

    def _gap(self, address: Address, reason: str, status: str = "") -> None:
        self.gaps[address] = Gap(address=address, reason=reason, status=status)

    def _find(self, rule: str, address: Address, want: Wanted, text: str) -> None:
        self.findings.append(
            Finding(rule=rule, address=address, tenant=want.tenant, source=want.source, text=text)
        )
