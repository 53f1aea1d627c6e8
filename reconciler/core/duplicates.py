"""JSON objects that say a key twice: readers differ in which value they take, so none is taken here."""

from __future__ import annotations

from collections import Counter
from typing import Any


class DuplicateKeyError(ValueError):
    """A key stands twice in one object."""


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these pairs, for `object_pairs_hook`; raises DuplicateKeyError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        key = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise DuplicateKeyError(f"the key {key[:60]!r} stands twice in one object")
    return found
