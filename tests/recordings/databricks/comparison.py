"""Compare what the emulator answers with what was recorded.

Fixtures are partial: what a test does not look at is not in them.  So everything that was recorded must be in
the answer, and the answer may say more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

COMPLETE = frozenset(
    [
        "entitlements",
        "members",
        "roles",
        "privileges",
        "privilege_assignments",
        "scopes",
        "items",
        "secrets",
        "permissions",
    ]
)
"""Lists that fixtures write down whole."""
TIMES = frozenset({"last_updated_timestamp"})


def asked_for(target: str, recorded: Any) -> Any:
    """A recorded SCIM resource without what its request did not ask for: fixtures show it all the same."""
    names = parse_qs(target.partition("?")[2]).get("attributes")
    if not names or "/scim/v2/" not in target or not isinstance(recorded, dict):
        return recorded
    if "Resources" in recorded:
        return {**recorded, "Resources": [asked_for(target, item) for item in recorded["Resources"]]}
    if "detail" in recorded or "error_code" in recorded:
        return recorded
    kept = {"id", "schemas", *names[0].split(",")}
    if "ServicePrincipals" in target and "userName" in kept:
        kept.add("applicationId")
    return {key: value for key, value in recorded.items() if key in kept}


def as_fixtures_have_it(answered: Any) -> Any:
    """A SCIM error in the form of other errors, as fixtures have it and as SDKs make of it."""
    if not isinstance(answered, dict) or "detail" not in answered:
        return answered
    message = " ".join(part for part in (answered.get("scimType"), answered["detail"]) if part)
    return {**answered, "message": message}


class Names:
    """Which emulated id stands for which recorded one: only created objects have two."""

    def __init__(self) -> None:
        self.emulated: dict[str, str] = {}

    def pair(self, recorded: Any, emulated: Any) -> None:
        """Learn from the answer to a creation."""
        if isinstance(recorded, dict) and isinstance(emulated, dict) and recorded.get("id"):
            self.emulated[str(recorded["id"])] = str(emulated.get("id"))

    def translate(self, value: Any) -> Any:
        """A recorded value with the emulator's ids in it."""
        if isinstance(value, dict):
            return {key: self.translate(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.translate(inner) for inner in value]
        return self.emulated.get(value, value) if isinstance(value, str) else value

    def target(self, target: str) -> str:
        """A recorded path with the emulator's ids in it."""
        path, mark, query = target.partition("?")
        return "/".join(self.emulated.get(part, part) for part in path.split("/")) + mark + query


def differences(recorded: Any, answered: Any, place: str = "") -> Iterator[str]:
    """Everything recorded that the answer lacks or contradicts."""
    if isinstance(recorded, dict):
        if not isinstance(answered, dict):
            yield f"{place or 'body'} is no object"
            return
        for key, value in recorded.items():
            if key not in answered:
                # An empty value and an absent one are the same to every client.
                if value not in (None, [], {}, ""):
                    yield f"{place}.{key} is missing"
                continue
            yield from differences(value, answered[key], f"{place}.{key}")
    elif isinstance(recorded, list):
        yield from _of_lists(recorded, answered, place)
    elif place.rpartition(".")[2] in TIMES:
        if type(recorded) is not type(answered):
            yield f"{place} is no time of the recorded form"
    elif recorded != answered:
        yield f"{place} is not as recorded"


def _of_lists(recorded: list[Any], answered: Any, place: str) -> Iterator[str]:
    if not isinstance(answered, list):
        yield f"{place} is no list"
        return
    rest = list(answered)
    for item in recorded:
        match = next((other for other in rest if not list(differences(item, other))), None)
        if match is None:
            yield f"{place}: a recorded item is missing"
            continue
        rest.remove(match)
    if rest and place.rpartition(".")[2] in COMPLETE:
        yield f"{place}: {len(rest)} more than recorded"
