"""JSON Schema of the policy language, so that an editor completes, explains and objects while one types.

An editor sees less than `validate` does: no boundaries, no collisions, no names of other files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from reconciler.core.vocabulary import Vocabulary
from reconciler.policy.documents import PLATFORM_DOCUMENTS, ApprovalDocument, TenantDocument
from reconciler.policy.parse import APPROVAL, TENANT

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TENANT_HEAD = "Any document of `tenants.d/`; a file may hold several, each begins with `kind:`."
_PLATFORM_HEAD = "Any document of `policies/`; a file may hold several, each begins with `kind:`."


def schemas(vocabularies: Sequence[Vocabulary]) -> dict[str, str]:
    """File name to text, for every kind alone and for each of the two folders; equal input, equal bytes."""
    own = {document.kind: document.model for each in vocabularies for document in each.documents}
    tenants: dict[str, type[BaseModel]] = {TENANT: TenantDocument, **own, APPROVAL: ApprovalDocument}
    alone = {kind: _schema(kind, model) for kind, model in (*tenants.items(), *PLATFORM_DOCUMENTS.items())}
    files = {f"{kind}.json": {"$schema": DIALECT, **schema} for kind, schema in alone.items()}
    files["tenant-document.json"] = _any_of(_TENANT_HEAD, {kind: alone[kind] for kind in tenants})
    platform = {kind: alone[kind] for kind in PLATFORM_DOCUMENTS}
    files["platform-document.json"] = _any_of(_PLATFORM_HEAD, platform)
    return {name: _text(schema) for name, schema in sorted(files.items())}


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(kind: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    plain: dict[str, Any] = _plain(schema, nulls=kind == APPROVAL)
    plain["title"] = kind
    plain["properties"]["kind"].setdefault("description", plain.get("description", ""))
    # pydantic leaves out what has a default, and `kind` must be written all the same.
    plain["required"] = ["kind", *(key for key in plain.get("required", ()) if key != "kind")]
    return plain


def _plain(node: Any, *, nulls: bool, named: bool = False) -> Any:
    """The schema without what only pydantic needs: titles of keys, and null where nobody may write it.

    `named` is true for a mapping whose keys are names of the language, not words of JSON Schema.
    """
    if isinstance(node, list):
        return [_plain(each, nulls=nulls) for each in node]
    if not isinstance(node, dict):
        return node
    found = {
        key: _plain(value, nulls=nulls, named=not named and key in {"properties", "$defs"})
        for key, value in node.items()
        if named or not (key == "title" or (key == "default" and value is None))
    }
    if named or nulls or "anyOf" not in found:
        return found
    branches = [each for each in found["anyOf"] if each != {"type": "null"}]
    if len(branches) > 1:
        return {**found, "anyOf": branches}
    return {**branches[0], **{key: value for key, value in found.items() if key != "anyOf"}}


def _any_of(head: str, kinds: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """One schema that picks the kind's own by `kind:`, so that an editor objects to that kind's keys only."""
    return {
        "$schema": DIALECT,
        "description": head,
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": list(kinds), "description": "What this document is about."}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in kinds
        ],
        "$defs": {kind: _moved(schema, f"#/$defs/{kind}/$defs/") for kind, schema in kinds.items()},
    }


def _moved(node: Any, place: str) -> Any:
    """The schema with its references led to where its definitions are now."""
    if isinstance(node, list):
        return [_moved(each, place) for each in node]
    if isinstance(node, dict):
        return {
            key: value.replace("#/$defs/", place, 1)
            if key == "$ref" and isinstance(value, str)
            else _moved(value, place)
            for key, value in node.items()
        }
    return node
