"""What `approve` writes loads as consent to exactly those actions, whatever live state is called."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.consent import action_id
from reconciler.core.model import Address, Attribute, Source, Verb
from reconciler.core.plan import Action, Cause
from reconciler.policy.consent import render
from reconciler.policy.load import load
from tests.policy.small import VOCABULARIES, estate, said
from tests.policy.test_fuzz import Planted

PATH = "tenants.d/red/approvals/one.yaml"


def action(name: str, before: tuple[str | None, ...], after: str | None, until: date | None) -> Action:
    address = Address("adls", "lake", "folder", f"curated/{name}")
    attribute = Attribute("access", f"group:{name}")
    ids = {f"group:{name}": "00000000-0000-4000-8000-000000000001", str(address): "x"}
    verb = Verb.SET
    return Action(
        id=action_id("local", verb, address, attribute, before, after, until, ids),
        environment="local", verb=verb, address=address, attribute=attribute, before=before, after=after,
        until=until, object_ids=ids, tenant="red", cause=Cause.UNLISTED, source=Source("x", 1),
    )  # fmt: skip


ODD = [
    "null", "~", "5", "true", "no", "<<", "a: b", "x # y", "p\u0430y", "a\u200bb", "a\u202eb", "e\u0301",
    "08", "2027-01-31", "-", "---", "&a", "*a", "!x", "%", "@", "|", "'", '"', "a\nb", " a ", "\ufeff",
]  # fmt: skip
NAMES = st.sampled_from(ODD) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12
)
REASONS = NAMES.filter(lambda text: any(map(str.isalnum, text)))
"""A blank one is refused, and `approve` says so."""
VALUES = st.none() | st.sampled_from(["rwx", "r-x", "---", "--x", "READ", "present", "null"])
ACTIONS = st.builds(
    action,
    NAMES,
    st.lists(VALUES, min_size=1, max_size=3).map(tuple),
    VALUES,
    st.none() | st.just(date(2027, 1, 31)),
)


@given(st.lists(ACTIONS, min_size=1, max_size=4), REASONS)
def test_what_is_written_is_consent_to_exactly_that(actions: list[Action], because: str) -> None:
    text = render(actions, "local", because, date(2027, 1, 31), {"removals": because})
    policies = load(Planted(PATH, text.encode()), VOCABULARIES)
    assert policies.problems == ()
    (file,) = policies.approvals
    assert [consent.action_id("local") for consent in file.consents] == [each.id for each in actions]
    assert file.because == because
    assert file.overrides == {"removals": because}


def test_a_name_that_looks_like_another_is_shown_in_escapes(tmp_path: Path) -> None:
    text = render([action("p\u0430y", ("r-x",), None, None)], "local", "gone", date(2027, 1, 31), {})
    assert "p\\u0430y" in text
    assert text.isascii()
    assert said(estate(tmp_path, {PATH: text})) == []
    honest = render([action("Équipe", ("r-x",), None, None)], "local", "gone", date(2027, 1, 31), {})
    assert "group:Équipe" in honest


def test_raw_invisible_characters_are_refused_even_there(tmp_path: Path) -> None:
    text = render([action("a", ("r-x",), None, None)], "local", "x", date(2027, 1, 31), {})
    (told,) = said(estate(tmp_path, {PATH: text.replace("group:a", "group:a\u200b", 1)}))
    assert "ZERO WIDTH SPACE" in told
