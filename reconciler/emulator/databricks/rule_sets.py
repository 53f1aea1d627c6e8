"""Who manages groups and service principals: rule sets, written under optimistic concurrency."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from reconciler.emulator.databricks.errors import JSON, denied, invalid, missing, no_endpoint, rest
from reconciler.emulator.databricks.state import GROUPS, PRINCIPALS, USERS
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Response, json_response

NAME = re.compile(r"accounts/([^/]+)(?:/(groups|servicePrincipals)/([^/]+))?(?:/ruleSets/default)?")
ROLES = {
    "groups": ("roles/group.manager",),
    "servicePrincipals": ("roles/servicePrincipal.user", "roles/servicePrincipal.manager"),
    None: ("roles/marketplace.admin", "roles/billing.admin"),
}
"""SDK docstring of `access_control`: what can be given on a group, a service principal, the account."""
PRINCIPAL_WORDS = {"users": USERS, "groups": GROUPS, "servicePrincipals": PRINCIPALS}


def handle(view: View, word: str) -> Response:
    """Answer `…/access-control/<word>`."""
    if not view.admin:
        raise denied("Only account admins can manage access to groups and service principals.")
    method = view.request.method
    if (method, word) == ("GET", "assignable-roles"):
        kind = _kind(view, str(view.request.param("resource") or ""))
        return json_response(200, {"roles": [{"name": role} for role in ROLES[kind]]}, [JSON])
    if (method, word) == ("GET", "rule-sets"):
        return _shown(view, str(view.request.param("name") or ""))
    if (method, word) == ("PUT", "rule-sets"):
        return _put(view)
    raise no_endpoint(method, view.request.path)


def _kind(view: View, name: str) -> str | None:
    """What a rule set is about; raises the refusal for what does not exist."""
    match = NAME.fullmatch(name)
    if match is None or match[1] != view.account.id:
        raise invalid(f"Invalid resource name: {name}")
    kind, identifier = match[2], match[3]
    if kind == "groups" and identifier not in view.account.identities:
        raise missing(f"Group {identifier} does not exist.")
    if kind == "servicePrincipals" and view.account.named(PRINCIPALS, identifier) is None:
        raise missing(f"Service principal {identifier} does not exist.")
    return str(kind) if kind else None


def _etag(name: str, rules: list[Any]) -> str:
    return hashlib.sha256(f"{name}{rules!r}".encode()).hexdigest()[:32]


def _shown(view: View, name: str) -> Response:
    _kind(view, name)
    rules = view.account.rule_sets.get(name, [])
    payload: dict[str, Any] = {"name": name, "etag": _etag(name, rules)}
    if rules:
        payload["grant_rules"] = rules
    return json_response(200, payload, [JSON])


def _put(view: View) -> Response:
    body = view.request.json() or {}
    wanted = body.get("rule_set") or {}
    name = str(body.get("name") or wanted.get("name") or "")
    kind = _kind(view, name)
    if wanted.get("etag") != _etag(name, view.account.rule_sets.get(name, [])):
        raise rest(409, "RESOURCE_CONFLICT", f"The etag of {name} is not the present one: read it again.")
    rules = list(wanted.get("grant_rules") or [])
    for rule in rules:
        if rule.get("role") not in ROLES[kind]:
            raise invalid(f"Role {rule.get('role')} cannot be given on {name}.")
        for principal in rule.get("principals") or []:
            word, _, who = str(principal).partition("/")
            if word not in PRINCIPAL_WORDS or view.account.named(PRINCIPAL_WORDS[word], who) is None:
                raise missing(f"Principal {principal} does not exist.")
    view.account.rule_sets[name] = rules
    return _shown(view, name)
