"""What the documents of the platform and approvals are made of: one shape, and the spelling of values."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from reconciler.core.model import Address
from reconciler.core.spelling import day, principal


class Shape(BaseModel):
    """What all documents of this module share: kebab-case keys, unknown ones are errors, values stay."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        # Most runs meet few of these kinds, and building a validator costs milliseconds.
        defer_build=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )


def _mail(text: str) -> str:
    address = text.removeprefix("user:").lower()
    if re.fullmatch(r"[^\s:@]+@[^\s:@]+", address) is None:
        raise ValueError(
            f"{text!r} is no person: commits know people by mail address, so write user:ana@corp.example"
        )
    return address


def _endpoint(text: str) -> str:
    if re.match(r"[^/]*//[^/]*@", text):
        raise ValueError(
            "an endpoint holds no name and no password, nor does any file here: write https://<host>"
        )
    found = re.fullmatch(
        r"https://(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?(?:/[^\s?#]*)?", text, re.ASCII
    )
    if found is None or int(found[1] or 0) > 65535:
        raise ValueError(f"{text!r} is no endpoint: write https://<host>")
    return text.rstrip("/")


def _address(text: str) -> str:
    Address.parse(text)
    return text


def _traverse(text: str) -> str:
    if text not in {"named", "everyone"} and not text.startswith("group:"):
        raise ValueError(f"{text!r} opens no ancestors: write group:<name>, everyone or named")
    return principal(text) if text.startswith("group:") else text


def _guid(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is None:
        raise ValueError(f"{text!r} is no object id: write it as 8-4-4-4-12 hexadecimal digits")
    return text.lower()


def _with_content(text: str) -> str:
    # Blanks have more spellings than strip() knows: a zero-width space is none of its own, and no sign.
    if not any(sign.isprintable() and not sign.isspace() for sign in text):
        raise ValueError(f"{text!r} is blank: write words")
    return text


Day = Annotated[date, BeforeValidator(day, json_schema_input_type=date)]
Guid = Annotated[str, AfterValidator(_guid)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$")]
"""A logical name: lower-case letters, digits, dots and hyphens."""
Text = Annotated[
    str,
    Field(min_length=1, max_length=500, json_schema_extra={"pattern": r"\S"}),
    AfterValidator(_with_content),
]
"""Words for people, such as a reason: never blank."""
Principal = Annotated[
    str,
    AfterValidator(principal),
    Field(examples=["sp:reconciler-apply"], json_schema_extra={"pattern": r"^(user|group|sp):\S"}),
]
Person = Annotated[str, AfterValidator(_mail), Field(examples=["user:lea@corp.example"])]
AddressText = Annotated[str, AfterValidator(_address)]
Traverse = Annotated[str, AfterValidator(_traverse)]
Pattern = Annotated[str, Field(min_length=1, max_length=1024)]
