"""The laws of a provider, over generated estates and drift, judged by the facts of the emulated directory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.model import Wanted
from reconciler.core.plan import Action, Status
from reconciler.emulator.directory import Group, Relation
from reconciler.emulator.server import running
from tests.providers.entra.tenant import (
    APPLIER,
    PLANNER,
    READ,
    WRITE,
    Tenant,
    apply,
    identity,
    plan,
    read,
    statuses,
    told,
    user,
    want,
)

pytestmark = pytest.mark.emulator

PEOPLE = [f"user:p{number}@corp.example" for number in range(5)]
OTHERS = ["group:inner team", "group:Ünïcode's", f"sp:{PLANNER}", "sp:job"]
OWNER = PEOPLE[0]
UNIQUE = itertools.count()


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    seed = {
        "directory": {
            "users": [user(f"p{number}") for number in range(5)],
            "groups": [{"name": name.partition(":")[2]} for name in OTHERS if name.startswith("group:")],
            "service-principals": [
                identity(PLANNER, READ),
                identity(APPLIER, WRITE),
                {"name": "job", "app-roles": []},
            ],
        }
    }
    with ExitStack() as stack:
        emulator = stack.enter_context(running(seed, tmp_path_factory.mktemp("laws") / "ca.pem"))
        yield Tenant(emulator, stack)


principals = st.frozensets(st.sampled_from(PEOPLE + OTHERS))
owners = st.frozensets(st.sampled_from([*PEOPLE[1:], "sp:job"])).map(lambda some: some | {OWNER})
names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)


@dataclass(frozen=True)
class Case:
    """What is there and what is wanted of one group."""

    name: str
    live: frozenset[str]
    owned: frozenset[str]
    members: frozenset[str]
    owners: frozenset[str] | None
    suffix: int = field(default_factory=lambda: next(UNIQUE))

    @property
    def title(self) -> str:
        return f"{self.name} {self.suffix}"

    def wanted(self) -> Wanted:
        return want(self.title, self.members, self.owners)

    def build(self, estate: Tenant) -> None:
        oid = f"00000000-0000-4000-8000-{self.suffix:012x}"
        estate.directory.add(Group(id=oid, display_name=self.title))
        held: dict[Relation, frozenset[str]] = {"members": self.live, "owners": self.owned}
        for relation, some in held.items():
            for name in sorted(some):
                estate.directory.link(oid, relation, estate.id(name))

    def facts(self, estate: Tenant) -> tuple[frozenset[str], frozenset[str]]:
        group = estate.directory.groups[estate.id(f"group:{self.title}")]
        known = {estate.id(name): name for name in PEOPLE + OTHERS}
        return (
            frozenset(known[oid] for oid in group.members),
            frozenset(known[oid] for oid in group.owners),
        )


cases = st.builds(
    Case, name=names, live=principals, owned=owners, members=principals, owners=st.none() | owners
)


def effect(case: Case, chosen: list[Action]) -> tuple[frozenset[str], frozenset[str]]:
    """The facts after exactly these actions."""
    held = {"member": set(case.live), "owner": set(case.owned)}
    for each in chosen:
        role, principal = each.attribute
        (held[role].add if each.after else held[role].discard)(principal)
    return frozenset(held["member"]), frozenset(held["owner"])


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.lists(cases, min_size=1, max_size=3), st.data())
def test_laws(estate: Tenant, some: list[Case], data: st.DataObject) -> None:
    for case in some:
        case.build(estate)
    provider = estate.provider()
    asked = [case.wanted() for case in some]
    # 1: read twice is equal.
    assert read(provider, asked) == read(provider, asked)

    actions = plan(provider, asked)
    chosen = [each for each in actions if data.draw(st.booleans(), label=f"{each.address} {told(each)}")]
    bystander = (
        some[0].facts(estate) if not any(each.address == asked[0].address for each in chosen) else None
    )
    # 9: a part that was approved does exactly its part, and (7) nobody else is touched.
    assert set(statuses(apply(provider, chosen)).values()) <= {Status.ACCEPTED}
    for case in some:
        own = [each for each in chosen if each.address == case.wanted().address]
        assert case.facts(estate) == effect(case, own)
    assert bystander is None or some[0].facts(estate) == bystander

    # 3: after the rest, the facts are what was wanted; 4 and 5: nothing is left to plan.
    assert set(statuses(apply(provider, plan(provider, asked))).values()) <= {Status.ACCEPTED}
    for case in some:
        assert case.facts(estate) == (case.members, case.owned if case.owners is None else case.owners)
    assert plan(provider, asked) == []
    # The same consent again finds nothing to do.
    before = estate.writes()
    assert set(statuses(apply(provider, chosen)).values()) <= {Status.ACCEPTED}
    assert estate.writes() == before
    provider.close()


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(cases, st.data())
def test_a_moved_value_is_refused_and_the_others_go_on(
    estate: Tenant, case: Case, data: st.DataObject
) -> None:
    """Law 10 as far as a provider goes: who was renamed in between is refused, the rest is done."""
    case.build(estate)
    provider = estate.provider()
    actions = [each for each in plan(provider, [case.wanted()]) if each.attribute.role == "member"]
    people = sorted({each.attribute.principal for each in actions} & set(PEOPLE))
    if not people:
        return
    victim = data.draw(st.sampled_from(people))
    person = estate.directory.users[estate.id(victim)]
    estate.directory.rename(person, f"renamed-{case.suffix}@corp.example")
    try:
        ends = apply(provider, actions)
    finally:
        estate.directory.rename(person, victim.partition(":")[2])
    refused = {name for name, outcome in ends.items() if outcome.status is Status.REFUSED}
    assert {name.rpartition(" ")[2] for name in refused} == {victim}
    done = [each for each in actions if each.attribute.principal != victim]
    assert case.facts(estate)[0] == effect(case, done)[0]
    provider.close()
