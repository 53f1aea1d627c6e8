"""How actions and their values read to a person: one symbol and one word per verb, rights by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reconciler.core.model import Kind, Value, Verb
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Cause
from reconciler.report.clean import plain

SYMBOLS = {
    Verb.CREATE: "*",
    Verb.GRANT: "+",
    Verb.RAISE: "^",
    Verb.SET: "~",
    Verb.LOWER: "v",
    Verb.REVOKE: "-",
    Verb.DELETE: "x",
}
LEGEND = "* create  + grant  ^ raise  ~ set  v LOWER  - REVOKE  x DELETE"

CAUSES = {
    Cause.MISSING: "",
    Cause.CHANGED: "",
    Cause.UNLISTED: "not listed",
    Cause.EXPIRED: "expired",
    Cause.RETIRED: "document retired",
    Cause.RENAMED: "renamed",
}


@dataclass(frozen=True, slots=True)
class Speech:
    """Turns values into words, by the kind of thing that they belong to."""

    kinds: Mapping[str, Kind]

    def value(self, kind: str, value: Value | None) -> str:
        """A right in words, with its spelling where the two differ: `read (r-x)`."""
        if value is None:
            return "nothing"
        known = self.kinds.get(kind)
        word = known.words.get(value, "") if known else ""
        return f"{word} ({value})" if word and word != value else plain(value)

    def values(self, kind: str, values: Sequence[Value | None]) -> str:
        """Several starting values, as of a tree whose parts disagree."""
        return " or ".join(self.value(kind, value) for value in values)

    def change(self, action: Action) -> str:
        """What an action changes: `read (r-x)`, `READ -> WRITE`, `was MANAGE`."""
        kind = action.address.kind
        if action.verb in (Verb.CREATE, Verb.DELETE):
            return ""
        if action.after is None:
            return f"had {self.values(kind, action.before)}"
        if action.verb is Verb.GRANT:
            return self.value(kind, action.after)
        return f"{self.values(kind, action.before)} -> {self.value(kind, action.after)}"


def verb(action: Action) -> str:
    """The verb; in capitals where somebody loses something."""
    return action.verb.value.upper() if takes_away(action) else action.verb.value


def who(action: Action) -> str:
    """Whom, or what of the thing, an action is about."""
    if action.attribute.principal:
        return plain(action.attribute.principal)
    return f"this {action.address.kind}" if action.attribute.role == "exists" else plain(action.attribute.role)


def role(action: Action) -> str:
    """The role, where it says more than the right does."""
    silent = ("exists", "acl", "name", "description")
    return (
        ""
        if action.attribute.role in silent or action.attribute.role == action.after
        else action.attribute.role
    )


def ends(until: date) -> str:
    """When a dated grant ends, to the minute."""
    return f"ends {until + timedelta(days=1)} 00:00 UTC"


def reason(action: Action) -> str:
    """Why the action is needed, in words; "" where the verb says it all."""
    parts = []
    if action.cause is Cause.EXPIRED and action.until:
        parts.append(f"expired on {action.until}")
    elif CAUSES[action.cause]:
        parts.append(CAUSES[action.cause])
    elif action.until:
        parts.append(ends(action.until))
    if action.because:
        parts.append(f'"{plain(action.because)}"')
    return ", ".join(parts)
