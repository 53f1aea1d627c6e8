"""Give every transition its identity: what consent is given to, and nothing else.

If live state moves, or a name comes to mean another object, the id no longer fits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from json.encoder import encode_basestring_ascii as quote

from reconciler.core.model import Address, Attribute, Value, Verb

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def action_id(
    environment: str,
    verb: Verb,
    address: Address,
    attribute: Attribute,
    before: tuple[Value | None, ...],
    after: Value | None,
    until: date | None,
    object_ids: Mapping[str, str],
) -> str:
    """The SHA-256, in hex, over the canonical JSON of one transition.

    The text is put together by hand, as a plan may hold a million of these; it equals `canonical` byte
    for byte, which the tests keep so.
    """
    ids = ",".join(f"{quote(name)}:{quote(oid)}" for name, oid in sorted(object_ids.items()))
    start = ",".join("null" if value is None else quote(value) for value in before)
    text = (
        f'{{"address":{quote(str(address))}'
        f',"after":{"null" if after is None else quote(after)}'
        f',"attribute":[{quote(attribute.role)},{quote(attribute.principal)}]'
        f',"before":[{start}]'
        f',"environment":{quote(environment)}'
        f',"object_ids":{{{ids}}}'
        f',"until":{"null" if until is None else quote(until.isoformat())}'
        f',"verb":{quote(verb.value)}}}'
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def canonical(payload: object) -> str:
    """JSON with sorted keys, no spaces and ASCII only: the form over which all fingerprints are taken."""
    return _CANONICAL.encode(payload)


def fingerprint(payload: object) -> str:
    """The SHA-256, in hex, over the canonical JSON of a value."""
    return hashlib.sha256(canonical(payload).encode("ascii")).hexdigest()
