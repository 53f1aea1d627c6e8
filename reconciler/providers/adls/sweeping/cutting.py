"""Where to cut a listing whose names are only known up to here: guesses about names that were not seen yet.

Its law: a wrong guess costs a request and never a path; whoever uses one looks where the two parts meet.

Names run on as they ran so far: numbers count up, hexadecimal digits spread evenly, letters follow the
alphabet.  What a page advanced by is carried on, with carry from digit to digit within one run of characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.providers.adls.ground import in_order

DIGITS = "0123456789"
HEX = "0123456789abcdef"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
ALPHABETS = (DIGITS, HEX, LOWER, UPPER)
AFTER = "~"
"""Sorts behind every usual name that begins like it does up to there."""
PRECISION = 6
"""Characters behind the first that differs which still count."""
HEX_RUN = 8
"""Hexadecimal characters in a row from which on letters are taken for digits, as in a UUID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Names of one directory as numbers: those that begin alike and go on within one run of characters."""

    parent: str
    """The directory, with a slash at its end; "" for the container's root."""
    fixed: str
    """What these names begin with, up to the run."""
    alphabet: str
    width: int
    """Characters of the run that count."""
    low: int
    high: int
    """The numbers of the two names that the scale was made from."""

    def number(self, name: str) -> int | None:
        """A path's number; None for one that is not on the scale."""
        start = self.parent + self.fixed
        if not name.startswith(start):
            return None
        return _number(name[len(start) :].partition("/")[0], self.alphabet, self.width)

    def name(self, number: int) -> str:
        """The path with this number; one behind all of them where it is too large."""
        if number >= len(self.alphabet) ** self.width:
            return f"{self.parent}{self.fixed}{AFTER}"
        chars: list[str] = []
        for _ in range(self.width):
            number, digit = divmod(number, len(self.alphabet))
            chars.append(self.alphabet[digit])
        return self.parent + self.fixed + "".join(reversed(chars))


def scale(low: str, high: str) -> Scale | None:
    """The scale on which two paths lie, the first before the second; None where they tell nothing."""
    above, below = high.split("/"), low.split("/")
    level = next((at for at, (x, y) in enumerate(zip(below, above, strict=False)) if x != y), len(below))
    if level >= len(above):
        return None
    name, other = above[level], below[level] if level < len(below) else ""
    at = next((at for at, (x, y) in enumerate(zip(other, name, strict=False)) if x != y), len(other))
    if at >= len(name):
        return None
    begin, alphabet = _run(name, other, at)
    width = _width(name, begin, at, alphabet)
    parent = "".join(part + "/" for part in above[:level])
    numbers = (_number(text[begin:], alphabet, width) for text in (other, name))
    first, last = numbers
    if last <= first:
        return None
    return Scale(parent=parent, fixed=name[:begin], alphabet=alphabet, width=width, low=first, high=last)


def _run(name: str, other: str, at: int) -> tuple[int, str]:
    """Where the run of characters around a place begins, and what it is made of."""
    start, end = _stretch(name, at, HEX)
    if end - start >= HEX_RUN and other[at : at + 1] in HEX:
        return start, HEX
    for alphabet in (DIGITS, LOWER, UPPER):
        if name[at] in alphabet and (at >= len(other) or other[at] in alphabet):
            return _stretch(name, at, alphabet)[0], alphabet
    return at, PRINTABLE


def _stretch(name: str, at: int, alphabet: str) -> tuple[int, int]:
    start = end = at
    while start and name[start - 1] in alphabet:
        start -= 1
    while end < len(name) and name[end] in alphabet:
        end += 1
    return start, end


def _width(name: str, begin: int, at: int, alphabet: str) -> int:
    """Up to the end of the run or of what counts; letters run on, as words are of any length."""
    if alphabet in (LOWER, UPPER, PRINTABLE):
        return at - begin + PRECISION
    end = _stretch(name, at, alphabet)[1]
    return min(end, at + PRECISION) - begin


