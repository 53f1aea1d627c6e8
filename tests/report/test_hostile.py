"""Nothing that somebody named or wrote steers a terminal, a comment, a log or a reader."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from reconciler.core.plan import ApprovedPlan, Outcome, Plan, Status
from reconciler.core.planfile import to_document
from reconciler.report.clean import as_json, code, html, plain, prose, workflow, workflow_property
from reconciler.report.lines import Line
from reconciler.report.markdown import comment, drift_report
from reconciler.report.outcomes import ended, outcome_lines, outcomes_markdown
from reconciler.report.text import drift_lines, plan_lines
from tests.report.plans import KINDS, WORDS, any_environment, plans

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
BLANK = set(
    "\u00a0\u034f\u115f\u1160\u17b4\u17b5\u180b\u2000\u2003\u202f\u205f\u2800\u3000\u3164\ufe00\ufe0f\uffa0\U000e0100"
)
COMMAND = re.compile(r"##(vso)?\[", re.IGNORECASE)


def steering(line: str) -> Iterator[str]:
    """What of a line does not show, or is taken for a command by the runner that keeps the log."""
    yield from (hex(ord(sign)) for sign in line if unicodedata.category(sign) in UNSEEN or sign in BLANK)
    # As the runner parses: at the start, blanks aside, up to the next two colons; or anywhere in brackets.
    bare = line.lstrip()
    if bare.startswith("::") and "::" in bare[2:]:
        yield "::"
    yield from COMMAND.findall(line)
    if re.search(r"[\u0300-\u036f]{3}", line):
        yield "a pile of marks"


def shown(lines: list[Line]) -> list[str]:
    return ["".join(text for _, text in line) for line in lines]


@given(WORDS)
def test_clean_text_is_one_line_that_steers_nothing(text: str) -> None:
    assert not list(steering(plain(text)))
    assert plain(plain(text)) == plain(text)


@given(plans(), st.integers(60, 220), WORDS)
def test_text_reports_steer_nothing(plan: Plan, columns: int, environment: str) -> None:
    plan = any_environment(plan, environment)
    for report in (plan_lines, drift_lines):
        assert [found for line in shown(report(plan, KINDS, columns)) for found in steering(line)] == []


@st.composite
def applies(draw: st.DrawFn) -> tuple[ApprovedPlan, list[Outcome]]:
    plan = draw(plans())
    ends = [Outcome(action=each.id, status=draw(st.sampled_from(Status)), reason=draw(WORDS))
            for each in plan.actions]  # fmt: skip
    refused = [Outcome(action=draw(WORDS), status=Status.REFUSED, reason=draw(WORDS))]
    return ApprovedPlan(plan=plan, actions=plan.actions, refused=refused), [*refused, *ends]


@given(applies())
def test_outcomes_steer_nothing(run: tuple[ApprovedPlan, list[Outcome]]) -> None:
    approved, outcomes = run
    by_id = {action.id: action for action in approved.plan.actions}
    lines = [line for each in outcomes if each.action in by_id
             for line in ended(by_id[each.action], each, KINDS, 80)]  # fmt: skip
    lines += outcome_lines(approved, outcomes, KINDS, 80)
    assert [found for line in shown(lines) for found in steering(line)] == []


OURS = {
    "heading", "paragraph", "bullet_list", "ordered_list", "list_item", "blockquote", "inline", "text",
    "code_inline", "strong", "softbreak", "table", "thead", "tbody", "tr", "th", "td", "html_block",
}  # fmt: skip
"""What a report is made of.  Links, images, emphasis, fences, rules and inline HTML are not among it."""

HTML = re.compile(
    r"<!-- reconciler (plan|drift) [\w.-]+ -->"
    r"|<details( open)?><summary><code>[^<>]*</code>: [\d,]+ actions?(, 🔴 [\d,]+ REMOVALS?)?</summary>"
    r"|</details>"
)

ALIVE = re.compile(
    r"[@<>`|$\\]|#\w|https?:|ftp:|www\.|mailto:|://|\bGH-\d|\]\(|(?<!\d):[\w+-]+:|\b[0-9a-f]{7,40}\b|!\[|\[\^",
    re.IGNORECASE,
)
"""What GitHub makes links, mentions, references, emoji, formulas or footnotes of, where it is not in code."""

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def alive(text: str) -> Iterator[str]:
    """Whatever in a Markdown text is not the report's own."""
    for line in text.split("\n"):
        yield from steering(line)
    yield from _alive(PARSER.parse(text))


