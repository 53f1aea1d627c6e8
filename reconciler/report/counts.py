"""What a plan comes to in numbers, and the parts of it that are told together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from reconciler.core.model import Address, Gap, Verb
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Blocked, Plan
from reconciler.report.lines import count, listed
from reconciler.report.words import Speech


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What one tenant's part of a plan takes away."""

    tenant: str
    actions: int
    principals: int
    """How many different principals would hold less."""
    things: int
    """How many things would be deleted."""

    def told(self) -> str:
        """`7 principals lose something, 1 thing is deleted`."""
        parts = []
        if self.principals:
            loses = "loses" if self.principals == 1 else "lose"
            parts.append(f"{count(self.principals, 'principal')} {loses} something")
        if self.things:
            parts.append(f"{count(self.things, 'thing')} {'is' if self.things == 1 else 'are'} deleted")
        return ", ".join(parts)


def losses(actions: Iterable[Action]) -> list[Loss]:
    """What is taken away, tenant by tenant; tenants that lose nothing are not among them."""
    by_tenant: dict[str, list[Action]] = {}
    for action in actions:
        if takes_away(action):
            by_tenant.setdefault(action.tenant, []).append(action)
    return [
        Loss(
            tenant=tenant,
            actions=len(taken),
            principals=len({action.attribute.principal for action in taken} - {""}),
            things=sum(action.verb is Verb.DELETE for action in taken),
        )
        for tenant, taken in sorted(by_tenant.items())
    ]


def removed(actions: Iterable[Action]) -> int:
    """How many actions take something away."""
    return sum(map(takes_away, actions))


def by_verb(actions: Iterable[Action]) -> list[tuple[str, bool]]:
    """`grant 23`, `LOWER 1` in the order in which verbs run, each with whether it takes away."""
    counts = Counter((action.verb, takes_away(action)) for action in actions)
    return [
        (f"{verb.value.upper() if taken else verb.value} {counts[verb, taken]:,}", taken)
        for verb in Verb
        for taken in (False, True)
        if counts[verb, taken]
    ]


def by_tenant(actions: Sequence[Action]) -> list[tuple[str, list[Action]]]:
    """The actions of each tenant, by address, those of one address in the order in which they run."""
    ordered = sorted(actions, key=lambda action: (action.tenant, action.address))
    return [(tenant, list(own)) for tenant, own in groupby(ordered, lambda action: action.tenant)]


def by_address(actions: Iterable[Action]) -> list[tuple[Address, list[Action]]]:
    """Neighbouring actions of one thing."""
    return [(address, list(own)) for address, own in groupby(actions, lambda action: action.address)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Facts of one thing that wait for the same reason."""

    address: Address
    tenant: str
    facts: str
    """Whom and which rights, in words."""
    reason: str
    sources: str


def obstacles(plan: Plan, stage: str, speech: Speech) -> list[Obstacle]:
    """What could not become actions, `blocked` or `next`; a reason is told once for all that it holds up."""
    groups: dict[tuple[Address, str, str], list[Blocked]] = {}
    for each in plan.blocked:
        if each.stage == stage:
            groups.setdefault((each.address, each.tenant, bare_reason(each)), []).append(each)
    return [
        Obstacle(
            address=address, tenant=tenant, facts=_facts(group, speech), reason=reason, sources=places(group)
        )
        for (address, tenant, reason), group in groups.items()
    ]


def bare_reason(each: Blocked) -> str:
    """The reason without the name in front of it, which is told beside it."""
    reason, name = each.reason, f"{each.attribute.principal}: "
    while each.attribute.principal and reason.startswith(name):
        reason = reason.removeprefix(name)
    return reason


def _facts(group: Iterable[Blocked], speech: Speech) -> str:
    roles: dict[str, list[str]] = {}
    for each in group:
        who = speech.whom(each.address.kind, each.attribute)
        role = speech.role(each.address.kind, each.attribute)
        roles.setdefault(who, []).extend([role] if role else [])
    return ", ".join(
        f"{who} ({', '.join(dict.fromkeys(said))})" if said else who for who, said in roles.items()
    )


def places(group: Iterable[Blocked] | Iterable[Action]) -> str:
    """`tenants.d/pricing/groups.yaml:9, 12`: the lines that ask for these."""
    lines: dict[str, set[int]] = {}
    for each in group:
        lines.setdefault(each.source.file, set()).add(each.source.line)
    return "; ".join(
        f"{file}:{listed(map(str, sorted(numbers)), 5)}" for file, numbers in sorted(lines.items())
    )


def gap_reason(gap: Gap) -> str:
    """Why it could not be read; the service's own code once."""
    reason = gap.reason
    if gap.status and not reason.startswith(gap.status):
        return f"{gap.status}: {reason}" if reason else gap.status
    return reason or "no reason given"
