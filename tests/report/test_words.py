"""Verbs, rights and reasons in words that a person knows."""

from __future__ import annotations

from datetime import date

import pytest

from reconciler.core.model import Address, Attribute, Evidence, Reading, Source, Verb
from reconciler.core.plan import Blocked, Cause
from reconciler.report.counts import by_verb, gap_reason, losses, obstacles, places
from reconciler.report.lines import beside, cells, count, folded, line, listed, padded, wrapped
from reconciler.report.lines import plain as shown
from reconciler.report.readings import sentence
from reconciler.report.readings import told as readings_told
from reconciler.report.words import LEGEND, SYMBOLS, Speech, ends, evidence, lists, reason, verb
from tests.report.plans import FOLDER, GROUP, KINDS, LEADS, SCOPE, WAY, action, quiet, rich

SPEECH = Speech(KINDS)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (action(Verb.GRANT, GROUP, "member/user:a@x", None, "member"), "membership"),
        (action(Verb.REVOKE, GROUP, "owner/user:a@x", "owner"), "ownership"),
        (action(Verb.GRANT, LEADS, "assignment/group:a", None, "USER"), "user of the workspace"),
        (action(Verb.RAISE, LEADS, "assignment/group:a", "USER", "ADMIN"),
         "user of the workspace -> admin of the workspace"),
        (action(Verb.GRANT, LEADS, "workspace-access/group:a", None, "held"), "workspace-access"),
        (action(Verb.REVOKE, LEADS, "workspace-access/group:a", "held"), "workspace-access"),
        (action(Verb.LOWER, SCOPE, "acl/group:a", "MANAGE", "READ"), "manage -> read"),
        (action(Verb.GRANT, FOLDER, "access/group:a", None, "rwx"), "write (rwx)"),
        (action(Verb.GRANT, FOLDER, "default/group:a", None, "r-x"), "read (r-x) for new files"),
        (action(Verb.GRANT, FOLDER, "access/group:a", None, "list"), "list"),
        (action(Verb.GRANT, FOLDER, "access/group:a", None, "-wx"), "-wx"),
        (action(Verb.GRANT, WAY, "access/group:a", None, "--x"), "pass through (--x)"),
        (action(Verb.REVOKE, FOLDER, "access/group:a", ("r-x", "rwx")), "read (r-x) or write (rwx)"),
        (action(Verb.CREATE, GROUP, "exists", None, "present"), ""),
        (action(Verb.SET, GROUP, "name", "old", "new"), "old -> new"),
        (action(Verb.GRANT, "new/there/thing/x", "use/group:a", None, "MUCH"), "use MUCH"),
    ],
)  # fmt: skip
def test_a_right_reads(made: object, words: str) -> None:
    assert SPEECH.change(made) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("on", "fact", "words"),
    [
        (GROUP, "member/user:a@x", "user:a@x"),
        (GROUP, "exists", "this group"),
        (SCOPE, "exists", "this secret scope"),
        (GROUP, "name", "its name"),
        (FOLDER, "access/other", "everybody (other)"),
    ],
)
def test_whom_it_is_about(on: str, fact: str, words: str) -> None:
    assert SPEECH.who(action(Verb.GRANT, on, fact, None, "x")) == words


@pytest.mark.parametrize(
    ("cause", "until", "words"),
    [
        (Cause.MISSING, None, ""),
        (Cause.MISSING, date(2027, 1, 31), "ends 2027-02-01 00:00 UTC"),
        (Cause.CHANGED, None, ""),
        (Cause.UNLISTED, None, "not listed"),
        (Cause.EXPIRED, date(2026, 6, 30), "expired 2026-06-30"),
        (Cause.EXPIRED, None, "expired"),
        (Cause.RETIRED, None, "retired"),
        (Cause.RENAMED, None, "renamed"),
    ],
)
def test_why_it_is_needed(cause: Cause, until: date | None, words: str) -> None:
    assert (
        reason(action(Verb.GRANT, GROUP, "member/user:a@x", None, "member", cause=cause, until=until))
        == words
    )


def test_the_last_day_that_there_is_has_no_day_after() -> None:
    assert ends(date.max) == "until 9999-12-31"


