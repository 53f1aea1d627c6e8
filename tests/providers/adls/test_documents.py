"""`lake-folder` documents: what they may say, and what is said back when they say something else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.core.desired import classify
from reconciler.core.model import Attribute, Verb
from reconciler.providers.adls import VOCABULARY
from reconciler.providers.adls.documents import FOLDER, KINDS, LAKE_FOLDER, LakeFolder
from tests.providers.adls.lake import declare


def document(**keys: Any) -> LakeFolder:
    given = {"kind": "lake-folder", "folder": "datalake/curated/pricing", "grants": []} | keys
    return LakeFolder.model_validate(given)


def test_a_document_says_who_may_do_what() -> None:
    found = document(
        grants=[
            {"who": "group:pricing-ds", "can": "read"},
            {"who": "user:Ana@Corp.example", "can": "write", "until": "2027-01-31", "because": "CHG-1"},
        ]
    )
    assert found.lake == "datalake"
    assert found.locator == "curated/pricing"
    assert found.grants[1].who == "user:ana@corp.example"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"folder": "pricing"}, "write lake/container/path"),
        ({"folder": "datalake/curated"}, "write lake/container/path"),
        ({"folder": "datalake/Curated/x"}, "'Curated' is not a container"),
        ({"folder": "datalake/cu--rated/x"}, "'cu--rated' is not a container"),
        ({"folder": "datalake/-curated/x"}, "is not a container"),
        ({"folder": "datalake/ab/x"}, "'ab' is not a container"),
        ({"folder": "datalake/curated/a//b"}, "empty, '.' or '..'"),
        ({"folder": "datalake/curated/a/"}, "empty, '.' or '..'"),
        ({"folder": "datalake/curated/../b"}, "empty, '.' or '..'"),
        ({"folder": "datalake/curated/a\\b"}, "no backslash"),
        ({"folder": "datalake/curated/" + "x" * 256}, "255 characters a name"),
        ({"folder": "datalake/curated/" + "/".join("x" * 61)}, "60 names"),
        ({"folder": "datalake/curated/" + "/".join(["x" * 250] * 5)}, "1024 characters"),
        ({"grants": [{"who": "pricing-ds", "can": "read"}]}, "is not a principal"),
        ({"grants": [{"who": "group:a", "can": "execute"}]}, "'read', 'list' or 'write'"),
        ({"grants": [{"who": "group:a", "can": "read"}] * 2}, "group:a is granted something twice"),
        ({"was": "otherlake/curated/pricing"}, "is in another lake"),
        ({"was": "datalake/curated/pricing"}, "is the present name"),
        ({"mode": "0750"}, "Extra inputs"),
    ],
)
def test_what_a_document_may_not_say(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        document(**keys)


def test_grants_must_be_written() -> None:
    with pytest.raises(ValidationError, match="grants"):
        LakeFolder.model_validate({"kind": "lake-folder", "folder": "datalake/curated/pricing"})


def test_a_document_reaches_one_folder_and_names_its_principals() -> None:
    declared = declare(document(grants=[{"who": "group:a", "can": "read"}, {"who": "sp:b", "can": "list"}]))
    (reach,) = LAKE_FOLDER.reach(declared)
    assert (reach.boundary, reach.installation, reach.locator) == ("folders", "datalake", "curated/pricing")
    assert [(who, place.line) for who, place in LAKE_FOLDER.principals(declared)] == [
        ("group:a", 2),
        ("sp:b", 3),
    ]


@pytest.mark.parametrize(
    ("before", "after", "verb"),
    [
        ("list", "r-x", Verb.RAISE),
        ("r-x", "list", Verb.LOWER),
        ("rwx", "list", Verb.LOWER),
        ("---", "r-x", Verb.RAISE),
        ("--x", "r-x", Verb.RAISE),
        ("rwx", "r-x", Verb.LOWER),
        ("-wx", "r-x", Verb.SET),
        ("list", "--x", Verb.SET),
        ("r--", None, Verb.REVOKE),
    ],
)
def test_rights_compare(before: str, after: str | None, verb: Verb) -> None:
    kind = next(kind for kind in KINDS if kind.name == FOLDER)
    assert classify(kind, Attribute("access", "group:a"), before, after) is verb


def test_documents_are_read_without_loading_what_speaks_to_services() -> None:
    code = (
        "import sys, reconciler.providers.adls as a; a.VOCABULARY;"
        "print([m for m in ('azure', 'aiohttp', 'ssl') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert VOCABULARY.provider == "adls"
