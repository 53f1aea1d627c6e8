"""The text plan hides nobody, keeps within the screen, and never says more than was read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Address, Gap, Verb
from reconciler.core.order import takes_away
from reconciler.core.plan import Plan
from reconciler.report.lines import Line, cells, plain
from reconciler.report.rows import FOLD, SHORT
from reconciler.report.text import drift_lines, plan_lines
from reconciler.report.words import LEGEND, Speech, verb
from tests.report.plans import KINDS, LONG, action, many, plans, quiet, rich


def text(plan: Plan, columns: int = 100) -> str:
    return plain(plan_lines(plan, KINDS, columns))


def styled(lines: list[Line], style: str) -> str:
    return "\n".join(part for line in lines for kind, part in line if kind == style)


@given(plans(), st.integers(60, 220))
def test_every_removal_is_in_capitals_in_colour_and_with_its_id(plan: Plan, columns: int) -> None:
    lines = plan_lines(plan, KINDS, columns)
    told = plain(lines)
    speech = Speech(KINDS)
    red = styled(lines, "remove")
    for each in plan.actions:
        assert each.id[:SHORT] in told
        who = " ".join(speech.who(each).split())
        assert who in " ".join(told.split())
        if takes_away(each):
            assert verb(each).isupper()
            assert f" {verb(each)}" in red
    losses = sum(map(takes_away, plan.actions))
    assert (f"REMOVALS: {losses}" in red) == (losses > 0)


@given(plans())
def test_everything_that_is_no_action_is_told(plan: Plan) -> None:
    told = " ".join(text(plan, 120).split())
    for part in (
        *(gap.reason for gap in plan.gaps),
        *(finding.text for finding in plan.findings),
        *(violation.text for violation in plan.violations),
        *plan.problems,
        *plan.unpinned,
    ):
        from reconciler.report.clean import plain as clean

        assert " ".join(clean(part).split()) in told


@pytest.mark.parametrize("columns", [64, 79, 80, 81, 100, 120, 160, 200, 300])
def test_lines_keep_within_the_screen(columns: int) -> None:
    for line in [*plan_lines(rich(), KINDS, columns), *drift_lines(rich(), KINDS, columns)]:
        shown = "".join(part for _, part in line).rstrip()
        if cells(shown) > columns:
            # A name that is longer than a line is not cut in two.
            assert LONG in shown, shown


def test_many_like_grants_are_one_row_that_names_everybody() -> None:
    plan = many(50 * (FOLD + 1), verb=Verb.GRANT)
    told = text(plan)
    for number in range(50 * (FOLD + 1)):
        assert re.search(rf"user:person-{number}@corp.example\b", told)
    assert told.count("+ grant") == 50 + LEGEND.count("+ grant")


def test_many_removals_are_never_folded() -> None:
    plan = many(50 * (FOLD + 1))
    assert text(plan).count("- REVOKE user:person-") == 50 * (FOLD + 1)


def test_grants_on_other_terms_are_not_folded_with_the_rest() -> None:
    grants = [action(Verb.GRANT, "entra/corp/group/x", f"member/user:{n}@x.example", None, "member",
                     because="special" if n == 3 else "") for n in range(FOLD + 2)]  # fmt: skip
    told = text(quiet(actions=tuple(grants)))
    assert f"+ grant  {FOLD + 1} principals" in told
    assert "+ grant  user:3@x.example" in told


def test_several_findings_of_one_thing_are_all_told() -> None:
    for columns in (80, 120, 200):
        told = text(rich(), columns)
        assert "user:eve@corp.example holds Storage Blob Data Contributor" in told
        assert "sp:reconciler-plan holds Storage Blob" in told


def test_the_legend_comes_with_actions_only() -> None:
    assert LEGEND in text(rich())
    assert LEGEND not in text(quiet())


def test_a_blocked_name_is_told_once() -> None:
    told = text(rich())
    assert "user:o.brien@corp.example (membership): nobody has this name" in told
    assert "o.brien@corp.example: user:o.brien" not in told


def test_the_summary_is_the_last_thing() -> None:
    last = text(rich()).rstrip().splitlines()
    assert last[-1] == "Nothing happens until somebody approves."
    assert any(line.startswith("Plan: create 1, grant 24") for line in last[-14:])
    assert "  pricing    7: 6 principals lose something, 1 thing is deleted" in last[-14:]


def test_a_drift_report_ends_with_what_to_do() -> None:
    told = plain(drift_lines(rich(), KINDS, 100))
    assert told.startswith("Drift report for prod: 35 actions, 7 REMOVALS")
    steps = told.split("What to do now\n")[1]
    for command in (
        "reconciler validate",
        "accepted-gaps",
        "--override",
        "reconciler approve",
        "reconciler pin",
    ):
        assert command in steps
    assert "What to do" not in plain(drift_lines(quiet(), KINDS, 100))


def test_an_open_gap_is_never_in_step() -> None:
    gap = Gap(address=Address.parse("entra/corp/group/x"), reason="403")
    told = text(quiet(gaps=(gap,)))
    assert "In step" not in told
    assert "UNKNOWN: 1 could not be read" in told
