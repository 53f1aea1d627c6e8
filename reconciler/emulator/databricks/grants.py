"""Unity Catalog grants: direct privileges on securables, which only identities of the account can hold."""

from __future__ import annotations

import re
from typing import Any

from reconciler.emulator.databricks.errors import JSON, denied, invalid, no_endpoint, rest
from reconciler.emulator.databricks.state import GROUPS, PRINCIPALS, USERS
from reconciler.emulator.databricks.view import View
from reconciler.emulator.wire import Response, json_response

ALL = "ALL_PRIVILEGES"
LEAST_PAGE = 150
"""SDK docstring of grants.get: a page size from 1 to 149 is invalid, 0 leaves it to the service."""
GRANTS = re.compile(r"(permissions|effective-permissions)/([^/]+)/(.+)")
SHARE = re.compile(r"shares/([^/]+)/permissions")
READ_ONLY = ("current-metastore-assignment", "metastore_summary")


def handle(view: View, path: str) -> Response:
    """Answer `/api/2.1/unity-catalog/<path>`, as far as grants go."""
    method = view.request.method
    match = GRANTS.fullmatch(path)
    if match is not None:
        key = f"{match[2].lower()}/{match[3]}"
        if method == "PATCH" and match[1] == "permissions":
            return _update(view, key)
        if method == "GET":
            return _page(view, key, effective=match[1] == "effective-permissions")
    share = SHARE.fullmatch(path)
    if share is not None:
        key = f"share/{share[1]}"
        if method == "PATCH":
            return _update(view, key)
        if method == "GET":
            return _page(view, key, effective=False)
    if method == "GET" and path in READ_ONLY:
        return _metastore(view, path)
    raise no_endpoint(method, view.request.path)


def _metastore(view: View, path: str) -> Response:
    payload: dict[str, Any] = {"metastore_id": view.account.metastore}
    if path == "current-metastore-assignment":
        payload |= {"workspace_id": int(view.here.id), "default_catalog_name": "main"}
    else:
        payload |= {"name": "primary", "cloud": "azure", "privilege_model_version": "1.0"}
    return json_response(200, payload, [JSON])


def _page(view: View, key: str, *, effective: bool) -> Response:
    size = _size(view.request.param("max_results"))
    held = view.account.grants.get(key, {})
    only = view.request.param("principal")
    rows = [
        {"principal": who, "privileges": _shown(privileges, effective)}
        for who, privileges in held.items()
        if privileges and (only is None or who == only)
    ]
    if size is None or len(rows) <= size:
        # A securable without grants is answered with an empty object (CLI acceptance test remove_all).
        return json_response(200, {"privilege_assignments": rows} if rows else {}, [JSON])
    start = _number(view.request.param("page_token") or "0")
    payload: dict[str, Any] = {"privilege_assignments": rows[start : start + size]}
    if start + size < len(rows):
        payload["next_page_token"] = str(start + size)
    return json_response(200, payload, [JSON])


def _shown(privileges: list[str], effective: bool) -> list[Any]:
    return [{"privilege": each} for each in privileges] if effective else list(privileges)


def _number(text: str) -> int:
    if not text.isdigit():
        raise invalid(f"Invalid page token: {text}")
    return int(text)


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    size = int(text) if text.lstrip("-").isdigit() else -1
    if size < 0 or 0 < size < LEAST_PAGE:
        raise invalid(f"Invalid max_results: {text}. It must be 0 or at least {LEAST_PAGE}.")
    return size or LEAST_PAGE


def _update(view: View, key: str) -> Response:
    if not view.admin:
        raise denied(f"User does not have MANAGE on {key.replace('/', ' ', 1)}.")
    changes = (view.request.json() or {}).get("changes") or []
    parsed = [_change(view, change, key) for change in changes]
    held = view.account.grants.setdefault(key, {})
    for who, add, remove in parsed:
        present = [] if ALL in remove else [each for each in held.get(who, []) if each not in remove]
        granted = sorted({*present, *add})
        if granted:
            held[who] = granted
        else:
            held.pop(who, None)
    if (view.request.json() or {}).get("omit_permissions_in_response"):
        return json_response(200, {}, [JSON])
    rows = [{"principal": who, "privileges": privileges} for who, privileges in held.items()]
    return json_response(200, {"privilege_assignments": rows} if rows else {}, [JSON])


def _change(view: View, change: dict[str, Any], key: str) -> tuple[str, list[str], list[str]]:
    who = str(change.get("principal") or "")
    add, remove = (
        [str(each).upper().replace(" ", "_") for each in change.get(word) or []] for word in ("add", "remove")
    )
    if set(add) & set(remove):
        raise invalid(f"Duplicate privileges to add and delete for principal {who}.")
    # Shares are granted to recipients, which are no identities of the account.
    if add and not key.startswith("share/") and not _known(view, who):
        raise rest(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal with name {who}")
    return who, add, remove


def _known(view: View, who: str) -> bool:
    if who == "account users":
        return True
    return any(view.account.named(kind, who) is not None for kind in (USERS, GROUPS, PRINCIPALS))
