"""The laws of a provider, on random trees and random halves of a plan, judged by the emulator's own verdicts.

Whoever judges here is the emulated service: `allows` under each of the readings that Microsoft's texts admit.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from reconciler.core.model import Attribute, Verb
from reconciler.core.plan import Action, Status
from reconciler.emulator.lake.acl import Acl, Entry, Reading, allows, inherit
from tests.providers.adls.lake import Lake, folder, lake

GROUPS = ("pricing-ds", "pricing-eng", "sales")
USERS = ("ana@corp.example", "bo@corp.example")
DIRECTORIES = ("pricing", "pricing/a", "pricing/a/b")
FILES = ("pricing/f", "pricing/a/b/g")
READINGS = [
    Reading(groups=groups, masked_other=masked) for groups, masked in product(("union", "any"), (True, False))
]
BITS = st.integers(0, 7)
QUICK = [Phase.explicit, Phase.generate]
"""Every example asks a server over TLS: a smaller one is not worth minutes."""


class Who(NamedTuple):
    """Somebody, in some groups."""

    name: str
    groups: frozenset[str]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    paths = [{"path": path} for path in DIRECTORIES] + [{"path": path, "type": "file"} for path in FILES]
    with lake(tmp_path_factory.mktemp("lake"), paths) as running:
        yield running


@st.composite
def entries(draw: st.DrawFn, ids: dict[str, str]) -> tuple[Entry, ...]:
    """One list as the service keeps it: a mask wherever somebody is named, whatever its bits."""
    named = draw(st.dictionaries(st.sampled_from([*GROUPS, *USERS]), BITS, max_size=4))
    listed = [Entry("user", "", draw(BITS)), Entry("group", "", draw(BITS))]
    listed += [Entry("group" if name in GROUPS else "user", ids[name], bits) for name, bits in named.items()]
    if named:
        listed.append(Entry("mask", "", draw(BITS)))
    # Others rarely hold more than the mask lets through; when they do, nobody can widen it.
    listed.append(Entry("other", "", draw(st.sampled_from([0, 0, 0, 1, 5]))))
    return tuple(listed)


@st.composite
def lists(draw: st.DrawFn, ids: dict[str, str], directory: bool) -> Acl:
    default = draw(st.just(()) | entries(ids)) if directory else ()
    return Acl(draw(entries(ids)), default)


grants = st.dictionaries(
    st.sampled_from([f"group:{name}" for name in GROUPS] + [f"user:{name}" for name in USERS]),
    st.sampled_from(["read", "write", "list"]),
    max_size=3,
)


def scatter(here: Lake, data: st.DataObject) -> None:
    """Give every path a random list, and the folder a random document."""
    ids = {name: here.oid(f"group:{name}") for name in GROUPS}
    ids |= {name: here.oid(f"user:{name}") for name in USERS}
    for path in (*DIRECTORIES, *FILES):
        here.node(path).acl = data.draw(lists(ids, path in DIRECTORIES), label=path)
    here.documents = [
        folder(
            grants=data.draw(grants, label="grants"),
            unlisted=data.draw(st.sampled_from(["revoke", "keep"]), label="unlisted"),
            enforce_file_masks=data.draw(st.booleans(), label="enforce-file-masks"),
        )
    ]


def principals(here: Lake) -> Iterator[Who]:
    ids = [here.oid(f"group:{name}") for name in GROUPS] + ["owning"]
    memberships = [frozenset(some) for size in range(3) for some in combinations(ids, size)]
    people = [here.oid(f"user:{name}") for name in USERS] + ["stranger", "owner"]
    yield from (Who(name, groups) for name, groups in product(people, memberships))


def verdict(acl: Acl, who: Who, reading: Reading) -> list[bool]:
    """Which combinations of rights the service grants."""
    return [
        allows(
            acl,
            asked,
            who=who.name,
            groups=who.groups,
            owner="owner",
            owning_group="owning",
            reading=reading,
        )
        for asked in range(8)
    ]


def heirs(acl: Acl) -> list[Acl]:
    """The lists that new children would get, with the modes that programs ask for."""
    if not acl.default:
        return []
    modes = (None, 0o777, 0o755, 0o750)
    return [inherit(acl, directory=directory, mode=mode) for mode in modes for directory in (True, False)]


def assert_nobody_else_moved(
    here: Lake, before: dict[str, Acl], approved: list[Action], touched: dict[str, set[str]]
) -> None:
    people = list(principals(here))
    for path, old in before.items():
        new = here.node(path).acl
        pairs = [("access", old, new)]
        if old.default and new.default:
            pairs += [("default", one, two) for one, two in zip(heirs(old), heirs(new), strict=True)]
        for role, was, now in pairs:
            if was == now:
                continue
            for who, reading in product(people, READINGS):
                names = touched[role]
                if names & ({who.name} | who.groups) or "other" in names:
                    continue
                assert verdict(was, who, reading) == verdict(now, who, reading), (path, role, who, approved)


def touched(here: Lake, actions: list[Action]) -> dict[str, set[str]]:
    """The object ids that the actions are about, by role."""
    found: dict[str, set[str]] = {"access": set(), "default": set()}
    for action in actions:
        name = action.attribute.principal
        if action.attribute.role in found:
            found[action.attribute.role].add(name if name == "other" else here.oid(name))
    return found


@settings(max_examples=25, phases=QUICK)
@given(data=st.data())
def test_half_of_a_plan_does_exactly_its_half(here: Lake, data: st.DataObject) -> None:
    scatter(here, data)
    actions = [action for action in here.plan() if action.address.kind == "folder"]
    chosen = [action for action in actions if data.draw(st.booleans(), label=str(action.attribute))]
    before = {path: here.node(path).acl for path in (*DIRECTORIES, *FILES)}
    outcomes = here.apply(chosen)
    assert_nobody_else_moved(here, before, chosen, touched(here, chosen))
    again = {action.id for action in here.plan()}
    for action in actions:
        if action in chosen:
            done = outcomes[action.id].status is Status.ACCEPTED
            assert not (done and action.id in again), f"{action.attribute} was not done"
        elif here.documents[0].document.enforce_file_masks:
            # Else a file's mask that grew for somebody shows by name whom it had held down.
            assert action.id in again, f"{action.attribute} was done without approval, or lost its approval"


@settings(max_examples=25, phases=QUICK)
@given(data=st.data())
def test_a_whole_plan_leaves_nothing_to_do(here: Lake, data: st.DataObject) -> None:
    scatter(here, data)
    outcomes = here.apply()
    if any(outcome.status is not Status.ACCEPTED for outcome in outcomes.values()):
        failed = [each for each in outcomes.values() if each.status is Status.FAILED]
        assert all("beyond the mask" in outcome.reason for outcome in failed)
        if here.documents[0].document.unlisted == "keep":
            return
        # What stood in the way was taken from others in the same run.
        here.apply()
    if not here.documents[0].document.enforce_file_masks:
        # A mask that a file's creator narrowed may have had to grow for somebody: whoever it had held down
        # was narrowed instead, and is planned for by name now.
        left = here.plan()
        assert all(action.verb is Verb.RAISE for action in left)
        assert all(sample in FILES for action in left for sample in action.evidence.samples)
        here.apply(left)
    assert here.plan() == []
    assert_desired(here)


def assert_desired(here: Lake) -> None:
    """Every path grants what the document says, asked of the emulator's own lists."""
    document = here.documents[0].document
    named = {here.oid(grant.who): grant.can for grant in document.grants}
    for path, role in [*product(DIRECTORIES, ("access", "default")), *product(FILES, ("access",))]:
        acl = here.node(path).acl
        scope = acl.access if role == "access" else acl.default
        means = 7 if path in DIRECTORIES else 6
        mask = next((entry.bits for entry in scope if entry.kind == "mask"), 7)
        listed = {entry.who: entry.bits for entry in scope if entry.who}
        for oid, can in named.items():
            wanted = {"read": 5, "write": 7, "list": 5}[can]
            if can == "list" and (path, role) != ("pricing", "access"):
                assert oid not in listed or (document.unlisted == "keep" and role == "default"), (path, role)
                continue
            # A file's mask is its creator's, unless the document enforces it.
            spared = path in FILES and not document.enforce_file_masks
            granted = {listed[oid] & mask & means} | ({listed[oid] & means} if spared else set())
            assert wanted & means in granted, (path, role, can)
        if document.unlisted == "revoke":
            assert listed.keys() <= named.keys(), (path, role)
            assert all(entry.bits & means == 0 for entry in scope if entry.kind == "other"), (path, role)


@settings(max_examples=10, phases=QUICK)
@given(data=st.data())
def test_what_is_live_plans_nothing_when_it_is_desired(here: Lake, data: st.DataObject) -> None:
    scatter(here, data)
    live = here.read()
    assert live == here.read()
    found = next(found for address, found in live.found.items() if address.kind == "folder")
    rights = {"r-x": "read", "rwx": "write"}
    uniform = {
        attribute.principal: rights[value]
        for attribute, value in found.grants.items()
        if attribute.role == "access"
        and value in rights
        and found.grants.get(Attribute("default", attribute.principal)) == value
    }
    here.documents = [folder(grants=uniform)]
    about_them = [action for action in here.plan() if action.attribute.principal in uniform]
    assert [action for action in about_them if action.address.kind == "folder"] == []
