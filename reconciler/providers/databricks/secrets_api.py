"""The calls about secret scopes, each with the shape of its answer.

Its law: no secret value is ever asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.model import Value
from reconciler.providers.databricks import canonical
from reconciler.providers.databricks.canonical import Scope
from reconciler.providers.databricks.client import SECRETS, Host

SCOPES = "/api/2.0/secrets/scopes"
ACLS = "/api/2.0/secrets/acls"
LIST = "/api/2.0/secrets/list"
KEYVAULT = "AZURE_KEYVAULT"
BACKENDS = {"databricks": "DATABRICKS", "keyvault": KEYVAULT}


def list_scopes(host: Host) -> Mapping[str, Scope]:
    """All scopes of a workspace by lower-case name; raises Failure or Malformed."""
    return canonical.scopes(host.get(f"{SCOPES}/list", SECRETS))


def list_acl(host: Host, scope: str) -> list[tuple[str, Value]]:
    """A scope's ACL as (name on the wire, permission); raises Failure or Malformed."""
    return canonical.acl(host.get(f"{ACLS}/list", SECRETS, {"scope": scope}))


def list_secrets(host: Host, scope: str) -> Mapping[str, float]:
    """When each secret of a scope was last set, by lower-case key; raises Failure or Malformed."""
    return canonical.secrets(host.get(LIST, SECRETS, {"scope": scope}))


def create_scope(host: Host, name: str, details: Mapping[str, str]) -> None:
    """Make a scope; its creator gets MANAGE by itself.  Raises Failure."""
    body: dict[str, object] = {
        "scope": name,
        "scope_backend_type": BACKENDS[details.get("backend", "databricks")],
    }
    if "resource-id" in details:
        body["backend_azure_keyvault"] = {
            "resource_id": details["resource-id"],
            "dns_name": details["dns-name"],
        }
    host.send("POST", f"{SCOPES}/create", SECRETS, body)


def delete_scope(host: Host, name: str) -> None:
    """Delete a scope with everything in it: the caller has made sure that nothing is.  Raises Failure."""
    host.send("POST", f"{SCOPES}/delete", SECRETS, {"scope": name})


def put_acl(host: Host, scope: str, wire: str, permission: Value) -> None:
    """Give somebody a permission in place of the one they have; raises Failure."""
    host.send("POST", f"{ACLS}/put", SECRETS, {"scope": scope, "principal": wire, "permission": permission})


def delete_acl(host: Host, scope: str, wire: str) -> None:
    """Take somebody off the ACL; raises Failure."""
    host.send("POST", f"{ACLS}/delete", SECRETS, {"scope": scope, "principal": wire})
