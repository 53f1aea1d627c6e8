"""Whether an answer came to its end: what is cut short may carry a status that says all is well."""

from __future__ import annotations

import json


def is_listing(body: bytes) -> bool:
    """Whether a blob listing came to its end: XML that is cut short lacks what closes it."""
    return body.rstrip().endswith(b"</EnumerationResults>")


def is_json(body: bytes) -> bool:
    """Whether it is JSON, and all of it."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
