"""The nouns of the product: what was wanted, what was found, and what differs.

Names identify things here; object ids are carried beside them as evidence, and become part of consent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

Value = str
"""A right or property in canonical spelling: `READ`, `r-x`, `member`.  Absence is None, never "" ."""

EXISTS = "exists"
PRESENT = "present"


class Verb(StrEnum):
    """What an action does, in the order in which verbs run: widening comes before narrowing."""

    CREATE = "create"
    GRANT = "grant"
    RAISE = "raise"
    SET = "set"
    LOWER = "lower"
    REVOKE = "revoke"
    DELETE = "delete"


REMOVALS = frozenset({Verb.SET, Verb.LOWER, Verb.REVOKE, Verb.DELETE})
"""Verbs after which somebody may hold less: what the removal guardrails count."""


class Address(NamedTuple):
    """Which thing: `adls/datalake/folder/curated/pricing`.  Only the locator may contain slashes.

    A tuple, as everything is looked up and put in order by it.
    """

    provider: str
    installation: str
    kind: str
    locator: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.installation}/{self.kind}/{self.locator}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that this text spells; raises ValueError when a part is missing."""
        parts = text.split("/", 3)
        if len(parts) != 4 or not all(parts):
            raise ValueError(f"{text!r} is not an address: provider/installation/kind/locator")
        return cls(*parts)


class Attribute(NamedTuple):
    """Which fact of a thing: a role, and the principal who holds it ("" for the thing's own properties).

    Roles: `exists` and `name` of the thing itself; `member`, `owner` of a group; `assignment` and each
    entitlement's own name in a workspace; `acl` on a secret scope; `access` and `default` on a lake folder.
    """

    role: str
    principal: str = ""


class Source(NamedTuple):
    """The place in the policies that asks for something; `line` and `column` count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a grant was asked for."""

    source: Source
    until: date | None = None
    """The last day on which it holds."""
    because: str = ""


class Unlisted(StrEnum):
    """What becomes of live grants that the document does not list."""

    REVOKE = "revoke"
    KEEP = "keep"


