"""Whatever somebody commits: the readers of policies answer with faults at places, and say what YAML says."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.core.model import Address
from reconciler.policy.parse import parse
from reconciler.policy.tree import LOCK_FILE, File
from reconciler.policy.yaml_nodes import MAX_DEPTH, MAX_FAULTS, NULLS, read
from tests.fuzz.shapes import NASTY, damaged, texts
from tests.policy.small import APPROVAL, PLATFORM, VOCABULARIES
from tests.policy.test_fuzz import GOOD

MARKS = (
    "&a ", "*a", "!!python/object/apply:os.system ", "!<x> ", "!!binary ", "%YAML 1.1\n---\n",
    "%TAG ! x:\n---\n",
    "? ", "- ", ": ", "key: ", "\n  ", "\n", "\n---\n", "\n...\n", "[", "]", "{", "}", ",", "|\n", ">-\n",
    "<<: ", "'", '"', "#", "~", "null", "yes", "1_000", "0x1F", "2027-01-31", "\\x1b", '"\\u202e"', "\t",
)  # fmt: skip
"""What YAML makes something of."""

pieces = st.sampled_from(MARKS) | st.sampled_from(["a", "kind", "who", "b: c"]) | texts
yamls = st.lists(pieces, max_size=14).map("".join)


@given(yamls)
@example("a: &x [b]\nc: *x\n")
@example("a: b\na: c\n")
@example("[" * 5_000)
@example("? [a]\n: b\n")
@example("a: !!int 5\n")
@example("a: 'x\u2028y'\n")
@example('a: "\\ud800"\n')
def test_yaml_is_read_as_yaml_is_or_refused(text: str) -> None:
    """Nothing raises; and what is taken without a fault is what the C library composes of it, as text."""
    # A file is decoded before it is read, so that no lone surrogate gets here.
    text = text.encode("utf-8", "replace").decode()
    documents, faults = read(text)
    assert len(faults) <= MAX_FAULTS + 1
    for fault in faults:
        assert fault.line >= 1 and fault.column >= 1 and "\n" not in fault.text
    if not faults:
        # Nothing deep or pointing back is left by now, so that the composer may be let loose on it.
        theirs = [each for each in yaml.load_all(text, yaml.CBaseLoader) if isinstance(each, dict)]
        assert [alike(each.value) for each in documents] == [alike(each) for each in theirs]
        assert all(depth(each.value) <= MAX_DEPTH for each in documents)


def alike(value: Any) -> Any:
    """The value with every spelling of nothing as one: the plain loader calls all of them text."""
    if isinstance(value, dict):
        return [(key, alike(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [alike(inner) for inner in value]
    return "" if value is None or value in NULLS else value


def depth(value: Any) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + max(map(depth, inner), default=0)


KINDS = {each.kind: each.model for vocabulary in VOCABULARIES for each in vocabulary.documents}
PATHS = ("tenants.d/red/groups.yaml", "tenants.d/red/approvals/one.yaml", "policies/more.yaml", LOCK_FILE)


def check(path: str, data: bytes) -> None:
    parsed, problems = parse([File(path, data)], KINDS, {})
    for each in problems:
        assert str(each).isprintable() and len(each.text) <= 1_000
    for document in parsed:
        if document.kind == "approval":
            consents = document.model.actions
            assert all(Address.parse(str(consent.address)) for consent in consents)


SEEDS = [text.encode() for text in (*GOOD.values(), *PLATFORM.values(), APPROVAL)]


@given(st.sampled_from(PATHS), st.sampled_from(SEEDS).flatmap(damaged))
def test_policy_files(path: str, data: bytes) -> None:
    check(path, data)


@given(
    damaged(APPROVAL.encode(), 4, tuple(text.encode("utf-8", "surrogatepass") for text in (*MARKS, *NASTY)))
)
def test_approvals(data: bytes) -> None:
    check("tenants.d/red/approvals/one.yaml", data)
