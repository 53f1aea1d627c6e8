"""A path that is plainly in step has no action, and a path that has one is never plainly in step.

Who judges here is the comparison that makes the plan, one path at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.desired import Frame
from reconciler.core.diff import diff
from reconciler.core.environment import EntraSettings, Environment, LakeSettings
from reconciler.core.model import Identity, Live, Presence, Wanted
from reconciler.core.plan import Action
from reconciler.core.vocabulary import Context
from reconciler.providers.adls import VOCABULARY
from reconciler.providers.adls.acl import OTHER, Entry
from reconciler.providers.adls.canonical import NOWHERE, Canon, Judged
from reconciler.providers.adls.expectation import Expectation, Verdict, expect, from_document, to_document
from reconciler.providers.adls.ground import Key, Tally, tract
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.reporting import lens_of
from tests.providers.adls.lake import ACCOUNT, TODAY, folder

IDS = {
    "group:pricing-ds": "00000000-0000-4000-8000-0000000000d5",
    "group:pricing-eng": "00000000-0000-4000-8000-0000000000e5",
    "user:ana@corp.example": "00000000-0000-4000-8000-00000000000a",
    "group:sales": "00000000-0000-4000-8000-00000000005a",
}
PEOPLE = {
    name: Identity(principal=name, presence=Presence.KNOWN, object_id=oid) for name, oid in IDS.items()
} | {"group:nobody": Identity(principal="group:nobody", presence=Presence.UNKNOWN, reason="not there")}
NAMES = {Entry(name.partition(":")[0], oid): name for name, oid in IDS.items()} | {OTHER: "other"}
ENVIRONMENT = Environment(
    name="test",
    entra=EntraSettings(name="corp", tenant_id="0"),
    lakes={ACCOUNT: LakeSettings(name=ACCOUNT, dfs="https://x", blob="https://y")},
)
RIGHTS = ("---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx")
BARE = "user::rwx,group::r-x,other::---"
DS, ENG = (f"group:{IDS[f'group:{name}']}" for name in ("pricing-ds", "pricing-eng"))
GOOD = f"user::rwx,group::r-x,{DS}:r-x,mask::r-x,other::---"
INHERITED = ",".join(f"default:{entry}" for entry in GOOD.split(","))
SHUFFLED = f"other::---,mask::rwx,{DS.replace('d5', 'D5')}:r-x,group::---,user::rwx"


def wanted(**keys: Any) -> Wanted:
    """What a document of the folder comes to, with a deeper folder that is reached through `pricing/a`."""
    documents = [
        folder(**keys),
        folder("curated/pricing/a/deep", tenant="sales", grants={"group:sales": "read"}),
    ]
    compiled = VOCABULARY.compile(documents, Context(environment=ENVIRONMENT, as_of=TODAY))
    assert not compiled.problems
    (want,) = [each for each in compiled.wanted if str(each.address).endswith("/folder/curated/pricing")]
    return want


def judged(want: Wanted, acl: str, directory: bool, path: str, group: str) -> tuple[list[Action], Judged]:
    """What a plan comes to in which the folder has this one path."""
    here = tract(want)
    tally = Tally(here.spots)
    tally.note(Listed(path, acl, directory, group), acl)
    canon = Canon(lens_of(here), tally, lambda entry: NAMES.get(entry, f"id:{entry.who}"))
    result = canon.judge()
    kinds = {kind.name: kind for kind in VOCABULARY.kinds}
    live = Live(found={want.address: result.found})
    drift = diff([want], live, Frame(environment="test", kinds=kinds, identities=PEOPLE))
    [key] = tally.counts
    # What has no place on this path, such as a default entry on a file, is not missing because of it.
    placed = [
        action
        for action in drift.actions
        if canon.lens.value(key, action.attribute, canon.entries.get(action.attribute, [])) != NOWHERE
    ]
    return placed, result


def scope(draw: st.DrawFn, prefix: str = "") -> str:
    named = draw(st.dictionaries(st.sampled_from(sorted(IDS)), st.sampled_from(RIGHTS), max_size=3))
    parts = [f"user::{draw(st.sampled_from(RIGHTS))}", f"group::{draw(st.sampled_from(RIGHTS))}"]
    parts += [f"{name.partition(':')[0]}:{IDS[name]}:{bits}" for name, bits in named.items()]
    if named:
        parts.append(f"mask::{draw(st.sampled_from(RIGHTS))}")
    parts.append(f"other::{draw(st.sampled_from(['---', '---', '--x', 'r-x']))}")
    return ",".join(prefix + part for part in parts)


@st.composite
def lists(draw: st.DrawFn, directory: bool) -> str:
    text = scope(draw)
    return f"{text},{scope(draw, 'default:')}" if directory and draw(st.booleans()) else text


documents = st.fixed_dictionaries(
    {
        "grants": st.dictionaries(
            st.sampled_from([*sorted(IDS)[:3], "group:nobody"]),
            st.sampled_from(["read", "write", "list", {"can": "read", "until": "2026-01-01"}]),
            max_size=3,
        ),
        "unlisted": st.sampled_from(["revoke", "keep"]),
        "enforce_file_masks": st.booleans(),
        "adopted": st.booleans(),
        "state": st.sampled_from(["active", "active", "retired"]),
    }
)


@given(st.data(), documents)
def test_a_verdict_agrees_with_the_plan(data: st.DataObject, keys: Mapping[str, Any]) -> None:
    want = wanted(**keys)
    directory = data.draw(st.booleans(), label="directory")
    acl = data.draw(lists(directory), label="acl")
    places = ["pricing", "pricing/a", "pricing/a/b"] if directory else ["pricing/f"]
    path = data.draw(st.sampled_from(places), label="path")
    group = data.draw(st.sampled_from(["", "$superuser", IDS["group:sales"]]), label="group")
    here = tract(want)
    actions, result = judged(want, acl, directory, path, group)
    verdict = expect(here, PEOPLE).verdict(Key(acl, directory, path if path in here.spots else "", group))
    if actions:
        assert verdict is Verdict.DRIFT
    if result.narrowed.counts or result.owning:
        assert verdict is not Verdict.PLAIN
    if verdict is Verdict.PLAIN:
        assert not actions


@given(documents)
def test_an_expectation_survives_the_journey(keys: Mapping[str, Any]) -> None:
    before = expect(tract(wanted(**keys)), PEOPLE)
    after = from_document(json.loads(json.dumps(to_document(before))))
    assert after.shape == before.shape
    assert after.tract.spots == before.tract.spots
    for acl in (BARE, f"user::rwx,group::r-x,{DS}:r-x,mask::r-x,other::---"):
        for spot in ("", "pricing", "pricing/a"):
            assert after.verdict(Key(acl, True, spot)) is before.verdict(Key(acl, True, spot))


def reader() -> Expectation:
    return expect(tract(wanted(grants={"group:pricing-ds": "read"})), PEOPLE)


@pytest.mark.parametrize(
    ("acl", "directory", "verdict"),
    [
        (GOOD, False, Verdict.PLAIN),
        (SHUFFLED, False, Verdict.PLAIN),
        (f"user::rwx,group::r-x,{DS}:r--,mask::r--,other::---", False, Verdict.PLAIN),
        (f"user::rwx,group::r-x,{DS}:r-x,mask::--x,other::---", False, Verdict.NOTED),
        (f"user::rwx,group::r-x,{DS}:rwx,mask::r-x,other::---", False, Verdict.PLAIN),
        (f"user::rwx,group::r-x,{DS}:rwx,mask::rwx,other::---", False, Verdict.DRIFT),
        (f"user::rwx,group::r-x,{DS}:r-x,{ENG}:r-x,mask::r-x,other::---", False, Verdict.DRIFT),
        (BARE, False, Verdict.DRIFT),
        (GOOD, True, Verdict.DRIFT),
        (f"{GOOD},{INHERITED}", True, Verdict.PLAIN),
        ("user::rwx,group::r-x", False, Verdict.UNREADABLE),
        ("", False, Verdict.UNREADABLE),
    ],
    ids=[
        "as wanted", "other order and letters", "no execute on a file", "masked on a file",
        "spelt wider than its mask", "wider", "somebody unlisted", "nothing", "no default", "with default",
        "cut short", "empty",
    ],
)  # fmt: skip
def test_verdicts(acl: str, directory: bool, verdict: Verdict) -> None:
    assert reader().verdict(Key(acl, directory, "")) is verdict


def test_a_right_of_the_owning_group_is_noted() -> None:
    assert reader().verdict(Key(GOOD, False, "", "$superuser")) is Verdict.PLAIN
    assert reader().verdict(Key(GOOD, False, "", IDS["group:sales"])) is Verdict.NOTED
