"""YAML becomes plain values with places; whatever is odd is a fault with a line and a column."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.policy.yaml_nodes import MAX_DEPTH, MAX_FAULTS, Places, read


def one(text: str) -> Any:
    documents, faults = read(text)
    assert faults == []
    (document,) = documents
    return document.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", "no"),
        ("a: on", "on"),
        ("a: true", "true"),
        ("a: 1.10", "1.10"),
        ("a: 0123", "0123"),
        ("a: 12:30:45", "12:30:45"),
        ("a: 2027-01-31", "2027-01-31"),
        ("a: 0x1F", "0x1F"),
        ("a: ---", "---"),
        ("a: --x", "--x"),
        ("a: 'null'", "null"),
        ('a: "~"', "~"),
        ("a: null", None),
        ("a: ~", None),
        ("a:", None),
        ("a: ''", ""),
        ("a: |\n  b\n  c\n", "b\nc\n"),
        ("a: >\n  b\n  c\n", "b c\n"),
        ('a: "\\u00e9"', "é"),
    ],
)
def test_a_scalar_stays_the_text_that_was_written(text: str, value: str | None) -> None:
    assert one(text) == {"a": value}


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "'a' is already given in line 1"),
        ("a: {b: 1, b: 2}", 1, 11, "'b' is already given"),
        ("a: &x [1]\n", 1, 4, "&x: anchors are not allowed"),
        ("&x a: 1\n", 1, 1, "anchors are not allowed"),
        ("a: [b]\nc: *x\n", 2, 4, "*x: aliases are not allowed"),
        ("*x : b\n", 1, 1, "aliases are not allowed"),
        ("a: !!str b", 1, 4, "tag 'tag:yaml.org,2002:str' is not allowed"),
        ("a: !custom b", 1, 4, "tag '!custom'"),
        ("a: !!python/object/apply:os.system [x]", 1, 4, "tag"),
        ("a: ! b", 1, 4, "tag '!'"),
        ("!!map {a: b}", 1, 1, "tag"),
        ("5: a", 1, 1, "a key has to be text: `5`"),
        ("1.5: a", 1, 1, "a key has to be text"),
        ("true: a", 1, 1, "a key has to be text"),
        ("~: a", 1, 1, "a key has to be text"),
        ("?\n: a", 1, 2, "a key has to be text"),
        ("<<: {a: b}", 1, 1, "merge keys"),
        ("? [a, b]\n: c", 1, 3, "a key has to be text, not a mapping or a list"),
        ("{a: b}: c", 1, 1, "a key has to be text"),
        ("- a\n- b\n", 1, 1, "not a list"),
        ("\nonly words\n", 2, 1, "not the text 'only words'"),
        ("a: b: c", 1, 5, "quote a value that contains ': '"),
        ("a:\n\t- b", 2, 1, "a tab indents this line"),
        ("a: @b", 1, 4, "quote a value that begins with a special sign"),
        ("a: 'b", 1, 6, "close the quotation mark"),
        ("a: [b", 2, 1, "close the bracket"),
        ("a: b\n c: d\n  e\n", 2, 3, "not valid YAML"),
        ("%YAML 3.0\n---\na: b\n", 1, 1, "incompatible YAML"),
        ("é: [ü, &x b]", 1, 8, "anchors"),
    ],
)
def test_a_fault_has_its_place_and_says_what_to_do(text: str, line: int, column: int, part: str) -> None:
    _, faults = read(text)
    assert [(fault.line, fault.column) for fault in faults if part in fault.text] == [(line, column)], faults


def test_merge_and_number_keys_may_be_quoted() -> None:
    assert one('"5": a\n"<<": b\n"true": c\n') == {"5": "a", "<<": "b", "true": "c"}


def test_all_faults_of_a_file_are_told() -> None:
    documents, faults = read("a: 1\na: 2\n---\nb: &x 1\n---\nc: !t 1\n---\nd: 1\n")
    assert [fault.line for fault in faults] == [2, 4, 6]
    assert [document.sound for document in documents] == [False, False, False, True]


def test_what_stands_before_a_syntax_error_is_kept() -> None:
    documents, faults = read("a: b\n---\nc: [\n")
    assert [document.value for document in documents] == [{"a": "b"}]
    assert len(faults) == 1


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_ends_in_a_fault(opening: str) -> None:
    # 100 KB of `[` overflow the stack of the C composer; its events alone do not.
    _, faults = read(opening * 100_000)
    assert len(faults) == 1
    assert "nested deeper" in faults[0].text or "key has to be text" in faults[0].text


def test_depth_is_counted_not_guessed() -> None:
    assert read("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))[1] == []
    assert len(read("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)[1]) == 1


def test_an_alias_bomb_is_not_even_built() -> None:
    steps = pairwise("abcdefghi")
    bomb = 'a: &a ["lol", "lol"]\n' + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in steps)
    documents, faults = read(bomb)
    assert documents == []
    assert any("aliases" in fault.text for fault in faults)


def test_faults_of_one_file_have_a_bound() -> None:
    _, faults = read("".join("a: 1\n" for _ in range(10_000)))
    assert len(faults) == MAX_FAULTS


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only words\n", "---\n", "---\n---\n...\n", "~", "--- null\n"]
)
def test_documents_without_content_are_none(text: str) -> None:
    assert read(text) == ([], [])


def test_several_documents_and_windows_line_ends() -> None:
    documents, faults = read("a: b\r\n---\r\nc:\r\n  - d\r\n")
    assert faults == []
    assert [document.value for document in documents] == [{"a": "b"}, {"c": ["d"]}]
    assert Places("f", documents[1].mark)("c", 0).line == 4


TEXT = """\
kind: group
members:
  - who: user:ana
    until: 2027-01-31
  - {who: user:bo, can: [read, write]}
