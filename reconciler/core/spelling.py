"""How people and days are spelt in policies: one reading for every document, whoever owns its kind."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache

PRINCIPAL = re.compile(r"(user|group|sp):(?=\S)[^\x00-\x1f\x7f]{1,256}(?<=\S)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@lru_cache(maxsize=1 << 16)
def principal(text: str) -> str:
    """The one spelling of a principal's name; raises ValueError when it is none.

    Entra compares user principal names without regard to case, and so does everything behind it.
    """
    if PRINCIPAL.fullmatch(text) is None:
        meant = f"user:{text}" if "@" in text and ":" not in text else ""
        hint = f"did you mean {meant}?" if meant else "write user:<UPN>, group:<name> or sp:<name>"
        raise ValueError(f"{text!r} is not a principal: {hint}")
    return f"user:{text[5:].lower()}" if text.startswith("user:") else text


def day(value: object) -> object:
    """The date that a text spells; raises ValueError for text that is none, other values pass.

    A bare number is refused: model libraries take it for seconds since 1970.
    """
    if not isinstance(value, str):
        return value
    if _DAY.fullmatch(value) is None:
        raise ValueError(f"{value!r} is not a date: write it as 2027-01-31")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a date: {error}") from None


_ALIKE = str.maketrans(
    "асеорхуіјѕһкмтвнԁԛԝгӏѵ" + "οαενικρτυχγω" + "ıł",
    "aceopxyijshkmtbhdqwrlv" + "oaevikptuxyw" + "il",
)
"""Small letters of Cyrillic and Greek, and the Latin ones that they are taken for (UTS 39, confusables)."""


def skeleton(name: str) -> str:
    """The ASCII name that a reader would take this one for, in small letters."""
    return unicodedata.normalize("NFKC", name).lower().translate(_ALIKE)
