"""Compare an answer with a recorded one: equal up to ids and times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?")
HEADERS = (
    "content-type",
    "cache-control",
    "odata-version",
    "location",
    "vary",
    "transfer-encoding",
    "strict-transport-security",
    "x-ms-resource-unit",
    "expires",
    "pragma",
    "x-content-type-options",
    "x-ms-ratelimit-remaining-subscription-writes",
    "x-ms-ratelimit-remaining-subscription-global-writes",
    "x-ms-ratelimit-remaining-subscription-deletes",
    "x-ms-ratelimit-remaining-subscription-global-deletes",
    "x-ms-ratelimit-remaining-subscription-global-reads",
)
"""Headers that clients act on or that tell about budgets; compared where the recording has them."""
YOUNGER = frozenset(
    {
        "uniqueName",
        "serviceProvisioningErrors",
        "nativeAuthenticationApisEnabled",
        "samlMetadataUrl",
        "servicePrincipalLockConfiguration",
        "requestSignatureVerification",
        "redirectUriSettings",
    }
)
"""Properties that the services have added since older recordings were made: the emulated ones have them."""
INCOMPARABLE = frozenset({"secretText", "hint", "etag", "publisherDomain", "innerError", "tags"})
"""Secrets, scrubbed values and what is made up by each run."""


class Names:
    """Which emulated id stands for which recorded one: the first meeting decides, the others must agree."""

    def __init__(self) -> None:
        self.emulated: dict[str, str] = {}

    def learn(self, recorded: str, emulated: str) -> None:
        """Note a pair."""
        self.emulated.setdefault(recorded.lower(), emulated.lower())

    def translate(self, text: str) -> str:
        """A recorded text with emulated ids."""
        return GUID.sub(lambda match: self.emulated.get(match[0].lower(), match[0]), text)

    def translated(self, value: Any) -> Any:
        """A recorded JSON value with emulated ids."""
        if isinstance(value, str):
            return self.translate(value)
        if isinstance(value, list):
            return [self.translated(one) for one in value]
        if isinstance(value, dict):
            return {key: self.translated(one) for key, one in value.items()}
        return value


def headers_differ(recorded: Mapping[str, str], emulated: Mapping[str, str], names: Names) -> Iterator[str]:
    """What differs between the headers that matter."""
    for name in HEADERS:
        if name not in recorded:
            continue
        wanted, given = names.translate(recorded[name]), emulated.get(name)
        if name == "transfer-encoding" or (name.startswith("x-ms-ratelimit") and given is not None):
            # A recorder writes chunking down or not; what is left of a budget depends on what came before.
            continue
        if given is None or wanted.lower() != given.lower():
            yield f"header {name} is {given!r}, recorded {wanted!r}"


def bodies_differ(
    recorded: Any, emulated: Any, names: Names, where: str = "", partial: bool = False
) -> Iterator[str]:
    """What differs between two JSON values."""
    if isinstance(recorded, dict) and isinstance(emulated, dict):
        yield from _objects_differ(recorded, emulated, names, where, partial)
    elif isinstance(recorded, list) and isinstance(emulated, list):
        yield from _lists_differ(recorded, emulated, names, where, partial)
    elif isinstance(recorded, str) and isinstance(emulated, str):
        if not _texts_agree(recorded, emulated, names, where):
            yield f"{where} is {emulated!r}, recorded {recorded!r}"
    elif recorded != emulated:
        yield f"{where} is {emulated!r}, recorded {recorded!r}"


def _objects_differ(
    recorded: dict[str, Any], emulated: dict[str, Any], names: Names, where: str, partial: bool
) -> Iterator[str]:
    for key in sorted(set(emulated) - set(recorded) - YOUNGER):
        yield f"{where}/{key} is not recorded"
    # Ids first, so that what is made of them can be translated.
    for key in sorted(recorded, key=lambda key: (key not in ("id", "appId", "name"), key)):
        if key not in emulated:
            yield f"{where}/{key} is missing"
        elif key not in INCOMPARABLE:
            yield from bodies_differ(recorded[key], emulated[key], names, f"{where}/{key}", partial)


def _lists_differ(
    recorded: list[Any], emulated: list[Any], names: Names, where: str, partial: bool
) -> Iterator[str]:
    if partial:
        kept = {_identity(names.translated(one)) for one in recorded}
        emulated = [one for one in emulated if _identity(one) in kept]
    if len(recorded) != len(emulated):
        yield f"{where} has {len(emulated)} items, recorded {len(recorded)}"
        return
    for index, (one, other) in enumerate(zip(recorded, emulated, strict=True)):
        yield from bodies_differ(one, other, names, f"{where}/{index}", partial)


def _identity(item: Any) -> str:
    return str(item.get("id") if isinstance(item, dict) else item).lower()


def _texts_agree(recorded: str, emulated: str, names: Names, where: str) -> bool:
    if GUID.fullmatch(recorded) and GUID.fullmatch(emulated):
        names.learn(recorded, emulated)
        return names.translate(recorded).lower() == emulated.lower()
    if TIME.fullmatch(recorded):
        return TIME.fullmatch(emulated) is not None
    if where.endswith("securityIdentifier"):
        return emulated.startswith("S-1-12-1-")
    return names.translate(recorded).lower() == emulated.lower()
