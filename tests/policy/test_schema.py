"""The schemas that editors use are valid, fresh, and agree with what loading accepts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reconciler.policy.documents import PLATFORM_DOCUMENTS
from reconciler.policy.schema import schemas
from reconciler.providers.registry import VOCABULARIES
from tests.policy.small import APPROVAL

FILES = schemas(VOCABULARIES)
TENANT_KINDS = {"tenant", "approval", "group", "entitlements", "secret-scope", "lake-folder"}


class Loader(yaml.SafeLoader):
    """What editors see: YAML 1.2, in which a date, `on` and `no` are text."""


Loader.yaml_implicit_resolvers = {
    sign: [(tag, form) for tag, form in resolvers if tag.rpartition(":")[2] not in {"timestamp", "bool"}]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))


def documents(path: Path) -> list[Any]:
    return [each for each in yaml.load_all(path.read_text("utf-8"), Loader) if each is not None]


def objections(name: str, document: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(json.loads(FILES[name])).iter_errors(document)]


def test_there_is_one_for_every_kind_and_for_each_folder() -> None:
    alone = TENANT_KINDS | set(PLATFORM_DOCUMENTS)
    assert set(FILES) == {f"{kind}.json" for kind in alone} | {
        "tenant-document.json",
        "platform-document.json",
    }


def test_they_are_fresh(root: Path) -> None:
    written = {path.name: path.read_text("utf-8") for path in (root / "schemas").glob("*.json")}
    assert {name: written.get(name) == text for name, text in FILES.items()} == dict.fromkeys(FILES, True), (
        "run `make schemas`"
    )


@pytest.mark.parametrize("name", sorted(FILES))
def test_each_is_a_schema_that_explains_itself(name: str) -> None:
    schema = json.loads(FILES[name])
    Draft202012Validator.check_schema(schema)
    assert schema["description"]
    assert schemas(VOCABULARIES)[name] == FILES[name]


def test_every_key_of_the_teams_half_is_explained() -> None:
    silent = [
        f"{kind}.{key}"
        for kind in TENANT_KINDS - {"approval"}
        for key, schema in json.loads(FILES[f"{kind}.json"])["properties"].items()
        if not schema.get("description")
    ]
    assert silent == []


def test_the_sample_estate_fits(root: Path) -> None:
    told = {}
    for folder, combined in (("policies", "platform-document.json"), ("tenants.d", "tenant-document.json")):
        for path in sorted((root / folder).rglob("*.yaml")):
            for number, document in enumerate(documents(path)):
                alone = objections(f"{document['kind']}.json", document)
                told[f"{path}: {number}"] = objections(combined, document) + alone
    assert len(told) > 20
    assert {place: said for place, said in told.items() if said} == {}


def test_an_approval_fits() -> None:
    (document,) = yaml.load_all(APPROVAL, Loader)
    assert objections("approval.json", document) == objections("tenant-document.json", document) == []


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"nmae": "x"}, "'nmae' was unexpected"),
        ({"members": "user:ana"}, "is not of type 'array'"),
        ({"members": ["ana"]}, "is not valid under any of the given schemas"),
        ({"members": None}, "is not of type 'array'"),
        ({"unlisted": "kep"}, "is not one of ['revoke', 'keep']"),
        ({"kind": "grup"}, "is not one of ['tenant'"),
        ({"was": None}, "is not of type 'string'"),
    ],
)
def test_an_editor_objects_as_loading_does(change: dict[str, Any], part: str) -> None:
    good = {"kind": "group", "name": "x", "members": ["user:ana"]}
    assert objections("tenant-document.json", good) == []
    assert part in " ".join(objections("tenant-document.json", {**good, **change}))
