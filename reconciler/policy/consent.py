"""Write approvals: the actions of a plan in words that a reviewer can read, and that load as consent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import yaml

from reconciler.core.plan import Action
from reconciler.policy.characters import misread

HEAD = """\
# Consent to exactly these actions, each to be sent once.  Written by `reconciler approve` from a plan.
# It counts once it is on the protected branch, put there by somebody who may approve it
# (policies/approval-rules.yaml) and who did not write the policy that asks for it.
# yaml-language-server: $schema=../../../schemas/approval.json
"""


def render(
    actions: Iterable[Action], environment: str, because: str, expires: date, overrides: Mapping[str, str]
) -> str:
    """The text of an approval file for these actions of one tenant."""
    document: dict[str, Any] = {
        "kind": "approval",
        "environment": environment,
        "because": because,
        "expires": expires,
    }
    if overrides:
        document["override"] = [{"rule": rule, "because": why} for rule, why in sorted(overrides.items())]
    document["actions"] = [_entry(action) for action in actions]
    text: str = _dump(document, readable=True)
    if any(misread(part) for part in _texts(document)):
        # Live state may hold names that look like others: escapes show a reviewer what is there.
        text = _dump(document, readable=False)
    return HEAD + text


class _Plain(yaml.SafeDumper):
    """A writer that repeats a value instead of pointing back to it, as aliases are refused on reading."""

    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is ever pointed back to."""
        return True


def _dump(document: Mapping[str, Any], *, readable: bool) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=readable, width=110)


def _texts(value: Any) -> Iterator[str]:
    """Every text in the document, keys included."""
    if isinstance(value, Mapping):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _entry(action: Action) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "verb": action.verb.value,
        "address": str(action.address),
        "role": action.attribute.role,
    }
    if action.attribute.principal:
        entry["who"] = action.attribute.principal
    entry["before"] = action.before[0] if len(action.before) == 1 else list(action.before)
    entry["after"] = action.after
    if action.until is not None:
        entry["until"] = action.until
    if action.object_ids:
        entry["ids"] = dict(sorted(action.object_ids.items()))
    return entry
