"""The published schema is fresh, describes everything, and says what the reader of plan files says."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from reconciler.core.consent import fingerprint
from reconciler.core.errors import BadPlanFile
from reconciler.core.plan import Plan
from reconciler.core.planfile import FORMAT, from_document, identity_of, to_document
from reconciler.report.schema import FILE, plan_schema
from tests.report.plans import plans, quiet, rich

SCHEMA = json.loads(plan_schema()[FILE])
JUDGE = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


def test_the_published_schema_is_fresh(root: Path) -> None:
    assert (root / "schemas" / FILE).read_text("utf-8") == plan_schema()[FILE], "run `make schemas`"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("plan", [rich(), quiet()], ids=["everything", "nothing"])
def test_real_plans_fit(plan: Plan) -> None:
    JUDGE.validate(to_document(plan))


def test_the_rich_plan_has_every_optional_part() -> None:
    document = to_document(rich())
    action = {
        key for each in document["actions"] for key, value in each.items() if value not in ("", None, [])
    }
    assert action >= {"until", "because", "needs", "evidence", "after", "principal"}
    assert all(value for key, value in document.items())
    assert {each["stage"] for each in document["blocked"]} == {"blocked", "next"}
    assert {bool(each["accepted"]) for each in document["gaps"]} == {True, False}


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            yield node
        for value in node.values():
            yield from objects(value)


def test_everything_is_described_with_examples_that_fit() -> None:
    for each in objects(SCHEMA):
        assert each["description"]
        for name, field in each["properties"].items():
            assert "description" in field or "$ref" in field, name
    for name, definition in SCHEMA["$defs"].items():
        assert definition.get("description"), name
        for example in definition.get("examples", ()):
            Draft202012Validator({**definition, "$defs": SCHEMA["$defs"]}).validate(example)


def resealed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the ids and the digest that its content comes to, as a forger would make them."""
    for each in document.get("actions", ()) if isinstance(document.get("actions"), list) else ():
        try:
            lone = {
                **document,
                "actions": [each],
                "violations": [],
                "blocked": [],
                "findings": [],
                "gaps": [],
            }
            lone["digest"] = fingerprint({key: value for key, value in lone.items() if key != "digest"})
            from_document(lone)
        except BadPlanFile as error:
            if "not what its id says" in str(error):
                each["id"] = _ident(each, document)
    content = {key: value for key, value in document.items() if key != "digest"}
    return {**content, "digest": fingerprint(content)}


def _ident(each: dict[str, Any], document: dict[str, Any]) -> str:
    from reconciler.core import planfile

    return identity_of(planfile.read_action(document["environment"], each))


def accepted(document: Any) -> bool:
    try:
        from_document(document)
    except BadPlanFile:
        return False
    return True


JUNK = st.sampled_from(
    [None, True, False, 0, -1, 1, 7, "", "x", [], ["x"], [None], [1], {}, {"x": "y"}, {"x": 1}, "2027-02-29",
     "2027-01-31", "20270131", "a/b/c/d", "a/b/c", "a//c/d", "grant", "blocked", "working tree", FORMAT]
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something of a document can be spoilt."""
    if path:
        yield path
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        yield from places(value, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """A plan's document with one thing replaced, removed or added, and sealed again."""
    document: dict[str, Any] = copy.deepcopy(
        draw(st.sampled_from([to_document(rich()), to_document(quiet())]))
    )
    path = draw(st.sampled_from([each for each in places(document) if each[0] not in ("digest", "format")]))
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            parent[path[-1]] = draw(JUNK)
        case "remove":
            del parent[path[-1]]
        case _ if isinstance(parent, dict):
            parent["surprise"] = draw(JUNK)
        case _:
            parent.append(draw(JUNK))
    return resealed(document)


@given(spoilt())
def test_the_schema_and_the_reader_agree_on_spoilt_plans(document: dict[str, Any]) -> None:
    fits = not list(JUDGE.iter_errors(document))
    assert accepted(document) == fits, [error.message for error in JUDGE.iter_errors(document)]


@given(plans())
def test_the_schema_and_the_reader_agree_on_any_plan(plan: Plan) -> None:
    document = to_document(plan)
    JUDGE.validate(document)
    assert from_document(document) == plan


@pytest.mark.parametrize("key", sorted(to_document(quiet())))
def test_nothing_may_be_missing(key: str) -> None:
    document = to_document(rich())
    del document[key]
    if key != "digest":
        document = resealed(document)
    assert not accepted(document)
    assert list(JUDGE.iter_errors(document))
