"""SCIM PATCH (RFC 7644 section 3.5.2) in every shape that Databricks clients send."""

from __future__ import annotations

import json
import re
from typing import Any

from reconciler.emulator.databricks.errors import scim
from reconciler.emulator.databricks.scim.filter import Predicate, parse

Document = dict[str, Any]
PATH = re.compile(r"(?P<attribute>[^\[\]]+?)(?:\[(?P<filter>.+)\])?(?:\.(?P<sub>[\w$]+))?")
CORE = "urn:ietf:params:scim:schemas:core:2.0:"
MULTIVALUED = frozenset(
    [
        "members",
        "entitlements",
        "roles",
        "groups",
        "emails",
        "phonenumbers",
        "addresses",
        "ims",
        "photos",
        "x509certificates",
    ]
)
FLAGS = frozenset({"active"})


def unparsable() -> Exception:
    """The answer to a body that is no SCIM, such as a bare string among `members`."""
    detail = "Request is unparsable, syntactically incorrect, or violates schema."
    return scim(400, detail, "invalidSyntax")


def no_attribute(name: str) -> Exception:
    """The answer to the removal of what is not there."""
    return scim(400, f"No such attribute with the name : {name} in the current resource", "invalidPath")


def operations(body: Any) -> list[Document]:
    """The operations of a PATCH body; raises the SCIM refusal for a body that has none."""
    found = body.get("Operations", body.get("operations")) if isinstance(body, dict) else None
    if not isinstance(found, list) or not found or not all(isinstance(item, dict) for item in found):
        raise unparsable()
    return found


def apply(document: Document, body: Any) -> None:
    """Apply a PATCH body to a resource document in place."""
    for operation in operations(body):
        verb = str(operation.get("op", "")).lower()
        path = operation.get("path")
        if verb not in ("add", "remove", "replace"):
            raise scim(400, f"Given patch operation is not supported: {operation.get('op')}", "invalidSyntax")
        if path:
            _at_path(document, verb, str(path), operation)
        elif verb == "remove":
            raise scim(400, "The path attribute is required for the remove operation.", "noTarget")
        else:
            value = operation.get("value")
            if not isinstance(value, dict):
                raise unparsable()
            for name, inner in value.items():
                _at_path(document, verb, name, {"op": verb, "path": name, "value": inner})


def key_of(document: Document, name: str) -> str:
    """The spelling under which a document holds an attribute, else the one asked for."""
    lowered = name.lower()
    return next((key for key in document if key.lower() == lowered), name)


def _split(path: str) -> tuple[str | None, str, str | None, str | None]:
    """An extension URN or None, then attribute, filter and sub-attribute."""
    urn = None
    if path.lower().startswith("urn:"):
        head, _, tail = path.rpartition(":")
        if path.startswith(CORE):
            path = tail
        elif tail[:1].isdigit() or tail in ("User", "Group"):
            return path, "", None, None
        else:
            urn, path = head, tail
    match = PATH.fullmatch(path)
    if match is None:
        raise scim(400, f"Given path is invalid: {path}", "invalidPath")
    return urn, match["attribute"], match["filter"], match["sub"]


def _at_path(document: Document, verb: str, path: str, operation: Document) -> None:
    urn, attribute, condition, sub = _split(path)
    value = operation.get("value")
    if urn is not None and not attribute:
        attribute, urn = urn, None
    if urn is not None:
        document = document.setdefault(key_of(document, urn), {})
    elif "." in attribute and not attribute.lower().startswith("urn:"):
        attribute, _, sub = attribute.partition(".")
    key = key_of(document, attribute)
    if condition is not None:
        _filtered(document, key, verb, parse(condition), sub, value)
    elif sub is not None:
        _sub_attribute(document, key, verb, sub, value)
    elif verb == "remove":
        _remove(document, key, value)
    else:
        _set(document, key, verb, value)


def _filtered(
    document: Document, key: str, verb: str, chosen: Predicate, sub: str | None, value: Any
) -> None:
    items = document.get(key)
    if not isinstance(items, list):
        items = []
    if verb == "remove" and sub is None:
        # Removing a member that is already gone is answered 200: it is idempotent.
        document[key] = [item for item in items if not chosen(item)]
        return
    for item in items:
        if not chosen(item):
            continue
        if verb == "remove":
            item.pop(sub, None)
        elif sub is None:
            item.update(value if isinstance(value, dict) else {"value": value})
        else:
            item[sub] = value


def _sub_attribute(document: Document, key: str, verb: str, sub: str, value: Any) -> None:
    if verb == "remove":
        if isinstance(document.get(key), dict):
            document[key].pop(key_of(document[key], sub), None)
        return
    inner = document.setdefault(key, {})
    if isinstance(inner, dict):
        inner[key_of(inner, sub)] = value


def _remove(document: Document, key: str, value: Any) -> None:
    if key not in document or document[key] in (None, []):
        if key.lower() == "entitlements":
            raise no_attribute(key)
        return
    if isinstance(value, list) and value and isinstance(document[key], list):
        gone = {_identity(item) for item in value}
        document[key] = [item for item in document[key] if _identity(item) not in gone]
        return
    del document[key]


def _set(document: Document, key: str, verb: str, value: Any) -> None:
    lowered = key.lower()
    if lowered in FLAGS:
        document[key] = flag(value)
    elif lowered in MULTIVALUED:
        items = as_items(value)
        held = document.get(key) if verb == "add" else None
        document[key] = merge(held if isinstance(held, list) else [], items)
    elif isinstance(value, dict) and isinstance(document.get(key), dict):
        document[key] = {**document[key], **value}
    else:
        document[key] = value


def flag(value: Any) -> bool:
    """A boolean in any of its shapes: `false`, `"false"`, `[{"value": "false"}]` (Terraform's)."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise scim(400, "The value of attribute active is not a boolean.", "invalidValue")


def as_items(value: Any) -> list[Document]:
    """Values of a multi-valued attribute; a single complex value is taken as a list of one.

    `[{"value": ""}]` stands for an empty list: Terraform's way to clear entitlements.
    """
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise unparsable()
    return [item for item in value if item.get("value", None) != ""]


def _identity(item: Any) -> str:
    """By what two values of one attribute are the same one."""
    if not isinstance(item, dict):
        return json.dumps(item)
    return str(item["value"]) if item.get("value") else json.dumps(item, sort_keys=True)


def merge(held: list[Document], added: list[Document]) -> list[Document]:
    """Add values that are not yet there, in order."""
    known = {_identity(item) for item in held}
    merged = list(held)
    for item in added:
        if _identity(item) not in known:
            known.add(_identity(item))
            merged.append(item)
    return merged
