"""What somebody hostile writes: texts, JSON and bytes, and good ones with something put wrong.

A reader that is fed these may refuse them with its own errors; anything else is a hole.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

ESCAPE = "\x1b[2J\x1b]0;title\x07"
NASTY = (
    "", " ", "\n", "\r", "\t", "\0", "\x1b[31m", ESCAPE, "\u202eevil\u202c", "\u2066x", "\u200b", "\ufeff",
    "\ud800", "::error::x", "\n::set-output name=a::b", "##[error]x", "::add-mask::a", "@octocat",
    "<script>alert(1)</script>", "[x](https://evil.example)", "![x](https://evil.example/a.png)", "`|`",
    "../../etc/passwd", "/etc/passwd", "a/../b", "C:\\x", "%2e%2e%2f", "null", "true", "0", "-1", "1e999",
    "9" * 40, "user:", "user:*", "group:x\ny", "x" * 5_000, "\u0430dmin", "e\u0301", "\u00e9", "<!--", "-->",
    "${x}", "{{x}}", "' or 1 eq 1", "%", "%00", "%zz", "&lt;", "]]>",
)  # fmt: skip
"""Texts that steered, hid in, or broke out of something somewhere."""

texts = st.sampled_from(NASTY) | st.text(max_size=20) | st.text(st.characters(categories=["Cs", "Cc", "Cf"]))
numbers = (
    st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**40, 1e308, float("nan"), float("inf"), -0.0])
    | st.integers()
    | st.floats()
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
"""Any JSON that Python can hold, NaN and lone surrogates included."""


def deep(text: str, times: int) -> str:
    """So many opened and never closed."""
    return text * times


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document, the whole of it first."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places(inner, (*path, at))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a place."""
    for step in path:
        document = document[step]
    return document


def _replace(draw: st.DrawFn, holder: Any, key: Any) -> None:
    holder[key] = draw(values)


def _remove(draw: st.DrawFn, holder: Any, key: Any) -> None:
    del holder[key]


def _add(draw: st.DrawFn, holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        holder[draw(texts)] = draw(values)
    else:
        holder.insert(key, copy.deepcopy(holder[key]))


def _append(draw: st.DrawFn, holder: Any, key: Any) -> None:
    if isinstance(holder[key], str):
        more = draw(texts)
        holder[key] = draw(st.sampled_from([holder[key] + more, more + holder[key]]))
    elif isinstance(holder[key], int | float):
        holder[key] = draw(numbers)
    else:
        holder[key] = [holder[key]]


def _turn(draw: st.DrawFn, holder: Any, key: Any) -> None:
    if isinstance(holder[key], list):
        holder[key].reverse()
    elif isinstance(holder, list):
        holder.append(holder.pop(key))
    else:
        holder[key] = str(holder[key])


CHANGES: tuple[Callable[[st.DrawFn, Any, Any], None], ...] = (_replace, _remove, _add, _append, _turn)


@st.composite
def edited(draw: st.DrawFn, document: Any, times: int = 3) -> Any:
    """A JSON document in which up to so many places were changed, dropped, doubled or turned round."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, times))):
        found = [path for path in places(document) if path]
        if not found:
            break
        path = draw(st.sampled_from(found))
        draw(st.sampled_from(CHANGES))(draw, at(document, path[:-1]), path[-1])
    return document


def spelt(document: Any) -> str:
    """The document as JSON, whatever is in it."""
    return json.dumps(document, ensure_ascii=True)


PIECES = tuple(
    text.encode("utf-8", "surrogatepass") for text in (*NASTY, "<", ">", "&", '"', "'", ",", ":", "[", "{")
) + (b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\0" * 16)


@st.composite
def damaged(draw: st.DrawFn, data: bytes, times: int = 3, pieces: tuple[bytes, ...] = ()) -> bytes:
    """Bytes in which stretches were cut out, put in, doubled or flipped."""
    for _ in range(draw(st.integers(1, times))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 24)))
        match draw(st.integers(0, 4)):
            case 0:
                put = b""
            case 1:
                put = draw(st.sampled_from(pieces or PIECES))
            case 2:
                put = data[start:end] * 2
            case 3:
                put = draw(st.binary(max_size=6))
            case _:
                put = bytes(byte ^ draw(st.sampled_from([1, 32, 128])) for byte in data[start:end])
        data = data[:start] + put + data[end:]
    return data
