"""The platform's half of the policy language, the tenant's own card, and approvals.

What providers add (`group`, `secret-scope`, …) comes in as vocabularies; nothing here knows them.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from reconciler.core.model import Verb
from reconciler.policy.shapes import (
    AddressText,
    Day,
    Endpoint,
    Guid,
    Name,
    Pattern,
    Person,
    Principal,
    Shape,
    Text,
    Traverse,
)


class EntraShape(Shape):
    """The Entra tenant."""

    name: Name = Field(description="Its name in addresses: `entra/<name>/group/…`.", examples=["corp"])
    tenant_id: Guid = Field(description="The directory's own id.")
    authority: Endpoint = Field(
        default="https://login.microsoftonline.com", description="Where tokens come from."
    )
    graph: Endpoint = Field(default="https://graph.microsoft.com", description="Microsoft Graph.")
    arm: Endpoint = Field(
        default="https://management.azure.com", description="Azure Resource Manager, for role assignments."
    )


class WorkspaceShape(Shape):
    """One Databricks workspace."""

    host: Endpoint = Field(examples=["https://adb-1234567890123456.7.azuredatabricks.net"])
    workspace_id: str = Field(pattern=r"^[0-9]+$", examples=["1234567890123456"])


class DatabricksShape(Shape):
    """The Databricks account and its workspaces."""

    account_id: Guid
    account_host: Endpoint = "https://accounts.azuredatabricks.net"
    identity_sync: Literal["aim", "scim"] = Field(
        default="aim",
        description="How Databricks learns of Entra: automatic identity management, or SCIM provisioning, "
        "which copies no nested groups.",
    )
    workspaces: dict[Name, WorkspaceShape] = Field(
        default={}, description="Logical name to workspace; documents use the logical name."
    )


class ContainerShape(Shape):
    """One container of a lake."""

    traverse: Traverse = Field(
        default="named",
        description="Who may pass through the folders above declared ones: `group:<name>` (recommended), "
        "`everyone`, or `named`: each principal that is granted something below.",
        examples=["group:lake-users"],
    )


class InventoryShape(Shape):
    """A Blob Inventory rule of the account, whose runs are read instead of every path."""

    container: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        description="The rule's destination container.",
        examples=["inventory"],
    )
    rule: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,255}$", description="The rule's name.", examples=["nightly"]
    )
    prefix: str = Field(
        default="",
        pattern=r"^([^/.][^/]*(/[^/.][^/]*)*)?$",
        description="The folder that runs are below, where somebody moved them into one.",
        examples=["access/lake"],
    )
    max_age: str = Field(
        default="36h",
        pattern=r"^[1-9][0-9]{0,2}[hd]$",
        description="How long ago a run may have begun, in hours or days; an older one is a gap.",
        examples=["36h"],
    )
    containers: tuple[Name, ...] = Field(
        default=(), description="The containers that are read from it; default: all of this lake."
    )
    names: Literal["auto", "container", "path"] = Field(
        default="auto",
        description="What a Name begins with: its container, or its path; auto: as it turns out.",
    )
    percent_encoded: bool = Field(default=False, description="Whether names are written as in a URL.")


class LakeShape(Shape):
    """One ADLS Gen2 account."""

    dfs: Endpoint = Field(examples=["https://corpdatalake.dfs.core.windows.net"])
    blob: Endpoint = Field(examples=["https://corpdatalake.blob.core.windows.net"])
    resource_id: str = Field(
        default="", description="The account's ARM id; without it role assignments stay unknown."
    )
    containers: dict[Name, ContainerShape] = Field(
        default={}, description="The containers in which folders may be declared."
    )
    inventory: InventoryShape | None = Field(
        default=None, description="Read very large containers from a Blob Inventory; default: path by path."
    )


class StoreShape(Shape):
    """Where journal, spent consent and lock live: exactly one of both."""

    folder: str = Field(
        default="", description="A folder, relative to the root; each environment has its own in it."
    )
    container: str = Field(
        default="",
        description="A blob container with a prefix: `<dfs endpoint>/<container>/<prefix>`.",
        examples=["https://corpops.dfs.core.windows.net/reconciler/prod"],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.folder) == bool(self.container):
            raise ValueError("give exactly one of `folder` and `container`")
        return self


class AcceptedGapShape(Shape):
    """A gap that somebody accepts until a date: it is still shown, and the run is not unknown for it."""

    address: AddressText = Field(examples=["adls/datalake/folder/raw/fraud"])
    until: Day = Field(examples=["2027-01-31"])
    because: Text


class EnvironmentDocument(Shape):
    """One installation: where things are.  It never holds a credential."""

    kind: Literal["environment"]
    name: Name = Field(examples=["prod"])
    entra: EntraShape
    databricks: DatabricksShape | None = None
    lakes: dict[Name, LakeShape] = Field(default={}, description="Logical name to ADLS Gen2 account.")
    azure_credential: Literal["default", "client-secret", "workload-identity", "cli", "managed-identity"] = (
        Field(default="default", description="How to sign in to Azure; default: whatever is set up.")
    )
    databricks_credential: Literal["azure", "oauth-m2m", "github-oidc"] = Field(
        default="azure", description="How to sign in to Databricks."
    )
    ca_file: str = Field(
        default="", description="A certificate authority to trust instead of the system's; relative path."
    )
    store: StoreShape = StoreShape(folder=".reconciler/store")
    accepted_gaps: tuple[AcceptedGapShape, ...] = ()
    patience: float = Field(
        default=30.0, gt=0, le=600, description="Seconds until an unreachable service becomes a gap."
    )


class TenantBoundary(Shape):
    """Where one tenant may declare things; `*` stands for anything but a slash, `**` for anything."""

    groups: tuple[Pattern, ...] = Field(
        default=(), description="Names of Entra groups.", examples=[["pricing-*"]]
    )
    workspaces: tuple[Pattern, ...] = Field(
        default=(), description="Workspaces in which it may give entitlements.", examples=[["ml-prod"]]
    )
    scopes: tuple[Pattern, ...] = Field(
        default=(), description="Secret scopes, as `workspace/scope`.", examples=[["ml-*/pricing*"]]
    )
    folders: tuple[Pattern, ...] = Field(
        default=(),
        description="Folders, as `lake/container/path`, each with everything below it.",
        examples=[["datalake/curated/pricing"]],
    )


class BoundariesDocument(Shape):
    """What each tenant may declare: everything else is an error at the line that declares it."""

    kind: Literal["boundaries"]
    tenants: dict[str, TenantBoundary]


class LimitShape(Shape):
    """How much may be taken away within 24 hours; both figures are asked."""

    count: int | None = Field(default=None, ge=0, description="This many grants at most.")
    percent: float | None = Field(default=None, ge=0, le=100, description="This share of all grants at most.")


Limits = dict[str, LimitShape]


class TogetherShape(Shape):
    """How much of several kinds or tenants may be taken away within 24 hours, each within its own limit."""

    tenant: LimitShape = Field(
        default=LimitShape(count=20), description="Of one tenant, all kinds together; default: 20 grants."
    )
    kind: LimitShape = Field(
        default=LimitShape(count=50), description="Of one kind, all tenants together; default: 50 grants."
    )
    all: LimitShape = Field(
        default=LimitShape(count=100), description="Of everything in the environment; default: 100 grants."
    )


class GuardrailsDocument(Shape):
    """Rules over every plan; an approval may override one by its name, with a reason."""

    kind: Literal["guardrails"]
    removals: Limits = Field(
        default={},
        description="Per kind of thing; `*` is for kinds and figures that are not given. Default: 10 grants, "
        "30 percent.",
        examples=[{"*": {"count": 20, "percent": 30}}],
    )  # fmt: skip
    tenant_removals: dict[str, Limits] = Field(
        default={}, description="Per tenant and kind, where a tenant has limits of its own."
    )
    removals_together: TogetherShape = TogetherShape()
    own_identities: tuple[Principal, ...] = Field(
        default=(),
        description="Identities that the reconciler runs with: they keep what they have.",
    )
    break_glass: tuple[Principal, ...] = Field(
        default=(), description="Emergency accounts: they keep what they have.",
        examples=[["user:breakglass-1@corp.example"]],
    )  # fmt: skip
    wide: tuple[str, ...] | None = Field(
        default=None, description="Principals that stand for everybody, as patterns.",
        examples=[["other", "group:users", "group:account users"]],
    )  # fmt: skip
    protected_admins: tuple[Pattern, ...] = Field(
        default=(), description="Groups, as patterns, that have to keep at least one member.",
        examples=[["*-admins"]],
    )  # fmt: skip
    groups_only: tuple[str, ...] = Field(
        default=(), description="Tenants whose grants go to groups only; a tenant may say so itself."
    )


LONGEST_EXPRESSION = 1_000
"""Characters: what is longer is two rules."""


class GuardrailDocument(Shape):
    """A rule of the platform's own: an action of a plan passes where its expression is true."""

    kind: Literal["guardrail"]
    name: Name = Field(
        description="What approvals override it by, with a reason.", examples=["people-get-an-end"]
    )
    expression: str = Field(
        min_length=1, max_length=LONGEST_EXPRESSION,
        description="CEL, asked of every action: true lets it pass, anything else refuses it.",
        examples=["action.verb != 'grant' || action.until != null"],
    )  # fmt: skip
    message: Text = Field(
        description="What is told of an action that is refused, with the next step.",
        examples=["a grant to a person ends; write `until:`"],
    )
    message_expression: str | None = Field(
        default=None, min_length=1, max_length=LONGEST_EXPRESSION,
        description="CEL that gives the message instead, where it can.",
        examples=["action.principal + ' holds it without an end'"],
    )  # fmt: skip