because: >
  long
key:
    far
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), (1, 1), (1, 1)),
        (("kind",), (1, 7), (1, 1)),
        (("members",), (2, 1), (2, 1)),
        (("members", 0), (3, 5), (3, 5)),
        (("members", 0, "until"), (4, 12), (4, 5)),
        (("members", 1), (5, 5), (5, 5)),
        (("members", 1, "who"), (5, 11), (5, 6)),
        (("members", 1, "can", 1), (5, 32), (5, 32)),
        (("because",), (6, 10), (6, 1)),
        (("key",), (8, 1), (8, 1)),
        (("members", 1, "nothing"), (5, 5), (5, 5)),
        (("members", 7), (2, 1), (2, 1)),
        (("kind", "deeper"), (1, 7), (1, 1)),
        (("nothing",), (1, 1), (1, 1)),
    ],
)
def test_every_value_has_its_place(
    path: tuple[Any, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    (document,), _ = read(TEXT)
    places = Places("f.yaml", document.mark)
    assert (places(*path).line, places(*path).column) == value
    assert (places.key(*path).line, places.key(*path).column) == key


NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z")), max_size=20)
# The library writes `08` without quotes; newer YAML reads a number in it.
KEYS = NAMES.filter(lambda name: not any(sign.isdecimal() for sign in name))
DATA = st.recursive(
    NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, DATA, min_size=1, max_size=5), st.booleans())
def test_what_a_writer_wrote_is_read_back(data: dict[str, Any], flow: bool) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True)
    documents, faults = read(text)
    assert faults == []
    assert [document.value for document in documents] == [data]


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_no_text_raises(text: str) -> None:
    _, faults = read(text)
    assert all(fault.line >= 1 and fault.column >= 1 and fault.text for fault in faults)


PIECES = [
    "a", "b: ", "- ", "  ", "\n", "[", "]",
    "{", "}", ", ", ": ", "'", '"', "|", ">", "&x ", "*x", "!t ", "<<",
    "? ", "---\n", "...\n", "#", "~", "5", "\t", "é", "%YAML 1.1\n", "\\", "@", "`",
]  # fmt: skip
YAMLISH = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(YAMLISH)
def test_it_agrees_with_the_library_wherever_that_reads_plain_text(text: str) -> None:
    documents, faults = read(text)
    if faults:
        return
    theirs = [each for each in yaml.load_all(text, yaml.CBaseLoader) if each not in (None, "", "~", "null")]
    assert [_emptied(document.value) for document in documents] == [_emptied(each) for each in theirs]


def _emptied(value: Any) -> Any:
    """The library's text loader has no None: it gives the text that stands for it."""
    if isinstance(value, dict):
        return {key: _emptied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_emptied(inner) for inner in value]
    return None if value in ("", "~") else value
