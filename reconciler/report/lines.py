"""Text as lines of styled spans: what decides the look knows nothing of terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

Span = tuple[str, str]
"""A style name and a text; styles: heading, add, change, remove, bad, warn, good, dim, name, "" for plain."""
Line = tuple[Span, ...]


def line(*spans: Span | str) -> Line:
    """A line; a bare string is an unstyled span."""
    return tuple(("", span) if isinstance(span, str) else span for span in spans)


def plain(lines: Iterable[Line]) -> str:
    """The lines without their styles, each ended, without trailing blanks."""
    return "".join("".join(text for _, text in spans).rstrip() + "\n" for spans in lines)


def width(spans: Sequence[Span]) -> int:
    """How many columns a line takes."""
    return sum(len(text) for _, text in spans)


def wrapped(style: str, text: str, indent: int, columns: int) -> list[Line]:
    """Text over as many lines as it needs; a name longer than a line is never cut."""
    pieces = textwrap.wrap(text, max(20, columns - indent), break_long_words=False, break_on_hyphens=False)
    return [line(" " * indent, (style, piece)) for piece in pieces]


def count(number: int, noun: str, plural: str = "s") -> str:
    """`1 action`, `2 actions`."""
    return f"{number} {noun}{plural if number != 1 else ''}"