@pytest.mark.parametrize(
    ("before", "counts", "samples", "words"),
    [
        ((None,), {}, (), ""),
        ((None,), {"-": 1}, ("a",), "changes 1 path: a"),
        ((None,), {"-": 2_000}, ("a", "b", "c"), "changes all 2,000 paths"),
        ((None,), {"-": 2, "r-x": 6}, ("a", "b"), "changes 2 of 8 paths: a, b"),
        ((None,), {"-": 1_200, "r-x": 6}, ("a",), "changes 1,200 of 1,206 paths, e.g. a"),
        ((None, "--x"), {"-": 2, "--x": 3}, (),
         "changes 5 of 5 paths (2 from nothing, 3 from pass through (--x))"),
        ((None,), {"-": 2, "rwx": 3, "r-x": 1}, ("a",),
         "changes 2 of 6 paths; 3 with write (rwx) are left to another action; not as wanted: a"),
    ],
)  # fmt: skip
def test_what_counts_mean(
    before: tuple[str | None, ...], counts: dict[str, int], samples: tuple[str, ...], words: str
) -> None:
    told = action(Verb.GRANT, FOLDER, "access/group:a", before, "r-x",
                  evidence=Evidence(counts=counts, samples=samples))  # fmt: skip
    assert evidence(told, SPEECH) == words


HELD = (("owner rwx, owning group r-x, other ---", 12_000), ("-", 433))


@pytest.mark.parametrize(
    ("files", "folders", "distinct", "samples", "words"),
    [
        (12_402, 31, 3, ("a", "b", "c"), "12,402 files and 31 folders are not as wanted, with 3 lists; "
         "commonest, on 12,000: owner rwx, owning group r-x, other ---"),
        (4, 0, 1, ("a", "b", "c"),
         "4 files are not as wanted, all with the list: owner rwx, owning group r-x, other ---"),
        (0, 1, 1, (), "1 folder is not as wanted, all with the list: owner rwx, owning group r-x, other ---"),
        (2, 1, 3, ("a", "b", "c"), ""),
    ],
)  # fmt: skip
def test_what_lists_say(
    files: int, folders: int, distinct: int, samples: tuple[str, ...], words: str
) -> None:
    told = action(Verb.GRANT, FOLDER, "access/group:a", None, "r-x",
                  evidence=Evidence(counts={"-": files + folders}, samples=samples, files=files,
                                    folders=folders, distinct=distinct, lists=HELD))  # fmt: skip
    assert lists(told, SPEECH) == words


def test_an_action_without_lists_says_nothing_of_them() -> None:
    told = action(Verb.GRANT, FOLDER, "access/group:a", None, "r-x", evidence=Evidence(counts={"-": 9}))
    assert lists(told, SPEECH) == ""


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (Reading(place="adls/datalake/curated", reader="list-blobs", paths=1_204_331, requests=243),
         "read adls/datalake/curated: 1,204,331 paths by List Blobs, 243 requests"),
        (Reading(place="adls/datalake/curated", reader="list-blobs", paths=1_204_331),
         "read adls/datalake/curated: 1,204,331 paths by List Blobs"),
        (Reading(place="adls/x/y", reader="inventory", paths=1, as_of="run of 2026-11-28 01:00, 13 h old "
                 "(rule nightly)"),
         "read adls/x/y: 1 path by inventory run of 2026-11-28 01:00, 13 h old (rule nightly)"),
        (Reading(place="adls/x/y", reader="path-listing", paths=8_120, requests=8_114, single=8_112,
                 why="List Blobs was refused (403 X)"),
         "read adls/x/y: 8,120 paths by path listing, 8,114 requests (8,112 for single paths); "
         "List Blobs was refused (403 X)"),
        (Reading(place="adls/x/y", reader="list-blobs", paths=9_000, requests=1, resumed=5_000),
         "read adls/x/y: 9,000 paths by List Blobs, 1 request, resumed after 5,000 paths"),
        (Reading(place="new/x", reader="crystal ball", paths=2), "read new/x: 2 paths by crystal ball"),
    ],
)  # fmt: skip
def test_how_a_place_was_read(reading: Reading, words: str) -> None:
    assert sentence(reading) == words


def test_of_many_places_the_unusual_are_all_named() -> None:
    usual = [Reading(place=f"adls/x/{number}", reader="list-blobs", paths=10) for number in range(100)]
    odd = [
        Reading(place=f"adls/y/{number}", reader="path-listing", paths=1, why="403") for number in range(20)
    ]
    styles, texts = zip(*readings_told([*usual, *odd]), strict=True)
    assert styles == ("warn",) * 20 + ("dim",) * 9
    assert [text.split(":")[0] for text in texts[:20]] == [f"read adls/y/{number}" for number in range(20)]
    assert texts[-1] == "read 92 more places: 920 paths"