def _number(text: str, alphabet: str, width: int) -> int:
    """Its first characters as digits; what is not in the alphabet counts as the nearest that is."""
    number = 0
    for char in text[:width].ljust(width, "\0"):
        digit = alphabet.find(char)
        if digit < 0:
            digit = 0 if char < alphabet[0] else sum(one <= char for one in alphabet) - 1
        number = number * len(alphabet) + digit
    return number


def ahead(low: str, high: str, skip: float) -> str | None:
    """The path that comes `skip` times as far behind `high` as `low` lies before it; None for no idea."""
    found = scale(low, high)
    if found is None:
        return None
    guess = found.name(found.high + max(1, round((found.high - found.low) * skip)))
    return guess if in_order(guess) > in_order(high) else None


def distance(low: str, high: str, end: str) -> float | None:
    """How many times as far `end` lies behind `high` as `low` lies before it; None for no idea."""
    found = scale(low, high)
    number = found.number(end) if found else None
    if found is None or number is None:
        return None
    return max(0.0, (number - found.high) / (found.high - found.low))


class Child(NamedTuple):
    """One thing directly in a directory."""

    name: str
    """Its own name, without the path above it."""
    directory: bool


class Part(NamedTuple):
    """Some of the children of one directory, with everything in them."""

    stem: str
    """What their names begin with; for a single directory its whole name with a slash at the end."""
    children: int

    @property
    def single(self) -> bool:
        """Whether it is what lies in one directory, the directory itself left out."""
        return self.stem.endswith("/")


def clean_cut(children: Sequence[Child], after: str) -> int:
    """The first child, in listing order, from which on children come after `after` in every known order.

    Whole names in order put `a-b` between `a` and what lies in it, so no cut may fall between the two.
    """
    open_: list[str] = []
    for at, child in enumerate(children):
        while open_ and not child.name.startswith(open_[-1]):
            open_.pop()
        if child.name > after and not any(_between(one, child.name) for one in open_):
            return at
        if child.directory:
            open_.append(child.name)
    return len(children)


def set_apart(children: Sequence[Child], name: str) -> bool:
    """Whether what lies in any child before this one also comes before it in every known order."""
    before = (child.name for child in children if child.directory and child.name < name)
    return not any(name.startswith(one) and _between(one, name) for one in before)


def _between(directory: str, name: str) -> bool:
    return name[len(directory) : len(directory) + 1] < "/"


def parts(given: Sequence[Child], kept: Iterable[str], size: int) -> tuple[list[Part], list[Child]]:
    """Split children into parts of about `size`, each with a directory and none with any of `kept`.

    Also gives the files that are in no part: nothing has to be read for them.
    """
    found: list[Part] = []
    loose: list[Child] = []
    names = sorted(given)
    others = sorted(kept)
    _split(names, others, 0, size, found, loose)
    return found, loose


def _split(
    given: Sequence[Child], kept: Sequence[str], at: int, size: int, found: list[Part], loose: list[Child]
) -> None:
    """All of these begin alike up to `at`."""
    if not any(child.directory for child in given):
        loose += given
        return
    if at and not kept and len(given) <= size and len(given) > 1:
        found.append(Part(given[0].name[:at], len(given)))
        return
    if at and not kept and len(given) == 1 and len(given[0].name) > at:
        _one(given[0], found, loose)
        return
    ended = [child for child in given if len(child.name) == at]
    for child in ended:
        _one(child, found, loose)
    heads = sorted({child.name[at] for child in given if len(child.name) > at})
    for head in heads:
        _split(
            [child for child in given if child.name[at : at + 1] == head],
            [name for name in kept if name[at : at + 1] == head],
            at + 1,
            size,
            found,
            loose,
        )


def _one(child: Child, found: list[Part], loose: list[Child]) -> None:
    """A directory is a part of its own; a file whose name others go on with is none."""
    if child.directory:
        found.append(Part(child.name + "/", 1))
    else:
        loose.append(child)
