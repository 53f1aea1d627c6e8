"""Keep a report within what a forge takes: the least important parts are told shorter first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

LIMIT = 65_536
"""Characters in the body of a comment or an issue (GitHub answers "Body is too long" above it)."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report in ever shorter forms, each with the rank at which to resort to it (0: in full)."""

    forms: Sequence[tuple[int, str]]


def fitted(head: Iterable[str], sections: Sequence[Section], note: Callable[[int], str]) -> str:
    """Head and sections with blank lines between them, in at most LIMIT characters.

    Of the sections that may be shortened next, those that save most go first.  `note` says how many were
    shortened; it comes last, and only where one was.  The first two parts of the head are never left out.
    """
    opening = [part for part in head if part]
    room = LIMIT - _size(note(len(sections) + len(opening)))
    while len(opening) > 2 and sum(map(_size, opening)) > room:
        opening.pop()
    texts = [section.forms[0][1] for section in sections]
    total = sum(map(_size, [*opening, *texts]))
    room = room if total > LIMIT else LIMIT
    cut: set[int] = set()
    for _, _, number, text in _steps(sections):
        if total <= room:
            break
        total += _size(text) - _size(texts[number])
        texts[number] = text
        cut.add(number)
    while texts and total > room:
        total -= _size(texts.pop())
        cut.add(len(texts))
    notes = [note(len(cut))] if cut else []
    return "\n\n".join([*opening, *texts, *notes]) + "\n"


def _steps(sections: Sequence[Section]) -> list[tuple[int, int, int, str]]:
    """Every shortening there is, in the order in which to resort to them."""
    return sorted(
        (rank, len(text) - len(section.forms[place][1]), number, text)
        for number, section in enumerate(sections)
        for place, (rank, text) in enumerate(section.forms[1:])
    )


def _size(text: str) -> int:
    """Characters as a forge may count them, in UTF-16, with the blank line that follows."""
    return len(text.encode("utf-16-le")) // 2 + 2
