"""The way back from the account's state to a seed section: seeding it again gives the same state."""

from __future__ import annotations

import base64
from typing import Any

from reconciler.emulator.databricks.scim.writes import DEFAULTS
from reconciler.emulator.databricks.state import (
    GROUPS,
    NAME_ATTRIBUTE,
    PRINCIPALS,
    USERS,
    Account,
    Entitlements,
    Identity,
    Scope,
    Workspace,
)


def dump(account: Account) -> dict[str, Any]:
    """The whole account."""
    everybody = [each for each in account.identities.values() if not each.home]
    body = {
        "id": account.id,
        "identity-sync": account.identity_sync,
        "metastore": account.metastore,
        "users": [_entry(account, each) for each in everybody if each.kind == USERS],
        "service-principals": [_entry(account, each) for each in everybody if each.kind == PRINCIPALS],
        "account-users": next((each.id for each in everybody if each.system), None),
        "groups": [_entry(account, each) for each in everybody if each.kind == GROUPS and not each.system],
        "secrets": dict(account.secrets),
        "federation": {client: [dict(each) for each in held] for client, held in account.federation.items()},
        "rule-sets": {name: list(rules) for name, rules in account.rule_sets.items()},
        "grants": {name: {who: list(p) for who, p in held.items()} for name, held in account.grants.items()},
    }
    return {
        "account": body,
        "workspaces": {name: _workspace(account, each) for name, each in account.workspaces.items()},
    }


def _entry(account: Account, identity: Identity) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": identity.display_name if identity.kind == PRINCIPALS else identity.name,
        "id": identity.id,
        "attributes": {
            key: value for key, value in identity.attrs.items() if key != NAME_ATTRIBUTE[identity.kind]
        },
    }
    if identity.kind == PRINCIPALS:
        entry["application-id"] = identity.name
    if identity.kind == GROUPS:
        entry["members"] = [said or member for member, said in identity.members.items()]
    if identity.synced is not None:
        entry |= {"synced": list(identity.synced), "synced-name": identity.synced_name}
    return entry


def _workspace(account: Account, workspace: Workspace) -> dict[str, Any]:
    local = [account.identities[each] for each in workspace.local_names.values()]
    entitlements = {member: _entitled(held) for member, held in workspace.entitlements.items()}
    for identity in local:
        # What system groups hold from the start goes without saying; that they hold nothing does not.
        if identity.system and entitlements.setdefault(identity.id, []) == list(DEFAULTS):
            del entitlements[identity.id]
    return {
        "id": workspace.id,
        "federated": workspace.federated,
        "system-ids": {each.name: each.id for each in local if each.system},
        "groups": [_entry(account, each) for each in local if not each.system],
        "assigned": [
            {"principal": member, "permissions": list(held)} for member, held in workspace.assigned.items()
        ],
        "entitlements": entitlements,
        "scopes": [_scope(account, each) for each in workspace.scopes.values()],
        "permissions": workspace.permissions,
    }


def _entitled(held: Entitlements) -> list[Any]:
    return [name if item == {"value": name} else item for name, item in held.items()]


def _scope(account: Account, scope: Scope) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": scope.name, "backend": scope.backend}
    if scope.keyvault is not None:
        entry["keyvault"] = dict(scope.keyvault)
    entry["acls"] = {
        account.identities[key].name if key in account.identities else key: held
        for key, held in scope.acls.items()
    }
    entry["secrets"] = {
        each.key: {"base64": base64.b64encode(each.value).decode(), "updated": each.updated}
        for each in scope.secrets.values()
    }
    return entry
