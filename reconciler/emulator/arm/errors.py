"""ARM's error bodies (Microsoft docs: Troubleshoot Azure RBAC; public threads for the exact wording)."""

from __future__ import annotations

from typing import Any


class ArmError(Exception):
    """A request that ARM refuses; carries what the answer says."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def payload(self) -> dict[str, Any]:
        """The error envelope."""
        return {"error": {"code": self.code, "message": self.message}}


def no_authorization(client: str, oid: str, action: str, scope: str) -> ArmError:
    """403: no role assignment of the caller allows the action there."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{oid}' does not have authorization to perform action "
        f"'{action}' "
        f"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials.",
    )


def assignment_exists(name: str) -> ArmError:
    """409: the same principal has the same role at the same scope already, under this name."""
    return ArmError(
        409,
        "RoleAssignmentExists",
        "The role assignment already exists. The ID of the existing role assignment is "
        f"{name.replace('-', '')}.",
    )


def update_not_permitted() -> ArmError:
    """400: the name is taken by an assignment of somebody else or elsewhere."""
    return ArmError(
        400,
        "RoleAssignmentUpdateNotPermitted",
        "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
    )


def principal_not_found(oid: str, tenant_id: str) -> ArmError:
    """400: no such principal, or one that has not been replicated yet."""
    return ArmError(
        400,
        "PrincipalNotFound",
        f"Principal {oid.replace('-', '')} does not exist in the directory {tenant_id}. Check that you "
        "have the "
        "correct principal ID. If you are creating this principal and then immediately assigning a role, "
        "this "
        "error might be related to a replication delay. In this case, set the role assignment principalType "
        "property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
    )


def wrong_principal_type(oid: str, actual: str, given: str) -> ArmError:
    """400: the principal is of another type than the request says."""
    return ArmError(
        400,
        "UnmatchedPrincipalType",
        # The misspelling is the service's own.
        f"The PrincipalId '{oid.replace('-', '')}' has type '{actual}' , which is different from specified "
        f"PrinciaplType '{given}'.",
    )


def unknown_role(definition: str) -> ArmError:
    """400: no such role definition."""
    return ArmError(
        400,
        "RoleDefinitionDoesNotExist",
        f"The specified role definition with ID '{definition.replace('-', '')}' does not exist.",
    )


def bad_name(name: str) -> ArmError:
    """400: role assignments are named by GUIDs."""
    return ArmError(
        400,
        "InvalidRoleAssignmentId",
        f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
    )


def malformed() -> ArmError:
    """400: the body is not a role assignment."""
    return ArmError(
        400,
        "InvalidCreateRoleAssignmentRequest",
        "The request was incorrectly formatted.",
    )


def assignment_not_found(name: str) -> ArmError:
    """404 for a GET; a DELETE of an absent assignment answers 204 instead."""
    return ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found.")


def limit_exceeded() -> ArmError:
    """400: the subscription is full (Microsoft docs: Azure RBAC limits)."""
    return ArmError(
        400,
        "RoleAssignmentLimitExceeded",
        "The number of role assignments for this subscription has exceeded the limit. "
        "No more role assignments can be created.",
    )


def subscription_not_found(subscription: str) -> ArmError:
    """404 for a subscription that the caller's tenant does not have."""
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def group_not_found(group: str) -> ArmError:
    """404 for a resource group."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def resource_not_found(kind: str, name: str, group: str) -> ArmError:
    """404 for a resource."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details "
        "please go "
        "to https://aka.ms/ARMResourceNotFoundFix",
    )
