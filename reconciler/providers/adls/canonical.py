"""What a tree of access control lists comes to: the effective right of everybody, and where it differs.

Its law: two trees that grant equal access look equal.  Masks, order, the execute bit of files and entries
spelt wider than their mask are settled here; a mask that silences a grant is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from heapq import nsmallest

from reconciler.core.model import EXISTS, PRESENT, Attribute, Evidence, Found, Value
from reconciler.providers.adls.acl import ALL, BITS, EXECUTE, OTHER, READ, SPELLED, WRITE, Acl, Entry, Scope
from reconciler.providers.adls.acl import parse as parse_acl
from reconciler.providers.adls.documents import ACCESS, DEFAULT, EVERYBODY, LIST, NAME, PASS
from reconciler.providers.adls.ground import SAMPLES, Key, Tally, Tract
from reconciler.providers.adls.wording import Held, held, readable

parsed = lru_cache(maxsize=100_000)(parse_acl)
"""The list that a text spells: few distinct ones stand for millions of paths.  Raises AclError."""

CONTENT = READ | WRITE
"""The bits that mean something on a file (Microsoft docs: execute has no meaning on a file)."""
LISTS = 5
"""How many of the lists that were met are shown as evidence."""
SUPERUSER = "$superuser"
"""Who owns what was made with the account's key: nobody in the directory."""
NOWHERE = ""
"""A path on which a fact neither holds nor is missing: a default entry on a file."""


def scope_of(acl: Acl, role: str) -> Scope | None:
    """The list that facts of this role live in."""
    return acl.access if role == ACCESS else acl.default


@dataclass(frozen=True)
class Lens:
    """How the lists of one tract are read, given what its document asks for."""

    tract: Tract
    grants: Mapping[Attribute, Value]
    """What the document asks for: it decides between spellings that grant the same."""

    def value(self, key: Key, attribute: Attribute, entries: Iterable[Entry]) -> Value | None:
        """What a principal holds on such a path; NOWHERE where the question makes no sense there."""
        scope = scope_of(parsed(key.acl), attribute.role)
        wanted = self.grants.get(attribute)
        if attribute.role == DEFAULT and not key.directory:
            return NOWHERE
        raw, effective = _rights(scope, entries)
        if attribute.principal == EVERYBODY:
            raw = effective = _of_everybody(effective, key.directory)
        if wanted == LIST:
            return self._listed(key, effective)
        if not key.directory:
            return self._on_file(raw, effective, wanted)
        if attribute.role == ACCESS and wanted is None and self.left_to_the_platform(key, effective):
            return None
        return None if effective is None else SPELLED[effective]

    def left_to_the_platform(self, key: Key, effective: int | None) -> bool:
        """Whether an access entry only lets somebody through to a deeper folder."""
        return effective == EXECUTE and key.spot in self.tract.passages

    def narrowed(self, key: Key, attribute: Attribute, entries: Iterable[Entry]) -> bool:
        """Whether a file grants less than it spells, as the mode that it was created with made its mask."""
        if key.directory or attribute.role != ACCESS or self.tract.enforce_file_masks:
            return False
        wanted = self.grants.get(attribute)
        raw, effective = _rights(parsed(key.acl).access, entries)
        return _is_narrowed(raw, effective, wanted)

    def _listed(self, key: Key, effective: int | None) -> Value | None:
        """`list` holds on the folder itself; below it there should be nothing."""
        if key.spot == self.tract.path:
            if effective is None:
                return None
            return LIST if effective == READ | EXECUTE else SPELLED[effective]
        if effective is None or (key.directory and self.left_to_the_platform(key, effective)):
            return NOWHERE
        return SPELLED[effective] if key.directory else _spell_file(effective)

    def _on_file(self, raw: int | None, effective: int | None, wanted: Value | None) -> Value | None:
        if effective is None or raw is None:
            return None
        bits = effective & CONTENT
        if wanted is not None and bits == BITS[wanted] & CONTENT:
            return wanted
        if not self.tract.enforce_file_masks and _is_narrowed(raw, effective, wanted):
            return wanted
        return _spell_file(effective)


