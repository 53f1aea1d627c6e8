"""Rules over a plan: each a small pure function, all of them asked, nothing exempt because it is small.

Exceeding a rule refuses the whole counted group of actions; the rest of the plan goes on.  Rules look at
the whole plan of an environment, whatever part of it somebody chose to look at, and count what the last
24 hours already removed, so that splitting a change does not step around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase

from reconciler.core.custom import RuleBook, custom, sums
from reconciler.core.model import Address, Attribute, Live, Verb
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Violation

WIDENERS = frozenset({Verb.GRANT, Verb.RAISE, Verb.SET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much may be removed at once: both are asked, and None asks nothing."""

    count: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The guardrails of the platform, as `policies/guardrails.yaml` sets them."""

    removals: Mapping[str, Limit] = field(default_factory=dict)
    """Per kind; `*` is for kinds that are not named."""
    tenant_removals: Mapping[str, Mapping[str, Limit]] = field(default_factory=dict)
    """Per tenant and kind, where a tenant has limits of its own."""
    protected: frozenset[str] = frozenset()
    """Principals that nothing may be taken from: the reconciler's own identities and break-glass accounts."""
    groups_only: frozenset[str] = frozenset()
    """Tenants that want grants to groups only."""
    wide: tuple[str, ...] = ("other", "group:users", "group:account users", "group:All Users")
    """Principals that stand for everybody, as shell-style patterns."""
    last_holders: Mapping[str, tuple[str, str]] = field(
        default_factory=lambda: {
            "last-owner": ("group", "owner"),
            "last-manage": ("secret-scope", "acl:MANAGE"),
        }
    )
    """Rule name to (kind, `role` or `role:value`): somebody must keep holding it."""
    admin_groups: tuple[str, ...] = ()
    """Groups, as shell-style patterns, that must keep at least one member."""
    custom: RuleBook | None = None
    """Rules that the platform wrote itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Docket:
    """Everything that the rules look at."""

    actions: Sequence[Action]
    """The unfiltered plan."""
    live: Live
    rules: Rules
    held: Mapping[tuple[str, str], int]
    """Live grants by (tenant, kind)."""
    recent: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Removals of the last 24 hours by (tenant, kind)."""
    inside: Callable[[str, Address], bool] = lambda tenant, address: True
    """Whether a tenant's boundary allows it to touch an address."""
    environment: str = ""
    as_of: date = date.min
    """The day that the plan is for."""
    kinds: frozenset[str] = frozenset()
    """Every kind of thing there is."""
    gaps: int = 0
    """Gaps that nobody accepted."""


Rule = Callable[[Docket], Iterator[Violation]]


def judge(docket: Docket) -> tuple[Violation, ...]:
    """Every violation of every rule, in a stable order."""
    found = [violation for rule in RULES for violation in rule(docket)]
    return tuple(sorted(found, key=lambda violation: (violation.rule, violation.tenant, violation.text)))


def removals(docket: Docket) -> Iterator[Violation]:
    """Too much taken away at once, per tenant and kind."""
    groups: dict[tuple[str, str], list[Action]] = {}
    for action in docket.actions:
        if takes_away(action):
            groups.setdefault((action.tenant, action.address.kind), []).append(action)
    for (tenant, kind), actions in sorted(groups.items()):
        limit = _limit(docket.rules, tenant, kind)
        before = docket.recent.get((tenant, kind), 0)
        total = len(actions) + before
        held = docket.held.get((tenant, kind), 0) + before
        share = 100 * total / held if held else 100.0
        over = []
        if limit.count is not None and total > limit.count:
            over.append(f"limit {limit.count}")
        if limit.percent is not None and share > limit.percent:
            over.append(f"limit {limit.percent:g} %")
        if over:
            earlier = f", {before} of them in the last 24 hours" if before else ""
            yield Violation(
                rule="removals",
                tenant=tenant,
                text=f"{tenant}: {total} of {held} {kind} grants would be taken away "
                f"({share:.0f} %{earlier}; {', '.join(over)}); restore them in the policies, or override "
                "rule 'removals' in an approval with a reason",
                actions=tuple(action.id for action in actions),
            )


def _limit(rules: Rules, tenant: str, kind: str) -> Limit:
    own = rules.tenant_removals.get(tenant, {})
    return own.get(kind) or own.get("*") or rules.removals.get(kind) or rules.removals.get("*") or Limit()


def last_holder(docket: Docket) -> Iterator[Violation]:
    """The last owner, the last MANAGE, the last administrator: somebody must be left to mend things."""
    for rule, what, change in _turnovers(docket):
        if not change.left and not change.gaining:
            gone = ", ".join(sorted(action.attribute.principal for action in change.losing))
            yield Violation(
                rule=rule,
                tenant=change.losing[0].tenant,
                text=f"{change.losing[0].address}: nobody would be left as {what} ({gone} would go); "
                "name a successor first",
                actions=tuple(action.id for action in change.losing),
            )