class Lifecycle(StrEnum):
    """Whether a document's thing is wanted, left with its grants revoked, or removed altogether."""

    ACTIVE = "active"
    RETIRED = "retired"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One thing as the policies want it in one environment."""

    address: Address
    tenant: str
    source: Source
    grants: Mapping[Attribute, Value]
    """Everything that should hold on the day of the run; expired grants are not among them."""
    terms: Mapping[Attribute, Terms] = field(default_factory=dict)
    """The terms of a grant where they say more than the document's own source, and of expired ones."""
    unlisted: Unlisted = Unlisted.REVOKE
    adopted: bool = False
    """False until the tenant's document adopts the environment: then nothing unlisted is revoked."""
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    was: str = ""
    """The locator that the thing was known by before a rename."""
    shared: bool = False
    """True where several tenants contribute (ancestors of lake folders): a blocked tenant freezes it."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What the provider needs beyond grants, such as a scope's back end or the keys it should hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing as a provider read it, in canonical form: two equal ones grant equal access."""

    address: Address
    grants: Mapping[Attribute, Value]
    mixed: Mapping[Attribute, tuple[Value | None, ...]] = field(default_factory=dict)
    """Facts on which the parts of a tree disagree: every value met, sorted, None for parts without it.
    An attribute is in `grants` or in `mixed`, never in both."""
    object_id: str = ""
    """The id behind the name, part of every action's identity; "" where the name is all there is."""
    read_only: str = ""
    """Why nothing may be written to it (dynamic group, on-premises group); "" when it may."""
    kept: Mapping[Attribute, str] = field(default_factory=dict)
    """Facts that nobody may plan to remove, with the reason: a PIM activation, the creator's MANAGE."""
    evidence: Mapping[Attribute, Evidence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a tree-wide action is about; never part of its identity."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """Number of paths by value met; absence is counted under `-`."""
    samples: tuple[str, ...] = ()
    """A few of the paths that are not as wanted."""
    files: int = 0
    """How many files are not as wanted."""
    folders: int = 0
    """How many folders are not as wanted."""
    lists: tuple[tuple[str, int], ...] = ()
    """The commonest access control lists of the paths that are not as wanted, readable, each with how many of
    them hold it; the commonest first.  Empty where what was read has no lists."""
    distinct: int = 0
    """How many different lists those paths hold, of which `lists` names a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A part of live state that could not be read.  It is never the same as an absence."""

    address: Address
    reason: str
    status: str = ""
    """The service's own code, such as `403 AuthorizationPermissionMismatch`."""
    accepted: str = ""
    """Why and until when somebody accepted it; "" for a gap that makes the run unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fact worth telling for which there is no action."""

    rule: str
    """`unmanaged`, `unlisted`, `abandoned`, `bypass`, `stale-key`, `missing-key`, `kept`, `dangling`, …"""
    address: Address
    text: str
    tenant: str = ""
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one place was read: evidence beside a plan, never part of an action's identity."""

    place: str
    """Whose contents were read, like an address without a kind: `adls/datalake/curated`."""
    reader: str
    """`list-blobs`, `path-listing` or `inventory`; what served most where several did."""
    paths: int = 0
    """Paths met, those that nobody declared included."""
    requests: int = 0
    """All requests that were answered, those for single paths included."""
    single: int = 0
    """Requests for the list of a single path."""
    why: str = ""
    """Why it is not the reader of first choice, or not only that one; "" when it is."""
    as_of: str = ""
    """Of an inventory: its run and its age, in words; "" for what was read just now."""
    resumed: int = 0
    """Of the paths, those that come from the checkpoint of an interrupted reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What was read, and what could not be: a gap is never the same as an absence."""

    found: Mapping[Address, Found] = field(default_factory=dict)
    """A wanted address that is in neither `found` nor `gaps` was read and does not exist."""
    gaps: Mapping[Address, Gap] = field(default_factory=dict)
    """Neither revoked nor deleted nor granted, whatever policy says."""
    findings: Sequence[Finding] = ()
    readings: Sequence[Reading] = field(default=(), compare=False)
    """How each place was read; empty where a provider has nothing to tell of it.  The same state read twice
    is equal, whatever this says."""
    answering: frozenset[str] = field(default=frozenset(), compare=False)
    """Services (`provider/installation`) that answered a request with what it asked for: whatever is a gap
    there, it is not that nobody answers."""


class Presence(StrEnum):
    """What the directory says about a principal's name."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    MOVED = "moved"
    """The name is pinned to an object id, and now belongs to another object."""
    UNREADABLE = "unreadable"
    PLANNED = "planned"
    """It does not exist yet, and a document of this run creates it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a principal's name stands for today."""

    principal: str
    presence: Presence
    object_id: str = ""
    app_id: str = ""
    """For service principals: what Databricks calls them by."""
    pinned: bool = False
    display: str = ""
    reason: str = ""
    """Why it is not usable, with the candidates where there are several."""


class Passage(NamedTuple):
    """What reaching a thing in a tree takes: on everything above it, one of these parts of a right."""

    kinds: tuple[str, ...]
    """Kinds of things that may lie above: those that govern a tree, and those that are one place alone."""
    role: str
    part: str
    """Held on what lies above, or on what governs it."""
    own: str
    """Held on the very place, it is enough as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How the facts of one kind of thing compare and read."""

    name: str
    rank: int
    """Its place among kinds when everything else is equal: groups before what is granted to them."""
    scales: Mapping[str, Mapping[Value, frozenset[str]]] = field(default_factory=dict)
    """Per role, what each right is made of; a right that contains another's parts is the higher one.
    A value that is not listed is made of its own letters (`r-x` of r and x)."""
    words: Mapping[Value, str] = field(default_factory=dict)
    """How a right reads to a person: `r-x` as `read`.  What follows `: ` explains it, and is said once in a
    report; "" says that the role tells all, as with an entitlement that is held."""
    title: str = ""
    """What one such thing is called in a sentence, `secret scope`; "" where its name does."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """How a role reads beside a right, `default` as `for new files`; "" says that the right tells all."""
    properties: frozenset[str] = frozenset()
    """Roles that are no rights at all: their transitions are always `set`."""
    identified: bool = False
    """True where a thing has an object id that its facts belong to: until it exists, they wait."""
    first: str = ""
    """The role that must hold before any other of the same address can, such as `assignment`."""
    passage: Passage | None = None
    """For things in a tree: what it takes to reach one; "/" parts the names of a locator."""
    own_first: bool = False
    """True where an entry of somebody's own is all that counts, whatever their groups hold."""
    below: tuple[str, str] | None = None
    """Kind and role that whoever uses such a thing must hold in the same installation, such as being in the
    workspace; what is known of them may not be all of it."""

    def parts(self, role: str, value: Value | None) -> frozenset[str]:
        """What holding this value allows, as a set that can be compared; empty for None."""
        if value is None:
            return frozenset()
        known = self.scales.get(role, {}).get(value)
        return known if known is not None else frozenset(value) - {"-"}
