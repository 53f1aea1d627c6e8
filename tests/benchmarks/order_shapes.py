"""Plans that are hard on the order although they are plain to people: one large group takes another's place.

On many scopes, in a workspace with many groups, and at every place of a deep path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from reconciler.core.model import EXISTS, PRESENT, Address, Attribute, Found, Live, Source, Verb
from reconciler.core.plan import Action, Cause

HERE = Source("tenants.d/t/access.yaml", 1)
OLD, NEW = 0, 1
"""The numbers of the two groups."""


class Shape(NamedTuple):
    """What is there, and what a plan does with it."""

    live: Live
    actions: list[Action]


def scopes(people: int, count: int) -> Shape:
    """So many scopes on which the one group takes the other's place."""
    found = [*_teams({OLD: range(people), NEW: range(people)})]
    found += [_found(scope(number), {Attribute("acl", team(OLD)): "READ"}) for number in range(count)]
    actions = [each for number in range(count) for each in _exchanged(scope(number), "acl", "READ")]
    return _shape(found, actions)


def workspace(people: int, groups: int) -> Shape:
    """A workspace of so many groups, one for each, and all of them in the two that change."""
    share = people // groups
    crowds = {NEW + 1 + number: range(number * share, (number + 1) * share) for number in range(groups)}
    found = [*_teams({OLD: range(people), NEW: range(people), **crowds})]
    held = {"assignment": "USER", "workspace-access": "held"}
    for number in (OLD, *crowds):
        roles = held if number == OLD else {"assignment": "USER"}
        facts = {Attribute(role, team(number)): value for role, value in roles.items()}
        found.append(Found(address=_entitlements(number), grants=facts))
    actions = []
    for role, value in held.items():
        granted, revoked = Attribute(role, team(NEW)), Attribute(role, team(OLD))
        actions.append(action(Verb.GRANT, _entitlements(NEW), granted, None, value))
        actions.append(action(Verb.REVOKE, _entitlements(OLD), revoked, value, None))
    return _shape(found, actions)


def path(depth: int, folders: int, people: int) -> Shape:
    """So many folders at the end of a path of so many places, all of which change."""
    found = [*_teams({OLD: range(people), NEW: range(people)})]
    places = ["/".join(["lake", *(f"place-{number}" for number in range(1, count))])
              for count in range(1, depth + 1)]  # fmt: skip
    things = [(Address("adls", "datalake", "traverse", place), "--x") for place in places]
    things += [(Address("adls", "datalake", "folder", f"{places[-1]}/folder-{number}"), "r-x")
               for number in range(folders)]  # fmt: skip
    found += [_found(at, {Attribute("access", team(OLD)): value}) for at, value in things]
    return _shape(found, [each for at, value in things for each in _exchanged(at, "access", value)])


SHAPES: Mapping[str, Callable[..., Shape]] = {"scopes": scopes, "workspace": workspace, "path": path}


def _shape(found: Iterable[Found], actions: list[Action]) -> Shape:
    return Shape(Live(found={each.address: each for each in found}), actions)


def _teams(members: Mapping[int, Iterable[int]]) -> Iterator[Found]:
    for number, people in members.items():
        facts = {Attribute("member", person(each)): "member" for each in people}
        yield _found(group(number), facts, f"oid-{number}")


def _found(address: Address, facts: Mapping[Attribute, str], object_id: str = "") -> Found:
    return Found(address=address, grants={Attribute(EXISTS): PRESENT, **facts}, object_id=object_id)


def _entitlements(number: int) -> Address:
    return Address("databricks", "ml-prod", "entitlements", team(number))


def _exchanged(address: Address, role: str, value: str) -> Iterator[Action]:
    yield action(Verb.GRANT, address, Attribute(role, team(NEW)), None, value)
    yield action(Verb.REVOKE, address, Attribute(role, team(OLD)), value, None)


def action(verb: Verb, address: Address, fact: Attribute, before: str | None, after: str | None) -> Action:
    return Action(
        id=f"{address}/{fact.role}/{fact.principal}", environment="bench", verb=verb, address=address,
        attribute=fact, before=(before,), after=after, until=None, object_ids={}, tenant="t",
        cause=Cause.CHANGED, source=HERE,
    )  # fmt: skip


def person(number: int) -> str:
    return f"user:person.{number:05}@corp.example"


def team(number: int) -> str:
    return f"group:team-{number:05}"


def group(number: int) -> Address:
    return Address("entra", "corp", "group", f"team-{number:05}")


def scope(number: int) -> Address:
    return Address("databricks", "ml-prod", "secret-scope", f"scope-{number:05}")
