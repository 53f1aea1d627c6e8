"""Everything that was written down of Databricks, replayed; RECONCILER_RECORDINGS names another folder."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from reconciler.emulator.databricks.scim import patch
from reconciler.emulator.wire import Response
from tests.recordings.databricks import excerpts
from tests.recordings.databricks.divergences import DIVERGENCES, WITHOUT_REQUEST, reason_of
from tests.recordings.databricks.exchanges import Exchange, Recording, recordings
from tests.recordings.databricks.exchanges import excerpts as read_excerpts
from tests.recordings.databricks.replay import replay

pytestmark = pytest.mark.recordings


@pytest.fixture(scope="module")
def folder(recordings: Path) -> Path:
    """The recordings of this service."""
    if not (recordings / "databricks").is_dir():
        pytest.skip(f"no recordings of Databricks in {recordings}")
    return recordings / "databricks"


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, list[str]]:
    """Every recording with its differences."""
    return {each.name + "@" + each.file: replay(each) for each in recordings(folder)}


def test_every_difference_has_a_reason(found: dict[str, list[str]]) -> None:
    unexplained = [f"{name}: {each}" for name, all_ in found.items() for each in all_ if not reason_of(each)]

    assert found
    assert unexplained == []


def test_the_differences_are_exactly_those_of_the_table(found: dict[str, list[str]]) -> None:
    seen: dict[str, dict[str, list[str]]] = {reason: defaultdict(list) for reason in DIVERGENCES}
    known = {file for files in DIVERGENCES.values() for file in files}
    for name, all_ in found.items():
        test, _, file = name.rpartition("@")
        for reason in dict.fromkeys(reason_of(each) for each in all_):
            if reason and file in known:
                seen[reason][file].append(test)

    present = {name.rpartition("@")[2] for name in found}
    wanted = {
        reason: {file: tests for file, tests in files.items() if file in present}
        for reason, files in DIVERGENCES.items()
    }
    assert {reason: dict(files) for reason, files in seen.items()} == wanted


def test_only_answers_of_other_apis_have_no_request(folder: Path) -> None:
    silent: dict[str, list[str]] = defaultdict(list)
    for each in recordings(folder):
        if not each.exchanges:
            silent[each.file].append(each.name)

    assert {file: names for file, names in silent.items() if file in WITHOUT_REQUEST} == WITHOUT_REQUEST


def test_every_quoted_answer_can_be_had(folder: Path) -> None:
    quotes = read_excerpts(folder)
    if not quotes:
        pytest.skip("no excerpts from public threads")
    unprovoked = []
    for quote in quotes:
        provoke = excerpts.provocation(quote)
        if provoke is None:
            unprovoked.append(quote["api"])
            continue
        check_quote(quote, provoke(excerpts.estate()))

    assert set(unprovoked) <= set(excerpts.NOT_PROVOKED), unprovoked


def check_quote(quote: dict[str, object], response: Response) -> None:
    """The quoted status and words are in the answer."""
    text = " ".join(str(value) for value in json.loads(response.body).values()) if response.body else ""
    if "status" in quote and "exchange" not in quote:
        assert response.status == quote["status"], (quote["api"], response)
    for words in excerpts.quoted(quote):
        assert words in text, (quote["api"], words, text)


def test_replaying_notices_an_emulator_that_forgets_an_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    root = "/api/2.0/preview/scim/v2/Groups/abc"
    given = {"Operations": [{"op": "add", "path": "members", "value": [{"value": "bcd"}]}]}
    member = Recording(
        file="made-up.json",
        name="member",
        exchanges=[
            Exchange(method="PATCH", target=root, body=given, response={"id": "abc"}),
            Exchange(
                method="GET", target=f"{root}?attributes=members", response={"members": [{"value": "bcd"}]}
            ),
        ],
    )
    assert replay(member) == []

    monkeypatch.setattr(patch, "_set", lambda *arguments: None)

    assert [reason_of(each) for each in replay(member)] != []
