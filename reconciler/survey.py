"""Gather what a plan follows from: what the policies want, who is who, and what is live."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from reconciler.core.diff import principals
from reconciler.core.environment import Environment
from reconciler.core.errors import Unusable
from reconciler.core.model import (
    Address,
    Finding,
    Gap,
    Identity,
    Kind,
    Lifecycle,
    Live,
    Presence,
    Unlisted,
    Verb,
    Wanted,
)
from reconciler.core.vocabulary import Boundary, Context, Problem, Vocabulary
from reconciler.policy.policies import Policies
from reconciler.providers.contract import Checkpoint, Directory, Progress, Provider, Question, silent
from reconciler.store.journal import History, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a plan follows from, beside live state."""

    policies: Policies
    environment: Environment
    as_of: date
    """The day for which dated grants are judged."""
    now: datetime
    """The moment from which the last 24 hours are counted."""
    history: History = field(default_factory=History)
    """What the environment's journals add up to."""

    @property
    def frozen(self) -> frozenset[str]:
        """Tenants whose documents are in error: nothing that they may contribute to is taken away."""
        return frozenset(self.policies.blocked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The systems of one environment."""

    providers: Mapping[str, Provider]
    directory: Directory
    kinds: Mapping[str, Kind]

    def close(self) -> None:
        """Let go of every connection."""
        for provider in self.providers.values():
            provider.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What the policies want in one environment, and what was wrong with some of them."""

    wanted: Sequence[Wanted]
    problems: Sequence[Problem]
    former: Sequence[Wanted] = ()
    """What no document speaks of any more, though grants were made through one: read, never touched."""

    @property
    def addresses(self) -> frozenset[Address]:
        """Everything that is asked for."""
        return frozenset(want.address for want in (*self.wanted, *self.former))


def desire(inputs: Inputs, vocabularies: Sequence[Vocabulary]) -> Desired:
    """Turn the documents that hold in the environment into what is wanted there."""
    granted = frozenset(address for address, _ in inputs.history.grants())
    context = Context(environment=inputs.environment, as_of=inputs.as_of, granted=granted)
    declared = inputs.policies.declared_in(inputs.environment.name)
    wanted: list[Wanted] = []
    problems = list(inputs.policies.problems)
    for vocabulary in vocabularies:
        compiled = vocabulary.compile(declared.get(vocabulary.provider, ()), context)
        wanted.extend(compiled.wanted)
        problems.extend(compiled.problems)
    return Desired(
        wanted=wanted,
        problems=sorted(problems, key=lambda problem: (problem.source, problem.text)),
        former=_former(inputs.history, {want.address for want in wanted}),
    )


def _former(history: History, claimed: set[Address]) -> list[Wanted]:
    """Things that grants were made on, and that no document claims today."""
    found: dict[Address, Wanted] = {}
    for (address, _), record in history.grants().items():
        if address in claimed or address in found:
            continue
        found[address] = Wanted(
            address=address,
            tenant=record.action.tenant,
            source=record.action.source,
            grants={},
            unlisted=Unlisted.KEEP,
        )
    return list(found.values())


def identify(desired: Desired, directory: Directory) -> dict[str, Identity]:
    """What every principal of the policies stands for; one that this run creates is planned, not unknown."""
    named = dict(directory.resolve(_in_directory(principals(desired.wanted, Live()))))
    for want in desired.wanted:
        principal = f"group:{want.address.locator}"
        known = named.get(principal)
        active = want.address.kind == "group" and want.lifecycle is Lifecycle.ACTIVE
        if active and known is not None and known.presence is Presence.UNKNOWN:
            # A group about to be renamed keeps its object id: its grants under the old name are its own.
            before = directory.resolve([f"group:{want.was}"])[f"group:{want.was}"] if want.was else known
            named[principal] = replace(known, presence=Presence.PLANNED, object_id=before.object_id)
    return named


def identify_found(live: Live, directory: Directory, named: Mapping[str, Identity]) -> dict[str, Identity]:
    """All identities: those of the policies, and those of whoever else holds something."""
    found = _in_directory(principals((), live))
    return {**directory.resolve([name for name in found if name not in named]), **named}


def _in_directory(names: Iterable[str]) -> list[str]:
    """The principals that a directory can be asked about; `other` and bare object ids are none of them."""
    return sorted({name for name in names if name.startswith(("user:", "group:", "sp:"))})


def read(
    desired: Desired,
    cloud: Cloud,
    inputs: Inputs,
    tell: Progress,
    checkpoint: Checkpoint | None,
    keep_paths: bool,
) -> Live:
    """Ask all providers at once; what cannot be read comes back as gaps."""
    wanted = (*desired.wanted, *desired.former)
    questions = [
        Question(
            wanted=[want for want in wanted if want.address.provider == name],
            boundaries=inputs.policies.boundaries,
            directory=cloud.directory,
            as_of=inputs.as_of,
            progress=tell,
            checkpoint=checkpoint,
            written=inputs.history.written(),
            keep_paths=keep_paths,
        )
        for name in cloud.providers
    ]
    pool = ThreadPoolExecutor(max_workers=max(1, len(questions)))
    wait = True
    try:
        asked = zip(cloud.providers.values(), questions, strict=True)
        return merged(pool.map(lambda each: each[0].read(each[1]), asked))
    except KeyboardInterrupt:
        # Whoever stops a run does not wait for answers; nothing is written while reading.
        wait = False
        if checkpoint is not None:
            checkpoint.leave()
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=not wait)


