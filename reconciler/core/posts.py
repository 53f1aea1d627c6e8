"""Posts that must not fall vacant: the last owner, the last MANAGE, the last administrator.

Somebody must be left to mend things.  A post whose only holder is an empty group is vacant, whichever of
the two is changed: its list, or the group's members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from reconciler.core.docket import Docket
from reconciler.core.membership import GROUP, MEMBER, NAME, renamed
from reconciler.core.model import Address, Attribute
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Violation

ADMIN_RULE = "last-admin"
WORKSPACE_ADMIN = (ADMIN_RULE, "entitlements", "assignment", "ADMIN")
"""A workspace has its administrators in one post, though each of them is a thing of its own."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One sort of post."""

    rule: str
    kind: str
    role: str
    value: str
    """The right that makes the post; "" for whatever right."""

    def place(self, address: Address) -> Address:
        """What the post belongs to: a thing, or for administrators the whole workspace."""
        whole = (self.rule, self.kind, self.role, self.value) == WORKSPACE_ADMIN
        return address._replace(locator="*") if whole else address

    def gives(self, value: str | None) -> bool:
        return value is not None and self.value in ("", value)


@dataclass(slots=True)
class _Turnover:
    """Who comes and who goes in one post."""

    holders: set[tuple[Address, Attribute]] = field(default_factory=set)
    losing: list[Action] = field(default_factory=list)
    gaining: list[Action] = field(default_factory=list)
    emptying: list[Action] = field(default_factory=list)
    """What empties groups that hold it."""

    def left(self, docket: Docket) -> set[tuple[Address, Attribute]]:
        """Holders of today who stay, and behind whom somebody stands."""
        gone = {(action.address, action.attribute) for action in self.losing}
        return {each for each in self.holders if each not in gone and docket.after.anybody(each[1].principal)}

    def successors(self, docket: Docket) -> list[Action]:
        """What puts somebody in, and not an empty group."""
        return [action for action in self.gaining if docket.after.anybody(action.attribute.principal)]


def last_holder(docket: Docket) -> Iterator[Violation]:
    """Posts that nobody would hold any more."""
    for kind, place, change in _turnovers(docket):
        if change.left(docket) or change.successors(docket):
            continue
        guilty = [*change.losing, *change.emptying]
        gone = ", ".join(sorted({action.attribute.principal for action in guilty}))
        yield Violation(
            rule=kind.rule,
            tenant=guilty[0].tenant,
            text=f"{place}: nobody would be left as {kind.value or kind.role} ({gone} would go); "
            "name a successor first",
            actions=tuple(dict.fromkeys(action.id for action in guilty)),
        )


def kept_name(docket: Docket) -> Iterator[Violation]:
    """Groups that must keep a member, and would be called what the rule does not speak of."""
    for was, now in renamed(docket.actions).items():
        if _guarded(was, docket) and not _guarded(now, docket):
            action = next(each for each in docket.actions if each.address == now and each.attribute == NAME)
            yield Violation(
                rule=ADMIN_RULE,
                tenant=action.tenant,
                text=f"{was}: would be called {now.locator}, which `protected-admins` does not speak of; "
                "add the new name there first",
                actions=(action.id,),
            )


def succeeded(docket: Docket) -> tuple[Action, ...]:
    """The actions, where the last holders of a post go only after every successor was seen to hold it."""
    needs: dict[str, set[str]] = {}
    for _, _, change in _turnovers(docket):
        if change.left(docket):
            continue
        successors = set()
        for action in change.successors(docket):
            successors |= {action.id, *_admissions(action.attribute.principal, docket)}
        for action in (*change.losing, *change.emptying):
            needs.setdefault(action.id, set()).update(successors)
    return tuple(
        replace(action, needs=tuple(sorted({*action.needs, *needs[action.id]})))
        if needs.get(action.id)
        else action
        for action in docket.actions
    )


