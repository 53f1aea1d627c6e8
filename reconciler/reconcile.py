"""The plot: what policies want, what providers find, what differs, what the rules and people say of it.

policies @ commit --desire--> desired, providers --read--> live and gaps; --diff--> drift --order, judge-->
plan --approve--> approved plan --apply--> outcomes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from reconciler.apply import Hands, apply
from reconciler.core.approval import Court, approve, narrowed
from reconciler.core.chosen import Ground, consented
from reconciler.core.desired import Frame
from reconciler.core.diff import Drift, diff
from reconciler.core.guardrails import Docket, judge, succeeded
from reconciler.core.model import Finding, Gap, Identity, Live, Presence
from reconciler.core.moments import violations
from reconciler.core.order import arrange, takes_away
from reconciler.core.plan import ApprovedPlan, Outcome, Plan, Violation
from reconciler.core.planfile import sealed
from reconciler.core.vocabulary import Vocabulary
from reconciler.providers.contract import Checkpoint, Progress
from reconciler.survey import (
    Cloud,
    Desired,
    Inputs,
    answered,
    contested,
    desire,
    identify,
    identify_found,
    read,
    settled,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan with the two states that it came from."""

    plan: Plan
    desired: Desired
    live: Live
    """Live state as it was compared."""
    seen: Live
    """Live state as it was read, before recent writes were believed over stale readings."""
    ground: Ground
    """What the plan's order was found from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What of a plan was approved, and how every action that somebody consented to ended."""

    approved: ApprovedPlan
    outcomes: tuple[Outcome, ...]


def plan(
    inputs: Inputs,
    vocabularies: Sequence[Vocabulary],
    cloud: Cloud,
    tell: Progress,
    checkpoint: Checkpoint | None = None,
    keep_paths: bool = False,
) -> Planned:
    """Hold live state against the policies and decide what would have to happen.

    Without a checkpoint everything is read now; what is read, and so the plan, is the same either way.
    """
    desired = desire(inputs, vocabularies)
    named = identify(desired, cloud.directory)
    seen = read(desired, cloud, inputs, tell, checkpoint, keep_paths)
    answered(desired, named, seen)
    live = settled(replace(seen, gaps={**seen.gaps, **contested(desired, inputs)}), inputs)
    identities = identify_found(live, cloud.directory, named)
    drift = diff(desired.wanted, live, _frame(inputs, cloud, identities))
    gaps = tuple(_gaps(live, inputs))
    again = {(action.address, action.attribute) for action in drift.actions if takes_away(action)}
    docket = Docket(
        actions=drift.actions,
        live=live,
        rules=inputs.policies.rules,
        held=drift.held,
        recent=inputs.history.removed_since(inputs.now, again),
        inside=inputs.policies.inside,
        wanted=desired.wanted,
        pins=inputs.policies.pins(inputs.environment.name),
        environment=inputs.environment.name,
        as_of=inputs.as_of,
        kinds=frozenset(cloud.kinds),
        gaps=sum(not gap.accepted for gap in gaps),
    )
    ordered = arrange(succeeded(docket), cloud.kinds, desired.wanted, live, drift.blocked)
    docket = replace(docket, actions=ordered.actions)
    made = Plan(
        environment=inputs.environment.name,
        revision=inputs.policies.revision,
        as_of=inputs.as_of,
        actions=ordered.actions,
        blocked=(*drift.blocked, *ordered.waiting),
        gaps=gaps,
        findings=_findings(drift, desired, live),
        violations=(*judge(docket), *violations(ordered.knots, cloud.kinds)),
        problems=tuple(str(problem) for problem in desired.problems),
        unpinned=tuple(_unpinned(desired, named, inputs.policies.pins(inputs.environment.name))),
        managed=drift.managed,
        readings=tuple(sorted(live.readings, key=lambda each: (each.place, each.reader))),
    )
    ground = Ground(kinds=cloud.kinds, wanted=desired.wanted, live=live, lenient=ordered.lenient)
    return Planned(plan=sealed(made), desired=desired, live=live, seen=seen, ground=ground)


def carry_out(planned: Planned, judged: Court, saved: Plan | None, hands: Hands) -> Applied:
    """Send what is approved and nothing else, look until it is seen to work, and say how each action ended.

    With a saved plan, only what that plan holds as well.
    """

    def kept(whole: Plan) -> ApprovedPlan:
        approved = approve(whole, judged)
        return approved if saved is None else narrowed(approved, saved, judged.spent)

    approved = consented(planned.plan, kept, planned.ground)
    return Applied(approved=approved, outcomes=(*approved.refused, *apply(approved, hands)))


def only_tenants(whole: Plan, tenants: Iterable[str]) -> Plan:
    """The part of a plan that is about these tenants; guardrails have judged the whole of it."""
    chosen = frozenset(tenants)
    if not chosen:
        return whole
    shown = tuple(each for each in whole.actions if each.tenant in chosen)
    return sealed(
        replace(
            whole,
            actions=shown,
            blocked=tuple(each for each in whole.blocked if each.tenant in chosen),
            findings=tuple(each for each in whole.findings if each.tenant in chosen),
            violations=tuple(_about(whole.violations, chosen, {each.id for each in shown})),
        )
    )


def _about(
    violations: Iterable[Violation], tenants: Collection[str], actions: Collection[str]
) -> Iterator[Violation]:
    """What guardrails say of these tenants' actions, be it that others have a part in it."""
    for each in violations:
        own = tuple(ident for ident in each.actions if ident in actions)
        if own or each.tenant in tenants:
            yield replace(each, actions=own)


def _frame(inputs: Inputs, cloud: Cloud, identities: Mapping[str, Identity]) -> Frame:
    return Frame(
        environment=inputs.environment.name,
        kinds=cloud.kinds,
        identities=identities,
        frozen=inputs.frozen,
        protected=inputs.policies.rules.protected,
    )


def _gaps(live: Live, inputs: Inputs) -> Iterator[Gap]:
    accepted = [each for each in inputs.environment.accepted_gaps if inputs.as_of <= each.until]
    for _, gap in sorted(live.gaps.items()):
        reasons = [each for each in accepted if fnmatchcase(str(gap.address), each.address)]
        words = f"accepted until {reasons[0].until}: {reasons[0].because}" if reasons else ""
        yield replace(gap, accepted=words)


def _findings(drift: Drift, desired: Desired, live: Live) -> tuple[Finding, ...]:
    findings = [*live.findings, *drift.findings, *_abandoned(desired, live)]
    return tuple(sorted(findings, key=lambda each: (each.rule, each.address, each.text)))


def _abandoned(desired: Desired, live: Live) -> Iterator[Finding]:
    for want in desired.former:
        found = live.found.get(want.address)
        holders = sorted({fact.principal for fact in found.grants if fact.principal}) if found else []
        if holders:
            shown = ", ".join(holders[:3]) + (", …" if len(holders) > 3 else "")
            yield Finding(
                rule="abandoned",
                address=want.address,
                tenant=want.tenant,
                source=want.source,
                text=f"no document speaks of it any more, and {len(holders)} still hold grants ({shown}); "
                "restore the document with `state: retired` to revoke what it granted",
            )


def _unpinned(desired: Desired, named: Mapping[str, Identity], pins: Mapping[str, str]) -> Iterator[str]:
    """Names that something is granted to, and that no lock entry ties to an object id."""
    granted = {fact.principal for want in desired.wanted for fact in want.grants}
    for name in sorted(granted & named.keys() - pins.keys()):
        if named[name].presence is Presence.KNOWN:
            yield name
