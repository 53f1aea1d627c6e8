"""What documents lay claim to: names that exist, inside the tenant's boundary, and each claimed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

from reconciler.core.vocabulary import Declared, DocumentKind, Problem, Reach
from reconciler.policy.platform import KINDS_OF, Platform
from reconciler.policy.suggest import did_you_mean
from reconciler.policy.tree import fold


@dataclass(frozen=True, slots=True)
class Claim:
    """A document with the kind that knows how to read it."""

    declared: Declared
    kind: DocumentKind[Any]
    reaches: tuple[Reach, ...]


def settle(claims: Iterable[Claim], platform: Platform) -> tuple[list[Claim], list[Problem]]:
    """The claims with the environments in which they hold, and everything that is wrong with them.

    While the platform's own half is in error, what is missing there is not held against a tenant.
    """
    known = _Known(platform)
    settled: list[Claim] = []
    problems: list[Problem] = []
    holders: dict[tuple[str, str, str], list[tuple[Declared, Reach]]] = {}
    for claim in claims:
        unknown = {reach: text for reach in claim.reaches if (text := _unknown_name(reach, known))}
        declared, faults = _placed(claim, unknown, platform)
        settled.append(Claim(declared, claim.kind, claim.reaches))
        if platform.complete:
            # A name that nobody knows is inside no boundary either: saying so once is enough.
            known_reaches = [reach for reach in claim.reaches if reach not in unknown]
            faults.extend(_outside(declared, known_reaches, platform))
            problems.extend(faults)
        if not faults:
            for reach in claim.reaches:
                locator = reach.locator if reach.boundary == "folders" else fold(reach.locator)
                key = (reach.boundary, reach.installation, locator)
                holders.setdefault(key, []).append((declared, reach))
    for several in holders.values():
        if len(several) > 1:
            problems.extend(_collisions(several))
    return settled, problems


class _Known:
    """The logical names that environments map, asked for once."""

    def __init__(self, platform: Platform) -> None:
        self.installations = cache(platform.installations)
        self.containers = cache(platform.containers)


def _placed(claim: Claim, unknown: Mapping[Reach, str], platform: Platform) -> tuple[Declared, list[Problem]]:
    """The document with the environments in which it holds, and which names keep it out of some."""
    declared = claim.declared
    problems = []
    for reach, text in unknown.items():
        place = reach.source if reach.boundary == "folders" else declared.locate("workspace")
        problems.append(Problem(source=place, text=text, tenant=declared.tenant))
    named: tuple[str, ...] | None = declared.document.environments
    holds = set()
    for number, name in enumerate(platform.environments if named is None else named):
        environment = platform.environments.get(name)
        text = ""
        if environment is None:
            text = f"no environment {name!r}{did_you_mean(name, platform.environments)}"
        elif claim.kind.environments(declared.document, environment):
            holds.add(name)
        elif named is not None:
            text = (
                f"environment {name} does not map every name that this document uses; "
                f"add what is missing there, or leave {name} out here"
            )
        if text and not problems:
            place = declared.locate("environments", number)
            problems.append(Problem(source=place, text=text, tenant=declared.tenant))
    if not holds and not problems and named is None:
        text = "no single environment maps every name that this document uses; split it"
        problems.append(Problem(source=declared.source, text=text, tenant=declared.tenant))
    return replace(declared, environments=frozenset(holds)), problems


def _unknown_name(reach: Reach, known: _Known) -> str:
    if not reach.installation:
        return ""
    names = known.installations(reach.boundary)
    what = "lake" if reach.boundary == "folders" else "workspace"
    if reach.installation not in names:
        return (
            f"no environment knows a {what} {reach.installation!r}{did_you_mean(reach.installation, names)}"
        )
    if reach.boundary == "folders":
        container = reach.locator.partition("/")[0]
        containers = known.containers(reach.installation)
        if container not in containers:
            hint = did_you_mean(container, containers)
            return f"no environment knows a container {container!r} in lake {reach.installation!r}{hint}"
    return ""


def _outside(declared: Declared, reaches: Iterable[Reach], platform: Platform) -> Iterator[Problem]:
    """What the document claims and its tenant may not."""
    tenant = declared.tenant
    for reach in reaches:
        boundary = platform.boundaries.get((tenant, KINDS_OF[reach.boundary], reach.installation))
        if boundary is not None and boundary.covers(reach.locator):
            continue
        thing = f"{reach.installation}/{reach.locator}" if reach.installation else reach.locator
        if reach.boundary == "workspaces":
            thing = reach.installation
        if tenant in platform.bounded:
            text = (
                f"{thing!r} is outside the boundary of {tenant} ({reach.boundary} at "
                f"{platform.bounded[tenant]}); choose a name inside, or ask the platform team to widen it"
            )
        else:
            near = did_you_mean(tenant, platform.bounded) or "; ask the platform team for one"
            text = f"{tenant} has no boundary, so it may not declare {thing!r}{near}"
        yield Problem(source=reach.source, text=text, tenant=tenant)


def _collisions(several: Sequence[tuple[Declared, Reach]]) -> Iterator[Problem]:
    """Documents that claim one thing in one environment: each is told of the first other one."""
    told: set[tuple[str, object]] = set()
    for number, (declared, reach) in enumerate(several):
        for other, first in islice(several, number):
            if not declared.environments & other.environments:
                continue
            what = f"{reach.installation}/{reach.locator}" if reach.installation else reach.locator
            sides = [(declared, reach.source, first.source)]
            if other.tenant != declared.tenant:
                sides.append((other, first.source, reach.source))
            for side, here, there in sides:
                if (side.tenant, here) not in told:
                    told.add((side.tenant, here))
                    text = f"{what!r} is also declared at {there}; keep one of the two"
                    yield Problem(source=here, text=text, tenant=side.tenant)
            break