def _admissions(successor: str, docket: Docket) -> set[str]:
    """What puts people into a succeeding group that has nobody yet."""
    if docket.before.anybody(successor):
        return set()
    inside = {successor, *docket.after.within(successor)}
    return {
        action.id
        for action in docket.actions
        if action.attribute.role == MEMBER
        and action.after is not None
        and f"{GROUP}:{action.address.locator}" in inside
    }


def _turnovers(docket: Docket) -> Iterator[tuple[_Kind, Address, _Turnover]]:
    """Every post that somebody would lose: what it is, what it belongs to, and the change."""
    kinds = [
        _Kind(rule, kind, *what.partition(":")[::2])
        for rule, (kind, what) in docket.rules.last_holders.items()
    ]
    kinds += [_Kind(ADMIN_RULE, GROUP, MEMBER, ""), _Kind(*WORKSPACE_ADMIN)]
    emptying = _emptying(docket)
    for kind in kinds:
        changes = _changed(kind, docket)
        if changes or emptying:
            _fill(kind, changes, emptying, docket)
        for place, change in sorted(changes.items()):
            if change.losing or change.emptying:
                yield kind, place, change


def _changed(kind: _Kind, docket: Docket) -> dict[Address, _Turnover]:
    """Posts of one sort that an action of the plan is about."""
    changes: dict[Address, _Turnover] = {}
    former = {now: was for was, now in renamed(docket.actions).items()}
    for action in docket.actions:
        today = former.get(action.address, action.address)
        if action.attribute.role != kind.role or not _is_post(kind, today, docket):
            continue
        had = kind.value in action.before or (not kind.value and action.before != (None,))
        if kind.gives(action.after):
            changes.setdefault(kind.place(action.address), _Turnover()).gaining.append(action)
        elif had:
            changes.setdefault(kind.place(action.address), _Turnover()).losing.append(action)
    return changes


def _fill(
    kind: _Kind,
    changes: dict[Address, _Turnover],
    emptying: Mapping[str, Sequence[Action]],
    docket: Docket,
) -> None:
    """Put in who holds each post today, and add the posts that only emptied groups hold."""
    moved = renamed(docket.actions)
    for was, found in docket.live.found.items():
        if not _is_post(kind, was, docket):
            continue
        address = moved.get(was, was)
        place = kind.place(address)
        facts = [fact for fact, value in found.grants.items() if fact.role == kind.role and kind.gives(value)]
        hollow = [fact.principal for fact in facts if fact.principal in emptying]
        if hollow or place in changes:
            change = changes.setdefault(place, _Turnover())
            change.holders.update((address, fact) for fact in facts)
            change.emptying += [action for group in hollow for action in emptying[group]]


def _is_post(kind: _Kind, address: Address, docket: Docket) -> bool:
    """Whether a thing has such a post; it goes by its name of today."""
    if address.kind != kind.kind:
        return False
    return _guarded(address, docket) if (kind.rule, kind.kind) == (ADMIN_RULE, GROUP) else True


def _guarded(address: Address, docket: Docket) -> bool:
    """Whether it is a group that must keep a member."""
    return address.kind == GROUP and any(
        fnmatchcase(address.locator, pattern) for pattern in docket.rules.admin_groups
    )


def _emptying(docket: Docket) -> dict[str, list[Action]]:
    """Groups that have somebody today and nobody after the plan, each with the actions that empty it."""
    leaving: dict[str, list[Action]] = {}
    for action in docket.actions:
        if action.address.kind == GROUP and action.attribute.role == MEMBER and takes_away(action):
            leaving.setdefault(f"{GROUP}:{action.address.locator}", []).append(action)
    if not leaving:
        return {}
    for was, now in renamed(docket.actions).items():
        if f"{GROUP}:{now.locator}" in leaving:
            leaving[f"{GROUP}:{was.locator}"] = leaving[f"{GROUP}:{now.locator}"]
    touched = {each for group in leaving for each in (group, *docket.before.around(group))}
    return {
        group: [
            action for inner in (group, *docket.before.within(group)) for action in leaving.get(inner, ())
        ]
        for group in sorted(touched)
        if docket.before.anybody(group) and not docket.after.anybody(group)
    }
