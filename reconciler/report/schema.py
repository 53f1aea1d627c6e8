"""JSON Schema of the public plan format: what `plan --out` writes and `show`, `approve` and `apply` read.

It says exactly what `core.planfile` accepts, apart from what a schema cannot say: digests, ids, calendars.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.model import Verb
from reconciler.core.plan import Cause
from reconciler.core.planfile import FORMAT, STAGES

FILE = "plan.v1.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

FINGERPRINT = "^[0-9a-f]{64}$"
DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
LISTED = ("files", "folders", "distinct", "lists")
"""What evidence says of lists: all of it or nothing."""
ADDRESS = "^[^/]+/[^/]+/[^/]+/[\\s\\S]+$"


def plan_schema() -> dict[str, str]:
    """File name to text; the same bytes every time."""
    return {FILE: json.dumps(_document(), indent=2, ensure_ascii=True) + "\n"}


def _document() -> Schema:
    return {
        "$schema": DIALECT,
        "title": "plan",
        **_object(
            "The ordered actions of one run of `reconciler plan`, with everything that was not planned and "
            "why. The same inputs give the same bytes.",
            {
                "format": {"const": FORMAT, "description": "Readers refuse any other format."},
                "environment": _text("The environment that was compared.", ["prod"]),
                "revision": _text("The commit that the policies were read from, or `working tree`.",
                                  ["working tree", "3f5a1c0de9b84725a6f0c1d2e3b4a59687f0e1d2"]),
                "as_of": {"$ref": "#/$defs/day", "description": "The day that the plan is for, in UTC."},
                "managed": _number(0, "How many things were compared.", [38]),
                "actions": _list("action", "What would happen, in the order in which it would run."),
                "blocked": _list("blocked", "Wanted facts that could not become actions."),
                "gaps": _list("gap", "Parts of live state that could not be read, and that nothing touches."),
                "findings": _list("finding", "Facts worth telling for which there is no action."),
                "violations": _list("violation", "What guardrails say of the actions."),
                "problems": _texts("Errors in tenants' documents, whose things were left alone.",
                                   ["tenants.d/pricing/lake.yaml:7:9: no workspace 'ml-prd'; ml-prod?"]),
                "unpinned": _texts("Principals whose names no lock entry pins to an object id yet.",
                                   ["group:pricing-tmp"]),
                "readings": {**_list("reading", "How lakes were read; absent where nothing was read in more "
                                     "ways than one."), "minItems": 1},
                "digest": _fingerprint("SHA-256 over the canonical JSON (sorted keys, no blanks, ASCII) of "
                                       "everything but the digest."),
            },
            optional=["readings"],
        ),
        "$defs": {
            "day": {**_pattern(DAY, "A day, in UTC.", ["2027-01-31"]), "format": "date", "maxLength": 10},
            "address": _pattern(ADDRESS, "Which thing: provider/installation/kind/locator.",
                                ["databricks/ml-prod/secret-scope/pricing"]),
            "value": {"type": ["string", "null"], "description": "A right or property in canonical spelling; "
                      "null for its absence.", "examples": ["READ", "r-x", None]},
            "source": _source(),
            "action": _action(),
            "blocked": _blocked(),
            "gap": _gap(),
            "finding": _finding(),
            "violation": _violation(),
            "held": _held(),
            "reading": _reading(),
        },
    }  # fmt: skip


def _action() -> Schema:
    return _object(
        "One transition that somebody can consent to.",
        {
            "id": _fingerprint(
                "SHA-256 over the canonical JSON of environment, verb, address, attribute, before, after, "
                "until and object ids, and of nothing else."
            ),
            "verb": _choice(Verb, "What it does; `set`, `lower`, `revoke` and `delete` may take away."),
            "address": {"$ref": "#/$defs/address"},
            "role": _text("Which fact of the thing.", ["acl", "member", "access", "default", "exists"]),
            "principal": _text("Who holds it; empty for the thing itself.", ["group:pricing-ds", ""]),
            "before": {
                "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/value"},
                "description": "The values from which it may start: one, or for a lake tree every value met.",
                "examples": [["WRITE"], [None, "r-x"]],
            },
            "after": {"$ref": "#/$defs/value"},
            "until": _or_null("day", "The last day on which the grant holds."),
            "object_ids": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Object ids behind the names: of the thing under its address, of the "
                "principal under its name.",
                "examples": [{"group:pricing-ds": "b174d283-7b34-5f02-92ec-9f7318398971"}],
            },
            "tenant": _text("Whose it is.", ["pricing"]),
            "cause": _choice(Cause, "Why it is needed."),
            "source": {"$ref": "#/$defs/source"},
            "because": _text("The reason that the policy gives.", ["helps with the migration, CHG-1234", ""]),
            "needs": _texts("Ids of actions that have to be verified before this one may be sent.", []),
            "evidence": _evidence(),
        },
    )  # fmt: skip


def _evidence() -> Schema:
    return _object(
        "What an action on a tree is about; no part of its identity.",
        {
            "counts": {
                "type": "object",
                "additionalProperties": {"type": "integer", "minimum": 0},
                "description": "Number of paths by the value met there; absence is counted under `-`.",
                "examples": [{"-": 7, "rwx": 1}],
            },
            "samples": _texts("Some of the paths that are not as wanted.", ["pricing/2026"]),
            "files": _number(0, "How many files are not as wanted.", [12_402]),
            "folders": _number(0, "How many folders are not as wanted.", [31]),
            "distinct": _number(1, "How many different access control lists those paths hold.", [3]),
            "lists": {
                "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/held"},
                "description": "The commonest of those lists; absent where what was read has none.",
            },
        },
        optional=LISTED,
    ) | {"dependentRequired": {name: list(LISTED) for name in LISTED}}  # fmt: skip


def _held() -> Schema:
    return _object(
        "An access control list, or the half of it that the action is about, with how many paths hold it.",
        {
            "list": _text(
                "Its entries, with names where they are known; `-` where there is no list.",
                ["owner rwx, owning group r-x, group:pricing-ds r-x, mask r-x, other ---", "-"],
            ),
            "paths": _number(1, "How many of the paths that are not as wanted hold it.", [12_000]),
        },
    )


def _reading() -> Schema:
    return _object(
        "How one place was read.",
        {
            "place": _text("Whose contents were read.", ["adls/datalake/curated"]),
            "reader": _text("What read it.", ["list-blobs", "path-listing", "inventory"]),
            "paths": _number(0, "How many paths were met.", [1_204_331]),
            "why": _text("Why it is not the reader of first choice; empty when it is.",
                         ["List Blobs was refused: 403 AuthorizationPermissionMismatch", ""]),
            "as_of": _text("Of an inventory: its run and its age; empty for what was read just then.",
                           ["run of 2026-11-28 01:00, 13 h old (rule nightly)", ""]),
        },
    )  # fmt: skip


def _blocked() -> Schema:
    return _object(
        "A wanted fact that could not become an action.",
        {
            "address": {"$ref": "#/$defs/address"},
            "role": _text("Which fact of the thing.", ["member"]),
            "principal": _text("Who would hold it; empty for the thing itself.", ["user:ana@corp.example"]),
            "tenant": _text("Whose it is.", ["pricing"]),
            "source": {"$ref": "#/$defs/source"},
            "reason": _text("Why, in words.", ["nobody has this name in Entra"]),
            "stage": _choice(STAGES, "`next` for what follows once this plan's creations are done."),
        },
    )


def _gap() -> Schema:
    return _object(
        "A part of live state that could not be read; never the same as an absence.",
        {
            "address": {"$ref": "#/$defs/address"},
            "reason": _text("Why, in words.", ["Insufficient privileges to complete the operation."]),
            "status": _text("The service's own code.", ["403 Authorization_RequestDenied", ""]),
            "accepted": _text(
                "Why and until when somebody accepted it; empty for a gap that makes the run unknown.",
                ["accepted until 2027-06-30: hidden membership, LEGAL-88", ""],
            ),
        },
    )


def _finding() -> Schema:
    return _object(
        "A fact worth telling for which there is no action.",
        {
            "rule": _text("What sort of finding.", ["unmanaged", "bypass", "stale-key"]),
            "address": {"$ref": "#/$defs/address"},
            "text": _text("The fact, in words.", ["secret scope pricing-old is unclaimed"]),
            "tenant": _text("Whose it is; empty where nobody claims it.", ["pricing", ""]),
            "source": _or_null("source", "The place in the policies that it is about."),
        },
    )


def _violation() -> Schema:
    return _object(
        "What a guardrail says of some actions.",
        {
            "rule": _text("The guardrail.", ["removals", "last-owner"]),
            "tenant": _text("Whose actions they are.", ["pricing"]),
            "text": _text("What is wrong and what to do, in words.", ["12 of 20 grants would go"]),
            "actions": _texts("Ids of the actions that it refuses: the whole counted group.", []),
            "overridable": {"type": "boolean", "description": "Whether an approval can override it."},
        },
    )


def _source() -> Schema:
    return _object(
        "A place in the policies.",
        {
            "file": _text("Path from the root of the policies.", ["tenants.d/pricing/lake.yaml"]),
            "line": _number(1, "Counted from 1.", [7]),
            "column": _number(1, "Counted from 1.", [5]),
        },
    )


def _object(description: str, properties: Mapping[str, Any], optional: Sequence[str] = ()) -> Schema:
    """An object of exactly these properties: a reader drops nothing that it does not know."""
    return {
        "description": description,
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": dict(properties),
        "additionalProperties": False,
    }


def _text(description: str, examples: Sequence[str]) -> Schema:
    return {"type": "string", "description": description, "examples": list(examples)}


def _texts(description: str, examples: Sequence[str]) -> Schema:
    listed: Schema = {"type": "array", "items": {"type": "string"}, "description": description}
    return {**listed, "examples": [list(examples)]} if examples else listed


def _list(name: str, description: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}, "description": description}


def _number(minimum: int, description: str, examples: Sequence[int]) -> Schema:
    return {"type": "integer", "minimum": minimum, "description": description, "examples": list(examples)}


def _pattern(pattern: str, description: str, examples: Sequence[str]) -> Schema:
    return {"type": "string", "pattern": pattern, "description": description, "examples": list(examples)}


def _fingerprint(description: str) -> Schema:
    example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    return {**_pattern(FINGERPRINT, description, [example]), "maxLength": 64}


def _choice(values: Sequence[str] | type[Verb] | type[Cause], description: str) -> Schema:
    return {"enum": [str(value) for value in values], "description": description}


def _or_null(name: str, description: str) -> Schema:
    return {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}], "description": description}
