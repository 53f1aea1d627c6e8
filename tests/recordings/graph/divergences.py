"""Differences between recordings and the emulator that cannot be matched, each with its reason.

The replay asserts that exactly these are seen, so that an entry which no longer holds has to go.
"""

from __future__ import annotations

KNOWN: dict[tuple[str, str], str] = {}
"""(file name, label of the exchange) to the reason."""