class ApprovalRule(Shape):
    """These people may approve these actions."""

    who: tuple[Person, ...] = Field(min_length=1, description="People, by the address in their commits.")
    tenants: tuple[str, ...] = Field(default=("*",), description="Tenants, as patterns.")
    kinds: tuple[str, ...] = Field(default=("*",), description="Kinds of things, as patterns.")
    verbs: tuple[str, ...] = Field(
        default=("*",), description="Verbs, as patterns.", examples=[["create", "grant", "raise"]]
    )
    overrides: tuple[str, ...] = Field(
        default=(), description="Guardrails that they may also override.", examples=[["removals"]]
    )


class ApprovalRulesDocument(Shape):
    """Who may approve what."""

    kind: Literal["approval-rules"]
    self: Literal["refused"] = Field(
        default="refused",
        description="Nobody approves alone what they wrote themselves; only `refused`.",
    )
    rules: tuple[ApprovalRule, ...]


class LockDocument(Shape):
    """Every name pinned to its object id, per directory; `reconciler pin` writes it."""

    kind: Literal["principals-lock"]
    directories: dict[str, dict[str, str]] = Field(
        description="Entra's name in the environment, then principal to object id, in order of name.",
        examples=[{"corp": {"group:pricing-ds": "5f0c1c5e-3f0f-4c0b-9c51-0f8f1d9a7b11"}}],
    )


