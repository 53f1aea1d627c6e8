"""Who is who: names to objects and back, with the names that the policies pin to object ids.

Its law: a name stands for one object or for none; whoever cannot be told apart is refused, never guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model import Identity, Presence
from reconciler.providers.entra.canonical import GROUP, ID, SP, USER, Entry, entry
from reconciler.providers.entra.client import Failed, GraphClient
from reconciler.providers.entra.deleted import soft_deleted
from reconciler.providers.entra.survey import Survey, confirm, fold, survey
from reconciler.providers.entra.wire import IDS, Call, Trouble, objects

TYPES = ["user", "group", "servicePrincipal"]
UNPIN = "if that is meant, take its line out of the lock file and run `reconciler pin`"
WORDS = {USER: "user", GROUP: "group", SP: "service principal"}


@dataclass(slots=True)
class Who:
    """What is known of names and objects so far in this run."""

    client: GraphClient
    pins: Mapping[str, str] = field(default_factory=dict)
    """Object ids that the policies pin names to."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """Objects by id, as they were last seen."""
    identities: dict[str, Identity] = field(default_factory=dict)
    """What each name asked for stands for."""
    spellings: dict[str, str] = field(default_factory=dict)
    """The name by which policies call an object, by its id."""
    surveys: dict[str, Survey] = field(default_factory=dict)
    """The last complete listing of each kind."""
    deleted: set[str] = field(default_factory=set)
    """Names of objects that were deleted and can be restored."""

    async def resolve(self, principals: Iterable[str]) -> Mapping[str, Identity]:
        """What each name stands for; a name that was answered before is not asked again."""
        asked = list(dict.fromkeys(principals))
        fresh = [name for name in asked if not self._settled(name)]
        plain = [name for name in fresh if not name.startswith(ID)]
        troubles = await self.learn(
            [self.pins[name] for name in plain if name in self.pins]
            + [name.removeprefix(ID) for name in fresh if name.startswith(ID)]
        )
        # A pin that still fits needs no look-up: the object bears the name, whoever else does.
        open_names = [name for name in plain if not self._pin_fits(name)]
        candidates = await self._candidates(open_names)
        for name in fresh:
            self.identities[name] = self._identity(name, candidates, troubles)
        await self._tell_deleted(fresh)
        self._settle_spellings(fresh)
        self.client.meet_users(sum(each.kind == USER for each in self.entries.values()))
        return {name: self.identities[name] for name in asked}

    async def name(self, object_ids: Iterable[str]) -> Mapping[str, Identity]:
        """Who is behind each object id."""
        asked = {oid: oid.lower() for oid in object_ids}
        troubles = await self.learn(oid for oid in asked.values() if oid not in self.entries)
        found = [self.entries[oid] for oid in asked.values() if oid in self.entries]
        await self.settle(found)
        return {oid: self._behind(low, troubles) for oid, low in asked.items()}

    async def settle(self, entries: Collection[Entry]) -> None:
        """Make sure that it is known whether these objects' names are theirs alone."""
        for each in entries:
            if each.kind == USER and each.principal not in self.pins and each.readable:
                # No two users share a user principal name, so that meeting one is resolving it.
                self.identities.setdefault(each.principal, _known(each.principal, each, pinned=False))
        principals = {each.principal for each in entries if each.kind in (GROUP, SP)}
        for principal in principals:
            known = self.identities.get(principal)
            if known is not None and known.presence is Presence.UNKNOWN:
                # It was asked for before it existed, and has been met since.
                del self.identities[principal]
        await self.resolve(principals)

    def spelled(self, each: Entry) -> str:
        """The principal that this object is in plans: its name if that is its alone, else `id:…`.

        Groups and service principals must be settled before.
        """
        if each.id in self.spellings:
            return self.spellings[each.id]
        principal = each.principal
        pin = self.pins.get(principal, "").lower()
        if pin or each.kind == USER:
            # No two users share a user principal name: Entra keeps it unique.
            return principal if pin in ("", each.id) else ID + each.id
        identity = self.identities.get(principal)
        return principal if identity is not None and identity.object_id == each.id else ID + each.id

    def doubt(self, each: Entry) -> tuple[str, bool]:
        """Why a live holder cannot be told from another, and whether that makes its group unreadable.

        Without this, a namesake that somebody adds would have the true one revoked as unlisted.
        """
        if self.spelled(each) != ID + each.id or each.principal in self.pins:
            return "", False
        if each.kind not in (USER, GROUP, SP):
            return f"it is of type {each.kind}, which policies cannot name", False
        identity = self.identities.get(each.principal)
        if identity is None or identity.presence in (Presence.UNREADABLE, Presence.UNKNOWN):
            return identity.reason if identity else "its name could not be looked up", True
        return f"its name {each.principal} is not its alone: {identity.reason or 'pin it'}", False

    def remember(self, found: Iterable[Entry]) -> None:
        """Take note of objects that were met."""
        self.entries.update((each.id, each) for each in found)

    def meet(self, payload: Mapping[str, Any]) -> Entry:
        """Take note of an object from its JSON; it is the same `Entry` as before if nothing has changed."""
        fresh = entry(payload)
        known = self.entries.setdefault(fresh.id, fresh)
        if known != fresh:
            self.entries[fresh.id] = fresh
            return fresh
        return known

    async def learn(self, object_ids: Iterable[str]) -> Mapping[str, Trouble]:
        """Read objects by id, 1,000 to a request; those that could not be asked for, with the reason."""
        ids = sorted({oid.lower() for oid in object_ids})
        chunks = [ids[start : start + IDS] for start in range(0, len(ids), IDS)]
        troubles = await asyncio.gather(*map(self._learn, chunks))
        return {
            oid: trouble
            for chunk, trouble in zip(chunks, troubles, strict=True)
            if trouble is not None
            for oid in chunk
        }

    async def _learn(self, ids: Sequence[str]) -> Trouble | None:
        body = {"ids": ids, "types": TYPES}
        call = Call(path="/directoryObjects/getByIds", method="POST", body=body, reads=True)
        try:
            reply = await self.client.send(call)
        except Failed as error:
            return error.trouble
        values = objects(reply)
        if values is None:
            return Trouble(reply.said, reply.spelt)
        for oid in ids:
            self.entries.pop(oid, None)
        self.remember(entry(payload) for payload in values)
        return None

    def _settled(self, name: str) -> bool:
        known = self.identities.get(name)
        return known is not None and known.presence is not Presence.UNREADABLE

    def _pin_fits(self, name: str) -> bool:
        pinned = self.entries.get(self.pins.get(name, "").lower())
        return pinned is not None and pinned.answers_to(name)

    async def _candidates(self, principals: Sequence[str]) -> Mapping[str, list[Entry] | Trouble]:
        """Everybody who bears each name, whatever its pin says."""
        by_kind: dict[str, list[str]] = {}
        for principal in principals:
            kind, _, name = principal.partition(":")
            by_kind.setdefault(kind, []).append(name)
        surveys = await asyncio.gather(*(self._survey(kind, names) for kind, names in by_kind.items()))
        found: dict[str, list[Entry] | Trouble] = {}
        for (kind, names), known in zip(by_kind.items(), surveys, strict=True):
            for name in names:
                payloads = known.by_name.get(fold(name), [])
                if isinstance(payloads, Trouble):
                    found[f"{kind}:{name}"] = payloads
                    continue
                bearers = [entry(payload, kind) for payload in payloads]
                self.remember(bearers)
                found[f"{kind}:{name}"] = bearers
        return found

    async def _survey(self, kind: str, names: Sequence[str]) -> Survey:
        known = self.surveys.get(kind)
        if known is not None:
            await confirm(self.client, kind, known, names)
            return known
        found = await survey(self.client, kind, names)
        if found.everything:
            self.surveys[kind] = found
        return found

    def _identity(
        self,
        name: str,
        candidates: Mapping[str, list[Entry] | Trouble],
        troubles: Mapping[str, Trouble],
    ) -> Identity:
        if name.startswith(ID):
            return self._behind(name.removeprefix(ID), troubles, exact=True)
        pin = self.pins.get(name, "").lower()
        bearers = candidates.get(name, [])
        trouble = troubles.get(pin) or (bearers if isinstance(bearers, Trouble) else None)
        if trouble is not None:
            return Identity(
                principal=name, presence=Presence.UNREADABLE, pinned=bool(pin), reason=trouble.reason
            )
        exact = [each for each in bearers if each.answers_to(name)] if isinstance(bearers, list) else []
        alike = [each for each in bearers if each not in exact] if isinstance(bearers, list) else []
        return self._pinned(name, pin, exact) if pin else _unpinned(name, exact, alike)

    def _pinned(self, name: str, pin: str, exact: Sequence[Entry]) -> Identity:
        bearer = self.entries.get(pin)
        if bearer is not None and bearer.answers_to(name):
            return _known(name, bearer, pinned=True)
        now = f"now belongs to {_listed(exact)}" if exact else "belongs to nobody now"
        if bearer is None and not exact:
            reason = f"is pinned to {pin}, which does not exist, and {now}: {UNPIN}"
            return Identity(principal=name, presence=Presence.UNKNOWN, pinned=True, reason=reason)
        was = f"now called {bearer.principal!r}" if bearer is not None else "which no longer exists"
        return Identity(
            principal=name,
            presence=Presence.MOVED,
            object_id=pin if bearer is not None else "",
            pinned=True,
            reason=f"is pinned to {pin}, {was}; the name {now}: {UNPIN}",
        )

    def _behind(self, oid: str, troubles: Mapping[str, Trouble], exact: bool = False) -> Identity:
        """Who an object id is; `exact` keeps `id:…` as the name."""
        if oid in troubles:
            return Identity(
                principal=ID + oid,
                presence=Presence.UNREADABLE,
                object_id=oid,
                reason=troubles[oid].reason,
            )
        found = self.entries.get(oid)
        if found is None:
            return Identity(
                principal=ID + oid,
                presence=Presence.UNKNOWN,
                object_id=oid,
                reason="no object of the directory has this id",
            )
        if not found.readable:
            reason = f"a {WORDS[found.kind]} that this identity may not read: it needs Directory.Read.All"
            return Identity(principal=ID + oid, presence=Presence.UNREADABLE, object_id=oid, reason=reason)
        return _known(ID + oid if exact else self.spelled(found), found, pinned=oid in self.pins.values())

    async def _tell_deleted(self, fresh: Sequence[str]) -> None:
        """Say of names that nobody bears whether their object can still be restored."""
        unknown = {
            name: self.pins.get(name, "")
            for name in fresh
            if self.identities[name].presence is Presence.UNKNOWN and not name.startswith(ID)
        }
        for name, text in (await soft_deleted(self.client, unknown)).items():
            known = self.identities[name]
            self.deleted.add(name)
            self.identities[name] = Identity(
                principal=name, presence=Presence.UNKNOWN, pinned=known.pinned, reason=text
            )

    def _settle_spellings(self, fresh: Sequence[str]) -> None:
        """One object has one name in a run: the canonical one, or else the first that the policies use."""
        for name in sorted(fresh, key=lambda each: (not self._canonical(each), each)):
            identity = self.identities[name]
            if identity.presence is not Presence.KNOWN or name.startswith(ID):
                continue
            spelt = self.spellings.setdefault(identity.object_id, name)
            if spelt != name:
                self.identities[name] = Identity(
                    principal=name,
                    presence=Presence.AMBIGUOUS,
                    reason=f"is the same object as {spelt}: use one spelling everywhere",
                )

    def _canonical(self, name: str) -> bool:
        found = self.entries.get(self.identities[name].object_id)
        return found is not None and found.principal == name


def _known(name: str, found: Entry, pinned: bool) -> Identity:
    return Identity(
        principal=name,
        presence=Presence.KNOWN,
        object_id=found.id,
        app_id=found.app_id,
        pinned=pinned,
        display=found.display or found.name,
    )


def _unpinned(name: str, exact: Sequence[Entry], alike: Sequence[Entry]) -> Identity:
    if len(exact) == 1:
        return _known(name, exact[0], pinned=False)
    if exact:
        reason = f"{len(exact)} objects have this name: {_listed(exact)}; pin the right one in the lock file"
        return Identity(principal=name, presence=Presence.AMBIGUOUS, reason=reason)
    reason = "nobody has this name in Entra"
    if alike:
        reason += f"; names are compared letter by letter: did you mean {alike[0].principal}?"
    return Identity(principal=name, presence=Presence.UNKNOWN, reason=reason)


def _listed(entries: Sequence[Entry]) -> str:
    shown = [each.id + (f" (application {each.app_id})" if each.app_id else "") for each in entries[:5]]
    return ", ".join(shown) + (f" and {len(entries) - 5} more" if len(entries) > 5 else "")
