"""What a plan says of ten million paths: few actions, exact counts, a few lists, and nothing that grows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.desired import Frame
from reconciler.core.diff import diff
from reconciler.core.environment import EntraSettings, Environment, LakeSettings
from reconciler.core.model import Evidence, Found, Identity, Live, Presence, Verb, Wanted
from reconciler.core.order import order
from reconciler.core.plan import Action, Plan
from reconciler.core.planfile import sealed, to_document
from reconciler.core.vocabulary import Context
from reconciler.providers.adls import VOCABULARY
from reconciler.providers.adls.acl import OTHER, Entry, parse
from reconciler.providers.adls.canonical import LISTS, Canon
from reconciler.providers.adls.ground import SAMPLES, Key, Tally, tract
from reconciler.providers.adls.reporting import lens_of
from reconciler.providers.adls.wording import LONGEST, held, readable
from reconciler.report.clean import as_json
from reconciler.report.fitting import LIMIT
from reconciler.report.lines import cells
from reconciler.report.markdown import comment
from reconciler.report.text import plan_lines
from tests.providers.adls.lake import ACCOUNT, TODAY, folder
from tests.report.plans import KINDS

TEAMS = 4
GROUPS = [f"group:lakehouse-readers-of-team-{number:02}" for number in range(5)]
OTHERS = [f"user:somebody.with.a.long.name.{number:02}@contractors.corp.example" for number in range(22)]
IDS = {name: f"00000000-0000-4000-8000-{number:012}" for number, name in enumerate([*GROUPS, *OTHERS])}
PEOPLE = {name: Identity(principal=name, presence=Presence.KNOWN, object_id=oid) for name, oid in IDS.items()}
NAMES = {Entry(name.partition(":")[0], oid): name for name, oid in IDS.items()} | {OTHER: "other"}
ENVIRONMENT = Environment(
    name="test",
    entra=EntraSettings(name="corp", tenant_id="0"),
    lakes={ACCOUNT: LakeSettings(name=ACCOUNT, dfs="https://x", blob="https://y")},
)
PLACES = [f"team-{number}" for number in range(TEAMS)]
LISTS_MET = 300
PATHS = 10_000_000


def name(entry: Entry) -> str:
    return NAMES.get(entry, f"id:{entry.who}")


def wants(places: Iterable[str] = PLACES, who: Iterable[str] = GROUPS, **keys: Any) -> list[Wanted]:
    """What documents of these folders come to, each with the same grants."""
    documents = [
        folder(f"curated/{place}", tenant=place, grants=dict.fromkeys(who, "read"), **keys)
        for place in places
    ]
    compiled = VOCABULARY.compile(documents, Context(environment=ENVIRONMENT, as_of=TODAY))
    assert not compiled.problems
    return [want for want in compiled.wanted if want.address.kind == "folder"]


def both(entries: Iterable[str]) -> str:
    """A list whose default half says the same as its access half."""
    access = ["user::rwx", "group::r-x", *entries, "mask::rwx", "other::---"]
    return ",".join([*access, *(f"default:{each}" for each in access)])


def entry(who: str, bits: str) -> str:
    return f"{who.partition(':')[0]}:{IDS[who]}:{bits}"


def tallied(want: Wanted, lists: Mapping[tuple[str, bool], int]) -> Tally:
    """A folder with so many paths for each list and sort of path, and samples as a listing leaves them."""
    here = tract(want)
    tally = Tally(here.spots)
    for number, ((acl, directory), count) in enumerate(lists.items()):
        key = Key(acl, directory, here.path if not number else "", "")
        tally.counts[key] = count
        tally.samples[key] = [
            here.path if not number else f"{here.path}/year=2026/part-{number:05}-{each}.parquet"
            for each in range(min(count, SAMPLES))
        ]
    return tally


def found(want: Wanted, tally: Tally) -> Found:
    return Canon(lens_of(tract(want)), tally, name).judge().found


def planned(wanted: list[Wanted], live: Iterable[Found]) -> Plan:
    kinds = {kind.name: kind for kind in VOCABULARY.kinds}
    state = Live(found={each.address: each for each in live})
    drift = diff(wanted, state, Frame(environment="test", kinds=kinds, identities=PEOPLE))
    return sealed(
        Plan(environment="test", revision="working tree", as_of=TODAY, managed=drift.managed,
             actions=order(drift.actions, kinds, wanted))
    )  # fmt: skip


def grown(paths: int = PATHS) -> Plan:
    """A lake in which no path has the entries that it should have, and most have many others."""
    chance = random.Random(7)
    wanted = wants(unlisted="keep")
    live = []
    for want in wanted:
        lists: Counter[tuple[str, bool]] = Counter()
        each = paths // TEAMS // LISTS_MET
        for number in range(LISTS_MET):
            strangers = chance.sample(OTHERS, number % len(OTHERS))
            acl = both(entry(who, chance.choice(["r-x", "rwx"])) for who in strangers)
            lists[acl, True] += each // 20
            lists[acl.partition(",default:")[0], False] += each - each // 20
        live.append(found(want, tallied(want, lists)))
    return planned(wanted, live)


@pytest.fixture(scope="module")
def big() -> Plan:
    return grown()


def test_ten_million_paths_are_forty_actions(big: Plan) -> None:
    assert len(big.actions) == TEAMS * len(GROUPS) * 2
    met = sum(sum(each.evidence.counts.values()) for each in big.actions if each.attribute.role == "access")
    assert met / len(GROUPS) == pytest.approx(PATHS, rel=0.01)


def test_the_plan_of_ten_million_paths_is_small(big: Plan) -> None:
    text = as_json(to_document(big))
    assert len(text) < 200_000
    assert text.count("\n") < 4_000
    assert len(text) < 1.1 * len(as_json(to_document(grown(200_000)))), "it does not grow with the paths"


def test_its_lists_are_few_and_say_how_many_there_are(big: Plan) -> None:
    for action in big.actions:
        evidence = action.evidence
        assert len(evidence.lists) == LISTS
        assert evidence.distinct > 200
        assert len(evidence.samples) == SAMPLES
        numbers = [paths for _, paths in evidence.lists]
        assert numbers == sorted(numbers, reverse=True)
        assert evidence.files + evidence.folders == sum(evidence.counts.values())
        assert (evidence.files == 0) == (action.attribute.role == "default")


@pytest.mark.parametrize("columns", [80, 200])
def test_the_plan_of_ten_million_paths_is_readable(big: Plan, columns: int) -> None:
    lines = ["".join(text for _, text in line) for line in plan_lines(big, KINDS, columns)]
    assert max(map(cells, lines)) <= columns
    assert len(lines) < 12 * len(big.actions)
    assert sum("+ grant  group:lakehouse" in line for line in lines) == len(big.actions)
    words = " ".join(" ".join(lines).split())
    assert words.count("are not as wanted, with ") == len(big.actions)


def test_a_comment_on_ten_million_paths_names_every_action(big: Plan) -> None:
    text = comment(big, KINDS)
    assert len(text) <= LIMIT
    assert "left out" not in text
    assert sum(each.id[:10] in text for each in big.actions) == len(big.actions)


def test_evidence_is_no_part_of_what_is_consented_to(big: Plan) -> None:
    small = grown(200_000)
    assert [each.id for each in small.actions] == [each.id for each in big.actions]
    assert [each.evidence for each in small.actions] != [each.evidence for each in big.actions]
    assert small.digest != big.digest, "the plan as a whole says what was met"


READ = "rwx", "r-x", "-wx", "--x", "---", None


def tree(values: Mapping[tuple[str | None, str | None, bool], int]) -> tuple[Wanted, Tally, Counter[str]]:
    """A folder by the access and the default right that one group has on its paths."""
    [want] = wants(["team-0"], GROUPS[:1])
    who = GROUPS[0]
    counts: Counter[str] = Counter()
    lists: Counter[tuple[str, bool]] = Counter()
    for (access, default, directory), number in values.items():
        parts = [
            "user::rwx",
            "group::r-x",
            *([entry(who, access)] if access else []),
            "mask::rwx",
            "other::---",
        ]
        if default and directory:
            inherited = ["user::rwx", "group::r-x", entry(who, default), "mask::rwx", "other::---"]
            parts += [f"default:{each}" for each in inherited]
        lists[",".join(parts), directory] += number
        counts["paths"] += number
        counts["folders"] += number if directory else 0
    return want, tallied(want, lists), counts


VALUES = st.tuples(st.sampled_from(READ), st.sampled_from(READ), st.booleans())
TREES = st.dictionaries(VALUES, st.integers(1, 10**7), min_size=1, max_size=8).filter(
    lambda values: any(directory for *_, directory in values)
)
"""There is always a folder: the one that is declared."""


@given(TREES)
def test_one_action_for_each_way_that_rights_go(
    values: dict[tuple[str | None, str | None, bool], int],
) -> None:
    """Root, principal, access or default, the set of before-rights, after-right: nothing is told twice."""
    want, tally, counts = tree(values)
    plan = planned([want], [found(want, tally)])
    own = [each for each in plan.actions if each.attribute.principal == GROUPS[0]]
    told: dict[str, set[str | None]] = {}
    for action in own:
        role = action.attribute.role
        assert action.after == "r-x"
        assert not set(action.before) & told.get(role, set()), "a before-right belongs to one action"
        told.setdefault(role, set()).update(action.before)
        assert sum(action.evidence.counts.values()) == counts["folders" if role == "default" else "paths"]
        odd = sum(number for value, number in action.evidence.counts.items() if value != "r-x")
        assert odd == action.evidence.files + action.evidence.folders
        assert odd >= sum(paths for _, paths in action.evidence.lists)
        if action.evidence.distinct <= LISTS:
            assert odd == sum(paths for _, paths in action.evidence.lists)
    assert len({(each.attribute, each.verb) for each in own}) == len(own)
    for role, befores in told.items():
        met = next(each.evidence.counts for each in own if each.attribute.role == role)
        assert {value or "-" for value in befores} == set(met) - {"r-x"}


@given(TREES, st.randoms())
def test_evidence_does_not_depend_on_the_order_of_reading(
    values: dict[tuple[str | None, str | None, bool], int], chance: random.Random
) -> None:
    want, tally, _ = tree(values)
    mixed = Tally(tally.spots)
    keys = list(tally.counts)
    chance.shuffle(keys)
    for key in keys:
        mixed.counts[key] = tally.counts[key]
        mixed.samples[key] = chance.sample(tally.samples[key], len(tally.samples[key]))
    assert found(want, mixed) == found(want, tally)


def test_lists_are_counted_by_what_they_say_not_by_their_spelling() -> None:
    [want] = wants(["team-0"], GROUPS[:1])
    one = both([entry(OTHERS[0], "r-x"), entry(OTHERS[1], "rwx")])
    other = ",".join(reversed(one.split(","))).replace(IDS[OTHERS[0]], IDS[OTHERS[0]].upper())
    live = found(want, tallied(want, {(one, True): 2, (other, True): 3, (both([]), True): 4}))
    evidence = live.evidence[next(fact for fact in live.evidence if fact.principal == GROUPS[0])]
    assert evidence.distinct == 2
    assert [paths for _, paths in evidence.lists] == [5, 4]


def lists_of(role: str, lists: Mapping[tuple[str, bool], int]) -> Evidence:
    [want] = wants(["team-0"], GROUPS[:1])
    live = found(want, tallied(want, lists))
    return next(
        each for fact, each in live.evidence.items() if (fact.role, fact.principal) == (role, GROUPS[0])
    )


def test_an_action_shows_the_half_of_a_list_that_it_is_about() -> None:
    acl = "user::rwx,group::r-x,other::---,default:user::rwx,default:group::---,default:other::---"
    bare = "user::rwx,group::r-x,other::---"
    evidence = lists_of("default", {(acl, True): 2, (bare, True): 1, (bare, False): 9})
    assert evidence.lists == (("owner rwx, owning group ---, other ---", 2), ("-", 1))
    assert (evidence.files, evidence.folders) == (0, 3)
    evidence = lists_of("access", {(acl, True): 2, (bare, True): 1, (bare, False): 9})
    assert evidence.lists == (("owner rwx, owning group r-x, other ---", 12),)
    assert (evidence.files, evidence.folders, evidence.distinct) == (9, 3, 1)


def shown(entries: Iterable[str], first: Iterable[Entry] = ()) -> str:
    acl = parse(",".join(["user::rwx", "group::r-x", *entries, "mask::rwx", "other::--x"]))
    return readable(held(acl.access), name, set(first))


def test_a_list_reads_with_names_in_the_order_of_the_service() -> None:
    entries = [entry(GROUPS[0], "r-x"), entry(OTHERS[1], "rwx"), entry(OTHERS[0], "r--")]
    assert shown(entries) == (
        f"owner rwx, {OTHERS[0]} r--, {OTHERS[1]} rwx, owning group r-x, {GROUPS[0]} r-x, mask rwx, other --x"
    )


def test_nobody_is_shown_by_the_bare_id() -> None:
    text = shown(["group:99999999-0000-4000-8000-000000000009:r-x"])
    assert "group:99999999-0000-4000-8000-000000000009 r-x" in text


@pytest.mark.parametrize("about", [GROUPS[4], OTHERS[0], OTHERS[-1]])
def test_a_long_list_is_cut_and_keeps_whom_it_is_about(about: str) -> None:
    everybody = {*OTHERS, about}
    own = Entry(about.partition(":")[0], IDS[about])
    text = shown([entry(who, "rwx" if who == about else "r-x") for who in everybody], [own])
    assert f"{about} rwx" in text
    assert " more named, mask rwx" in text
    assert len(text) < LONGEST + 120
    number = int(text.partition(" more named")[0].rpartition(" ")[2])
    assert number + sum(who in text for who in everybody) == len(everybody)


def test_hostile_names_in_lists_steer_nothing() -> None:
    NAMES[Entry("group", "feed")] = "group:\x1b[31m::error::\nx"
    try:
        acl = both(["group:feed:rwx"])
        want = wants(["team-0"], GROUPS[:1])[0]
        plan = planned([want], [found(want, tallied(want, {(acl, True): 1, (both([]), True): 9}))])
    finally:
        del NAMES[Entry("group", "feed")]
    text = "".join(text for line in plan_lines(plan, KINDS, 200) for _, text in line)
    assert "\x1b" not in text
    assert "\n" not in text
    assert "::error" not in text


def actions(plan: Plan, verb: Verb) -> list[Action]:
    return [action for action in plan.actions if action.verb is verb]


def test_a_mixed_tree_is_one_action_for_each_verb() -> None:
    values = {
        ("rwx", "r-x", True): 5,
        ("--x", "r-x", True): 3,
        (None, "r-x", False): 4,
        ("-wx", None, False): 2,
    }
    want, tally, _ = tree(values)
    plan = planned([want], [found(want, tally)])
    assert [(each.verb, each.before, each.after) for each in plan.actions] == [
        (Verb.GRANT, (None,), "r-x"),
        (Verb.RAISE, ("--x",), "r-x"),
        (Verb.SET, ("-wx",), "r-x"),
        (Verb.LOWER, ("rwx",), "r-x"),
    ]
    [grant] = actions(plan, Verb.GRANT)
    assert grant.evidence.counts == {"-": 4, "--x": 3, "-wx": 2, "rwx": 5}