class TenantDocument(Shape):
    """A tenant's own card; the tenant's name is its folder."""

    kind: Literal["tenant"]
    name: Text = Field(description="What people call the team.", examples=["Pricing analytics"])
    owners: tuple[Person, ...] = Field(default=(), description="Who answers for it.")
    contacts: tuple[Text, ...] = Field(default=(), description="Where to write: mail, channel, rota.")
    adopted: tuple[str, ...] = Field(
        default=(),
        description="Environments in which unlisted grants are revoked; elsewhere they are only told.",
        examples=[["prod"]],
    )
    groups_only: bool = Field(default=False, description="Refuse direct grants to users.")


class Override(Shape):
    """A guardrail that this approval lets pass."""

    rule: str = Field(examples=["removals"])
    because: Text


Before = str | None


class ConsentShape(Shape):
    """One action in readable form; its id is computed from these words."""

    verb: Verb
    address: AddressText = Field(
        description="The address.", examples=["databricks/ml-prod/secret-scope/pricing"]
    )
    role: str = Field(examples=["acl"])
    who: str = Field(default="", description="The principal; left out for the thing's own properties.")
    before: Before | tuple[Before, ...] = Field(
        default=None, description="The value it starts from, or all of them; null is none."
    )
    after: Before = Field(default=None, description="The value it comes to; null is none.")
    until: Day | None = None
    ids: dict[str, str] = Field(default={}, description="Object ids of the thing and of the principal.")


class ApprovalDocument(Shape):
    """Consent to exact actions: each may be sent once."""

    kind: Literal["approval"]
    environment: Name
    because: Text
    expires: Day = Field(description="The last day on which it can be used.", examples=["2027-01-31"])
    override: tuple[Override, ...] = ()
    actions: tuple[ConsentShape, ...] = Field(min_length=1)


PLATFORM_DOCUMENTS: dict[str, type[Shape]] = {
    "environment": EnvironmentDocument,
    "boundaries": BoundariesDocument,
    "guardrails": GuardrailsDocument,
    "guardrail": GuardrailDocument,
    "approval-rules": ApprovalRulesDocument,
    "principals-lock": LockDocument,
}
"""Kinds of the folder `policies/`."""
