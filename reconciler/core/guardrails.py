"""Rules over a plan: each a small pure function, all of them asked, nothing exempt because it is small.

Exceeding a rule refuses the whole counted group of actions; the rest of the plan goes on.  Rules look at
the whole plan of an environment, whatever part of it somebody chose to look at, and count what the last
24 hours already removed, so that splitting a change does not step around them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from reconciler.core.custom import custom, sums
from reconciler.core.docket import WIDENERS, Docket, Limit, Rules, Together
from reconciler.core.membership import GROUP, MEMBER, NAME, renamed
from reconciler.core.model import Attribute, Value
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Violation
from reconciler.core.posts import kept_name, last_holder, succeeded
from reconciler.core.spelling import skeleton

__all__ = ["BUILT_IN", "RULES", "Docket", "Limit", "Rules", "Together", "judge", "succeeded"]

Rule = Callable[[Docket], Iterator[Violation]]


def judge(docket: Docket) -> tuple[Violation, ...]:
    """Every violation of every rule, in a stable order."""
    found = [violation for rule in RULES for violation in rule(docket)]
    return tuple(sorted(found, key=lambda violation: (violation.rule, violation.tenant, violation.text)))


def removals(docket: Docket) -> Iterator[Violation]:
    """Too much taken away at once, per tenant and kind."""
    for (tenant, kind), actions in _removing(docket, lambda tenant, kind: (tenant, kind)):
        limit = docket.rules.limit(tenant, kind)
        before = docket.recent.get((tenant, kind), 0)
        held = docket.held.get((tenant, kind), 0) + before
        if said := _over(limit, len(actions), before, held):
            yield Violation(
                rule="removals",
                tenant=tenant,
                text=f"{tenant}: {len(actions) + before} of {held} {kind} grants would be taken away "
                f"({said}); restore them in the policies, or override rule 'removals' in an approval with a "
                "reason",
                actions=tuple(action.id for action in actions),
            )


def removals_together(docket: Docket) -> Iterator[Violation]:
    """Too much taken away at once of several kinds or tenants, each of which stays within its own limit."""
    limits = docket.rules.together
    for limit, what, part in (
        (limits.tenant, "grants of {}, all kinds together,", lambda tenant, kind: (tenant,)),
        (limits.kind, "{} grants, all tenants together,", lambda tenant, kind: (kind,)),
        (limits.all, "grants of the environment", lambda tenant, kind: ()),
    ):
        for key, actions in _removing(docket, part):
            before = _summed(docket.recent, key, part)
            held = _summed(docket.held, key, part) + before
            if said := _over(limit, len(actions), before, held):
                tenants = {action.tenant for action in actions}
                total = len(actions) + before
                yield Violation(
                    rule="removals-together",
                    tenant=tenants.pop() if len(tenants) == 1 else "",
                    text=f"{total} of {held} {what.format(*key)} would be taken away ({said}); restore them "
                    "in the policies, or override rule 'removals-together' in an approval with a reason",
                    actions=tuple(action.id for action in actions),
                )


Part = Callable[[str, str], tuple[str, ...]]
"""From a tenant and a kind to the group that they are counted in."""


def _removing(docket: Docket, part: Part) -> list[tuple[tuple[str, ...], list[Action]]]:
    """The removals of the plan in groups, in order."""
    groups: dict[tuple[str, ...], list[Action]] = {}
    for action in docket.actions:
        if takes_away(action):
            groups.setdefault(part(action.tenant, action.address.kind), []).append(action)
    return sorted(groups.items(), key=lambda item: item[0])


def _summed(counts: Mapping[tuple[str, str], int], key: tuple[str, ...], part: Part) -> int:
    return sum(count for (tenant, kind), count in counts.items() if part(tenant, kind) == key)


def _over(limit: Limit, planned: int, before: int, held: int) -> str:
    """By how much a limit is exceeded, in words; "" where it is not."""
    total = planned + before
    # Of nothing that is known to be held, everything goes.
    share = 100 * total / held if held else 100.0
    over = []
    if limit.count is not None and total > limit.count:
        over.append(f"limit {limit.count}")
    if limit.percent is not None and share > limit.percent:
        over.append(f"limit {limit.percent:g} %")
    earlier = f", {before} of them in the last 24 hours" if before else ""
    return f"{share:.0f} %{earlier}; {', '.join(over)}" if over else ""


def protected(docket: Docket) -> Iterator[Violation]:
    """The reconciler's own identities and break-glass accounts keep what they have, be it through groups."""
    guarded = docket.rules.protected
    if not guarded:
        return
    objects = {docket.pins[name]: name for name in guarded if name in docket.pins}
    for action in docket.actions:
        principal = action.attribute.principal
        if not principal or not takes_away(action):
            continue
        lost = ", ".join(value or "-" for value in action.before)
        known = objects.get(action.object_ids.get(principal, ""))
        if principal in guarded or known:
            also = f" (pinned as {known})" if known and known != principal else ""
            yield _single(
                "protected", action, f"{action.address}: {principal}{also} is protected and would lose {lost}"
            )
            continue
        inside = sorted(guarded.intersection(docket.before.within(principal)))
        losing = [name for name in inside if not _keeps(name, action, docket)]
        if losing:
            yield _single(
                "protected",
                action,
                f"{action.address}: {', '.join(losing)} is protected and would lose {lost} with {principal}",
            )


def _keeps(name: str, action: Action, docket: Docket) -> bool:
    """Whether somebody holds after the plan, by another way, what an action takes from a group."""
    role, through = action.attribute
    ways = {name, *docket.after.around(name)} - {through}
    changes = {each.attribute: each.after for each in docket.actions if each.address == action.address}
    found = docket.live.found.get(action.address)
    grants: dict[Attribute, Value | None] = {**(found.grants if found else {}), **changes}
    held = {value for fact, value in grants.items() if fact.role == role and fact.principal in ways}
    return set(action.before) - {None} <= held


