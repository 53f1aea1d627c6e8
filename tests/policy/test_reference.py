"""What the reference shows is what loading takes."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.policy.documents import PLATFORM_DOCUMENTS
from reconciler.policy.load import load
from reconciler.policy.tree import WorkingTree
from reconciler.providers.registry import VOCABULARIES

BLOCK = re.compile(r"^```yaml\n(kind: ([\w-]+)\n.*?)^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^### ([\w-]+)$", re.MULTILINE)


def test_its_examples_are_sound_together(root: Path, tmp_path: Path) -> None:
    page = (root / "docs/reference/policies.md").read_text("utf-8")
    examples = {kind: text for text, kind in BLOCK.findall(page)}
    examples["environment"] = (root / "policies/environments/prod.yaml").read_text("utf-8")
    for kind, text in examples.items():
        folder = "policies" if kind in PLATFORM_DOCUMENTS else "tenants.d/pricing"
        place = tmp_path / folder / ("approvals" if kind == "approval" else "") / f"{kind}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    policies = load(WorkingTree(tmp_path), VOCABULARIES)
    assert [str(problem) for problem in policies.problems] == []
    assert {provider: len(documents) for provider, documents in policies.declared.items()} == {
        "entra": 1,
        "databricks": 2,
        "adls": 1,
    }
    assert len(policies.approvals) == len(policies.entitlements) == 1


def test_it_speaks_of_every_kind(root: Path) -> None:
    page = (root / "docs/reference/policies.md").read_text("utf-8")
    own = {document.kind for each in VOCABULARIES for document in each.documents}
    assert set(HEADING.findall(page)) == own | set(PLATFORM_DOCUMENTS) | {"tenant", "approval"}
