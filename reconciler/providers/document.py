"""What all kinds of documents share: principals, grants with their terms, and where each value stands.

Every grant in every kind has one shape: `who`, `can`, and optionally `until` and `because`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from reconciler.core.model import Attribute, Source, Terms, Value
from reconciler.core.spelling import PRINCIPAL, day, principal
from reconciler.core.vocabulary import (
    Compiled,
    Context,
    Declared,
    DocumentKind,
    Problem,
    Reach,
    Vocabulary,
)

__all__ = [
    "PRINCIPAL",
    "Compiled",
    "Context",
    "Day",
    "Declared",
    "Document",
    "DocumentKind",
    "Principal",
    "Problem",
    "Reach",
    "Shape",
    "Terminable",
    "Vocabulary",
    "in_force",
]

Principal = Annotated[
    str,
    AfterValidator(principal),
    Field(
        description="Who: `user:<user principal name>`, `group:<Entra group>` or `sp:<service principal>`.",
        examples=["user:ana@corp.example", "group:pricing-ds", "sp:pricing-airflow"],
        # For editors only: here the validator says what is wrong in words.
        json_schema_extra={"pattern": r"^(user|group|sp):\S"},
    ),
]

Day = Annotated[date, BeforeValidator(day)]


class Shape(BaseModel):
    """The base of everything that is written in YAML: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Terminable(Shape):
    """Somebody, and on what terms."""

    who: Principal
    until: Day | None = Field(
        default=None, description="The last day on which it holds, UTC.", examples=["2027-01-31"]
    )
    because: str = Field(default="", max_length=500, description="Why, for the people who review it.")


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
