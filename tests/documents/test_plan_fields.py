"""What a guide shows of the plan's JSON is there: whoever copies its policy has one that bites."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.architecture.source import ROOT
from tests.documents.pages import DOCS, blocks

SCHEMA: Any = json.loads((ROOT / "schemas/plan.v1.json").read_text("utf-8"))
FIELD = re.compile(r"\b(input|action)\.(\w+)")


def fields() -> dict[str, set[str]]:
    """The names of a plan's fields, and of an action's."""
    return {"input": set(SCHEMA["properties"]), "action": set(SCHEMA["$defs"]["action"]["properties"])}


def unknown(text: str) -> Iterator[str]:
    """Fields that a policy asks for and no plan has."""
    for what, name in FIELD.findall(text):
        if name not in fields()[what]:
            yield f"{what}.{name}"


def test_policies_in_rego_ask_for_what_plans_have() -> None:
    shown = [each for each in blocks(*DOCS.rglob("*.md")) if each.language == "rego"]
    assert shown
    assert [name for each in shown for name in unknown(each.text)] == []
    assert all(FIELD.search(each.text) for each in shown)


def test_a_field_that_is_not_there_is_caught() -> None:
    assert list(unknown("some action in input.acts; action.whom == 1")) == ["input.acts", "action.whom"]


def test_the_fields_that_such_policies_need_keep_their_names() -> None:
    """Adding is free; taking one of these away, or calling it something else, is another format."""
    needed = {
        "input": {"format", "environment", "revision", "as_of", "actions", "gaps", "violations", "digest"},
        "action": {
            "id", "verb", "address", "role", "principal", "before", "after", "until", "tenant", "cause",
            "source", "because", "needs",
        },
    }  # fmt: skip
    assert {what: names - fields()[what] for what, names in needed.items()} == {
        "input": set(),
        "action": set(),
    }