def groups_only(docket: Docket) -> Iterator[Violation]:
    """Direct grants to users, where the tenant wants groups only."""
    for action in docket.actions:
        direct = action.attribute.principal.startswith("user:") and action.address.kind != GROUP
        if direct and action.verb in WIDENERS and action.tenant in docket.rules.groups_only:
            yield _single(
                "groups-only",
                action,
                f"{action.source}: {action.attribute.principal} would get {action.after} directly; "
                f"{action.tenant} grants to groups only: add the user to a group",
            )


def wide(docket: Docket) -> Iterator[Violation]:
    """Grants to everybody: by name, by a name that reads like it, by object, or through groups."""
    patterns = tuple(_look(pattern) for pattern in docket.rules.wide)
    objects = {oid for name, oid in docket.pins.items() if _stands_for_all(name, patterns)}
    for action in docket.actions:
        principal = action.attribute.principal
        # On the way to a folder everybody may pass through, where the environment says so.
        if action.verb not in WIDENERS or not principal or action.address.kind == "traverse":
            continue
        through = ""
        if not (_stands_for_all(principal, patterns) or action.object_ids.get(principal) in objects):
            inside = docket.after.within(principal) if principal.startswith(f"{GROUP}:") else ()
            through = next((each for each in inside if _stands_for_all(each, patterns)), "")
            if not through:
                continue
        why = f"holds everybody, through {through}," if through else "stands for everybody"
        text = f"{action.source}: {principal} {why} and would get {action.after} on {action.address}"
        yield _single("wide", action, text)


_SEPARATORS = re.compile(r"[\s_.-]+")


def _look(name: str) -> tuple[str, str]:
    """How a name reads: without regard to case and look-alike letters, and then to what parts its words."""
    plain = skeleton(name)
    return plain, plain if "[" in plain else _SEPARATORS.sub(" ", plain)


@lru_cache(maxsize=1 << 16)
def _stands_for_all(name: str, patterns: tuple[tuple[str, str], ...]) -> bool:
    plain, loose = _look(name)
    return any(fnmatchcase(plain, one) or fnmatchcase(loose, other) for one, other in patterns)


def boundary(docket: Docket) -> Iterator[Violation]:
    """Nothing happens outside a tenant's boundary, whatever its documents came to say."""
    # A thing is taken over under its former name, so that one has to be inside as well.
    former = {now: was for was, now in renamed(docket.actions).items()}
    for action in docket.actions:
        places = [action.address]
        if action.attribute == NAME:
            places.append(former[action.address])
        for address in places:
            if not docket.inside(action.tenant, address):
                yield _single(
                    "boundary",
                    action,
                    f"{action.source}: {address} is outside the boundary of {action.tenant}; "
                    "see policies/boundaries.yaml",
                )


def depends_on_gap(docket: Docket) -> Iterator[Violation]:
    """Nothing is taken away on the strength of a group whose own state could not be read."""
    if not docket.before.unread:
        return
    asked = _asked_membership(docket)
    for action in docket.actions:
        principal = action.attribute.principal
        if not principal or not takes_away(action):
            continue
        unread = docket.before.unread.intersection((principal, *docket.before.within(principal)))
        if unread:
            yield _single(
                "gap",
                action,
                f"{action.address}: {principal} would lose access while its members could not be read "
                f"({', '.join(sorted(unread))}); mend the gap first",
            )
            continue
        resting = [group for group in sorted(asked.get(principal, ())) if _holds(group, action, docket)]
        if resting:
            yield _single(
                "gap",
                action,
                f"{action.address}: {principal} would lose access and keep it through {resting[0]}, whose "
                "members could not be read; mend the gap first",
            )


def _asked_membership(docket: Docket) -> dict[str, set[str]]:
    """Principal to the groups that the policies put it in and that could not be read."""
    asked: dict[str, set[str]] = {}
    for want in docket.wanted:
        group = f"{GROUP}:{want.address.locator}"
        if want.address.kind == GROUP and group in docket.before.unread:
            for fact in want.grants:
                if fact.role == MEMBER:
                    asked.setdefault(fact.principal, set()).add(group)
    return asked


def _holds(group: str, action: Action, docket: Docket) -> bool:
    """Whether a group holds the same sort of right there, today or after the plan."""
    fact = Attribute(action.attribute.role, group)
    found = docket.live.found.get(action.address)
    if found is not None and (fact in found.grants or fact in found.mixed):
        return True
    return any(each.address == action.address and each.attribute == fact for each in docket.actions)


def own_rules(docket: Docket) -> Iterator[Violation]:
    """What the platform's own rules refuse, and what they could not judge."""
    book = docket.rules.custom
    if book is not None:
        whole = sums(docket.environment, docket.as_of, docket.actions, docket.gaps, docket.kinds)
        yield from custom(book, docket.actions, whole)


def _single(rule: str, action: Action, text: str) -> Violation:
    return Violation(rule=rule, tenant=action.tenant, text=text, actions=(action.id,))


RULES: Sequence[Rule] = (
    removals,
    removals_together,
    last_holder,
    kept_name,
    protected,
    groups_only,
    wide,
    boundary,
    depends_on_gap,
    own_rules,
)

BUILT_IN = frozenset(
    {
        "removals", "removals-together", "last-owner", "last-manage", "last-admin", "protected",
        "groups-only", "wide", "boundary", "gap", "bad-moment", "bad-moment-in-part",
    }
)  # fmt: skip
"""The names of the rules of this module, of `posts` and of `moments`, by which approvals override them."""
