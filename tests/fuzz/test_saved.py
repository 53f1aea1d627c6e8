"""Files that lie about between two runs: plans, journals, checkpoints, judged inventories, edited by hand.

Each is either what was saved or an error of its own kind: nothing is bent, dropped or guessed.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from reconciler.cli_show import read_plan
from reconciler.core.consent import fingerprint
from reconciler.core.course import Course, Mark
from reconciler.core.errors import BadPlanFile, ReconcilerError, StoreError
from reconciler.core.model import Address
from reconciler.core.plan import Consented, Outcome, Status
from reconciler.core.planfile import from_document, identity_of, to_document
from reconciler.providers.adls.ground import Tally
from reconciler.providers.adls.inventory.results import GROUND, SUMMARY, load
from reconciler.providers.adls.sweeping.catch import Catch
from reconciler.providers.adls.sweeping.resuming import Keeping, question_of
from reconciler.providers.adls.sweeping.saving import LeftState, unpack_catch
from reconciler.providers.contract import Checkpoint
from reconciler.store.journal import Journal, read
from tests.fuzz.shapes import at, damaged, deep, edited, places, spelt, values
from tests.providers.adls.direct import tract
from tests.providers.adls.inventory.rows import expectations, on
from tests.report.plans import rich

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLAN = json.loads(json.dumps(to_document(rich())))


def sealed(document: Any) -> Any:
    """The document with the digest that it comes to, as somebody would write it who knows how."""
    content = {key: value for key, value in document.items() if key != "digest"}
    return {**content, "digest": fingerprint(content)}


def check_plan(document: Any) -> None:
    try:
        plan = from_document(document)
    except BadPlanFile as error:
        assert str(error)
        return
    assert to_document(plan) == document
    assert all(action.id == identity_of(action) for action in plan.actions)
    assert len({action.id for action in plan.actions}) == len(plan.actions)


@given(edited(PLAN))
def test_edited_plans(document: Any) -> None:
    """Every edit is noticed: by the digest, or by what the digest was made anew over."""
    assume(spelt(document) != spelt(PLAN))
    try:
        from_document(document)
    except BadPlanFile:
        pass
    else:
        raise AssertionError("an edited plan was taken")
    check_plan(sealed(document))


SMALL = {**PLAN, "actions": PLAN["actions"][:1]} | {
    key: PLAN[key][:1] for key in ("blocked", "gaps", "findings", "violations", "readings")
}  # fmt: skip
INSTEAD: tuple[Any, ...] = (
    None, True, 0, -1, 10**40, 0.5, float("nan"), float("inf"), "", "\x1b[31m", "\ud800", "::error::x",
    [], {}, [None], {"a": 1},
)  # fmt: skip


def _put(value: Any, holder: Any, key: Any) -> None:
    holder[key] = value


@pytest.mark.parametrize("path", [path for path in places(SMALL) if path], ids=str)
def test_every_field_of_a_plan_edited(path: tuple[Any, ...]) -> None:
    """Each with each of these instead, dropped, doubled, with a stranger beside it; and a digest to match."""

    def with_it(change: Callable[[Any, Any], object]) -> Any:
        document = copy.deepcopy(SMALL)
        change(at(document, path[:-1]), path[-1])
        return sealed(document)

    for other in INSTEAD:
        check_plan(with_it(partial(_put, other)))
    check_plan(with_it(lambda holder, key: holder.__delitem__(key)))
    if isinstance(at(SMALL, path[:-1]), list):
        check_plan(with_it(lambda holder, key: holder.append(holder[key])))
    else:
        stranger = with_it(lambda holder, key: holder.__setitem__("stranger", 1))
        with pytest.raises(BadPlanFile):
            from_document(stranger)


@given(values)
def test_any_json_as_a_plan(document: Any) -> None:
    check_plan(document)
    if isinstance(document, dict):
        check_plan(sealed({**PLAN, **document}))


PLAN_BYTES = json.dumps({**PLAN, "actions": PLAN["actions"][:2]}).encode()


@given(damaged(PLAN_BYTES) | st.binary(max_size=60))
@example(deep("[", 100_000).encode())
@example(deep('{"a":', 100_000).encode())
@example(b'{"format": "reconciler/plan/v1", "digest": "\\ud800"}')
@example(b'{"format": NaN}')
@example(b"9" * 5_000)
def test_plan_files(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        path.write_bytes(data)
        try:
            read_plan(path)
        except BadPlanFile as error:
            assert "plan.json" in str(error)


class Lines:
    """A store of one journal."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def append(self, name: str, lines: Sequence[str]) -> None:
        self.kept += lines

    def lines(self, name: str) -> list[str]:
        return self.kept

    def names(self) -> list[str]:
        return ["journal/run-1.jsonl"]

    def check(self) -> None:
        pass

    @contextmanager
    def lock(self, holder: str) -> Iterator[None]:
        yield


def journal() -> list[str]:
    """Two actions announced, a long write on its way, one action settled."""
    store, (first, second, *_) = Lines(), rich().actions
    to = Journal(store, "journal/run-1.jsonl", "run-1", "prod")
    consent = Consented(approval="approval-1", file="a.yaml", approvers=("lea@corp.example",))
    to.announce(NOON, [(first, True), (second, False)], {first.id: consent, second.id: consent})
    course = Course("curated/pricing", "set", "user::rwx,group::r-x,other::---")
    to.progress(
        NOON, Address("adls", "datalake", "folder", "curated/pricing"), [first.id], course, Mark("t", 7)
    )
    to.settle(NOON, [Outcome(action=first.id, status=Status.VERIFIED)])
    return store.kept