def test_rights_with_a_longer_meaning_are_explained_once() -> None:
    assert SPEECH.explained(rich().actions) == ["write: read, create, change, delete"]


def test_every_verb_has_its_own_symbol_and_is_in_the_legend() -> None:
    assert len(set(SYMBOLS.values())) == len(Verb)
    for each, symbol in SYMBOLS.items():
        assert f"{symbol} {each.value}" in LEGEND.lower()


def test_a_set_takes_away_only_where_somebody_held_it() -> None:
    assert verb(action(Verb.SET, GROUP, "name", "a", "b")) == "set"
    assert verb(action(Verb.SET, FOLDER, "access/group:a", "-w-", "r--")) == "SET"


def test_losses_count_principals_once_and_things_apart() -> None:
    taken = [
        action(Verb.REVOKE, GROUP, "member/user:a@x", "member"),
        action(Verb.REVOKE, SCOPE, "acl/user:a@x", "READ"),
        action(Verb.LOWER, SCOPE, "acl/user:b@x", "MANAGE", "READ"),
        action(Verb.DELETE, GROUP, "exists", "present"),
        action(Verb.GRANT, GROUP, "member/user:c@x", None, "member"),
        action(Verb.REVOKE, GROUP, "member/user:a@x", "member", tenant="fraud"),
    ]
    pricing, fraud = sorted(losses(taken), key=lambda loss: loss.tenant, reverse=True)
    assert (pricing.tenant, pricing.actions, pricing.told()) == (
        "pricing", 4, "2 principals lose something, 1 thing is deleted",
    )  # fmt: skip
    assert (fraud.tenant, fraud.actions, fraud.told()) == ("fraud", 1, "1 principal loses something")
    assert by_verb(taken) == [("grant 1", False), ("LOWER 1", True), ("REVOKE 3", True), ("DELETE 1", True)]


def blocked(fact: str, why: str, line_: int) -> Blocked:
    role, _, principal = fact.partition("/")
    return Blocked(address=Address.parse(GROUP), attribute=Attribute(role, principal), tenant="pricing",
                   source=Source("a.yaml", line_), reason=why)  # fmt: skip


def test_obstacles_of_one_reason_are_one() -> None:
    plan = quiet(
        blocked=(
            blocked("member/user:a@x", "user:a@x: user:a@x: unknown", 3),
            blocked("member/user:b@x", "user:b@x: unknown", 9),
            blocked("owner/user:a@x", "unknown", 3),
            blocked("name", "read-only", 1),
        )
    )
    first, second = obstacles(plan, "blocked", SPEECH)
    assert first.facts == "user:a@x (membership, ownership), user:b@x (membership)"
    assert (first.reason, first.sources) == ("unknown", "a.yaml:3, 9")
    assert (second.facts, second.reason) == ("its name", "read-only")
    assert obstacles(plan, "next", SPEECH) == []
    assert places(plan.blocked) == "a.yaml:1, 3, 9"


def test_the_code_of_a_gap_is_told_once() -> None:
    first, second = rich().gaps
    assert gap_reason(first).startswith("timeout: no answer")
    assert gap_reason(second) == "403 Authorization_RequestDenied: Insufficient privileges"


def test_wide_letters_take_two_columns_and_marks_none() -> None:
    assert [cells(text) for text in ("abc", "北京", "é", "e\u0301")] == [3, 4, 1, 1]
    assert padded("北京", 6) == "北京  "


def test_lines_are_broken_at_blanks_only() -> None:
    assert list(folded("a bb ccc", 4)) == ["a bb", "ccc"]
    assert list(folded("x" * 30 + " a", 10)) == ["x" * 30, "a"]
    assert list(folded("北京 北京", 5)) == ["北京", "北京"]
    assert shown(wrapped("dim", "one two", 2, 100)) == "  one two\n"


def test_a_right_margin_is_kept_or_refused() -> None:
    assert beside([("", "ab")], [("", "z")], 6) == line("ab", "   ", "z")
    assert beside([("", "ab")], [("", "z")], 4) is None


def test_numbers_and_lists_read() -> None:
    assert [count(1, "action"), count(2_000, "action"), count(2, "REMOVAL", "S")] == [
        "1 action", "2,000 actions", "2 REMOVALS",
    ]  # fmt: skip
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert listed(["a"], 2) == "a"
