"""The plot: what policies want, what providers find, what differs, and what the rules say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from reconciler.core.approval import PLATFORM
from reconciler.core.desired import Frame
from reconciler.core.diff import Drift, diff, principals
from reconciler.core.environment import Environment
from reconciler.core.guardrails import Docket, Rules, judge
from reconciler.core.model import (
    Address,
    Finding,
    Gap,
    Identity,
    Kind,
    Lifecycle,
    Live,
    Presence,
    Source,
    Unlisted,
    Wanted,
)
from reconciler.core.order import order
from reconciler.core.plan import Plan
from reconciler.core.planfile import sealed
from reconciler.core.vocabulary import Boundary, Context, Declared, Problem, Vocabulary
from reconciler.providers.contract import Directory, Progress, Provider, Question
from reconciler.store.journal import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that a plan follows from, beside live state."""

    environment: Environment
    revision: str
    as_of: date
    declared: Mapping[str, Sequence[Declared]]
    """Valid documents by provider."""
    problems: Sequence[Problem]
    frozen: frozenset[str]
    """Tenants whose documents are in error: nothing of theirs is touched."""
    boundaries: Sequence[Boundary]
    rules: Rules
    pins: Mapping[str, str]
    """Principal to the object id that the lock file pins it to."""
    history: History
    recent: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What the policies want in one environment, and what was wrong with some of them."""

    wanted: Sequence[Wanted]
    problems: Sequence[Problem]
    former: Sequence[Wanted] = ()
    """What no document speaks of any more, though grants were made through one: read, never touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan with the two states that it came from."""

    plan: Plan
    desired: Desired
    live: Live


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The systems of one environment."""

    providers: Mapping[str, Provider]
    directory: Directory
    kinds: Mapping[str, Kind]


def plan(inputs: Inputs, vocabularies: Sequence[Vocabulary], cloud: Cloud, tell: Progress) -> Planned:
    """Hold live state against the policies and decide what would have to happen."""
    desired = compile_policies(inputs, vocabularies)
    named = identify(desired, cloud.directory)
    live = read(desired, cloud, inputs, tell)
    frame = Frame(
        environment=inputs.environment.name,
        kinds=cloud.kinds,
        identities={**named, **identify_found(desired, live, cloud.directory, named)},
        frozen=inputs.frozen,
    )
    drift = diff(desired.wanted, live, frame)
    actions = order(drift.actions, cloud.kinds, desired.wanted)
    violations = judge(
        Docket(
            actions=actions,
            live=live,
            rules=inputs.rules,
            held=drift.held,
            recent=inputs.recent,
            inside=lambda tenant, address: within(inputs.boundaries, tenant, address),
        )
    )
    plan = Plan(
        environment=inputs.environment.name,
        revision=inputs.revision,
        as_of=inputs.as_of,
        actions=actions,
        blocked=tuple(drift.blocked),
        gaps=_gaps(live, inputs),
        findings=_findings(drift, desired, live),
        violations=violations,
        problems=tuple(str(problem) for problem in desired.problems),
        unpinned=_unpinned(named, inputs.pins),
        managed=drift.managed,
    )
    return Planned(plan=sealed(plan), desired=desired, live=live)


def only_tenants(plan: Plan, tenants: Iterable[str]) -> Plan:
    """The part of a plan that is about these tenants; guardrails have judged the whole of it."""
    chosen = frozenset(tenants)
    if not chosen:
        return plan
    return sealed(
        replace(
            plan,
            actions=tuple(each for each in plan.actions if each.tenant in chosen),
            blocked=tuple(each for each in plan.blocked if each.tenant in chosen),
            findings=tuple(each for each in plan.findings if each.tenant in chosen),
            violations=tuple(each for each in plan.violations if each.tenant in chosen),
        )
    )


def compile_policies(inputs: Inputs, vocabularies: Sequence[Vocabulary]) -> Desired:
    """Turn the valid documents into what is wanted in the environment."""
    context = Context(environment=inputs.environment, as_of=inputs.as_of)
    wanted: list[Wanted] = []
    problems = list(inputs.problems)
    for vocabulary in vocabularies:
        compiled = vocabulary.compile(inputs.declared.get(vocabulary.provider, ()), context)
        wanted.extend(compiled.wanted)
        problems.extend(compiled.problems)
    claimed = {want.address for want in wanted}
    return Desired(
        wanted=wanted,
        problems=sorted(problems, key=lambda problem: (problem.source, problem.text)),
        former=_former(inputs.history, claimed),
    )


def _former(history: History, claimed: set[Address]) -> list[Wanted]:
    """Things that grants were made on, and that no document claims today."""
    found: dict[Address, Wanted] = {}
    for address_text, _, _ in history.grants():
        address = Address.parse(address_text)
        if address in claimed or address in found:
            continue
        record = next(each for each in history.records if each.action["address"] == address_text)
        place = record.action["source"]
        found[address] = Wanted(
            address=address,
            tenant=str(record.action["tenant"]),
            source=Source(place["file"], place["line"], place["column"]),
            grants={},
            unlisted=Unlisted.KEEP,
        )
    return list(found.values())


