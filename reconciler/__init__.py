"""Hold the access that git declares against the access that is live, and correct what was approved."""

from __future__ import annotations

__version__ = "0.1.0"
