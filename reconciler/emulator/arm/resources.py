"""The few resources that a scope needs: resource groups, storage accounts and managed identities."""

from __future__ import annotations

from typing import Any

from reconciler.emulator.arm import errors
from reconciler.emulator.arm.scopes import ACCOUNT, Estate
from reconciler.emulator.directory import Directory, ServicePrincipal, object_id

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
LOCATION = "westeurope"


def subscription(estate: Estate, tenant_id: str, name: str) -> dict[str, Any]:
    """`GET /subscriptions/{id}`."""
    estate.need(f"/subscriptions/{name}")
    return {
        "id": f"/subscriptions/{name}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": name,
        "tenantId": tenant_id,
        "displayName": estate.subscriptions.get(name.lower(), {}).get("display-name", name),
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def resource_group(estate: Estate, subscription_id: str, name: str) -> dict[str, Any]:
    """`GET /subscriptions/{id}/resourcegroups/{name}`; raises ArmError (404)."""
    estate.need(f"/subscriptions/{subscription_id}")
    groups = dict(estate.subscriptions.get(subscription_id.lower(), {}).get("resource-groups", {}))
    groups |= {group: {} for owner, group in estate.accounts.values() if owner == subscription_id}
    found = next((group for group in groups if group.lower() == name.lower()), None)
    if groups and found is None:
        raise errors.group_not_found(name)
    entry = groups.get(found or name) or {}
    return {
        "id": f"/subscriptions/{subscription_id}/resourceGroups/{found or name}",
        "name": found or name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": entry.get("location", LOCATION),
        "tags": entry.get("tags", {}),
        "properties": {"provisioningState": "Succeeded"},
    }


def storage_account(estate: Estate, subscription_id: str, group: str, name: str) -> dict[str, Any]:
    """`GET …/Microsoft.Storage/storageAccounts/{name}`; raises ArmError (404)."""
    path = f"/subscriptions/{subscription_id}/resourceGroups/{group}/providers/{ACCOUNT}/{name}"
    estate.need(path)
    host = f"{name}.{{}}.core.windows.net"
    endpoints = ("dfs", "web", "blob", "queue", "table", "file")
    return {
        "sku": {"name": "Standard_ZRS", "tier": "Standard"},
        "kind": "StorageV2",
        "id": estate.account_id(name),
        "name": name,
        "type": ACCOUNT,
        "location": LOCATION,
        "tags": {},
        "properties": {
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": True,
            "isHnsEnabled": True,
            "supportsHttpsTrafficOnly": True,
            "accessTier": "Hot",
            "provisioningState": "Succeeded",
            "creationTime": "2024-01-01T00:00:00.0000000Z",
            "primaryEndpoints": {kind: f"https://{host.format(kind)}/" for kind in endpoints},
            "primaryLocation": LOCATION,
            "statusOfPrimary": "available",
        },
    }


def put_identity(
    directory: Directory, subscription_id: str, group: str, name: str, body: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """`PUT …/userAssignedIdentities/{name}`: makes a service principal that has no secret."""
    path = f"/subscriptions/{subscription_id}/resourcegroups/{group}/providers/{IDENTITY}/{name}"
    oid = object_id("managed-identity", path)
    created = oid not in directory.service_principals
    if created:
        directory.add(
            ServicePrincipal(
                id=oid,
                app_id=object_id("managed-identity-app", path),
                display_name=name,
                managed_identity=True,
            )
        )
    payload = {
        "location": body.get("location", LOCATION),
        "tags": body.get("tags") or {},
        "id": path,
        "name": name,
        "type": IDENTITY,
        "properties": {
            "tenantId": directory.tenant_id,
            "principalId": oid,
            "clientId": directory.service_principals[oid].app_id,
        },
    }
    return (201 if created else 200), payload
