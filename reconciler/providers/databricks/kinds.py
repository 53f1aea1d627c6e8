"""The two kinds of things this provider knows, and the words for their facts."""

from __future__ import annotations

from reconciler.core.model import EXISTS, Attribute, Kind

PROVIDER = "databricks"
ENTITLEMENTS = "entitlements"
SECRET_SCOPE = "secret-scope"

ASSIGNMENT = "assignment"
ACL = "acl"
HELD = "held"
"""The value of an entitlement that is there; what it entitles to is in the role."""
USER = "USER"
ADMIN = "ADMIN"
MANAGE = "MANAGE"
CONSUME = "workspace-consume"
INCLUDES_CONSUME = frozenset({"workspace-access", "databricks-sql-access"})
"""Entitlements that come with consumer access; listing it beside them says nothing more (Terraform
provider, issues 5040 and 5138)."""
THE_SCOPE = Attribute(EXISTS)

KINDS = (
    Kind(
        name=ENTITLEMENTS,
        rank=20,
        scales={ASSIGNMENT: {USER: frozenset({"use"}), ADMIN: frozenset({"use", "administer"})}},
        words={USER: "user of the workspace", ADMIN: "admin of the workspace", HELD: ""},
        roles={ASSIGNMENT: ""},
        first=ASSIGNMENT,
        below=(ENTITLEMENTS, ASSIGNMENT),
    ),
    Kind(
        name=SECRET_SCOPE,
        rank=30,
        scales={
            ACL: {
                "READ": frozenset({"read"}),
                "WRITE": frozenset({"read", "write"}),
                MANAGE: frozenset({"read", "write", "manage"}),
            }
        },
        words={"READ": "read", "WRITE": "write", MANAGE: "manage"},
        roles={ACL: ""},
        below=(ENTITLEMENTS, ASSIGNMENT),
    ),
)
