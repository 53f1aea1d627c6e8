"""Verbs, rights and reasons in words that a person knows."""

from __future__ import annotations

from datetime import date

import pytest

from reconciler.core.model import Address, Attribute, Evidence, Source, Verb
from reconciler.core.plan import Blocked, Cause
from reconciler.report.counts import by_verb, gap_reason, losses, obstacles, places
from reconciler.report.lines import beside, cells, count, folded, line, listed, padded, wrapped
from reconciler.report.lines import plain as shown
from reconciler.report.words import LEGEND, SYMBOLS, Speech, ends, evidence, reason, verb
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
