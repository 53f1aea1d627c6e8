"""Read groups: which exist, who is in them, what PIM lent for a time, and what no document claims.

Its law: a group is read whole or it is a gap.
"""

from __future__ import annotations

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
    Presence,
    Unlisted,
    Wanted,
)
from reconciler.providers.contract import Boundary, Question
from reconciler.providers.entra import canonical
from reconciler.providers.entra.batch import Listing
from reconciler.providers.entra.canonical import Entry, Group, Reading, group
from reconciler.providers.entra.client import GraphClient
from reconciler.providers.entra.directory import UNPIN, Who
from reconciler.providers.entra.documents import GROUP_KIND, PROVIDER
from reconciler.providers.entra.pim import Activations, activations
from reconciler.providers.entra.relations import MEMBERS, OWNERS, read_relations
from reconciler.providers.entra.survey import Survey, confirm, fold, survey
from reconciler.providers.entra.wire import Trouble

WILD = "*?"


@dataclass(slots=True)
class Reader:
    """One pass over what a question asks."""

    client: GraphClient
    who: Who
    installation: str
    question: Question
    memberships: dict[str, frozenset[str]]
    """Direct members by group id, for whoever asks later in the run."""
    found: dict[Address, Found] = field(default_factory=dict)
    gaps: dict[Address, Gap] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    async def read(self) -> Live:
        """Everything that was asked for, as found or as gaps."""
        groups = await self._survey()
        places = self._places(groups, await self._refused())
        readings = await self._readings(places)
        held = {each.id: each for reading in readings.values() for each in _holders(reading)}
        await self.who.settle(held.values())
        lent = await self._lent(readings, places)
        for address, reading in readings.items():
            self._judge(address, reading, places[address][0], lent.get(reading.group.id))
        self._mind_former_names()
        self._unmanaged(groups)
        return Live(found=self.found, gaps=self.gaps, findings=sorted(self.findings, key=_order))

    def _gap(self, address: Address, trouble: Trouble) -> None:
        self.found.pop(address, None)
        self.gaps[address] = Gap(address=address, reason=trouble.reason, status=trouble.status)

    def _names(self) -> dict[Address, Wanted]:
        """Every address that is asked for: the groups' own, and those that they bore before a rename."""
        asked: dict[Address, Wanted] = {}
        for want in self.question.wanted:
            asked[want.address] = want
        for want in self.question.wanted:
            if want.was:
                asked.setdefault(self._address(want.was), want)
        return asked

    def _address(self, name: str) -> Address:
        return Address(PROVIDER, self.installation, GROUP_KIND, name)

    def _boundaries(self) -> list[Boundary]:
        """Every boundary over this directory's groups."""
        return [
            boundary
            for boundary in self.question.boundaries
            if boundary.kind == GROUP_KIND and boundary.installation in ("", "*", self.installation)
        ]

    async def _survey(self) -> Survey:
        names = [address.locator for address in self._names()]
        # A listing that resolving names took a moment ago serves one read, and no verification after it.
        ready = self.who.surveys.pop(canonical.GROUP, None)
        if ready is not None:
            await confirm(self.client, canonical.GROUP, ready, names)
            return ready
        prefixes = {_prefix(pattern) for each in self._boundaries() for pattern in each.patterns}
        return await survey(self.client, canonical.GROUP, names, prefixes)

    async def _refused(self) -> Mapping[Address, str]:
        """Why a pinned name must not be taken for the group that bears it."""
        asked = {f"group:{address.locator}": (address, want) for address, want in self._names().items()}
        identities = await self.who.resolve([name for name in asked if name in self.who.pins])
        refused: dict[Address, str] = {}
        for name, identity in identities.items():
            doubtful = identity.presence in (Presence.MOVED, Presence.UNREADABLE)
            if (doubtful or name in self.who.deleted) and not self._renamed(identity, *asked[name]):
                refused[asked[name][0]] = f"{name} {identity.reason}"
        return refused

    def _renamed(self, identity: Identity, address: Address, want: Wanted) -> bool:
        """Whether a pin that does not fit shows no more than a declared rename, to be done or done."""
        bearer = self.who.entries.get(identity.object_id)
        other = want.was if address == want.address else want.address.locator
        return bearer is not None and bool(other) and bearer.name == other

    def _places(self, groups: Survey, refused: Mapping[Address, str]) -> dict[Address, tuple[Wanted, Group]]:
        """The one group behind each address; several, or the wrong one, make a gap."""
        places: dict[Address, tuple[Wanted, Group]] = {}
        for address, want in self._names().items():
            payloads = groups.by_name.get(fold(address.locator), [])
            if isinstance(payloads, Trouble):
                self._gap(address, payloads)
                continue
            if address in refused:
                self._gap(address, Trouble(refused[address]))
                continue
            bearers = [each for each in map(group, payloads) if each.name == address.locator]
            pin = self.who.pins.get(f"group:{address.locator}", "").lower()
            ids = ", ".join(sorted(each.id for each in bearers))
            chosen = [each for each in bearers if each.id == pin] if pin else bearers
            if bearers and not chosen:
                self._gap(address, Trouble(f"the name is pinned to {pin} and borne by {ids}: {UNPIN}"))
            elif len(chosen) > 1:
                step = "rename or delete all but one, or pin the right one in the lock file"
                self._gap(address, Trouble(f"{len(chosen)} groups have this name: {ids}; {step}"))
            elif chosen:
                places[address] = (want, chosen[0])
            else:
                self._look_alike(address, want, [str(each.get("displayName")) for each in payloads])
        return places

    def _mind_former_names(self) -> None:
        """A group that cannot be read under its former name is not absent under the new one."""
        own = {want.address for want in self.question.wanted}
        for want in self.question.wanted:
            former = self._address(want.was) if want.was else want.address
            if former not in own and former in self.gaps:
                gap = self.gaps.pop(former)
                if want.address not in self.found:
                    self.gaps.setdefault(want.address, replace(gap, address=want.address))

    def _look_alike(self, address: Address, want: Wanted, names: Sequence[str]) -> None:
        if names and address == want.address:
            self.findings.append(
                Finding(
                    rule="look-alike",
                    address=address,
                    tenant=want.tenant,
                    source=want.source,
                    text=f"Entra has {', '.join(sorted(names))}, which differs in letter case only",
                )
            )

    async def _readings(self, places: Mapping[Address, tuple[Wanted, Group]]) -> dict[Address, Reading]:
        total = len(places)
        done = 0

        def report(count: int) -> None:
            nonlocal done
            done += count
            self.question.progress("Entra groups", min(done, total), total)

        owned = [address for address, (want, _) in places.items() if canonical.speaks_of_owners(want)]
        asked = [(address, MEMBERS) for address in places] + [(address, OWNERS) for address in owned]
        read = await read_relations(
            self.client, [(places[address][1].id, relation) for address, relation in asked], report
        )
        parts = dict(zip(asked, read, strict=True))
        readings: dict[Address, Reading] = {}
        for address, (_, place) in places.items():
            members, owners = parts[address, MEMBERS], parts.get((address, OWNERS))
            trouble = next((part for part in (members, owners) if isinstance(part, Trouble)), None)
            if trouble is None and place.hidden and not members:
                # Whether a service shows a hidden membership as empty or refuses it differs.
                trouble = Trouble("its membership is hidden and reads as empty: it needs Member.Read.Hidden")
            reading = None if trouble else self._reading(place, members, owners)
            trouble = trouble or _unreadable(reading)
            if trouble is not None:
                self._gap(address, trouble)
            elif reading is not None:
                readings[address] = reading
        return readings

    def _reading(self, place: Group, members: Listing, owners: Listing | None) -> Reading:
        assert not isinstance(members, Trouble) and not isinstance(owners, Trouble)
        reading = Reading(
            group=place,
            members=tuple(sorted(map(self.who.meet, members), key=_by_id)),
            owners=None if owners is None else tuple(sorted(map(self.who.meet, owners), key=_by_id)),
        )
        self.memberships[place.id] = frozenset(each.id for each in reading.members)
        return reading

    async def _lent(
        self, readings: Mapping[Address, Reading], places: Mapping[Address, tuple[Wanted, Group]]
    ) -> dict[str, Activations | Trouble]:
        """PIM's activations in the groups from which something might be revoked."""
        asked = [
            reading.group.id
            for address, reading in readings.items()
            if self._may_lose(places[address][0], reading)
        ]
        return await activations(self.client, asked)

    def _may_lose(self, want: Wanted, reading: Reading) -> bool:
        """Whether a comparison could come to revoke anything here."""
        if not want.adopted:
            return False
        if want.lifecycle is not Lifecycle.ACTIVE:
            return bool(reading.members or reading.owners)
        held = (Attribute(role, self.who.spelled(each)) for role, each in canonical.holders(reading))
        keeps = want.unlisted is Unlisted.KEEP
        return any(each not in want.grants and (not keeps or each in want.terms) for each in held)

    def _judge(
        self, address: Address, reading: Reading, want: Wanted, lent: Activations | Trouble | None
    ) -> None:
        if isinstance(lent, Trouble):
            self._gap(
                address, Trouble(f"who PIM has let in for a time cannot be read: {lent.reason}", lent.status)
            )
            return
        kept: dict[Attribute, str] = {}
        for role, each in canonical.holders(reading):
            why, unreadable = self.who.doubt(each)
            if unreadable:
                self._gap(address, Trouble(f"{role} {each.principal} ({each.id}): {why}"))
                return
            ends = (lent or {}).get((role, each.id))
            if ends:
                why = f"PIM activated it for a time ({ends})"
            if why:
                kept[Attribute(role, self.who.spelled(each))] = why
        self.found[address] = canonical.found(address, reading, self.who.spelled, kept, want)
        self.findings.extend(canonical.leavers(want, reading, self.who.spelled))

    def _unmanaged(self, groups: Survey) -> None:
        boundaries = self._boundaries()
        answers = list(groups.by_name.values())
        if answers and all(isinstance(answer, Trouble) for answer in answers):
            # Nothing of this directory could be read, whatever it is that nobody asked for.
            self._gap(self._address("*"), next(a for a in answers if isinstance(a, Trouble)))
        if not boundaries:
            return
        if isinstance(groups.below, Trouble):
            self._gap(self._address("*"), groups.below)
            return
        claimed = {address.locator for address in self._names()}
        for payload in groups.below:
            name = str(payload.get("displayName") or "")
            if name in claimed:
                continue
            tenant = next((each.tenant for each in boundaries if each.covers(name)), None)
            if tenant is not None:
                self.findings.append(
                    Finding(
                        rule="unmanaged",
                        address=self._address(name),
                        tenant=tenant,
                        text=f"group {payload.get('id')} lies within the boundary and no document claims it",
                    )
                )


def _unreadable(reading: Reading | None) -> Trouble | None:
    """Trouble with a holder of whom the service shows no more than that there is one."""
    for role, each in canonical.holders(reading) if reading else ():
        if not each.readable:
            hidden = f"a {role} of type {each.kind} ({each.id}) may not be read by this identity"
            return Trouble(f"{hidden}: it needs Directory.Read.All")
    return None


def _holders(reading: Reading) -> Iterable[Entry]:
    return (each for _, each in canonical.holders(reading))


def _by_id(each: Entry) -> str:
    return each.id


def _order(finding: Finding) -> tuple[str, Address, str]:
    return finding.rule, finding.address, finding.text


def _prefix(pattern: str) -> str:
    """What every name that fits a pattern begins with."""
    ends = [pattern.index(mark) for mark in WILD if mark in pattern]
    return pattern[: min(ends)] if ends else pattern
