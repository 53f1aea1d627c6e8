"""Action ids: equal to the canonical JSON byte for byte, and different for every difference that matters."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.consent import action_id, canonical
from reconciler.core.model import Address, Attribute, Verb

TEXT = st.text(max_size=20)
BASE: dict[str, Any] = {
    "environment": "prod",
    "verb": Verb.GRANT,
    "address": Address("databricks", "ml-prod", "secret-scope", "pricing"),
    "attribute": Attribute("acl", "group:pricing-ds"),
    "before": (None,),
    "after": "READ",
    "until": None,
    "object_ids": {"group:pricing-ds": "1"},
}


@given(
    TEXT,
    st.sampled_from(Verb),
    st.builds(Address, TEXT, TEXT, TEXT, TEXT),
    st.builds(Attribute, TEXT, TEXT),
    st.lists(st.none() | TEXT, max_size=3),
    st.none() | TEXT,
    st.none() | st.dates(),
    st.dictionaries(TEXT, TEXT, max_size=3),
)
def test_the_text_put_together_by_hand_is_canonical_json(
    environment: str,
    verb: Verb,
    address: Address,
    attribute: Attribute,
    before: list[str | None],
    after: str | None,
    until: date | None,
    ids: dict[str, str],
) -> None:
    payload = {
        "environment": environment,
        "verb": verb.value,
        "address": str(address),
        "attribute": list(attribute),
        "before": before,
        "after": after,
        "until": until.isoformat() if until else None,
        "object_ids": ids,
    }
    expected = hashlib.sha256(canonical(payload).encode()).hexdigest()
    assert action_id(environment, verb, address, attribute, tuple(before), after, until, ids) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"environment": "dev"},
        {"verb": Verb.RAISE},
        {"address": Address("databricks", "ml-prod", "secret-scope", "fraud")},
        {"attribute": Attribute("acl", "group:other")},
        {"before": ("READ",)},
        {"after": "WRITE"},
        {"until": date(2027, 1, 31)},
        {"object_ids": {"group:pricing-ds": "2"}},
    ],
)
def test_every_part_of_a_transition_is_consented_to(change: dict[str, Any]) -> None:
    assert action_id(**{**BASE, **change}) != action_id(**BASE)