def identify(desired: Desired, directory: Directory) -> dict[str, Identity]:
    """What every principal of the policies stands for; one that this run creates is planned, not unknown."""
    named = dict(directory.resolve(sorted(set(principals(desired.wanted, Live())))))
    for want in desired.wanted:
        if want.address.kind != "group" or want.lifecycle is not Lifecycle.ACTIVE:
            continue
        principal = f"group:{want.address.locator}"
        known = named.get(principal)
        if known is not None and known.presence is Presence.UNKNOWN:
            before = directory.resolve([f"group:{want.was}"])[f"group:{want.was}"] if want.was else known
            named[principal] = replace(known, presence=Presence.PLANNED, object_id=before.object_id)
    return named


def identify_found(
    desired: Desired, live: Live, directory: Directory, named: Mapping[str, Identity]
) -> Mapping[str, Identity]:
    """What the principals of live state stand for, beyond those that the policies name."""
    found = {name for name in principals((), live) if not name.startswith("id:") and ":" in name}
    return directory.resolve(sorted(found - named.keys()))


def read(desired: Desired, cloud: Cloud, inputs: Inputs, tell: Progress) -> Live:
    """Ask all providers at once; what cannot be read comes back as gaps."""
    questions = {
        name: Question(
            wanted=[want for want in (*desired.wanted, *desired.former) if want.address.provider == name],
            boundaries=inputs.boundaries,
            directory=cloud.directory,
            as_of=inputs.as_of,
            progress=tell,
        )
        for name in cloud.providers
    }
    with ThreadPoolExecutor(max_workers=len(questions) or 1) as pool:
        answers = [pool.submit(cloud.providers[name].read, question) for name, question in questions.items()]
        return merged(answer.result() for answer in answers)


def reader(desired: Desired, cloud: Cloud, as_of: date) -> Callable[[Sequence[Address]], Live]:
    """A function that reads some of the wanted things again, and looks for nothing else."""

    def read_again(addresses: Sequence[Address]) -> Live:
        chosen = set(addresses)
        lives = []
        for name, provider in cloud.providers.items():
            wanted = [w for w in desired.wanted if w.address in chosen and w.address.provider == name]
            if wanted:
                question = Question(wanted=wanted, directory=cloud.directory, as_of=as_of)
                lives.append(provider.read(question))
        return merged(lives)

    return read_again


def merged(lives: Iterable[Live]) -> Live:
    """Several providers' answers as one."""
    parts = list(lives)
    return Live(
        found={address: found for live in parts for address, found in live.found.items()},
        gaps={address: gap for live in parts for address, gap in live.gaps.items()},
        findings=[finding for live in parts for finding in live.findings],
    )


def within(boundaries: Sequence[Boundary], tenant: str, address: Address) -> bool:
    """Whether a tenant's boundary lets it touch an address; the platform's own things have none."""
    if tenant == PLATFORM:
        return True
    own = [each for each in boundaries if each.tenant == tenant and each.kind == address.kind]
    return any(
        each.installation in ("", "*", address.installation)
        and any(fnmatchcase(address.locator, pattern) for pattern in each.patterns)
        for each in own
    )


def _gaps(live: Live, inputs: Inputs) -> tuple[Gap, ...]:
    accepted = [each for each in inputs.environment.accepted_gaps if inputs.as_of <= each.until]

    def judged(gap: Gap) -> Gap:
        for each in accepted:
            if fnmatchcase(str(gap.address), each.address):
                return replace(gap, accepted=f"accepted until {each.until}: {each.because}")
        return gap

    return tuple(judged(gap) for _, gap in sorted(live.gaps.items()))


def _findings(drift: Drift, desired: Desired, live: Live) -> tuple[Finding, ...]:
    findings = [*live.findings, *drift.findings, *_abandoned(desired, live)]
    return tuple(sorted(findings, key=lambda each: (each.rule, each.address, each.text)))


def _abandoned(desired: Desired, live: Live) -> Iterable[Finding]:
    for want in desired.former:
        found = live.found.get(want.address)
        holders = sorted({fact.principal for fact in found.grants if fact.principal}) if found else []
        if holders:
            yield Finding(
                rule="abandoned",
                address=want.address,
                tenant=want.tenant,
                source=want.source,
                text=f"no document speaks of it any more, and {len(holders)} still hold grants "
                f"({', '.join(holders[:3])}{', …' if len(holders) > 3 else ''}); restore the document with "
                "`state: retired` to revoke them",
            )


def _unpinned(named: Mapping[str, Identity], pins: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        sorted(name for name, who in named.items() if who.presence is Presence.KNOWN and name not in pins)
    )
