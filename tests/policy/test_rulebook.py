"""Rules of the platform's own: compiled when policies are loaded, and wrong ones told at their place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reconciler.core.custom import VARIABLES, answers, sums
from reconciler.core.guardrails import BUILT_IN, RULES
from reconciler.core.model import Source
from reconciler.policy.cel import Cel, MisspeltError
from reconciler.policy.documents import LONGEST_EXPRESSION
from reconciler.policy.rulebook import MOST_RULES, pinpoint
from tests.core.estates import KINDS
from tests.policy.small import estate, said
from tests.policy.test_cel import DAY, action

FILE = "policies/guardrails/own.yaml"


def rule(expression: str, name: str = "own-rule", more: str = "") -> str:
    return f"kind: guardrail\nname: {name}\nexpression: {expression}\nmessage: not like that\n{more}"


def told(root: Path, text: str) -> str:
    policies = estate(root, {FILE: text})
    assert len(policies.unusable) == len(policies.problems) == 1, "an error of the platform stops everything"
    return said(policies)[0].removeprefix(FILE)


def test_rules_arrive_in_order_of_place(tmp_path: Path) -> None:
    files = {
        FILE: rule('action.verb == "grant"') + "---\n" + rule("true", "second"),
        "policies/a.yaml": rule("true", "first"),
    }
    policies = estate(tmp_path, files)
    assert said(policies) == []
    book = policies.rules.custom
    assert book is not None
    assert [each.name for each in book.rules] == ["first", "own-rule", "second"]
    assert book.rules[1].source == Source(FILE, 3, 13)


def test_without_any_no_engine_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    policies = estate(tmp_path, {})
    assert policies.problems == ()
    assert policies.rules.custom is None


def test_rules_without_the_engine_are_an_error_that_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    assert "install reconciler[rules]" in told(tmp_path, rule("true"))


@pytest.mark.parametrize(
    ("expression", "place", "text"),
    [
        ("action.verb ==", "3:27", "mismatched input the end"),
        ("'action.vreb == \"grant\"'", "3:20", "'action.vreb'; did you mean 'action.verb'?"),
        ("action.verb == 1", "3:25", "no matching overload for '_==_' applied to '(string, int)'"),
        ("|\n  action.verb == 'grant'\n    && action.nope", "5:14", "'action.nope'"),
        (">-\n  action.verb == 'grant'\n  && action.nope", "5:12", "'action.nope'"),
        ("\n  action.verb == 'grant' &&\n  nope", "5:3", "'nope'"),
        ('"\\"x\\" == action.nope"', "3:29", "'action.nope'"),
        ("'''x'' == action.nope'", "3:29", "'action.nope'"),
        ("action.verb", "3:13", "gives string, and has to give bool"),
        ("has(action.until)", "3:13", "every variable is always there"),
        ("'!has( action . removes )'", "3:15", "every variable is always there"),
        ("foo(action.verb)", "3:16", "undeclared reference to 'foo'"),
        ("plan.kinds.group", "3:13", "gives int, and has to give bool"),
    ],
)  # fmt: skip
def test_a_faulty_expression_is_told_where_it_is(
    tmp_path: Path, expression: str, place: str, text: str
) -> None:
    line = told(tmp_path, rule(expression))
    assert line.startswith(f":{place}: expression: "), line
    assert text in line
    assert "INVALID_ARGUMENT" not in line


def test_a_faulty_message_is_told_where_it_is(tmp_path: Path) -> None:
    line = told(tmp_path, rule("true", more="message-expression: action.principal + 1\n"))
    assert line.startswith(":5:38: message-expression: ")
    line = told(tmp_path, rule("true", more="message-expression: action.removes\n"))
    assert "gives bool, and has to give string" in line


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("true && 1 / plan.removals == 0", "3:21"),
        (">-\n  action.verb == 'x'\n  || 1 / plan.removals == 0", "5:6"),
        ("\"'a' == 'b' || 1 / plan.removals == 0\"", "3:28"),
    ],
)
def test_an_action_that_could_not_be_judged_is_told_with_the_place_of_what_failed(
    tmp_path: Path, expression: str, place: str
) -> None:
    book = estate(tmp_path, {FILE: rule(expression)}).rules.custom
    assert book is not None
    given = action()
    [(_, _, reason)] = answers(book, [given], sums("prod", DAY, [given], 0, KINDS))
    assert reason == f"could not be judged: divide by zero ({FILE}:{place})"


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_rule_has_no_name_that_is_always_there(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, rule("true", name)).startswith(f":2:7: name: {name!r} is a rule that is always")


def test_every_name_is_one_rule(tmp_path: Path) -> None:
    line = told(tmp_path, rule("true") + "---\n" + rule("false"))
    assert line == f":7:7: name: guardrail own-rule is already given at {FILE}:2; rename one"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (rule("true").replace("message: not like that\n", ""), "1:1: the key `message` is missing"),
        (rule("true").replace("own-rule", "Own Rule"), "2:7: name: 'Own Rule' is not spelt"),
        (rule(f'"{"x" * (LONGEST_EXPRESSION + 1)}"'), "3:13: expression: is longer than 1000 characters"),
        (rule("true", more="condition: true\n"), "5:1: unknown key 'condition'"),
        (rule('action.principal == "user:\u0430na@corp.example"'), "3:13: "),
    ],
)
def test_a_faulty_document_is_told_where_it_is(tmp_path: Path, text: str, place: str) -> None:
    assert told(tmp_path, text).startswith(f":{place}")


def test_there_are_not_too_many(tmp_path: Path) -> None:
    text = "---\n".join(rule("true", f"rule-{number}") for number in range(MOST_RULES + 1))
    assert f"{MOST_RULES + 1} guardrails are too many" in told(tmp_path, text)


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 400 + "true" + ")" * 400,
        "[" * LONGEST_EXPRESSION,
        "x" + ".a" * 400,
        "true?" * 150 + "true" + ":true" * 150,
        "action.verb.matches('" + "(" * 500 + "')",
    ],
)
def test_deep_nesting_is_an_error_and_no_crash(expression: str) -> None:
    try:
        compiled = Cel().compile(expression, "bool")
    except MisspeltError as error:
        assert error.objections
    else:
        assert compiled is not None


def test_every_rule_has_its_name_in_the_list_of_names() -> None:
    assert len(RULES) - 1 <= len(BUILT_IN), "own_rules has the names that the platform gives"


def test_every_variable_is_explained(root: Path) -> None:
    page = (root / "docs/reference/policies.md").read_text("utf-8")
    missing = [name for name, kind in VARIABLES.items() if f"| `{name}` | {kind} |" not in page]
    assert missing == []


def test_a_place_that_cannot_be_found_is_that_of_the_value() -> None:
    place = Source("x.yaml", 1, 13)
    assert pinpoint("expression: 'abc'\n", place, "expression", "abz", 2) == place
    assert pinpoint("", place, "expression", "abz", 2) == place
