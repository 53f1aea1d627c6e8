"""The estate in this repository is sound under the language of all providers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from reconciler.providers.registry import VOCABULARIES


@pytest.fixture(scope="module")
def policies(root: Path):
    return load(WorkingTree(root), VOCABULARIES)


def test_it_has_no_problem(policies) -> None:
    assert [str(problem) for problem in policies.problems] == []


def test_it_is_rich_enough_for_a_demonstration(policies) -> None:
    assert set(policies.tenants) == {"fraud", "marketing", "platform-ml", "pricing"}
    everything = [each.document for documents in policies.declared.values() for each in documents]
    assert {document.kind for document in everything} == {
        "group",
        "entitlements",
        "secret-scope",
        "lake-folder",
    }
    assert {document.unlisted for document in everything} == {"revoke", "keep"}
    assert {document.state for document in everything} == {"active", "retired"}
    assert any(document.was for document in everything)
    assert any(each.adopted for documents in policies.declared.values() for each in documents)
    assert any(not each.adopted for documents in policies.declared.values() for each in documents)


def test_a_rename_reaches_for_the_old_name_too(policies) -> None:
    kinds = {document.kind: document for each in VOCABULARIES for document in each.documents}
    renamed = [each for documents in policies.declared.values() for each in documents if each.document.was]
    assert renamed
    for declared in renamed:
        reaches = list(kinds[declared.document.kind].reach(declared))
        # Else `was:` would let a tenant take over what is another's.
        assert any(reach.locator == declared.document.was for reach in reaches), declared.source


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ("kind: group\nname: pricing-x\nwas: hr-admins\nmembers: []\n", "3:6: 'hr-admins' is outside the"),
        (
            "kind: lake-folder\nfolder: datalake/raw/pricing/x\nwas: datalake/curated/fraud\ngrants: []\n",
            "3:6: 'datalake/curated/fraud' is outside the boundary of pricing",
        ),
        (
            "kind: secret-scope\nworkspace: ml-prod\nname: fraud\ngrants: []\n",
            "3:7: 'ml-prod/fraud' is",
        ),
    ],
)
def test_no_tenant_gets_out_of_its_boundary(root: Path, tmp_path: Path, document: str, place: str) -> None:
    for folder in ("policies", "tenants.d"):
        shutil.copytree(root / folder, tmp_path / folder)
    (tmp_path / "tenants.d/pricing/more.yaml").write_text(document)
    told = [str(problem) for problem in load(WorkingTree(tmp_path), VOCABULARIES).problems]
    assert len(told) == 1
    assert told[0].startswith(f"tenants.d/pricing/more.yaml:{place}")


@pytest.mark.parametrize("can", ["workspace-acces", "[workspace-acces]"])
def test_a_misspelt_entitlement_has_a_suggestion(root: Path, tmp_path: Path, can: str) -> None:
    for folder in ("policies", "tenants.d"):
        shutil.copytree(root / folder, tmp_path / folder)
    grants = f"[{{who: group:x, can: {can}}}]"
    text = f"kind: entitlements\nworkspace: ml-prod\ngrants: {grants}\n"
    (tmp_path / "tenants.d/pricing/more.yaml").write_text(text)
    (told,) = (str(problem) for problem in load(WorkingTree(tmp_path), VOCABULARIES).problems)
    assert told.startswith("tenants.d/pricing/more.yaml:3:")
    assert told.endswith("; did you mean 'workspace-access'?")


def test_reading_a_working_tree_loads_neither_git_nor_an_sdk(root: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from reconciler.policy.load import load\nfrom reconciler.policy.tree import WorkingTree\n"
        "import reconciler.policy.revision, reconciler.policy.history, reconciler.policy.schema\n"
        "from reconciler.providers.registry import VOCABULARIES\n"
        f"load(WorkingTree(Path({str(root)!r})), VOCABULARIES)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    loaded = set(re.findall(r"\| +([\w]+)$", answer.stderr, re.MULTILINE))
    assert "pydantic" in loaded
    assert loaded & {"git", "azure", "databricks", "msgraph", "aiohttp", "httpx", "requests"} == set()
