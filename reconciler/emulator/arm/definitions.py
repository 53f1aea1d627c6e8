"""Role definitions: the built-in ones that matter to lake access, and custom ones of a seed.

Source: Microsoft docs, "Azure built-in roles"; ids, actions and descriptions are Azure's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

BLOB = "Microsoft.Storage/storageAccounts/blobServices/containers"
DELEGATION = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A role: control-plane actions and data actions, each with exceptions."""

    id: str
    name: str
    description: str = ""
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    custom: bool = False
    created: str = "2015-02-02T21:55:09.8806423Z"

    def allows(self, action: str) -> bool:
        """Whether the role grants a control-plane action."""
        return _matches(action, self.actions) and not _matches(action, self.not_actions)

    def payload(self, prefix: str) -> dict[str, Any]:
        """The definition as the API shows it below a scope; `prefix` is the subscription's path or empty."""
        return {
            "properties": {
                "roleName": self.name,
                "type": "CustomRole" if self.custom else "BuiltInRole",
                "description": self.description,
                "assignableScopes": [prefix or "/"] if self.custom else ["/"],
                "permissions": [
                    {
                        "actions": list(self.actions),
                        "notActions": list(self.not_actions),
                        "dataActions": list(self.data_actions),
                        "notDataActions": list(self.not_data_actions),
                    }
                ],
                "createdOn": self.created,
                "updatedOn": "2021-11-11T20:13:47.8628684Z",
                "createdBy": None,
                "updatedBy": None,
            },
            "id": f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{self.id}",
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": self.id,
        }


def _matches(action: str, patterns: tuple[str, ...]) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*"), re.IGNORECASE)


BUILT_IN = (
    Definition(
        id="8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        name="Owner",
        description="Grants full access to manage all resources, including the ability to assign "
        "roles in Azure "
        "RBAC.",
        actions=("*",),
    ),
    Definition(
        id="b24988ac-6180-42a0-ab88-20f7382dd24c",
        name="Contributor",
        description="Grants full access to manage all resources, but does not allow you to "
        "assign roles in Azure "
        "RBAC, manage assignments in Azure Blueprints, or share image galleries.",
        actions=("*",),
        not_actions=(
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
        ),
    ),
    Definition(
        id="acdd72a7-3385-48ef-bd42-f606fba81ae7",
        name="Reader",
        description="View all resources, but does not allow you to make any changes.",
        actions=("*/read",),
    ),
    Definition(
        id="18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        name="User Access Administrator",
        description="Lets you manage user access to Azure resources.",
        actions=("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
    ),
    Definition(
        id="f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        name="Role Based Access Control Administrator",
        description="Manage access to Azure resources by assigning roles using Azure RBAC. This "
        "role does not "
        "allow you to manage access using other ways, such as Azure Policy.",
        actions=(
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ),
        created="2022-10-19T19:33:02.0000000Z",
    ),
    Definition(
        id="b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        name="Storage Blob Data Owner",
        description="Allows for full access to Azure Storage blob containers and data, including "
        "assigning POSIX "
        "access control.",
        actions=(f"{BLOB}/*", DELEGATION),
        data_actions=(f"{BLOB}/blobs/*",),
        created="2018-12-04T07:02:58.2775257Z",
    ),
    Definition(
        id="ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        name="Storage Blob Data Contributor",
        description="Allows for read, write and delete access to Azure Storage blob containers and data",
        actions=(f"{BLOB}/delete", f"{BLOB}/read", f"{BLOB}/write", DELEGATION),
        data_actions=(
            f"{BLOB}/blobs/delete",
            f"{BLOB}/blobs/read",
            f"{BLOB}/blobs/write",
            f"{BLOB}/blobs/move/action",
            f"{BLOB}/blobs/add/action",
        ),
        created="2017-12-21T00:01:24.7972312Z",
    ),
    Definition(
        id="2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        name="Storage Blob Data Reader",
        description="Allows for read access to Azure Storage blob containers and data",
        actions=(f"{BLOB}/read", DELEGATION),
        data_actions=(f"{BLOB}/blobs/read",),
        created="2017-12-21T00:01:24.7972312Z",
    ),
    Definition(
        id="db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
        name="Storage Blob Delegator",
        description="Allows for generation of a user delegation key which can be used to sign SAS tokens",
        actions=(DELEGATION,),
        created="2019-07-23T00:51:16.3376761Z",
    ),
    Definition(
        id="17d1049b-9a84-46fb-8f53-869881c3d3ab",
        name="Storage Account Contributor",
        description="Lets you manage storage accounts, including accessing storage account keys "
        "which provide "
        "full access to storage account data.",
        actions=(
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Insights/diagnosticSettings/*",
            "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
            "Microsoft.ResourceHealth/availabilityStatuses/read",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Storage/storageAccounts/*",
            "Microsoft.Support/*",
        ),
        created="2015-06-02T00:18:27.3542698Z",
    ),
    Definition(
        id="c12c1c16-33a1-487b-954d-41c89c60f349",
        name="Reader and Data Access",
        description="Lets you view everything but will not let you delete or create a storage account or "
        "contained resource. It will also allow read/write access to all data contained in a storage "
        "account via "
        "access to storage account keys.",
        actions=(
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/ListAccountSas/action",
            "Microsoft.Storage/storageAccounts/read",
        ),
        created="2018-03-27T23:20:46.1498906Z",
    ),
)
