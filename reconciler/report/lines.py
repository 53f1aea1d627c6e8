"""Text as lines of styled spans: what decides the look knows nothing of terminals."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

Span = tuple[str, str]
"""A style name and a text; styles: heading, add, change, remove, bad, warn, good, dim, name, "" for plain."""
Line = tuple[Span, ...]


def line(*spans: Span | str) -> Line:
    """A line; a bare string is an unstyled span."""
    return tuple(("", span) if isinstance(span, str) else span for span in spans)


def plain(lines: Iterable[Line]) -> str:
    """The lines without their styles, each ended, without trailing blanks."""
    return "".join("".join(text for _, text in spans).rstrip() + "\n" for spans in lines)


def cells(text: str) -> int:
    """How many columns a text takes: two for East Asian wide letters, none for marks on others."""
    if text.isascii():
        return len(text)
    return sum(_cells(sign) for sign in text)


def _cells(sign: str) -> int:
    if unicodedata.category(sign) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1


def width(spans: Sequence[Span]) -> int:
    """How many columns a line takes."""
    return sum(cells(text) for _, text in spans)


def padded(text: str, columns: int) -> str:
    """The text, filled with blanks to a width."""
    return text + " " * (columns - cells(text))


def folded(text: str, columns: int) -> Iterator[str]:
    """Text over as many lines as it needs, broken at blanks; a name longer than a line is never cut."""
    current, used = "", 0
    for word in text.split():
        size = cells(word)
        if current and used + 1 + size > columns:
            yield current
            current, used = "", 0
        current, used = (f"{current} {word}", used + 1 + size) if current else (word, size)
    if current:
        yield current


def wrapped(style: str, text: str, indent: int, columns: int) -> list[Line]:
    """Text on lines of its own, every one of them indented."""
    return [line(" " * indent, (style, piece)) for piece in folded(text, max(20, columns - indent))]


def count(number: int, noun: str, plural: str = "s") -> str:
    """`1 action`, `2 actions`, `1,000 actions`."""
    return f"{number:,} {noun}{plural if number != 1 else ''}"


def listed(names: Iterable[str], shown: int) -> str:
    """The first few names, and how many more there are."""
    known = list(names)
    more = len(known) - shown
    return ", ".join(known[:shown]) + (f" and {more:,} more" if more > 0 else "")


def beside(left: Sequence[Span], right: Sequence[Span], columns: int) -> Line | None:
    """Both on one line, the second at the right margin; None where they do not fit."""
    room = columns - width(left) - width(right)
    return (*left, ("", " " * room), *right) if room >= 2 else None
