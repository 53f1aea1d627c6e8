"""The lock file is written by the tool, the same way each time, and hand-made changes to it are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model import Identity, Presence
from reconciler.policy.characters import misread
from reconciler.policy.lock import render, updated
from reconciler.policy.parse import parse
from reconciler.policy.tree import LOCK_FILE, File
from tests.policy.small import GUID, estate, said

A, B, C = (GUID.format(number) for number in (11, 12, 13))


@pytest.mark.parametrize(
    ("pins", "told"),
    [
        ({"user:b": A, "user:a": B}, "5:5: user:a stands behind user:b, out of order; run `reconciler pin`"),
        ({"user:A": A}, "4:5: 'user:A' is written 'user:a' here; run `reconciler pin`"),
        ({"ana": A}, "4:5: 'ana' is not a principal: write user:<UPN>, group:<name> or sp:<name>"),
        ({"user:a": "me"}, "4:5: user:a: 'me' is no object id; run `reconciler pin`"),
        ({"user:a": A.replace("b", "B")}, f"4:5: user:a: {A.replace('b', 'B')!r} is no object id; run `re"),
        ({"user:a": A, "user:b": A}, "5:5: user:b and user:a are pinned to one object; remove the line"),
    ],
)
def test_what_a_hand_did_is_told(tmp_path: Path, pins: dict[str, str], told: str) -> None:
    lines = "".join(f"    {name}: {object_id}\n" for name, object_id in pins.items())
    text = f"kind: principals-lock\ndirectories:\n  local:\n{lines}"
    (first,) = said(estate(tmp_path, {LOCK_FILE: text}))
    assert first.startswith(f"{LOCK_FILE}:{told}")


def test_a_directory_that_no_environment_has_is_told(tmp_path: Path) -> None:
    text = f"kind: principals-lock\ndirectories:\n  locl:\n    user:a: {A}\n"
    (first,) = said(estate(tmp_path, {LOCK_FILE: text}))
    assert first == f"{LOCK_FILE}:3:3: no environment has an entra.name 'locl'; did you mean 'local'?"


def identity(name: str, presence: Presence = Presence.KNOWN, object_id: str = A) -> Identity:
    return Identity(principal=name, presence=presence, object_id=object_id)


def test_pinning_keeps_what_only_a_person_may_decide() -> None:
    lock = {
        "corp": {"user:gone": A, "user:moved": B, "user:unasked": B, "user:old": A},
        "other": {"user:x": C},
    }
    fresh = updated(
        lock,
        "corp",
        [
            identity("user:new", object_id=C),
            identity("user:gone", Presence.UNKNOWN, ""),
            identity("user:moved", Presence.MOVED, C),
            identity("user:unasked", Presence.UNREADABLE, ""),
            identity("user:twin", Presence.AMBIGUOUS, ""),
            identity("group:planned", Presence.PLANNED, ""),
        ],
    )
    assert fresh == {
        "corp": {"user:new": C, "user:moved": B, "user:unasked": B},
        "other": {"user:x": C},
    }


NAMES = st.tuples(st.sampled_from(["user", "group", "sp"]), st.text(min_size=1, max_size=20)).map(
    lambda pair: f"{pair[0]}:{pair[1].strip()}".lower()
)
HONEST = NAMES.filter(lambda name: not name.endswith(":") and name.isprintable() and not misread(name))


LOCKS = st.dictionaries(
    st.sampled_from(["corp", "local"]), st.dictionaries(HONEST, st.uuids().map(str), max_size=6)
)


@given(LOCKS)
def test_what_is_written_is_read_back_whatever_the_names(lock: dict[str, dict[str, str]]) -> None:
    text = render(lock)
    parsed, problems = parse([File(LOCK_FILE, text.encode())], {}, {})
    assert problems == []
    (document,) = parsed
    assert document.model.directories == {name: pins for name, pins in lock.items() if pins}
    assert render(document.model.directories) == text
    for pins in document.model.directories.values():
        assert list(pins) == sorted(pins)


def test_a_written_lock_is_a_sound_one(tmp_path: Path) -> None:
    pins = {"user:ana@corp.example": A, "group:Data Owners": B, 'group:odd "#: name': C}
    policies = estate(tmp_path, {LOCK_FILE: render({"local": pins})})
    assert said(policies) == []
    assert policies.pins("local") == pins