def _alive(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        kind = token.type.removesuffix("_open").removesuffix("_close")
        if kind not in OURS:
            yield f"{token.type} {token.content}"
        if kind == "html_block" and not HTML.fullmatch(token.content.strip()):
            yield token.content
        if kind == "text":
            told = re.sub(r"^\[!(CAUTION|WARNING|NOTE)\]$", "", token.content)
            yield from (match.group() for match in ALIVE.finditer(told))
        yield from _alive(token.children or [])


@given(plans(), WORDS, st.booleans())
def test_markdown_reports_hold_nothing_but_their_own_markup(
    plan: Plan, environment: str, folded: bool
) -> None:
    plan = any_environment(plan, environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reconciler.report.markdown.UNFOLDED", 0 if folded else 40)
        assert list(alive(comment(plan, KINDS, frozenset()))) == []
        assert list(alive(drift_report(plan, KINDS))) == []


@given(applies())
def test_markdown_of_an_apply_holds_nothing_but_its_own_markup(
    run: tuple[ApprovedPlan, list[Outcome]],
) -> None:
    assert list(alive(outcomes_markdown(*run, KINDS))) == []


@given(WORDS)
def test_prose_keeps_every_word(text: str) -> None:
    words = re.sub(r"[`\s]|×\d+|→|->|\\x[67][0c]", "", prose(text))
    assert words == re.sub(r"[`|\s]|→|->|\\x[67][0c]", "", plain(text))


@given(WORDS)
def test_code_is_one_span(text: str) -> None:
    inline = PARSER.parse(f"| {code(text)} | b |\n| --- | --- |\n")
    cells = [token for token in inline if token.type == "inline"]
    assert len(cells) == 2
    assert [child.type for child in cells[0].children or []][:1] in (["code_inline"], ["text"])
    assert not list(alive(code(text)))


@given(WORDS)
def test_html_is_inert(text: str) -> None:
    assert re.fullmatch(r"<code>[^<>]*</code>", html(text))
    assert not list(steering(html(text)))


@given(WORDS, WORDS)
@example("a,line=9:8%2C", "100 % ,::error::%0A")
def test_an_annotation_says_what_it_should_and_no_more(file: str, message: str) -> None:
    line = f"::error file={workflow_property(file)},line=3,col=4::{workflow(message)}"
    assert "\n" not in line and "\r" not in line
    # As the runner parses it (GitHub runner's source, ActionCommand).
    head, _, data = line[2:].partition("::")
    name, _, rest = head.partition(" ")
    properties = dict(pair.split("=", 1) for pair in rest.split(",") if len(pair.split("=", 1)) == 2)
    assert name == "error"
    assert set(properties) == {"file", "line", "col"}
    assert _unescaped(properties["file"]).strip() == plain(file).strip()
    assert _unescaped(data) == plain(message)
    assert not COMMAND.search(line)


def _unescaped(text: str) -> str:
    for token, code_ in ((":", "%3A"), (",", "%2C"), ("%", "%25")):
        text = text.replace(code_, token)
    return text


@given(plans())
def test_json_is_ascii_and_no_command(plan: Plan) -> None:
    document = to_document(plan)
    text = as_json(document)
    assert text.isascii()
    assert json.loads(text) == document
    assert [found for line in text.split("\n") for found in steering(line)] == []


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Zoë 北京 😀", "Zoë 北京 😀"),
        ("a\u202eb", "a\\u202eb"),
        ("a\x1b[2J", "a\\x1b[2J"),
        ("a\nb", "a\\x0ab"),
        ("\u3000", "\\u3000"),
        ("\U000e0041", "\\U000e0041"),
        ("e\u0301", "e\u0301"),
        ("\u0301", "\\u0301"),
        ("::stop-commands::x", ":\\x3astop-commands:\\x3ax"),
        ("##[group]x ##VSO[y]", "#\\x23[group]x #\\x23VSO[y]"),
        ("ratio 1:2 ## fine", "ratio 1:2 ## fine"),
    ],
)
def test_what_is_written_as_an_escape(text: str, safe: str) -> None:
    assert plain(text) == safe


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("nobody has this name", "nobody has this name"),
        ("3 of 9 (33 %; limit 2); restore it", "3 of 9 (33 %; limit 2); restore it"),
        ("user:ana@corp.example is a member.", "`user:ana@corp.example` is a member."),
        ("see @octocat #12 and deadbeef", "see `@octocat #12` and `deadbeef`"),
        ("on a/b/c: WRITE -> READ, e.g. x|y", "on `a/b/c`: WRITE → READ, e.g. `x\\x7cy`"),
        ("1. not a list", "`1`. not a list"),
        ("ends 2027-02-01, it's on-premises", "ends 2027-02-01, it's on-premises"),
    ],
)
def test_prose_reads_well(text: str, safe: str) -> None:
    assert prose(text) == safe
