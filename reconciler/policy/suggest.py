"""Guess which of the known names a misspelt one was meant to be."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator
from difflib import get_close_matches

_FEW = 400
"""Up to this many names are compared one by one; among more, only one slip of the pen is looked for."""
_LETTERS = string.ascii_lowercase + string.digits + "-_.@ "


def nearest(name: str, known: Collection[str]) -> str:
    """The known name that this one was probably meant to be; "" when none is near.

    The time it takes does not grow with thousands of names, so that every principal of an estate can be
    looked at.
    """
    if not name or len(name) > 256 or name in known:
        return ""
    slip = next((slip for slip in _slips(name) if slip in known), "")
    if slip or len(known) > _FEW:
        return slip
    lower = {other.lower(): other for other in known}
    close = get_close_matches(name.lower(), lower, n=1, cutoff=0.75)
    return lower[close[0]] if close else ""


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`; did you mean 'read'?`, or what there is to choose from where nothing is near and little is known."""
    near = nearest(name, known)
    if near:
        return f"; did you mean {near!r}?"
    if 0 < len(known) <= 12:
        return f"; known are {', '.join(sorted(known))}"
    return ""


def nearest_principal(name: str, known: Collection[str]) -> str:
    """The known principal that this one was probably meant to be; "" when none is near.

    Mail addresses of one company are alike for the greater part, so only what stands before the @ counts.
    """
    slip = next((slip for slip in _slips(name) if slip in known), "")
    if slip or len(known) > _FEW:
        return slip
    kind, _, rest = name.partition(":")
    person, at, domain = rest.partition("@")
    tail = at + domain
    among = [
        other.removeprefix(f"{kind}:").removesuffix(tail)
        for other in known
        if other.startswith(f"{kind}:") and other.endswith(tail)
    ]
    close = get_close_matches(person, among, n=1, cutoff=0.8) if len(person) >= 5 else []
    return f"{kind}:{close[0]}{tail}" if close else ""


def _slips(name: str) -> Iterator[str]:
    """What somebody may have meant who made one slip: a letter too many, too few, wrong or swapped."""
    for variant in (name.lower(), name.replace("_", "-"), name.replace("-", "_"), name.replace(" ", "-")):
        if variant != name:
            yield variant
    for at in range(len(name)):
        head, tail = name[:at], name[at:]
        yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
    for at in range(len(name) + 1):
        head, tail = name[:at], name[at:]
        for letter in _LETTERS:
            yield head + letter + tail
            yield head + letter + tail[1:]