def answered(desired: Desired, named: Mapping[str, Identity], seen: Live) -> None:
    """Raises Unusable, with the reason, where nothing can be compared because nobody answers.

    That is so where all that is wanted is a gap, or where the directory says who nobody is, and no service
    that was asked took us in.  A wrong secret or a dead network is not drift; a refusal of one thing is a
    gap, and so is whatever a service leaves without an answer that answers otherwise.
    """
    silent = {
        address: f"{address.provider}/{address.installation} does not accept the token ({gap.reason}); check "
        "the identity, and this machine's clock"
        if gap.status
        else gap.reason
        for address, gap in seen.gaps.items()
        if (not gap.status or gap.status.startswith("401"))
        and f"{address.provider}/{address.installation}" not in seen.answering
    }
    mute = [want for want in desired.wanted if want.address in silent]
    nothing = bool(mute) and len(mute) == len(desired.wanted)
    nobody = bool(named) and all(each.presence is Presence.UNREADABLE for each in named.values())
    directory = {address for address in (*seen.found, *seen.gaps) if address.provider == "entra"}
    if nothing or (nobody and directory and directory <= silent.keys()):
        about = {want.address for want in mute} if nothing else directory
        reasons = Counter(silent[address] for address in about)
        [(reason, _)] = reasons.most_common(1)
        what = "nothing could be read" if nothing else "who is who could not be read"
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise Unusable(f"{what}, so nothing was compared: {reason}{more}")


def contested(desired: Desired, inputs: Inputs) -> dict[Address, Gap]:
    """Things that a tenant in error may claim too, or claim a part of: nobody else's plan touches them."""
    blocked = [each for each in inputs.policies.boundaries if each.tenant in inputs.frozen]
    gaps = {}
    for want in desired.wanted:
        claims = [
            each
            for each in blocked
            if each.kind == want.address.kind
            and each.installation in ("", want.address.installation)
            and each.tenant != want.tenant
            and _may_claim(each, want.address.locator)
        ]
        if claims:
            who = ", ".join(sorted({each.tenant for each in claims}))
            reason = f"documents of {who} are in error, and may ask for a part of it; mend them first"
            gaps[want.address] = Gap(address=want.address, reason=reason)
    return gaps


def _may_claim(boundary: Boundary, locator: str) -> bool:
    """Whether a boundary covers a thing, or may cover something below it."""
    literal = (re.split(r"[*?\[]", pattern, maxsplit=1)[0] for pattern in boundary.patterns)
    below = f"{locator}/"
    return boundary.covers(locator) or any(
        start.startswith(below) or (start != pattern and below.startswith(start))
        for start, pattern in zip(literal, boundary.patterns, strict=True)
        if "/" in pattern or "**" in pattern
    )


def reader(
    desired: Desired, cloud: Cloud, as_of: date, tell: Progress = silent
) -> Callable[[Sequence[Address]], Live]:
    """A function that reads some of the wanted things again, and looks for nothing else."""

    def again(what: str, done: int, total: int) -> None:
        tell(f"{what} read again", done, total)

    def read_again(addresses: Sequence[Address]) -> Live:
        chosen = set(addresses)
        lives = []
        for name, provider in cloud.providers.items():
            wanted = [w for w in desired.wanted if w.address in chosen and w.address.provider == name]
            if wanted:
                question = Question(wanted=wanted, directory=cloud.directory, as_of=as_of, progress=again)
                lives.append(provider.read(question))
        return merged(lives)

    return read_again


SETTLING = timedelta(seconds=120)
"""How long a service may show the state before a write, now and then, after it has shown the one after it.
Databricks groups do so for up to 60 s (databrickslabs/ucx); Entra gives no number (Microsoft, "Designing for
eventual consistency", 2026: a successful write guarantees no later read)."""


def unsettled(history: History, now: datetime) -> timedelta:
    """How long it takes until a reading shows whether creations that were interrupted had their effect.

    Whoever goes by a stale reading makes a second group of the same name; all else may be sent twice.
    """
    begun = (record.at for record in history.interrupted().values() if record.action.verb is Verb.CREATE)
    return max((at + SETTLING - now for at in begun), default=timedelta())


def settled(live: Live, inputs: Inputs) -> Live:
    """Live state in which what was seen to work moments ago is not undone by a stale reading.

    Only a fact that reads exactly as it did before its own verified write is corrected; anything else is
    somebody's new change.
    """
    found = dict(live.found)
    findings = list(live.findings)
    for record in inputs.history.verified_since(inputs.now, SETTLING):
        action = record.action
        thing, fact = found.get(action.address), action.attribute
        if thing is None or fact in thing.mixed:
            continue
        if (thing.grants.get(fact),) == action.before:
            grants = {**thing.grants, fact: action.after}
            held = {name: value for name, value in grants.items() if value is not None}
            found[thing.address] = replace(thing, grants=held)
            findings.append(_settling(thing.address, record))
    return replace(live, found=found, findings=findings)


def _settling(address: Address, record: Record) -> Finding:
    action = record.action
    return Finding(
        rule="settling",
        address=address,
        tenant=action.tenant,
        text=f"{action.attribute.principal or action.attribute.role} reads as before its own write, which "
        f"was seen to work less than {SETTLING.seconds} s ago; taken as stale until then",
    )


def merged(lives: Iterable[Live]) -> Live:
    """Several providers' answers as one."""
    parts = list(lives)
    return Live(
        found={address: found for live in parts for address, found in live.found.items()},
        gaps={address: gap for live in parts for address, gap in live.gaps.items()},
        findings=[finding for live in parts for finding in live.findings],
        readings=[reading for live in parts for reading in live.readings],
        answering=frozenset().union(*(live.answering for live in parts)),
    )
