"""What tenants may write about Databricks: entitlements in a workspace, secret scopes and their grants."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from reconciler.providers.document import Document, Shape, Terminable

Entitlement = Literal[
    "workspace-access",
    "databricks-sql-access",
    "workspace-consume",
    "allow-cluster-create",
    "allow-instance-pool-create",
]
"""The names that the workspace SCIM API takes (Terraform provider, scim/scim.go)."""

Workspace = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="The workspace's logical name, as `policies/environments` maps it.",
        examples=["ml-prod"],
    ),
]


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Entitlements = Annotated[
    tuple[Entitlement, ...],
    BeforeValidator(_listed),
    Field(min_length=1, description="One entitlement, or a list of them."),
    WithJsonSchema(
        {
            "description": "One entitlement, or a list of them.",
            "anyOf": [
                {"enum": list(get_args(Entitlement))},
                {"type": "array", "minItems": 1, "items": {"enum": list(get_args(Entitlement))}},
            ],
            "examples": ["workspace-access", ["workspace-access", "databricks-sql-access"]],
        }
    ),
]


class EntitlementGrant(Terminable):
    """Somebody's entitlements in one workspace."""

    can: Entitlements


class EntitlementsDocument(Document):
    """Who may use a workspace, and with which entitlements; each principal in it belongs to one document."""

    kind: Literal["entitlements"] = Field(description="Entitlements in one Databricks workspace.")
    workspace: Workspace
    grants: tuple[EntitlementGrant, ...] = Field(
        description="Everybody listed is assigned to the workspace first; `[]` revokes all.",
        examples=[[{"who": "group:pricing-ds", "can": ["workspace-access", "databricks-sql-access"]}]],
    )

    @field_validator("destroy")
    @classmethod
    def _nothing_to_destroy(cls, value: bool) -> bool:
        if value:
            raise ValueError(
                "entitlements are no thing that could be deleted: `state: retired` alone revokes them"
            )
        return value

    @field_validator("was")
    @classmethod
    def _no_former_name(cls, value: str | None) -> str | None:
        if value is not None:
            raise ValueError("entitlements have no name of their own: a renamed group keeps its object id")
        return value


class ScopeGrant(Terminable):
    """Somebody's right on a secret scope: it holds for every secret in it."""

    can: Literal["read", "write", "manage"] = Field(
        description="`read` sees values, `write` also sets them, `manage` also gives rights.",
        examples=["read"],
    )


def _days(text: str) -> str:
    if re.fullmatch(r"[1-9]\d{0,3}d", text) is None:
        raise ValueError(f"{text!r} is no age: write a number of days, such as 90d")
    return text


class SecretKey(Shape):
    """The name of a secret that should be there; its value is nobody's business here."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,128}$", description="The secret's key.", examples=["warehouse-password"]
    )
    rotate_every: Annotated[str, AfterValidator(_days)] | None = Field(
        default=None,
        alias="rotate-every",
        description="The age from which an unchanged secret is reported, in days.",
        examples=["90d"],
        json_schema_extra={"pattern": "^[1-9][0-9]{0,3}d$"},
    )


class SecretScopeDocument(Document):
    """A secret scope, who may use it, and which secrets should be in it."""

    kind: Literal["secret-scope"] = Field(description="A Databricks secret scope with its grants.")
    workspace: Workspace
    name: str = Field(
        pattern=r"^[A-Za-z0-9_.@/-]{1,128}$",
        description="The scope's name; its letter case does not matter.",
        examples=["pricing"],
    )
    backend: Literal["databricks", "keyvault"] = Field(
        default="databricks", description="Where the secrets are kept; it cannot be changed later."
    )
    resource_id: str | None = Field(
        default=None,
        alias="resource-id",
        description="With `backend: keyvault`: the vault's ARM id.",
        examples=["/subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/pricing"],
    )
    dns_name: str | None = Field(
        default=None,
        alias="dns-name",
        description="With `backend: keyvault`: the vault's address.",
        examples=["https://pricing.vault.azure.net/"],
    )
    grants: tuple[ScopeGrant, ...] = Field(
        description="Who may use the secrets; `[]` revokes all.",
        examples=[[{"who": "group:pricing-ds", "can": "read"}]],
    )
    keys: tuple[SecretKey, ...] = Field(
        default=(), description="Secrets that should be there: a missing or old one is reported."
    )

    @field_validator("was")
    @classmethod
    def _no_rename(cls, value: str | None) -> str | None:
        if value is not None:
            raise ValueError(
                "Databricks cannot rename a secret scope: declare the new one, copy the secrets, then write "
                "`state: retired` into the document of the old one"
            )
        return value

    @field_validator("keys")
    @classmethod
    def _distinct_keys(cls, value: tuple[SecretKey, ...]) -> tuple[SecretKey, ...]:
        seen: set[str] = set()
        for key in value:
            if key.name.lower() in seen:
                raise ValueError(f"{key.name!r} is listed twice: the case of letters makes no difference")
            seen.add(key.name.lower())
        return value

    @model_validator(mode="after")
    def _vault(self) -> Self:
        given = [name for name in (self.resource_id, self.dns_name) if name]
        if self.backend == "keyvault" and len(given) < 2:
            raise ValueError("`backend: keyvault` needs both `resource-id` and `dns-name`")
        if self.backend == "databricks" and given:
            raise ValueError("`resource-id` and `dns-name` belong to `backend: keyvault`")
        return self
