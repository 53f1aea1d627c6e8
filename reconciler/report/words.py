"""How actions and their values read to a person: one symbol and one word per verb, rights by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reconciler.core.model import EXISTS, Attribute, Kind, Value, Verb
from reconciler.core.order import takes_away
from reconciler.core.plan import Action, Cause
from reconciler.report.clean import plain
from reconciler.report.lines import count

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
    Cause.RETIRED: "retired",
    Cause.RENAMED: "renamed",
}

EVERYBODY = "other"
"""The principal of an access list that stands for whoever is not named in it (POSIX)."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Turns facts into words, by the kind of thing that they belong to."""

    kinds: Mapping[str, Kind]
    quote: Callable[[str], str] = plain
    """How a name or a value that somebody else chose is written."""
    say: Callable[[str], str] = plain
    """How a sentence that somebody else wrote is written."""
    arrow: str = "->"

    def title(self, kind: str) -> str:
        """What one such thing is called: `secret scope`."""
        known = self.kinds.get(kind)
        return known.title if known and known.title else self._name(kind)

    def gloss(self, kind: str) -> str:
        """What one such thing is, where its name does not say it."""
        known = self.kinds.get(kind)
        return known.title if known else ""

    def _name(self, kind: str) -> str:
        return kind.replace("-", " ") if kind in self.kinds else self.quote(kind)

    def value(self, kind: str, role: str, value: Value | None) -> str:
        """A right in words, with its spelling where the two have nothing in common: `read (r-x)`.

        "" where the role tells all.
        """
        if value is None:
            return "nothing"
        known = self.kinds.get(kind)
        word = known.words.get(value) if known else None
        if word is None:
            return self.quote(value)
        short = word.partition(": ")[0]
        told = not short or value == role or value.lower() in short.lower().split()
        return short if told else f"{short} ({self.quote(value)})"

    def change(self, action: Action) -> str:
        """What an action changes: `read (r-x)`, `read -> write, for new files`, `workspace-access`."""
        kind, role = action.address.kind, action.attribute.role
        if role == EXISTS:
            return ""
        before = [word for word in (self.value(kind, role, value) for value in action.before) if word]
        after = self.value(kind, role, action.after) if action.after is not None else ""
        lost = " or ".join(before)
        if action.after is None or action.verb is Verb.DELETE:
            right = lost
        elif action.verb is Verb.GRANT:
            right = after
        else:
            right = f"{lost} {self.arrow} {after}"
        return self._with_role(kind, action.attribute, right)

    def role(self, kind: str, attribute: Attribute) -> str:
        """The role of a fact whose value is not at hand: `membership`, `access for new files`."""
        if attribute.role == EXISTS or not attribute.principal:
            return ""
        known = self.kinds.get(kind)
        word = known.roles.get(attribute.role) if known else None
        if word:
            return word
        name = known.words.get(attribute.role) if known else None
        return name.partition(": ")[0] if name else self.quote(attribute.role)

    def _with_role(self, kind: str, attribute: Attribute, right: str) -> str:
        if not attribute.principal:
            return right
        known = self.kinds.get(kind)
        word = known.roles.get(attribute.role) if known else None
        if word is None:
            return f"{self.quote(attribute.role)} {right}".rstrip()
        return f"{right} {word}" if word else right

    def who(self, action: Action) -> str:
        """Whom, or what of the thing, an action is about."""
        return self.whom(action.address.kind, action.attribute)

    def whom(self, kind: str, attribute: Attribute) -> str:
        """The principal of a fact; the thing itself where there is none."""
        if attribute.principal == EVERYBODY:
            return f"everybody ({EVERYBODY})"
        if attribute.principal:
            return self.quote(attribute.principal)
        if attribute.role == EXISTS:
            return f"this {self.title(kind)}"
        return f"its {self.quote(attribute.role)}"

    def explained(self, actions: Iterable[Action]) -> list[str]:
        """Rights that these actions speak of and whose short name needs a word more."""
        met = {
            (action.address.kind, value)
            for action in actions
            for value in (*action.before, action.after)
            if value is not None
        }
        found = set()
        for kind, value in met:
            known = self.kinds.get(kind)
            short, colon, meaning = (known.words.get(value, "") if known else "").partition(": ")
            if colon:
                found.add(f"{short}: {meaning}")
        return sorted(found)


def verb(action: Action) -> str:
    """The verb; in capitals where somebody loses something."""
    return action.verb.value.upper() if takes_away(action) else action.verb.value


def ends(until: date) -> str:
    """When a dated grant ends, to the minute."""
    return f"ends {until + timedelta(days=1)} 00:00 UTC" if until < date.max else f"until {until}"


def reason(action: Action) -> str:
    """Why the action is needed, in words; "" where the verb says it all."""
    if action.cause is Cause.EXPIRED and action.until:
        return f"expired {action.until}"
    if CAUSES[action.cause]:
        return CAUSES[action.cause]
    return ends(action.until) if action.until else ""


def evidence(action: Action, speech: Speech) -> str:
    """What the counts of a tree-wide action mean: on how many of its paths something changes.

    `changes 2 of 8 paths: pricing/2026, pricing/2027`, so 6 are as wanted; "" for an action on one thing.
    """
    counts, samples = action.evidence.counts, action.evidence.samples
    total = sum(counts.values())
    if not total:
        return ""
    starts = {"-" if value is None else value for value in action.before}
    changed = sum(number for value, number in counts.items() if value in starts)
    met = [value for value in action.before if counts.get(value or "-")]
    if changed == total > 1 and len(met) == 1:
        return f"changes all {total:,} paths"
    told = f"changes {changed:,} of {total:,} paths" if total > 1 else "changes 1 path"
    if len(met) > 1:
        told += f" ({_spread(action, met, speech)})"
    others = [value for value in sorted(counts) if value not in {*starts, action.after or "-"}]
    left = (f"; {counts[value]:,} {_left(value, action, speech)}" for value in others)
    # Samples are of all paths that are not as wanted, be it this action or another that mends them.
    among = "; not as wanted:" if others else ":" if changed == len(samples) else ", e.g."
    named = f"{among} {', '.join(map(speech.quote, samples))}" if samples else ""
    return "".join([told, *left, named])


def lists(action: Action, speech: Speech) -> str:
    """What the paths that are not as wanted hold, where there are more of them than have been named.

    `12,402 files and 31 folders are not as wanted, with 3 lists; commonest, on 12,000: owner rwx, …`; ""
    where every one of them is a sample.
    """
    evidence = action.evidence
    number = evidence.files + evidence.folders
    if not evidence.lists or number <= len(evidence.samples):
        return ""
    sorts = [
        count(each, noun) for each, noun in ((evidence.files, "file"), (evidence.folders, "folder")) if each
    ]
    text, paths = evidence.lists[0]
    told = f"{' and '.join(sorts)} {'are' if number > 1 else 'is'} not as wanted"
    if evidence.distinct == 1:
        return f"{told}, all with the list: {speech.quote(text)}"
    return f"{told}, with {evidence.distinct:,} lists; commonest, on {paths:,}: {speech.quote(text)}"


def _left(value: Value, action: Action, speech: Speech) -> str:
    known = None if value == "-" else value
    shown = speech.value(action.address.kind, action.attribute.role, known)
    return f"with {shown or 'another value'} are left to another action"


def _spread(action: Action, met: Sequence[Value | None], speech: Speech) -> str:
    kind, role, counts = action.address.kind, action.attribute.role, action.evidence.counts
    return ", ".join(f"{counts[value or '-']:,} from {speech.value(kind, role, value)}" for value in met)
