"""One mistake is one sentence, at its line and column, with what was probably meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler.policy.faults import explain, spell
from reconciler.policy.yaml_nodes import Places, read
from tests.policy.small import Folder, Group


def objections(model: type, text: str) -> list[str]:
    (document,), wrong = read(text)
    assert wrong == []
    places = Places("f", document.mark)
    with pytest.raises(ValidationError) as caught:
        model.model_validate(document.value)  # type: ignore[attr-defined]
    told = explain(caught.value, model, document.value, places)
    return [f"{source.line}:{source.column}: {said}" for source, said in told]


HEAD = "kind: group\nname: x\n"


@pytest.mark.parametrize(
    ("member", "place", "said"),
    [
        ("ana", 11, ": 'ana' is not a principal: write user:<UPN>, group:<name> or sp:<name>"),
        ("ana@x.example", 11, ": 'ana@x.example' is not a principal: did you mean user:ana@x.example?"),
        ("{wo: user:a}", 12, ": unknown key 'wo'; did you mean `who`?"),
        ("{because: x}", 11, ": the key `who` is missing, such as `who: user:ana@corp.example`"),
        ("{who: user:a, untl: x}", 25, ": unknown key 'untl'; did you mean `until`?"),
        ("{who: user:a, until: soon}", 32, ".until: 'soon' is not a date: write it as 2027-01-31"),
        ("{who: user:a, until: 86400}", 32, ".until: '86400' is not a date: write it as 2027-01-31"),
        (
            "{who: user:a, until: 2027-02-30}",
            32,
            ".until: '2027-02-30' is not a date: day is out of range for",
        ),
        ("[user:a]", 11, ": has to be text or a mapping (`key: value`), not a list"),
        ("{who: [user:a]}", 12, ".who: has to be text, not a list"),
    ],
)
def test_one_mistake_in_a_union_is_one_sentence(member: str, place: int, said: str) -> None:
    (told,) = objections(Group, f"{HEAD}members: [{member}]")
    assert told.removesuffix(" month") == f"3:{place}: members[0]{said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("members: user:a", "3:10: members: has to be a list, not 'user:a'"),
        ("was: y", "1:1: the key `members` is missing"),
        ("members: []\nunlisted: kep", "4:11: unlisted: 'kep' is none of revoke, keep; did you mean 'keep'?"),
        ("members: []\ndestroy: si", "4:10: destroy: has to be true or false, not 'si'"),
        ("members: []\nmember: []", "4:1: unknown key 'member'; did you mean `members`?"),
    ],
)
def test_one_mistake_is_one_sentence(text: str, said: str) -> None:
    assert objections(Group, HEAD + text) == [said]


def test_an_unknown_key_with_nothing_near_names_the_known_ones() -> None:
    (told,) = objections(Group, f"{HEAD}members: []\nzzz: 1")
    assert told.startswith("4:1: unknown key 'zzz'; known are destroy, environments, kind, members, name,")


@pytest.mark.parametrize(
    ("can", "said"),
    [
        ("raed", "4:24: grants[0].can: 'raed' is none of read, list, write; did you mean 'read'?"),
        (
            "[list, wirte]",
            "4:31: grants[0].can[1]: 'wirte' is none of read, list, write; did you mean 'write'?",
        ),
        ("{a: b}", "4:19: grants[0].can: has to be read or list or write or a list, not a mapping"),
    ],
)
def test_branches_of_a_union_are_one_mistake(can: str, said: str) -> None:
    text = f"kind: lake-folder\nfolder: a/b/c\ngrants:\n  - {{who: user:a, can: {can}}}"
    assert objections(Folder, text) == [said]


def test_every_mistake_is_told() -> None:
    text = "kind: lake-folder\nfoldr: x\ngrants:\n  - {who: a, can: raed}\n  - user:b\n"
    assert sorted(line.partition(": ")[0] for line in objections(Folder, text)) == [
        "2:1",
        "4:11",
        "4:19",
        "5:5",
    ]


def test_a_path_reads_as_it_is_written() -> None:
    assert spell(("grants", 2, "who")) == "grants[2].who"


VALUES = st.recursive(
    st.none() | st.sampled_from(["user:a", "read", "x", "", "2027-01-31"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["who", "can", "until", "kind", "name", "members", "0"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["kind", "name", "members", "was", "state", "odd"]), VALUES))
def test_every_objection_becomes_a_sentence(value: dict[str, object]) -> None:
    try:
        Group.model_validate(value)
    except ValidationError as error:
        told = list(explain(error, Group, value, Places("f", (1 << 40 | 1 << 20, {}))))
        assert told
        assert all(said and "Input should" not in said for _, said in told)
