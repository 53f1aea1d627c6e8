"""One comment per pull request: it is found again, it fits, and it loses no removal on the way."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Finding, Verb
from reconciler.core.planfile import sealed
from reconciler.report.fitting import LIMIT, Section, fitted
from reconciler.report.markdown import UNFOLDED, comment, drift_report, marker
from tests.report.plans import KINDS, action, many, quiet, rich

FILE = "tenants.d/pricing/access.yaml"


def test_the_first_line_is_the_mark_by_which_it_is_found_again() -> None:
    assert comment(rich(), KINDS).splitlines()[0] == marker("prod") == "<!-- reconciler plan prod -->"
    assert drift_report(rich(), KINDS).startswith("<!-- reconciler drift prod -->\n")
    assert marker("a-->b --c") == "<!-- reconciler plan a-b-c -->"


def test_every_action_has_a_row_and_every_removal_a_red_one() -> None:
    told = comment(rich(), KINDS)
    for each in rich().actions:
        assert each.id[:10] in told or each.source.line >= 60
    assert len(re.findall(r"^\| 🔴 \*\*(REVOKE|LOWER|DELETE)\*\*", told, re.MULTILINE)) == 7
    assert "🔴 7 REMOVALS" in told.splitlines()[2]


def test_many_actions_are_folded_and_losses_stay_open() -> None:
    gains = [action(Verb.GRANT, f"entra/corp/group/g{n}", "member/user:a@x", None, "member", tenant="winners")
             for n in range(UNFOLDED)]  # fmt: skip
    loss = action(Verb.REVOKE, "entra/corp/group/g", "member/user:a@x", "member", tenant="losers")
    few = comment(quiet(actions=tuple(gains)), KINDS)
    assert "<details" not in few
    told = comment(quiet(actions=(*gains, loss)), KINDS)
    assert "<details><summary><code>winners</code>: 40 actions</summary>" in told
    assert "<details open><summary><code>losers</code>: 1 action, 🔴 1 REMOVAL</summary>" in told
    assert told.count("<details") == told.count("</details>") == 2


def test_it_warns_of_actions_that_the_pull_request_did_not_ask_for() -> None:
    told = comment(rich(), KINDS, frozenset({FILE}))
    assert "19 of 35 actions come from files that this pull request does not change" in told
    assert "`tenants.d/marketing/access.yaml` (19)" in told
    none = comment(rich(), KINDS, frozenset())
    assert "35 of 35 actions" in none
    assert "**🔴 7 REMOVALS among them**" in none
    both = comment(rich(), KINDS, frozenset({FILE, "tenants.d/marketing/access.yaml"}))
    assert "All of it comes from files that this pull request changes." in both
    assert "pull request" not in comment(rich(), KINDS)
    assert "pull request" not in comment(quiet(), KINDS, frozenset())


@pytest.mark.parametrize(("number", "tenants"), [(300, 3), (2_000, 1), (2_000, 40), (5_000, 2_500)])
@pytest.mark.parametrize("verb", [Verb.GRANT, Verb.REVOKE])
def test_it_fits_whatever_the_plan(number: int, tenants: int, verb: Verb) -> None:
    plan = many(number, tenants, verb)
    for told in (comment(plan, KINDS, frozenset()), drift_report(plan, KINDS)):
        assert len(told.encode("utf-16-le")) // 2 <= LIMIT
        assert f"{number:,} actions" in told
        assert told.count("<details") == told.count("</details>")
        if verb is Verb.REVOKE:
            assert f"🔴 {number:,} REMOVALS" in told
        if "left out" in told:
            assert "`reconciler plan --env prod`" in told
            assert tenants > 1 or told.count("🔴 **REVOKE**") == (300 if verb is Verb.REVOKE else 0)


def test_findings_go_before_actions_and_gains_before_losses() -> None:
    findings = tuple(
        Finding(rule="unmanaged", address=many(1).actions[0].address, text=f"word {'x ' * 400}{n}")
        for n in range(60)
    )
    plan = sealed(replace(many(200), findings=findings, digest=""))
    told = comment(plan, KINDS)
    assert told.count("🔴 **REVOKE**") == 200
    assert "### Findings, for which there is no action (60)" in told
    assert "The rest is left out for length." in told
    gains = many(600, verb=Verb.GRANT).actions
    mixed = comment(sealed(replace(many(250), actions=(*many(250).actions, *gains), digest="")), KINDS)
    assert mixed.count("🔴 **REVOKE**") == 250
    assert "600 more actions left out for length." in mixed


def test_a_name_of_any_length_fits() -> None:
    long = "\u202e" * 200_000
    plan = sealed(
        replace(rich(), revision=long, problems=(long,), unpinned=(long,), environment=long, digest="")
    )
    assert len(comment(plan, KINDS, frozenset())) <= LIMIT
    assert len(drift_report(plan, KINDS)) <= LIMIT


def test_a_quiet_night_is_a_short_report() -> None:
    assert "# Drift in `prod`: in step" in drift_report(quiet(), KINDS)
    assert len(drift_report(quiet(), KINDS)) < 400


def test_the_drift_report_begins_with_the_verdict_and_says_what_to_do() -> None:
    told = drift_report(rich(), KINDS)
    order = ["# Drift in `prod`", "REMOVALS: 7", "**UNKNOWN**", "## What to do now", "### `marketing`",
             "### Refused by guardrails", "### Findings"]  # fmt: skip
    assert sorted(order, key=told.index) == order


SECTIONS = st.lists(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 40_000)), min_size=1, max_size=3).map(
        lambda sizes: Section(
            [(rank if place else 0, "x" * size) for place, (rank, size) in enumerate(sizes)]
        )
    ),
    max_size=12,
)


@given(SECTIONS, st.lists(st.integers(0, 60_000), max_size=4))
def test_fitting_never_exceeds_the_limit_and_says_what_it_cut(
    sections: list[Section], heads: list[int]
) -> None:
    head = ["<!-- mark -->", "# Title", *("h" * size for size in heads)]
    told = fitted(head, sections, lambda number: f"NOTE {number}")
    assert len(told) <= LIMIT
    assert told.startswith("<!-- mark -->\n\n# Title\n")
    full = sum(len(part) + 2 for part in (*head, *(section.forms[0][1] for section in sections)) if part)
    if full <= LIMIT:
        assert "NOTE" not in told
        assert all(section.forms[0][1] in told for section in sections)
    elif sections:
        assert "NOTE" in told or sum(heads) > LIMIT // 2
