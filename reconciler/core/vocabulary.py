"""The shapes through which policies and providers meet: valid documents, and what a provider makes of them.

Only the standard library is needed here, so that whoever reads policies need not know any provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Generic, TypeVar

from reconciler.core.environment import Environment
from reconciler.core.model import Address, Kind, Source, Wanted

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """Where a tenant may declare things of one kind: shell-style patterns over locators, per installation."""

    tenant: str
    kind: str
    """The kind of thing in addresses, such as `secret-scope`."""
    installation: str
    """The logical name; "" for the directory."""
    patterns: tuple[str, ...]

    def covers(self, locator: str) -> bool:
        """Whether the locator is inside: `*` stands for anything but a slash, `**` for anything."""
        return any(_matcher(pattern)(locator) for pattern in self.patterns)


@cache
def _matcher(pattern: str) -> Callable[[str], object]:
    plain = pattern.rstrip("*")
    if not set(plain) & {"*", "?"}:
        # Nearly all patterns are of these three forms, and compiling thousands of expressions takes long.
        match pattern[len(plain) :]:
            case "":
                return pattern.__eq__
            case "*":
                return lambda locator: locator.startswith(plain) and "/" not in locator[len(plain) :]
            case _:
                return lambda locator: locator.startswith(plain)
    expression = ""
    for token in re.findall(r"\*\*|\*|\?|[^*?]+", pattern):
        expression += {"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(token) or re.escape(token)
    return re.compile(expression, re.DOTALL).fullmatch


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
    environments: frozenset[str] = frozenset()
    """Where it holds: the environments that it names, or else all that know its names."""
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
    granted: frozenset[Address] = frozenset()
    """Where the journal says that grants were made and still stand: what a deleted document governed is
    nobody else's until somebody declares it."""


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


# No slots: a frozen class with slots cannot be made through a subscript, `DocumentKind[Model](…)`.
@dataclass(frozen=True, kw_only=True)
class DocumentKind(Generic[Model]):
    """One `kind:` of tenant document."""

    kind: str
    model: type[Any]
    """The pydantic model of its documents; typed loosely, as nothing here may import pydantic."""
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
    """`open(environment, environ, root, before_send)`: the provider itself; loads its SDK.  `environ` is the
    process environment, the only place that credentials come from; `root` is what `ca_file` is relative to;
    `before_send` is called right before each write leaves."""
