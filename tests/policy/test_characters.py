"""Nothing that a reviewer cannot see, or would misread, gets into a policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.policy.characters import decode, faults, misread
from reconciler.policy.yaml_nodes import read


@pytest.mark.parametrize(
    ("data", "line", "column", "part"),
    [
        (b"kind: group\nname: \xff\n", 2, 7, "0xff is not UTF-8"),
        (b"\xc3\xa9\xc3\xa9: \xc3(", 1, 5, "0xc3 is not UTF-8"),
        ("a: b".encode("utf-16"), 1, 1, "is UTF-16"),
        ("a: b".encode("utf-16-le"), 1, 2, "U+0000"),
        (b"a: \x00", 1, 4, "U+0000"),
        (b"a: \x1b[31m", 1, 4, "U+001B"),
        (b"a: \x7f", 1, 4, "U+007F"),
        ("a: b  # \u202e note".encode(), 1, 9, "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("# \u2066 in a comment".encode(), 1, 3, "LEFT-TO-RIGHT ISOLATE"),
        ("a: b\u200bc".encode(), 1, 5, "ZERO WIDTH SPACE"),
        ("a: b\u00adc".encode(), 1, 5, "SOFT HYPHEN"),
        ("a: b\u2028c: d".encode(), 1, 5, "LINE SEPARATOR"),
        ("a: b\u0085c: d".encode(), 1, 5, "U+0085"),
        ("a: \U000e0041".encode(), 1, 4, "TAG LATIN CAPITAL LETTER A"),
        ("a: b\ufeff".encode(), 1, 5, "U+FEFF"),
        (b"a: b\rc: d", 1, 5, "U+000D"),
    ],
)
def test_what_cannot_be_seen_is_refused_with_its_place(
    data: bytes, line: int, column: int, part: str
) -> None:
    _, fault = decode(data)
    assert fault is not None
    assert (fault.line, fault.column) == (line, column)
    assert part in fault.text


@pytest.mark.parametrize("data", [b"a: b\r\n", b"\xef\xbb\xbfa: b", "a: né ü 部門 Отдел".encode(), b"a:\t b"])
def test_what_people_write_passes(data: bytes) -> None:
    text, fault = decode(data)
    assert fault is None
    assert text.startswith("a:")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("p\u0430y", "mixes Cyrillic and Latin letters that look alike (U+0430 CYRILLIC SMALL LETTER A)"),
        ("pric\u0456ng-ds", "Cyrillic"),
        ("fra\u03c5d", "Greek"),
        ("\uff50ricing", "FULLWIDTH LATIN SMALL LETTER P, which looks like 'p'"),
        ("\U0001d41aB", "MATHEMATICAL BOLD SMALL A"),
        ("Data\u00a0Owners", "NO-BREAK SPACE, which looks like ' '"),
        ("Data\u2003Owners", "EM SPACE"),
        ("e\u0301quipe", "write it with composed letters: équipe"),
        ("a\nb", "U+000A"),
        ("a\tb", "U+0009"),
        ("a\u202eb", "RIGHT-TO-LEFT OVERRIDE"),
    ],
)
def test_a_name_that_looks_like_another_is_refused(name: str, part: str) -> None:
    assert part in misread(name)


@pytest.mark.parametrize(
    "name",
    [
        "pricing-ds",
        "Équipe Données",
        "Отдел рисков",
        "部門 ML",
        "データ分析 team",
        "Команда ML",
        "m²",
        "Ω-team",
        "Straße",
    ],
)
def test_an_honest_name_passes(name: str) -> None:
    assert misread(name) == ""


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('name: "a\\u202eb"', [(1, 7)]),
        ('name: "a\\nb"', [(1, 7)]),
        ("name: |\n  a\n  b\n", [(1, 7)]),
        ('because: "two\\nlines"', []),
        ("because: |\n  two\n  lines\n", []),
        ('because: "a\\u202eb"', [(1, 10)]),
        ('members: [ok, {who: "us\\u0065r:\\u0430na"}]', [(1, 21)]),
        ('"n\\u0430me": x', [(1, 1)]),
        ("because: Latin и кириллицa", []),
    ],
)
def test_escapes_do_not_get_around_it(text: str, places: list[tuple[int, int]]) -> None:
    (document,), wrong = read(text)
    assert wrong == []
    assert [(fault.line, fault.column) for fault in faults(document)] == places


@given(st.binary(max_size=100))
def test_no_bytes_raise(data: bytes) -> None:
    text, fault = decode(data)
    assert fault is None or text == ""


@given(st.text(max_size=30))
def test_no_name_raises(name: str) -> None:
    misread(name)
