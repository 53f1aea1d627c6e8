"""Every recording of the storage service, replayed: the emulator answers as the real service did."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.emulator.lake import access_control, continuation, errors
from reconciler.emulator.lake.call import Call
from reconciler.emulator.wire import Response
from tests.recordings.adls.replay import replay

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("RECONCILER_RECORDINGS", ROOT / ".." / "shared" / "recordings")) / "adls"
FILES = sorted(path for kind in ("yaml", "json") for path in FOLDER.resolve().rglob(f"*.{kind}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Something that the emulator is known to answer otherwise than recorded, and why it stays so."""

    files: str
    """Pattern of the names of recordings that show it."""
    text: str
    """A part of the difference's line."""
    reason: str


DIVERGENCES = (
    Divergence(
        files="test_quick_query*",
        text="comp=query",
        reason="SQL over the content of a file shows and changes nobody's access, so it is not emulated",
    ),
)
"""Differences of age are not here: `comparison.LATER` says what the service began to say on some day."""

absent = pytest.mark.skipif(
    not FILES, reason=f"no recordings in {FOLDER}; set RECONCILER_RECORDINGS to their folder"
)


def _excused(path: Path, line: str) -> bool:
    return any(path.match(known.files) and known.text in line for known in DIVERGENCES)


@absent
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recording_is_answered_as_it_was(path: Path) -> None:
    """Status, headers and body agree, and ETags, tokens and times behave alike."""
    assert [line for line in replay(path) if not _excused(path, line)] == []


@absent
def test_a_listed_divergence_still_shows() -> None:
    """The list cannot rot: where there are recordings of it, what it excuses is there to be seen."""
    hidden = [
        f"{path.name}: {known.text}"
        for known in DIVERGENCES
        for path in FILES
        if path.match(known.files) and not any(known.text in line for line in replay(path))
    ]
    assert hidden == []


def _changes_etag(original: Callable[[Call], Response]) -> Callable[[Call], Response]:
    def put(call: Call) -> Response:
        response = original(call)
        kept = [(name, value) for name, value in response.headers if name != "ETag"]
        return Response(response.status, [*kept, ("ETag", '"0x8DA5E576AA2513D"')], response.body)

    return put


def _differences() -> list[str]:
    return [line for path in FILES for line in replay(path)]


@absent
def test_a_planted_change_of_etags_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write of an access list that moves the ETag does not pass."""
    monkeypatch.setattr("reconciler.emulator.lake.dfs.access_control.put", _changes_etag(access_control.put))
    assert any("ETag changed" in line for line in _differences())


@absent
def test_a_planted_wrong_page_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A continuation that skips or repeats a path does not pass."""
    decode = continuation.decode
    monkeypatch.setattr(continuation, "decode", lambda token, name: [*decode(token, name)[:-1], "zzz"])
    assert any("body" in line for line in _differences())


@absent
def test_a_planted_wrong_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error document without its byte order mark, or in other words, does not pass."""
    monkeypatch.setattr(errors, "BOM", "")
    monkeypatch.setitem(errors.CODES, "PathAlreadyExists", (409, "It is there."))
    lines = _differences()
    assert any("byte order mark" in line for line in lines)
    assert any("It is there." in line for line in lines)
