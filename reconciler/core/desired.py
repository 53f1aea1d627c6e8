"""Move live facts that are to stay over to the desired side, before anything is compared.

Its law: modes such as `unlisted: keep` and `adopted` change what goes into the comparison; they never
censor what comes out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.model import (
    EXISTS,
    REMOVALS,
    Attribute,
    Finding,
    Found,
    Identity,
    Kind,
    Lifecycle,
    Presence,
    Unlisted,
    Value,
    Verb,
    Wanted,
)
from reconciler.core.plan import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What all comparisons of one run share."""

    environment: str
    kinds: Mapping[str, Kind]
    identities: Mapping[str, Identity]
    """Every principal of the policies and of live state."""
    frozen: frozenset[str] = frozenset()
    """Tenants whose documents could not be read: things that they may contribute to lose nothing."""
    protected: frozenset[str] = frozenset()
    """The reconciler's own identities and break-glass accounts: what they hold unlisted is nobody's drift,
    such as the MANAGE that a service gives to whoever creates a scope."""

    def moved_ids(self) -> frozenset[str]:
        """Objects that a name of the policies stands for while they still, or already, bear another."""
        return frozenset(
            identity.object_id
            for identity in self.identities.values()
            if identity.presence in (Presence.MOVED, Presence.PLANNED) and identity.object_id
        )


@dataclass(slots=True)
class Aim:
    """What one thing should come to: every fact, and where a fact is wanted gone, why."""

    values: dict[Attribute, tuple[Value | None, ...]]
    """The wanted value of each fact; several only where a mixed tree is to stay as it is."""
    causes: dict[Attribute, Cause] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def classify(kind: Kind, attribute: Attribute, before: Value | None, after: Value | None) -> Verb:
    """The verb of a transition, from what each right is made of; the two values must differ."""
    if attribute.role == EXISTS:
        return Verb.DELETE if after is None else Verb.CREATE
    if attribute.role in kind.properties:
        return Verb.SET
    if before is None:
        return Verb.GRANT
    if after is None:
        return Verb.REVOKE
    had, has = kind.parts(attribute.role, before), kind.parts(attribute.role, after)
    if had < has:
        return Verb.RAISE
    return Verb.LOWER if has < had else Verb.SET


def present(found: Found | None) -> dict[Attribute, tuple[Value | None, ...]]:
    """Every fact of a thing with the values met; none for a thing that does not exist."""
    if found is None:
        return {}
    values: dict[Attribute, tuple[Value | None, ...]] = {
        attribute: (value,) for attribute, value in found.grants.items()
    }
    values.update(found.mixed)
    return values


def aim(want: Wanted, found: Found | None, frame: Frame, moved: frozenset[str]) -> Aim:
    """What the thing should come to, given what is there and what nobody may take away."""
    live = present(found)
    result = Aim(values={attribute: (value,) for attribute, value in want.grants.items()})
    if found is None:
        return result
    if want.lifecycle is Lifecycle.ACTIVE:
        _mind_unlisted(want, live, frame.protected, result)
    else:
        _retire(want, live, result)
    for attribute in sorted(live.keys() - result.values.keys()):
        reason = _why_kept(attribute, want, found, frame, moved)
        if reason:
            result.values[attribute] = live[attribute]
            result.findings.append(_kept(want, attribute, live[attribute], reason))
    if not want.adopted:
        _spare(want, live, frame.kinds[want.address.kind], result)
    return result


def _mind_unlisted(
    want: Wanted,
    live: Mapping[Attribute, tuple[Value | None, ...]],
    protected: frozenset[str],
    result: Aim,
) -> None:
    for attribute in live.keys() - result.values.keys():
        if not attribute.principal or attribute.principal in protected and attribute not in want.terms:
            # What the document does not speak of at all, such as a description, is nobody's drift.
            result.values[attribute] = live[attribute]
        elif attribute in want.terms:
            result.causes[attribute] = Cause.EXPIRED
        elif want.unlisted is Unlisted.KEEP:
            result.values[attribute] = live[attribute]
        else:
            result.causes[attribute] = Cause.UNLISTED


def _retire(want: Wanted, live: Mapping[Attribute, tuple[Value | None, ...]], result: Aim) -> None:
    granted = {attribute for attribute in (*want.grants, *want.terms) if attribute.principal}
    result.values = {attribute: values for attribute, values in live.items() if attribute not in granted}
    result.causes = dict.fromkeys(granted, Cause.RETIRED)
    if want.lifecycle is Lifecycle.DESTROYED:
        result.values.pop(Attribute(EXISTS), None)
        result.causes[Attribute(EXISTS)] = Cause.RETIRED


def _why_kept(attribute: Attribute, want: Wanted, found: Found, frame: Frame, moved: frozenset[str]) -> str:
    """Why this fact is nobody's to remove in this run; "" when it is."""
    if attribute in found.kept:
        return found.kept[attribute]
    if not attribute.principal:
        return ""
    if want.shared and frame.frozen:
        return f"documents of {', '.join(sorted(frame.frozen))} are in error and may ask for it"
    identity = frame.identities.get(attribute.principal)
    if identity is not None and identity.object_id in moved:
        return (
            f"a name of the policies stands for the same object {identity.object_id}, moved or being renamed"
        )
    return ""


def _spare(want: Wanted, live: Mapping[Attribute, tuple[Value | None, ...]], kind: Kind, result: Aim) -> None:
    """Before a tenant adopts an environment nothing is taken from anybody; it is told instead."""
    for attribute, values in live.items():
        if attribute.role in kind.properties:
            continue
        wanted = result.values.get(attribute, (None,))
        spared = tuple(value for value in values if _loses(kind, attribute, value, wanted))
        if not spared:
            continue
        kept = tuple(value for value in values if value in spared or value == wanted[0])
        gaining = tuple(value for value in values if value not in kept)
        result.values[attribute] = (*kept, *(wanted if gaining and wanted[0] not in kept else ()))
        said = wanted[0] or "nothing"
        result.findings.append(
            Finding(
                rule="unlisted",
                address=want.address,
                tenant=want.tenant,
                source=want.source,
                text=f"{attribute.principal or attribute.role} holds {_spell(spared)} where the policies "
                f"say {said}; it stays until the tenant document adopts this environment",
            )
        )


def _loses(kind: Kind, attribute: Attribute, value: Value | None, wanted: tuple[Value | None, ...]) -> bool:
    if value is None or value in wanted or attribute.role in kind.properties:
        return False
    return classify(kind, attribute, value, wanted[0]) in REMOVALS


def _kept(want: Wanted, attribute: Attribute, values: tuple[Value | None, ...], reason: str) -> Finding:
    return Finding(
        rule="kept",
        address=want.address,
        tenant=want.tenant,
        source=want.source,
        text=f"{attribute.principal or attribute.role} is not listed and keeps {_spell(values)}: {reason}",
    )


def _spell(values: tuple[Value | None, ...]) -> str:
    return ", ".join(value or "-" for value in values)