def _rights(scope: Scope | None, entries: Iterable[Entry]) -> tuple[int | None, int | None]:
    """What these entries spell and what they grant; None where there are none."""
    raw: int | None = None
    effective: int | None = None
    for entry in entries if scope is not None else ():
        assert scope is not None
        granted = scope.effective(entry)
        if granted is not None:
            raw = (raw or 0) | scope.named.get(entry, granted)
            effective = (effective or 0) | granted
    return raw, effective


def _of_everybody(bits: int | None, directory: bool) -> int | None:
    """`other` is always there: nothing at all is its absence."""
    return (bits or 0) & (ALL if directory else CONTENT) or None


def _is_narrowed(raw: int | None, effective: int | None, wanted: Value | None) -> bool:
    if raw is None or effective is None or wanted is None or wanted == LIST:
        return False
    asked = BITS[wanted] & CONTENT
    return raw & CONTENT == asked and effective & CONTENT != asked


def _spell_file(effective: int) -> Value:
    """A right on a file, in the spelling that it would have on a directory."""
    bits = effective & CONTENT
    return SPELLED[bits | EXECUTE] if bits else SPELLED[0]


def passing(acl: Acl, entries: Iterable[Entry], wanted: bool) -> Value | None:
    """What an ancestor grants of passing through.

    Whoever is to pass is asked for execute, whatever else he holds.  Of everybody else only entries that are
    `--x` alone are looked at: the rest is nobody's business here.
    """
    entries = list(entries)
    _, effective = _rights(acl.access, entries)
    if entries == [OTHER]:
        effective = effective or None
    if effective is None:
        return None
    if wanted:
        return PASS if effective & EXECUTE else (None if OTHER in entries else SPELLED[0])
    return PASS if effective == EXECUTE else None


@dataclass(frozen=True)
class Judged:
    """One tract in canonical form."""

    found: Found
    narrowed: Evidence
    """Files that grant less than their entries spell, by principal."""
    owning: Mapping[str, Evidence]
    """Owning groups whose members may do what the document does not grant them, by object id: how many
    paths for each right."""


