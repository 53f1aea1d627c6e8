"""Every recording of the storage service, replayed: the emulator answers as the real service did."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.emulator.lake import access_control, continuation, errors
from reconciler.emulator.lake.call import Call
from reconciler.emulator.wire import Response
from tests.recordings.adls.replay import replay

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("RECONCILER_RECORDINGS", ROOT / ".." / "shared" / "recordings")) / "adls"
FILES = sorted(path for kind in ("yaml", "json") for path in FOLDER.resolve().rglob(f"*.{kind}"))

DIVERGENCES: dict[str, str] = {}
"""What the emulator is known to answer otherwise: part of a difference's text, and why it stays.

Differences of age are not here: `comparison.LATER` lists what the service began to say on some day.
"""


@pytest.mark.skipif(not FILES, reason=f"no recordings in {FOLDER}; set RECONCILER_RECORDINGS to their folder")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recording_is_answered_as_it_was(path: Path) -> None:
    """Status, headers and body agree, and ETags, tokens and times behave alike."""
    found = [line for line in replay(path) if not any(known in line for known in DIVERGENCES)]
    assert found == []


@pytest.mark.skipif(not FILES, reason=f"no recordings in {FOLDER}")
def test_every_listed_divergence_still_shows() -> None:
    """The list cannot rot: what it excuses is there to be seen."""
    lines = [line for path in FILES for line in replay(path)] if DIVERGENCES else []
    assert [known for known in DIVERGENCES if not any(known in line for line in lines)] == []


def _changes_etag(original: Callable[[Call], Response]) -> Callable[[Call], Response]:
    def put(call: Call) -> Response:
        response = original(call)
        kept = [(name, value) for name, value in response.headers if name != "ETag"]
        return Response(response.status, [*kept, ("ETag", '"0x8DA5E576AA2513D"')], response.body)

    return put


def _differences() -> list[str]:
    return [line for path in FILES for line in replay(path)]


@pytest.mark.skipif(not FILES, reason=f"no recordings in {FOLDER}")
def test_a_planted_change_of_etags_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write of an access list that moves the ETag does not pass."""
    monkeypatch.setattr("reconciler.emulator.lake.dfs.access_control.put", _changes_etag(access_control.put))
    assert any("ETag changed" in line for line in _differences())


@pytest.mark.skipif(not FILES, reason=f"no recordings in {FOLDER}")
def test_a_planted_wrong_page_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A continuation that skips or repeats a path does not pass."""
    decode = continuation.decode
    monkeypatch.setattr(continuation, "decode", lambda token, name: [*decode(token, name)[:-1], "zzz"])
    assert any("body" in line for line in _differences())


@pytest.mark.skipif(not FILES, reason=f"no recordings in {FOLDER}")
def test_a_planted_wrong_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error document without its byte order mark, or in other words, does not pass."""
    monkeypatch.setattr(errors, "BOM", "")
    monkeypatch.setitem(errors.CODES, "PathAlreadyExists", (409, "It is there."))
    lines = _differences()
    assert any("byte order mark" in line for line in lines)
    assert any("It is there." in line for line in lines)
