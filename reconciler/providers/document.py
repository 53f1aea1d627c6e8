"""What all kinds of documents share: principals, grants with their terms, and where each value stands.

Every grant in every kind has one shape: `who`, `can`, and optionally `until` and `because`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reconciler.core.environment import Environment
from reconciler.core.model import Attribute, Kind, Source, Terms, Value, Wanted

PRINCIPAL = re.compile(r"(user|group|sp):(?=\S)[^\x00-\x1f\x7f]{1,256}(?<=\S)")


def _principal(text: str) -> str:
    if PRINCIPAL.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a principal: write user:<UPN>, group:<name> or sp:<name>")
    kind, _, name = text.partition(":")
    # Entra compares user principal names without regard to case, and so does everything behind it.
    return f"user:{name.lower()}" if kind == "user" else text


Principal = Annotated[
    str,
    AfterValidator(_principal),
    Field(
        description="Who: `user:<user principal name>`, `group:<Entra group>` or `sp:<service principal>`.",
        examples=["user:ana@corp.example", "group:pricing-ds", "sp:pricing-airflow"],
        pattern=r"^(user|group|sp):\S",
    ),
]


class Shape(BaseModel):
    """The base of everything that is written in YAML: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Terminable(Shape):
    """Somebody, and on what terms."""

    who: Principal
    until: date | None = Field(
        default=None, description="The last day on which it holds, UTC.", examples=["2027-01-31"]
    )
    because: str = Field(default="", max_length=500, description="Why, for the people who review it.")


Wish = TypeVar("Wish", bound=Terminable)


class Document(Shape):
    """What every tenant document may say."""

    kind: str
    environments: tuple[str, ...] | None = Field(
        default=None, description="Where it holds; default: every environment that knows its names."
    )
    unlisted: Literal["revoke", "keep"] = Field(
        default="revoke", description="What becomes of live grants that are not listed here."
    )
    state: Literal["active", "retired"] = Field(
        default="active", description="`retired` revokes everything that this document grants."
    )
    destroy: bool = Field(
        default=False, description="Beside `state: retired`: also delete the thing itself once it is empty."
    )
    was: str | None = Field(default=None, description="The former name, to rename without losing anything.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One valid document with its place in the policies."""

    tenant: str
    document: Any
    """An instance of the model of its kind."""
    source: Source
    """Where the document begins."""
    locate: Callable[..., Source]
    """`locate("grants", 2, "who")` is where that value stands, or the nearest enclosing one."""
    adopted: frozenset[str] = frozenset()
    """Environments that the tenant has adopted."""
    blocked_tenants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong in a document, at its place, with what to do next."""

    source: Source
    text: str
    tenant: str = ""

    def __str__(self) -> str:
        return f"{self.source.file}:{self.source.line}:{self.source.column}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What compiling needs to know beside the document itself."""

    environment: Environment
    as_of: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What documents of one provider come to in one environment."""

    wanted: Sequence[Wanted] = ()
    problems: Sequence[Problem] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One thing that a document lays claim to: what boundaries and collisions are checked on."""

    boundary: str
    """The word of `policies/boundaries.yaml` that governs it: `groups`, `workspaces`, `scopes`, `folders`."""
    installation: str
    """The logical name: a workspace, a lake; "" for the directory."""
    locator: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentKind(Generic[Wish]):
    """One `kind:` of tenant document."""

    kind: str
    model: type[Document]
    reach: Callable[[Declared], Iterable[Reach]]
    principals: Callable[[Declared], Iterable[tuple[str, Source]]]
    """Every principal that the document names, with its place."""
    environments: Callable[[Any, Environment], bool]
    """Whether this environment knows all the logical names that the document uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What one provider adds to the policy language and to the comparison."""

    provider: str
    documents: Sequence[DocumentKind[Any]]
    kinds: Sequence[Kind]
    compile: Callable[[Sequence[Declared], Context], Compiled]
    """All documents of the provider together, as some of them meet on one address."""
    open: Callable[..., Any] = field(repr=False)
    """`open(environment, environ, root)`: the provider itself; loads its SDK.  `environ` is the process
    environment, the only place that credentials come from; `root` is what `ca_file` is relative to."""


def in_force(
    wishes: Iterable[tuple[Attribute, Value, Terminable, Source]], as_of: date
) -> tuple[dict[Attribute, Value], dict[Attribute, Terms]]:
    """What holds on the day of the run, and the terms of everything including what has expired.

    A grant whose last day has passed is in the terms and not in the grants: that is how its revocation
    knows its cause.
    """
    grants: dict[Attribute, Value] = {}
    terms: dict[Attribute, Terms] = {}
    for attribute, value, wish, source in wishes:
        terms[attribute] = Terms(source=source, until=wish.until, because=wish.because)
        if wish.until is None or as_of <= wish.until:
            grants[attribute] = value
    return grants, terms