@dataclass
class Canon:
    """Turns one tract's tally into the facts that are compared."""

    lens: Lens
    tally: Tally
    name: Callable[[Entry], str]

    @cached_property
    def entries(self) -> dict[Attribute, list[Entry]]:
        """Every fact met anywhere or asked for, with the entries that make it."""
        facts: dict[Attribute, set[Entry]] = {}
        for text in {key.acl for key in self.tally.counts}:
            acl = parsed(text)
            for role in (ACCESS, DEFAULT):
                for entry in _named(scope_of(acl, role)):
                    facts.setdefault(Attribute(role, self.name(entry)), set()).add(entry)
        for attribute in self.lens.grants:
            if attribute.role != EXISTS:
                facts.setdefault(attribute, set())
        return {attribute: sorted(found) for attribute, found in sorted(facts.items())}

    def judge(self) -> Judged:
        """The tract as it is compared, with evidence for what is not as it should be."""
        grants: dict[Attribute, Value] = {Attribute(EXISTS): PRESENT}
        mixed: dict[Attribute, tuple[Value | None, ...]] = {}
        evidence: dict[Attribute, Evidence] = {}
        for attribute, entries in self.entries.items():
            counts, odd = self._weigh(attribute, entries)
            values = sorted(counts, key=lambda value: (value is not None, value or ""))
            if not values:
                continue
            if len(values) > 1:
                mixed[attribute] = tuple(values)
            elif values[0] is not None:
                grants[attribute] = values[0]
            if odd:
                spread = {value or "-": counts[value] for value in values}
                evidence[attribute] = self._evidence(attribute, entries, spread, odd)
        tract = self.lens.tract
        if tract.want.was:
            # Where it is to be renamed, or was, its present name is a fact like any other.
            grants[Attribute(NAME)] = tract.address.locator
        found = Found(address=tract.address, grants=grants, mixed=mixed, evidence=evidence)
        return Judged(found=found, narrowed=self._narrowed(), owning=self._owning())

    def _weigh(
        self, attribute: Attribute, entries: list[Entry]
    ) -> tuple[dict[Value | None, int], list[tuple[Key, int]]]:
        """How many paths show each value, and which of them, by what they share, not the wanted one."""
        counts: dict[Value | None, int] = {}
        odd: list[tuple[Key, int]] = []
        wanted = self.lens.grants.get(attribute)
        for key, count in self.tally.counts.items():
            value = self.lens.value(key, attribute, entries)
            if value == NOWHERE:
                continue
            counts[value] = counts.get(value, 0) + count
            if value != wanted:
                odd.append((key, count))
        return counts, odd

    def _evidence(
        self,
        attribute: Attribute,
        entries: list[Entry],
        spread: Mapping[str, int],
        odd: Iterable[tuple[Key, int]],
    ) -> Evidence:
        """What is told of the paths that are not as wanted: the same, in whatever order they were met."""
        samples: list[tuple[str, str]] = []
        sorts = {False: 0, True: 0}
        lists: dict[Held | None, int] = {}
        for key, count in odd:
            acl = parsed(key.acl)
            why = _silenced(acl, attribute, entries)
            samples += ((path, why) for path in self.tally.samples.get(key, ()))
            sorts[key.directory] += count
            one = _held(key.acl, attribute.role)
            lists[one] = lists.get(one, 0) + count
        most = nsmallest(
            LISTS, lists.items(), key=lambda each: (-each[1], each[0] is not None, each[0] or ())
        )
        return Evidence(
            counts=spread,
            samples=tuple(f"{path}{why}" for path, why in nsmallest(SAMPLES, samples)),
            files=sorts[False],
            folders=sorts[True],
            lists=tuple((readable(one, self.name, entries), paths) for one, paths in most),
            distinct=len(lists),
        )

    def _owning(self) -> dict[str, Evidence]:
        counts: dict[str, dict[str, int]] = {}
        samples: dict[str, list[str]] = {}
        for key, count in self.tally.counts.items():
            if not key.group or key.group == SUPERUSER:
                continue
            access = parsed(key.acl).access
            means = ALL if key.directory else CONTENT
            held = access.group & access.limit & means
            named = access.effective(Entry("group", key.group.lower())) or 0
            if held & ~named:
                group = counts.setdefault(key.group.lower(), {})
                group[SPELLED[held]] = group.get(SPELLED[held], 0) + count
                samples.setdefault(key.group.lower(), []).extend(self.tally.samples[key])
        return {
            group: Evidence(counts=counts[group], samples=tuple(samples[group][:SAMPLES]))
            for group in sorted(counts)
        }

    def _narrowed(self) -> Evidence:
        counts: dict[str, int] = {}
        samples: list[str] = []
        for attribute, entries in self.entries.items():
            if attribute not in self.lens.grants:
                continue
            for key, count in self.tally.counts.items():
                if self.lens.narrowed(key, attribute, entries):
                    counts[attribute.principal] = counts.get(attribute.principal, 0) + count
                    samples += self.tally.samples[key]
        return Evidence(counts=counts, samples=tuple(samples[:SAMPLES]))


@lru_cache(maxsize=100_000)
def _held(text: str, role: str) -> Held | None:
    return held(scope_of(parsed(text), role))


def _named(scope: Scope | None) -> Iterator[Entry]:
    if scope is not None:
        yield from scope.named
        yield OTHER


def _silenced(acl: Acl, attribute: Attribute, entries: Iterable[Entry]) -> str:
    """` (its rwx is masked by --x)` where the mask takes from an entry what it says; "" where it does not."""
    scope = scope_of(acl, attribute.role)
    for entry in entries:
        bits = scope.named.get(entry) if scope is not None else None
        if scope is not None and bits is not None and bits & ~scope.limit:
            return f" (its {SPELLED[bits]} is masked by {SPELLED[scope.limit]})"
    return ""
