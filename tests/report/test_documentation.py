"""The reference of plans says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.core.model import Verb
from reconciler.core.planfile import FORMAT, to_document
from reconciler.report.fitting import LIMIT
from reconciler.report.markdown import ACCEPTED, BLOCKED, STOPPED, TOLD, UNREAD, WAITING, WRONG
from reconciler.report.verdict import DRIFT, ERROR, IN_STEP, REFUSED, UNKNOWN
from reconciler.report.words import SYMBOLS
from tests.report.plans import quiet


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "docs" / "reference" / "plan.md").read_text("utf-8")


@pytest.mark.parametrize("verb", Verb)
def test_every_verb_has_its_row(verb: Verb, text: str) -> None:
    assert re.search(
        rf"^\| `{re.escape(SYMBOLS[verb])}` \| {verb.value} \|", text, re.MULTILINE | re.IGNORECASE
    )


def test_every_field_of_the_format_has_its_row(text: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", text.split("## The JSON format")[1], re.MULTILINE)
    assert rows == list(to_document(quiet()))
    assert FORMAT in text


def test_every_exit_code_has_its_row(text: str) -> None:
    codes = re.findall(r"^\| (\d) \|", text, re.MULTILINE)
    assert sorted(map(int, codes)) == sorted([IN_STEP, ERROR, DRIFT, REFUSED, UNKNOWN])


def test_every_section_is_explained(text: str) -> None:
    for heading in (STOPPED, BLOCKED, WAITING, UNREAD, ACCEPTED, TOLD, WRONG):
        assert f"**{re.split('[:,]', heading)[0]}**" in text
    assert f"{LIMIT:,} characters" in text
