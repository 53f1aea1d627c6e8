"""An action passes where a rule says true and nowhere else: everything odd is refused, with the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from reconciler.core.custom import CustomRule, RuleBook, Unanswered, answers, custom, facts, sums
from reconciler.core.guardrails import Docket, Rules, judge
from reconciler.core.model import Attribute, Live, Source, Verb
from reconciler.core.plan import Action, Cause
from reconciler.policy.cel import Cel, MisspeltError
from tests.core.estates import KINDS, address

HERE = Source("policies/guardrails/own.yaml", 3, 13)
DAY = date(2026, 11, 23)


def action(**more: Any) -> Action:
    fields: dict[str, Any] = {
        "id": "a" * 64,
        "environment": "prod",
        "verb": Verb.GRANT,
        "address": address(),
        "attribute": Attribute("acl", "user:ana@corp.example"),
        "before": (None,),
        "after": "READ",
        "until": date(2026, 12, 31),
        "object_ids": {},
        "tenant": "pricing",
        "cause": Cause.MISSING,
        "source": Source("tenants.d/pricing/access.yaml", 3),
        "because": "CHG-1",
    }
    return Action(**{**fields, **more})


def book(*expressions: str, wording: str | None = None, message: str = "not like that") -> RuleBook:
    engine = Cel()
    rules = [
        CustomRule(
            name=f"rule-{number}",
            source=HERE,
            message=message,
            expression=engine.compile(text, "bool"),
            wording=None if wording is None else engine.compile(wording, "string"),
        )
        for number, text in enumerate(expressions, 1)
    ]
    return RuleBook(rules=rules, bind=engine.bind)


def refusals(expression: str, *actions: Action, **more: Any) -> list[str]:
    """What a rule says of each action, in an environment with two open gaps."""
    given = actions or (action(),)
    whole = sums("prod", DAY, given, 2, KINDS)
    return [reason for _, _, reason in answers(book(expression, **more), given, whole)]


@pytest.mark.parametrize(
    "expression",
    [
        "action.verb == 'grant' && action.kind == 'secret-scope' && action.provider == 'databricks'",
        "action.address == 'databricks/here/secret-scope/pricing' && action.locator == 'pricing'",
        "action.installation == 'here' && action.role == 'acl' && action.tenant == 'pricing'",
        "action.principal.startsWith('user:') && action.principal.matches('@corp[.]example$')",
        "action.before == [null] && action.after == 'READ' && action.after in ['READ', 'WRITE']",
        "action.until == '2026-12-31' && action.days == 39 && action.days <= 90",
        "!action.removes && action.cause == 'missing' && action.because != '' && size(action.id) == 64",
        "action.file.startsWith('tenants.d/pricing/')",
        "plan.environment == 'prod' && plan.as_of == '2026-11-23' && plan.actions == 1 && plan.gaps == 2",
        "plan.verbs['grant'] == 1 && plan.verbs['revoke'] == 0 && plan.removals == 0",
        "plan.kinds['secret-scope'] == 1 && plan.kinds['group'] == 0 && plan.kinds[action.kind] <= 10",
        "plan.removals_by_kind[action.kind] == 0 && tenant.actions == 1 && tenant.removals == 0",
        "principal.actions == 1 && principal.removals == 0",
        "timestamp(action.until + 'T00:00:00Z') > timestamp('2026-01-01T00:00:00Z')",
        "action.after in ['READ', null] && action.before == [null] && null in action.before",
        "action.days in [39, null] && !(action.days in [40, null]) && action.before != [null, 'READ']",
        "action.before.all(b, b == null || b == 'READ') && (action.days == null ? 0 : action.days) == 39",
        "action.before != [] && action.after == 'READ' || action.days - 1 > 90",
        "plan.kinds.group == 0 && size(plan.kinds) > 0",
    ],
)
def test_what_is_true_passes(expression: str) -> None:
    assert refusals(expression) == [""]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("action.verb != 'grant'", "not like that"),
        ("plan.kinds['grup'] == 0", 'could not be judged: Key not found in map : "grup"'),
        ("action.before[1] == null", "could not be judged: Index error"),
        ("action.before[0] > 'A'", "could not be judged: No matching overloads found"),
        ("1 / plan.removals == 1", "could not be judged: divide by zero"),
        ("plan.actions + 9223372036854775807 > 0", "could not be judged: integer overflow"),
        ("action.principal.matches('((a{30}){30}){30}')", "could not be judged: invalid regular expression"),
        ("action.principal.matches(action.principal + '(')", "could not be judged: "),
        ("timestamp(action.address) > timestamp(action.address)", "could not be judged: "),
    ],
)
def test_what_is_not_true_is_refused_with_place_and_reason(expression: str, reason: str) -> None:
    [said] = refusals(expression)
    assert said.startswith(reason)
    assert said.endswith(f"({HERE.file}:{HERE.line}:{HERE.column})")


@pytest.mark.parametrize(
    "marked",
    [
        "§plan.kinds['grup'] == 0",
        "action.verb == 'x' ||\n  (true && §plan.kinds['grup'] == 0)",
        "'é😀' == 'x' || §action.before[0] > 'A'",
        "plan.actions == 1 && !(§plan.actions + 9223372036854775807 > 0)",
        "plan.actions > 0 ? §1 / plan.removals == 1 : 2 / plan.removals == 1",
        "plan.actions > 1 ? 1 / plan.removals == 1 : §2 / plan.removals == 1",
        "(§plan.kinds['x'] > 1 ? 1 / plan.removals : 2 / plan.removals) == 1",
        "action.role == 'acl' && §timestamp(action.address) > timestamp('2026-01-01T00:00:00Z')",
        "action.role == 'acl' && §action.principal.matches(action.principal + '(')",
        "('a' + §action.before[7]).startsWith('x')",
        "[2, §1 / plan.removals] == [1]",
        "-§plan.kinds['a'] > 0",
        "action.role == 'acl' && §action.before.all(x, plan.kinds['a'] > 0)",
        "action.role == 'acl' && [§plan.kinds['a']].all(x, x > 0)",
        "action.role == 'acl' && §{'a': plan.kinds['a']} == {}",
        "plan.kinds['group'] == 0 && " + "plan.actions + " * 20 + "§plan.kinds['x'] > 0",
    ],
)
def test_the_place_of_what_failed_is_where_it_begins(marked: str) -> None:
    before, _, after = marked.partition("§")
    given, engine = action(), Cel()
    bound = engine.bind(facts(given, sums("prod", DAY, [given], 2, KINDS)))
    expression = engine.compile(before + after, "bool")
    with pytest.raises(Unanswered) as failed:
        expression(bound)
    assert failed.value.find() == len(before)


NEVER_EQUAL = [
    "§action.days != '90'",
    "§action.after != 5",
    "'90' §!= action.days",
    "action.verb == 'x' || !(§action.days == '90')",
    "!(§action.days in ['90'])",
    "!(§action.days in ['90', null])",
    "!(§action.after in [null, 5, 7])",
    "!(5 §in action.before)",
    "§action.before != [5]",
    "§action.before != [5, null]",
    "§[null, 5] != action.before",
    "§[1, null] != ['x', null]",
    "action.before.all(b, §b != 5)",
    "§action.before[0] != 5",
    "§action.days != action.until",
    "§action.after > 3",
]
HIDDEN = [
    "§dyn(action.days) != '90'",
    "!(action.after in §['READ', 5])",
    "!(action.after in §['READ', null, 5])",
    "§type(action.days) != type('x')",
    "§['READ', 5].all(x, x != action.days)",
    "§[5, null].all(x, x != 'a')",
    "§[5, null][0] != 'a'",
    "action.after != §{'a': 5, 'b': 'x'}['a']",
    "[§[5, null]] != [['x']]",
]
SAME_FOR_ALL = [
    "!§has(plan.kinds.grup) || plan.kinds.grup <= 1",
    "!§has(plan.kinds.group) || plan.kinds.group <= 1",
    "action.verb == 'x' || §has(plan.verbs.grant)",
    "!(§has(plan.removals_by_kind.grup))",
    "§has(action.until)",
    "!(§'grup' in plan.kinds)",
    "!(§action.kind in plan.removals_by_kind)",
    "§plan.kinds.grup <= 1",
    "§plan.kinds['grup'] <= 1",
    "action.verb == 'x' || §plan.verbs['grnt'] <= 1",
    "§plan.removals_by_kind.grup <= 1",
    "action.before.all(b, §plan.kinds['grup'] <= 1)",
    "[§plan.kinds.grup] == [1]",
]


@pytest.mark.parametrize("marked", [*NEVER_EQUAL, *HIDDEN, *SAME_FOR_ALL])
def test_what_says_the_same_of_every_action_is_no_rule(marked: str) -> None:
    before, _, after = marked.partition("§")
    with pytest.raises(MisspeltError) as refused:
        Cel(KINDS).compile(before + after, "bool")
    [told] = refused.value.objections
    # The engine itself points at the sign of a comparison, which stands behind its left side.
    assert told.column == len(before) + 1 or told.text.startswith("found no matching overload")
    assert told.line == 1


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("action.days != '90'", "found no matching overload for '_!=_' applied to '(int or null, string)'"),
        ("action.days in ['90', null]", "compares int with string, which are never equal"),
        ("plan.kinds.grup == 1", "plan.kinds has no 'grup'; did you mean 'group'?"),
        ("plan.verbs['grnt'] == 1", "plan.verbs has no 'grnt'; did you mean 'grant'?"),
        ("action.after", "gives string, and has to give bool"),
        ("action.days", "gives int, and has to give bool"),
    ],
)
def test_an_objection_says_what_is_wrong(expression: str, said: str) -> None:
    with pytest.raises(MisspeltError) as refused:
        Cel(KINDS).compile(expression, "bool")
    assert [each.text for each in refused.value.objections] == [said]


def test_places_are_looked_for_so_often_in_a_plan_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.core.custom.MOST_PLACED", 2)
    given = [action(id=f"{number:064}") for number in range(4)]
    asked = book("true && 1 / plan.removals == 1", "1 / plan.removals == 1 && true")
    rules = [replace(each, place=lambda at: Source(HERE.file, 7, 1 + at)) for each in asked.rules]
    for _ in range(2):
        told = list(answers(replace(asked, rules=rules), given, sums("prod", DAY, given, 2, KINDS)))
        places = [reason.partition("own.yaml:")[2] for _, _, reason in told]
        assert places == ["7:9)", "7:1)"] * 2 + ["3:13)"] * 4


@pytest.mark.parametrize("sign", ["\udcff", "\ud800"])
def test_a_name_that_is_no_text_is_refused_and_stops_nothing_else(sign: str) -> None:
    hostile = action(attribute=Attribute("acl", f"group:{sign}"))
    first, second = refusals("action.principal.startsWith('user:')", hostile, action())
    assert first.startswith("could not be judged: ")
    assert second == ""


@pytest.mark.parametrize("sign", ["\x00", "\u202e", "\n", "'", '"', "\\"])
def test_a_hostile_name_is_text_like_any_other(sign: str) -> None:
    hostile = action(attribute=Attribute("acl", f"group:{sign} || true"))
    assert refusals("action.principal.startsWith('group:')", hostile) == [""]
    assert refusals("action.principal.startsWith('user:')", hostile)[0].startswith("not like that")


def test_a_grant_without_end_has_no_days() -> None:
    endless = action(until=None)
    assert refusals("action.until == null && action.days == null", endless) == [""]
    assert refusals("action.days <= 90", endless)[0].startswith("could not be judged: ")
    assert refusals("action.until != null", endless)[0].startswith("not like that")


def test_a_loop_over_too_much_is_refused() -> None:
    many = action(before=tuple(str(number) for number in range(150)))
    loop = "action.before.all(a, action.before.all(b, a != 'x' || b != 'y'))"
    assert refusals(loop, many)[0].startswith("could not be judged: Iteration budget exceeded")
    assert refusals(loop) == [""]


def test_a_regular_expression_takes_its_time_in_proportion_only() -> None:
    """RE2 has no way back: the text that stalls other engines for hours is one more text."""
    long_name = action(attribute=Attribute("acl", "user:" + "a" * 5_000))
    assert refusals("action.principal.matches('^user:(a|aa|a*)*b$')", long_name)[0].startswith("not like")


def test_the_message_may_be_made_of_the_action() -> None:
    wording = "action.principal + ' would get ' + string(action.after)"
    assert refusals("false", wording=wording)[0].startswith("user:ana@corp.example would get READ (")


@pytest.mark.parametrize("wording", ["plan.kinds['x'] > 0 ? 'a' : 'b'", "''", "action.before[0]"])
def test_a_message_that_cannot_be_made_is_replaced_by_the_plain_one(wording: str) -> None:
    assert refusals("false", wording=wording)[0].startswith("not like that (")


def test_a_plan_is_counted_as_a_whole() -> None:
    mine = [action(id=f"{number:064}") for number in range(3)]
    other = action(id="b" * 64, tenant="fraud", verb=Verb.REVOKE, before=("READ",), after=None)
    of_group = action(
        id="c" * 64, address=address("group"), attribute=Attribute("member", "user:bo@x.example")
    )
    actions = [*mine, other, of_group]
    assert (
        refusals("plan.actions == 5 && plan.removals == 1 && plan.verbs['grant'] == 4", *actions) == [""] * 5
    )
    counts = [facts(each, sums("prod", DAY, actions, 0, KINDS)) for each in actions]
    assert [each["tenant.actions"] for each in counts] == [4, 4, 4, 1, 4]
    assert [each["tenant.removals"] for each in counts] == [0, 0, 0, 1, 0]
    assert [each["principal.actions"] for each in counts] == [4, 4, 4, 4, 1]
    assert [each["principal.removals"] for each in counts] == [1, 1, 1, 1, 0]
    assert counts[0]["plan.removals_by_kind"] == {**dict.fromkeys(KINDS, 0), "secret-scope": 1}


def test_refused_actions_come_together_by_rule_tenant_and_reason() -> None:
    actions = [action(id=f"{number:064}") for number in range(3)] + [action(id="f" * 64, tenant="fraud")]
    found = list(custom(book("false", "true"), actions, sums("prod", DAY, actions, 0, ())))
    assert [(each.rule, each.tenant, len(each.actions)) for each in found] == [
        ("rule-1", "pricing", 3),
        ("rule-1", "fraud", 1),
    ]
    assert found[0].overridable
    assert found[0].text == (
        "grant user:ana@corp.example on databricks/here/secret-scope/pricing, and 2 more like it: "
        "not like that (policies/guardrails/own.yaml:3:13)"
    )


def test_rules_of_the_platform_are_asked_with_all_others() -> None:
    actions = (action(),)
    docket = Docket(actions=actions, live=Live(), rules=Rules(), held={}, environment="prod", as_of=DAY)
    assert judge(docket) == ()
    asked = replace(docket, rules=Rules(custom=book("plan.environment != 'prod'")))
    [violation] = judge(asked)
    assert (violation.rule, violation.actions) == ("rule-1", ("a" * 64,))


def test_what_an_engine_does_not_answer_is_refused() -> None:
    def silent(bound: object) -> object:
        raise Unanswered("asleep")

    for answer, said in (
        (1, "the answer is int"),
        ("true", "the answer is str"),
        (None, "the answer is NoneType"),
    ):
        rule = CustomRule(name="r", source=HERE, message="no", expression=lambda bound, given=answer: given)
        [violation] = custom(RuleBook(rules=[rule], bind=dict), [action()], sums("p", DAY, [action()], 0, ()))
        assert said in violation.text
    rule = CustomRule(name="r", source=HERE, message="no", expression=silent)
    [violation] = custom(RuleBook(rules=[rule], bind=dict), [action()], sums("p", DAY, [action()], 0, ()))
    assert "could not be judged: asleep" in violation.text


def test_what_there_is_no_time_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.core.custom.MOST_ANSWERS", 6)
    actions = [action(id=f"{number:064}") for number in range(5)]
    found = list(custom(book("true", "true"), actions, sums("prod", DAY, actions, 0, ())))
    assert [(each.rule, len(each.actions)) for each in found] == [("rule-1", 2), ("rule-2", 2)]
    assert "not asked: over 6 answers in one plan" in found[0].text