JOURNAL = journal()
ENVIRONMENT = rich().environment


def check_journal(lines: list[str]) -> None:
    store = Lines()
    store.kept = lines
    try:
        history = read(store, ENVIRONMENT)
    except StoreError as error:
        assert "journal/run-1.jsonl" in str(error)
        return
    for record in history.records:
        assert record.environment == ENVIRONMENT
        assert record.id == identity_of(record.action)
    history.spent(), history.interrupted(), history.removed_since(NOON), history.written(), history.grants()
    history.verified_since(NOON, timedelta(days=1))


@given(st.data())
def test_edited_journals(data: st.DataObject) -> None:
    lines = list(JOURNAL)
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = spelt(data.draw(edited(json.loads(lines[at]))))
    check_journal([lines[each] for each in data.draw(st.permutations(range(len(lines))))])
    check_journal([*lines, lines[at]])


@given(damaged("\n".join(JOURNAL).encode()))
@example(b"\0" * 4_096 + b"\n{}")
@example(deep("[", 100_000).encode() + b"\n{}")
def test_damaged_journals(data: bytes) -> None:
    check_journal(data.decode("utf-8", "replace").splitlines())


PLOTS = {"pricing": tract("pricing"), "pricing/deep": tract("pricing/deep")}
CATCH: dict[str, Any] = {
    "sinks": {"pricing": [[0, True, "", 1, 2, ["pricing/a", "pricing/b"]]]}, "lists": {}, "siblings": [],
    "bare": [["pricing/c", None, None, ""]], "met": ["pricing"], "owed": [], "open": [], "passed": [],
    "declared": 2, "last": "pricing/b",
}  # fmt: skip
STRETCH: dict[str, Any] = {
    "prefix": "pricing/", "start": "", "end": "", "scope": None, "next": None, "behind": "", "own": None,
    "beyond": "", "marker": "m", "pages": 1, "paths": 2, "first": "pricing/a", "low": "pricing/a",
    "last": "pricing/b", "count": 2, "met": "", "done": False, "settled": True, "catch": CATCH,
}  # fmt: skip
QUESTION = question_of(PLOTS, frozenset(), frozenset(), "https://blob/curated")
SCAN: dict[str, Any] = {
    "format": "reconciler/scan/v1",
    "question": QUESTION,
    "begun": NOON.isoformat(),
    "texts": ["user::rwx,group::r-x,other::---", "$superuser"],
    "regions": {
        "a": {"kind": "open", "pages": 1, "paths": 2, "hits": 0, "misses": 0, "cuts": 0, "catch": CATCH,
              "stretches": [STRETCH]},
        "b": {"kind": "done", "paths": 2, "catch": CATCH},
        "c": {"kind": "left", "why": "403"},
        "d": {"kind": "walk", "continuation": "t", "whole": False, "paths": 2, "catch": CATCH},
    },
}  # fmt: skip


def check_checkpoint(data: bytes) -> None:
    """What is kept is refused with a word, or fits the question in every path that it names."""
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Checkpoint(folder=Path(folder), now=lambda: NOON, kept=lambda paths: None, warn=said.append)
        kept = Keeping(checkpoint=place, name="datalake/curated", question=QUESTION)
        kept.file.write_bytes(data)
        kept.load()
        assert len(said) <= 1 and (not said or not kept._saved)
        for state in kept._saved.values():
            if isinstance(state, LeftState):
                continue
            catch = Catch(
                plots=PLOTS, ways=frozenset(), parents=frozenset(), make=lambda each: Tally(each.spots)
            )
            try:
                unpack_catch(state.catch, kept.texts, catch)
            except ValueError:
                continue
            assert set(catch.sinks) <= set(PLOTS)


@given(edited(SCAN))
def test_edited_checkpoints(document: Any) -> None:
    check_checkpoint(json.dumps(document, allow_nan=True).encode())


@given(damaged(json.dumps(SCAN).encode()) | st.binary(max_size=60))
@example(deep("[", 100_000).encode())
def test_damaged_checkpoints(data: bytes) -> None:
    check_checkpoint(data)


SUMMED: dict[str, Any] = {
    "format": "reconciler/judged/v1", "container": "curated", "engine": "local", "rows": 3, "faults": [],
    "origin": {"as_of": "run", "began": NOON.isoformat()},
}  # fmt: skip
FOLDERS = {"pricing": {}, "pricing/deep": {"grants": {"group:pricing-ds": "read"}}}
ON = json.loads(on(expectations(FOLDERS).values()).document())


def check_judged(summary: bytes, ground: bytes) -> None:
    """A folder of somebody's is whole, or no result."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, SUMMARY).write_bytes(summary)
        Path(folder, GROUND).write_bytes(ground)
        try:
            result = load(Path(folder))
            for home in range(len(result.ground.paths)):
                result.ground.expectation(home)
            list(result.ground.landmarks())
        except ReconcilerError as error:
            assert str(error)


@given(edited(SUMMED), edited(ON))
def test_edited_judged_folders(summary: Any, ground: Any) -> None:
    check_judged(spelt(SUMMED).encode(), spelt(ground).encode())
    check_judged(spelt(summary).encode(), spelt(ON).encode())


@given(damaged(spelt(SUMMED).encode()), damaged(spelt(ON).encode()))
@example(deep("[", 100_000).encode(), b"")
@example(spelt(SUMMED).encode(), deep("[", 100_000).encode())
def test_damaged_judged_folders(summary: bytes, ground: bytes) -> None:
    check_judged(spelt(SUMMED).encode(), ground)
    check_judged(summary, spelt(ON).encode())
