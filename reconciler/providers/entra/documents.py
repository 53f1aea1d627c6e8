"""The `group` document: an Entra group, its members and its owners, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from reconciler.core.environment import Environment
from reconciler.core.model import (
    EXISTS,
    PRESENT,
    Address,
    Attribute,
    Kind,
    Lifecycle,
    Source,
    Unlisted,
    Value,
    Wanted,
)
from reconciler.providers.document import (
    Compiled,
    Context,
    Declared,
    Document,
    DocumentKind,
    Principal,
    Reach,
    Terminable,
    in_force,
)

PROVIDER, GROUP_KIND = "entra", "group"
MEMBER, OWNER, DESCRIPTION, NAME = "member", "owner", "description", "name"
OWNERS_MANAGED = "owners"
"""The key of `Wanted.details` that says that owners are declared, be it as none."""

GROUP = Kind(
    name=GROUP_KIND,
    rank=10,
    scales={
        MEMBER: {MEMBER: frozenset({MEMBER})},
        OWNER: {OWNER: frozenset({OWNER})},
        EXISTS: {PRESENT: frozenset({PRESENT})},
    },
    words={MEMBER: "membership", OWNER: "ownership", PRESENT: "existence"},
    roles={MEMBER: "", OWNER: ""},
    properties=frozenset({NAME, DESCRIPTION}),
    identified=True,
)

_NAME = re.compile(r"\S|\S[^\x00-\x1f\x7f]*\S")


def _group_name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no group name: no control characters, no space at either end")
    return text


def _spelt_out(value: Any) -> Any:
    return {"who": value} if isinstance(value, str) else value


GroupName = Annotated[
    str,
    StringConstraints(max_length=256),
    BeforeValidator(_group_name, json_schema_input_type=str),
]
Membership = Annotated[Terminable, BeforeValidator(_spelt_out, json_schema_input_type=Principal | Terminable)]
"""`user:ana@corp.example` is short for `{who: user:ana@corp.example}`."""


class GroupDocument(Document):
    """An Entra group: who is in it, and who owns it."""

    kind: Literal["group"]
    name: GroupName = Field(
        description="The group's display name in Entra, compared letter by letter.", examples=["pricing-ds"]
    )
    description: str | None = Field(
        default=None, min_length=1, max_length=1024, description="What the group is for, as Entra shows it."
    )
    owners: tuple[Membership, ...] | None = Field(
        default=None,
        description="Users and service principals that may change the group in Entra; left out, owners are "
        "left alone. Entra lets no group own a group, and lets nobody remove the last owner.",
        examples=[["user:lea@corp.example"]],
    )
    members: tuple[Membership, ...] = Field(
        description="Everybody who is directly in the group; `[]` empties it.",
        examples=[["user:ana@corp.example", {"who": "user:bo@corp.example", "until": "2027-01-31"}]],
    )

    @field_validator("members", "owners")
    @classmethod
    def _each_once(cls, value: tuple[Terminable, ...] | None) -> tuple[Terminable, ...] | None:
        seen: set[str] = set()
        for wish in value or ():
            if wish.who in seen:
                raise ValueError(f"{wish.who} is listed twice: keep one")
            seen.add(wish.who)
        return value

    @field_validator("owners")
    @classmethod
    def _no_group_owns(cls, value: tuple[Terminable, ...] | None) -> tuple[Terminable, ...] | None:
        for wish in value or ():
            if wish.who.startswith("group:"):
                raise ValueError(f"{wish.who} cannot own a group: name users or service principals")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> GroupDocument:
        if any(wish.who == f"group:{self.name}" for wish in self.members):
            raise ValueError(f"group:{self.name} cannot be a member of itself")
        if self.was == self.name:
            raise ValueError(f"`was: {self.was}` is the present name: it is the former one that belongs here")
        if self.destroy and self.state != "retired":
            raise ValueError("`destroy: true` needs `state: retired` beside it")
        return self


def address_of(environment: Environment, name: str) -> Address:
    """The address of a group in an environment."""
    return Address(PROVIDER, environment.entra.name, GROUP_KIND, name)


def _reach(declared: Declared) -> Iterator[Reach]:
    document: GroupDocument = declared.document
    yield Reach(boundary="groups", installation="", locator=document.name, source=declared.locate("name"))
    if document.was:
        # A rename takes the old name's group along, so that name must be the tenant's own as well.
        yield Reach(boundary="groups", installation="", locator=document.was, source=declared.locate("was"))


def _principals(declared: Declared) -> Iterator[tuple[str, Source]]:
    document: GroupDocument = declared.document
    for field in ("members", "owners"):
        for position, wish in enumerate(getattr(document, field) or ()):
            yield wish.who, declared.locate(field, position, "who")


def _wishes(declared: Declared) -> Iterable[tuple[Attribute, Value, Terminable, Source]]:
    document: GroupDocument = declared.document
    locate: Callable[..., Source] = declared.locate
    for position, wish in enumerate(document.members):
        yield Attribute(MEMBER, wish.who), MEMBER, wish, locate("members", position, "who")
    for position, wish in enumerate(document.owners or ()):
        yield Attribute(OWNER, wish.who), OWNER, wish, locate("owners", position, "who")


def _lifecycle(document: GroupDocument) -> Lifecycle:
    if document.state == "active":
        return Lifecycle.ACTIVE
    return Lifecycle.DESTROYED if document.destroy else Lifecycle.RETIRED


def wanted(declared: Declared, context: Context) -> Wanted:
    """What one document comes to in one environment."""
    document: GroupDocument = declared.document
    environment = context.environment
    grants, terms = in_force(_wishes(declared), context.as_of)
    grants[Attribute(EXISTS)] = PRESENT
    if document.description is not None:
        grants[Attribute(DESCRIPTION)] = document.description
    return Wanted(
        address=address_of(environment, document.name),
        tenant=declared.tenant,
        source=declared.source,
        grants=grants,
        terms=terms,
        unlisted=Unlisted(document.unlisted),
        adopted=environment.name in declared.adopted,
        lifecycle=_lifecycle(document),
        was=document.was or "",
        details={OWNERS_MANAGED: "declared"} if document.owners is not None else {},
    )


def compile_groups(declared: Sequence[Declared], context: Context) -> Compiled:
    """Every group document of the policies as things wanted; no two documents share a group."""
    name = context.environment.name
    here = (each for each in declared if not each.environments or name in each.environments)
    return Compiled(wanted=[wanted(each, context) for each in here])


DOCUMENT: DocumentKind[Any] = DocumentKind(
    kind=GROUP_KIND,
    model=GroupDocument,
    reach=_reach,
    principals=_principals,
    environments=lambda document, environment: True,
)
