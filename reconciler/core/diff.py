"""Decide which actions turn live state into desired state.

Nothing here reads a clock, a file or a network: equal inputs give equal actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reconciler.core.consent import action_id
from reconciler.core.desired import Aim, Frame, aim, classify, present
from reconciler.core.model import (
    EXISTS,
    Address,
    Attribute,
    Evidence,
    Finding,
    Found,
    Kind,
    Lifecycle,
    Live,
    Presence,
    Terms,
    Value,
    Verb,
    Wanted,
)
from reconciler.core.plan import Action, Blocked, Cause

NAME = Attribute("name")
NO_EVIDENCE = Evidence()


@dataclass(slots=True)
class Drift:
    """The difference of desired and live, not yet ordered."""

    actions: list[Action] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    held: dict[tuple[str, str], int] = field(default_factory=dict)
    """Live grants by (tenant, kind): what the percentages of guardrails are taken of."""
    managed: int = 0
    """How many things were compared; gapped ones are not among them."""


def diff(wanted: Iterable[Wanted], live: Live, frame: Frame) -> Drift:
    """Compare everything that the policies speak of; a gapped address is passed over."""
    drift = Drift()
    moved = frame.moved_ids()
    for want in sorted(wanted, key=lambda each: each.address):
        if want.address in live.gaps:
            continue
        drift.managed += 1
        found = live.found.get(want.address)
        if found is not None:
            _count(want, found, drift)
            if _in_step(want, found):
                continue
        _compare(want, found, live, frame, moved, drift)
    return drift


def _count(want: Wanted, found: Found, drift: Drift) -> None:
    key = (want.tenant, want.address.kind)
    own = 1 if Attribute(EXISTS) in found.grants else 0
    drift.held[key] = drift.held.get(key, 0) + len(found.grants) + len(found.mixed) - own


def _in_step(want: Wanted, found: Found) -> bool:
    """Whether one comparison of two mappings settles it: by far the commonest case."""
    return (
        want.lifecycle is Lifecycle.ACTIVE
        and not want.was
        and not found.mixed
        and want.grants == found.grants
    )


def _compare(
    want: Wanted, found: Found | None, live: Live, frame: Frame, moved: frozenset[str], drift: Drift
) -> None:
    kind = frame.kinds[want.address.kind]
    former = _former(want, live)
    if former is not None and (found is not None or "name" not in kind.properties):
        drift.findings.append(_still_there(want, former))
        former = None
    found = found or former
    if found is None and want.lifecycle is not Lifecycle.ACTIVE:
        return
    goal = aim(want, found, frame, moved)
    before = present(found)
    if former is not None:
        before[NAME], goal.values[NAME] = (want.was,), (want.address.locator,)
        goal.causes[NAME] = Cause.RENAMED
    drift.findings.extend(goal.findings)
    _transitions(_Thing(want=want, found=found, kind=kind, frame=frame), before, goal, drift)


def _former(want: Wanted, live: Live) -> Found | None:
    """The thing under its former name, where one is still to be found."""
    if not want.was or want.lifecycle is not Lifecycle.ACTIVE:
        return None
    address = want.address
    return live.found.get(Address(address.provider, address.installation, address.kind, want.was))


def _still_there(want: Wanted, former: Found) -> Finding:
    return Finding(
        rule="former",
        address=former.address,
        tenant=want.tenant,
        source=want.source,
        text=f"is still there under its former name; once {want.address.locator!r} is in use, declare "
        "the former one with `state: retired`",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Thing:
    """One thing under comparison, with what its actions need to know of it."""

    want: Wanted
    found: Found | None
    kind: Kind
    frame: Frame

    def terms(self, attribute: Attribute) -> Terms:
        return self.want.terms.get(attribute) or Terms(source=self.want.source)

    def object_ids(self, attribute: Attribute) -> dict[str, str]:
        """The ids behind the names of the thing and of the principal, where they have one."""
        ids = {}
        if self.found is not None and self.found.object_id:
            ids[str(self.want.address)] = self.found.object_id
        identity = self.frame.identities.get(attribute.principal)
        if identity is not None and identity.object_id:
            ids[attribute.principal] = identity.object_id
        elif attribute.principal.startswith("id:"):
            ids[attribute.principal] = attribute.principal.removeprefix("id:")
        return ids

    def obstacle(self, attribute: Attribute, after: Value | None) -> tuple[str, str]:
        """Why this fact cannot be planned now, and whether a later stage will; ("", "") when it can."""
        if self.found is not None and self.found.read_only:
            return self.found.read_only, "blocked"
        if self.found is None and self.kind.identified and attribute.role != EXISTS:
            return f"follows once {self.want.address.locator} exists and has an object id", "next"
        identity = self.frame.identities.get(attribute.principal)
        if after is None or identity is None or identity.presence is Presence.KNOWN:
            return "", ""
        if identity.presence is Presence.PLANNED:
            return f"follows once {attribute.principal} exists and has an object id", "next"
        return f"{attribute.principal}: {identity.reason or identity.presence}", "blocked"


def _transitions(
    thing: _Thing, before: dict[Attribute, tuple[Value | None, ...]], goal: Aim, drift: Drift
) -> None:
    for attribute in sorted(before.keys() | goal.values.keys()):
        had = before.get(attribute, (None,))
        wanted = goal.values.get(attribute, (None,))
        starts = [value for value in had if value not in wanted]
        if not starts:
            continue
        # Where a mixed fact is partly spared, the wanted value is the last one of its row.
        after = wanted[-1]
        reason, stage = thing.obstacle(attribute, after)
        if not reason and attribute.role == EXISTS and after is None:
            reason = _not_empty(thing, goal)
        if reason:
            drift.blocked.append(_blocked(thing, attribute, reason, stage))
            continue
        by_verb: dict[Verb, list[Value | None]] = {}
        for value in starts:
            by_verb.setdefault(classify(thing.kind, attribute, value, after), []).append(value)
        for verb, values in sorted(by_verb.items()):
            cause = goal.causes.get(attribute) or _cause(verb)
            drift.actions.append(_action(thing, verb, attribute, tuple(values), after, cause))


def _not_empty(thing: _Thing, goal: Aim) -> str:
    """Why a thing cannot be deleted: somebody holds a grant that its document did not make."""
    kept = thing.found.kept if thing.found else {}
    holders = sorted({fact.principal for fact in goal.values if fact.principal and fact not in kept})
    if not holders:
        return ""
    shown = ", ".join(holders[:3]) + (", …" if len(holders) > 3 else "")
    return (
        f"not empty: {len(holders)} hold grants that the document did not make ({shown}); list or revoke them"
    )


def _cause(verb: Verb) -> Cause:
    return Cause.MISSING if verb in (Verb.CREATE, Verb.GRANT) else Cause.CHANGED


def _blocked(thing: _Thing, attribute: Attribute, reason: str, stage: str) -> Blocked:
    return Blocked(
        address=thing.want.address,
        attribute=attribute,
        tenant=thing.want.tenant,
        source=thing.terms(attribute).source,
        reason=reason,
        stage=stage,
    )


def _action(
    thing: _Thing,
    verb: Verb,
    attribute: Attribute,
    before: tuple[Value | None, ...],
    after: Value | None,
    cause: Cause,
) -> Action:
    terms = thing.terms(attribute)
    listed = after is not None or cause is Cause.EXPIRED
    until = terms.until if listed else None
    object_ids = thing.object_ids(attribute)
    address, environment = thing.want.address, thing.frame.environment
    return Action(
        id=action_id(environment, verb, address, attribute, before, after, until, object_ids),
        environment=environment,
        verb=verb,
        address=address,
        attribute=attribute,
        before=before,
        after=after,
        until=until,
        object_ids=object_ids,
        tenant=thing.want.tenant,
        cause=cause,
        source=terms.source,
        because=terms.because if listed else "",
        evidence=thing.found.evidence.get(attribute, NO_EVIDENCE) if thing.found else NO_EVIDENCE,
    )


def principals(wanted: Iterable[Wanted], live: Live) -> Iterator[str]:
    """Every principal that a comparison of these two needs an identity for; some come twice."""
    for want in wanted:
        yield from (attribute.principal for attribute in want.grants if attribute.principal)
        # An expired grant's revocation still needs to know whom it is about.
        yield from (attribute.principal for attribute in want.terms if attribute.principal)
    for found in live.found.values():
        yield from (attribute.principal for attribute in found.grants if attribute.principal)
        yield from (attribute.principal for attribute in found.mixed if attribute.principal)