def succeeded(docket: Docket) -> tuple[Action, ...]:
    """The actions, where the last holders of a post go only after every successor was seen to hold it."""
    needs: dict[str, tuple[str, ...]] = {}
    for _, _, change in _turnovers(docket):
        if not change.left:
            successors = tuple(action.id for action in change.gaining)
            needs.update((action.id, successors) for action in change.losing)
    return tuple(
        replace(action, needs=tuple(sorted({*action.needs, *needs[action.id]})))
        if needs.get(action.id)
        else action
        for action in docket.actions
    )


@dataclass(frozen=True, slots=True)
class _Turnover:
    """Who comes and who goes in a post that must not be empty."""

    losing: Sequence[Action]
    gaining: Sequence[Action]
    left: frozenset[Attribute]
    """Holders of today whom no action of the plan takes it from."""


def _turnovers(docket: Docket) -> Iterator[tuple[str, str, _Turnover]]:
    """Every post of the rules that somebody would lose: rule, what the post is, and the change."""
    posts = [
        (rule, kind, *what.partition(":")[::2]) for rule, (kind, what) in docket.rules.last_holders.items()
    ]
    posts.append(("last-admin", "group", "member", ""))
    by_post: dict[tuple[str, str, str, Address], list[Action]] = {}
    for action in docket.actions:
        for rule, kind, role, value in posts:
            if action.address.kind != kind or action.attribute.role != role:
                continue
            if rule != "last-admin" or _any(docket.rules.admin_groups, action.address.locator):
                by_post.setdefault((rule, role, value, action.address), []).append(action)
    for (rule, role, value, address), actions in sorted(by_post.items(), key=lambda item: item[0]):
        found = docket.live.found.get(address)
        facts = found.grants if found else {}
        holders = {fact for fact, held in facts.items() if fact.role == role and value in ("", held)}
        losing = [action for action in actions if action.attribute in holders and _loses(action, value)]
        gaining = [action for action in actions if action.after is not None and value in ("", action.after)]
        if losing:
            left = frozenset(holders - {action.attribute for action in losing})
            yield rule, value or role, _Turnover(losing, gaining, left)


def _loses(action: Action, value: str) -> bool:
    return action.after is None or (value != "" and action.after != value)


def protected(docket: Docket) -> Iterator[Violation]:
    """The reconciler's own identities and break-glass accounts keep what they have."""
    for action in docket.actions:
        principal = action.attribute.principal
        if principal in docket.rules.protected and takes_away(action):
            yield _single(
                "protected",
                action,
                f"{action.address}: {principal} is protected and would lose "
                f"{', '.join(value or '-' for value in action.before)}",
            )


def groups_only(docket: Docket) -> Iterator[Violation]:
    """Direct grants to users, where the tenant wants groups only."""
    for action in docket.actions:
        direct = action.attribute.principal.startswith("user:") and action.address.kind != "group"
        if direct and action.verb in WIDENERS and action.tenant in docket.rules.groups_only:
            yield _single(
                "groups-only",
                action,
                f"{action.source}: {action.attribute.principal} would get {action.after} directly; "
                f"{action.tenant} grants to groups only: add the user to a group",
            )


def wide(docket: Docket) -> Iterator[Violation]:
    """Grants to everybody."""
    for action in docket.actions:
        if action.verb not in WIDENERS or action.address.kind == "traverse":
            continue
        if _any(docket.rules.wide, action.attribute.principal):
            yield _single(
                "wide",
                action,
                f"{action.source}: {action.attribute.principal} stands for everybody and would get "
                f"{action.after} on {action.address}",
            )


def boundary(docket: Docket) -> Iterator[Violation]:
    """Nothing happens outside a tenant's boundary, whatever its documents came to say."""
    for action in docket.actions:
        if not docket.inside(action.tenant, action.address):
            yield _single(
                "boundary",
                action,
                f"{action.source}: {action.address} is outside the boundary of {action.tenant}; "
                "see policies/boundaries.yaml",
            )


def depends_on_gap(docket: Docket) -> Iterator[Violation]:
    """Nothing is taken from a member of a group whose own state could not be read."""
    unread = {
        f"group:{gap.address.locator}" for gap in docket.live.gaps.values() if gap.address.kind == "group"
    }
    for action in docket.actions:
        if takes_away(action) and action.attribute.principal in unread:
            yield _single(
                "gap",
                action,
                f"{action.address}: {action.attribute.principal} would lose access while its members could "
                "not be read; mend the gap first",
            )


def own_rules(docket: Docket) -> Iterator[Violation]:
    """What the platform's own rules refuse, and what they could not judge."""
    book = docket.rules.custom
    if book is not None:
        whole = sums(docket.environment, docket.as_of, docket.actions, docket.gaps, docket.kinds)
        yield from custom(book, docket.actions, whole)


def _single(rule: str, action: Action, text: str) -> Violation:
    return Violation(rule=rule, tenant=action.tenant, text=text, actions=(action.id,))


def _any(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


RULES: tuple[Rule, ...] = (
    removals,
    last_holder,
    protected,
    groups_only,
    wide,
    boundary,
    depends_on_gap,
    own_rules,
)

BUILT_IN = frozenset(
    {
        "removals", "last-owner", "last-manage", "last-admin", "protected", "groups-only", "wide",
        "boundary", "gap",
    }
)  # fmt: skip
"""The names of the rules of this module, by which approvals override them."""
