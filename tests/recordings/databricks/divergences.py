"""Where the emulator answers otherwise than a recording, and why: exactly these, or the tests fail."""

from __future__ import annotations

STATUS = (
    "a mock answers 200 unless told otherwise; docs say 204 of a deletion and 201 of an account's creation"
)
ORDERED = "the mock orders a failure that no state of the service explains; the emulator has faults for that"
WORDS = "the status is the recorded one; the mock's words are its own, the emulator's are from public threads"
FILTER = "the mock's list shows an object that the request's own filter leaves out"
NO_ID = "the mock's members and groups have a name and no id"
MISSPELT = "the mock answers with a key that the service does not have, which its client ignores"
LAG = "the mock shows a grant late, to test waiting; grants do not lag in the emulator"
INVENTED = "the mock answers an error beside a success"
FOREIGN = "the object's path is of no known object type: the mock's ids are cut"

DIVERGENCES: dict[str, dict[str, list[str]]] = {
    STATUS: {
        "tf_scim_groups.json": [
            "TestResourceGroupDelete",
            "TestResourceGroupCreate_ApiFieldAccount",
            "TestResourceGroupCreate_ApiFieldNotSet_FallsBackToHostInference",
        ],
        "tf_scim_service_principals.json": [
            "TestResourceServicePrincipalDelete",
            "TestResourceServicePrincipalDelete_NoErrorEmtpyParams",
            "TestResourceServicePrinicpalforce_delete_reposError",
            "TestResourceServicePrincipalDelete_NonExistingRepo",
            "TestResourceServicePrincipalDelete_DirError",
            "TestResourceServicePrincipalDelete_NonExistingDir",
            "TestResourceServicePrincipalDeleteAsDisableInAccount_HardDelete",
            "TestResourceServicePrincipalCreate_ApiFieldAccount",
            "TestResourceServicePrincipalDelete_ApiFieldWorkspace",
        ],
        "tf_scim_users.json": [
            "TestResourceUserDelete_NoError",
            "TestResourceUserDelete_NoErrorEmtpyParams",
            "TestResourceUserforce_delete_reposError",
            "TestResourceUserDelete_NonExistingRepo",
            "TestResourceUserDelete_DirError",
            "TestResourceUserDelete_NonExistingDir",
            "TestResourceUserDelete_ForceDeleteHomeDir",
            "TestResourceUserDeleteAsDisableInAccount_HardDelete",
            "TestResourceUserCreate_ApiFieldAccount",
            "TestResourceUserDelete_ApiFieldWorkspace",
        ],
    },
    ORDERED: {
        "tf_scim_entitlements.json": [
            "TestResourceEntitlementsGroupRead_Error",
            "TestResourceEntitlementsUserRead_Error",
            "TestResourceEntitlementsUserUpdate_Error",
            "TestResourceEntitlementsSPNRead_Error",
        ],
        "tf_scim_groups.json": [
            "TestResourceGroupRead_Error",
            "TestResourceGroupUpdate_Error",
            "TestResourceGroupDelete_Error",
            "TestCreateForceOverwriteCannotListGroups",
        ],
        "tf_scim_service_principals.json": [
            "TestResourceServicePrincipalRead_Error",
            "TestResourceServicePrinicpalforce_delete_reposError",
            "TestResourceServicePrincipalDelete_DirError",
            "TestCreateForceOverwriteCannotListServicePrincipals",
            "TestDataServicePrincipalReadError",
            "TestDataServicePrincipalsReadError",
        ],
        "tf_scim_users.json": [
            "TestResourceUserRead_Error",
            "TestResourceUserUpdate_Error",
            "TestResourceUserforce_delete_reposError",
            "TestResourceUserDelete_DirError",
            "TestCreateForceOverwriteCannotListUsers",
            "TestDataSourceUserGerUser",
        ],
        "tf_secrets.json": [
            "TestResourceSecretACLRead_Error",
            "TestResourceSecretScopeRead_Error",
            "TestResourceSecretRead_Error",
        ],
        "tf_workspace_permission_assignments.json": [
            "TestPermissionAssignmentCreateWithUserNameAndAdminPermissionsError"
        ],
    },
    WORDS: {
        "tf_scim_entitlements.json": ["TestResourceEntitlementsGroupDeleteEmptyEntitlement"],
        "tf_scim_groups.json": ["TestResourceGroupCreate_Error", "TestResourceGroupRead_NotFound"],
        "tf_secrets.json": [
            "TestResourceSecretACLRead_NotFound",
            "TestResourceSecretACLRead_Error",
            "TestResourceSecretACLCreate_Error",
            "TestResourceSecretScopeCreate_Error",
            "TestResourceSecretScopeDelete_Error",
            "TestResourceSecretRead_Error",
            "TestResourceSecretCreate_Error",
            "TestResourceSecretDelete_Error",
        ],
    },
    FILTER: {
        "tf_scim_users.json": [
            "TestDataSourceUser",
            "TestDataSourceUser_ApiFieldAccount",
            "TestDataSourceUser_ApiFieldWorkspace",
        ],
    },
    NO_ID: {
        "tf_scim_groups.json": ["TestResourceGroupUpdate"],
    },
    MISSPELT: {
        "tf_uc_grants.json": ["TestWaitUntilReady", "TestGrantUpdate"],
    },
    LAG: {
        "tf_uc_grants.json": ["TestWaitUntilReady", "TestResourceGrantWaitUntilReady"],
    },
    INVENTED: {
        "tf_workspace_permission_assignments.json": ["TestPermissionAssignmentUpdateWithError"],
    },
    FOREIGN: {
        "tf_exporter_responses.json": ["get-directory-permissions.json"],
    },
}
"""Tests by file, for every reason."""

WITHOUT_REQUEST = {
    "tf_exporter_responses.json": [
        "get-cluster-policy.json",
        "get-instance-pool1.json",
        "get-sql-endpoint.json",
        "get-sql-endpoints.json",
    ]
}
"""Bare answers of APIs that have nothing to do with access; the emulator does not have them."""


def reason_of(difference: str) -> str | None:
    """The reason that explains a difference, or None: then it is the emulator that errs."""
    head, _, tail = difference.rpartition(": ")
    if tail.endswith((" instead of 200", " instead of 201")):
        if head.split(" ")[1] == "DELETE" and tail.startswith("204"):
            return STATUS
        if "/accounts/" in head and head.split(" ")[1] == "POST" and tail.startswith("201"):
            return STATUS
        return FOREIGN if "/permissions/4451965692354143" in head else None
    if " instead of " in tail:
        return ORDERED
    return _of_body(head, tail)


def _of_body(head: str, tail: str) -> str | None:
    key = tail.split(" ")[0]
    if key in (".error_code", ".message", ".status_code"):
        return WORDS
    if key == ".assignments":
        return MISSPELT
    if key == ".error":
        return INVENTED
    if key in (".members", ".groups") and "attributes=" in head:
        return NO_ID
    if "filter=" in head:
        return FILTER
    return LAG if "/unity-catalog/" in head else None
