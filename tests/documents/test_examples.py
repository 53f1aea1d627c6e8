"""Policies that documents show are valid where they say that they stand.

A comment before a block names the file: `policies: PATH` is that whole file, `PATH#NAME` the document of that
name in it, and `PATH+` lines that are added to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from reconciler.policy.load import load
from reconciler.policy.tree import WORKING_TREE, File, Listing, WorkingTree
from reconciler.providers.registry import VOCABULARIES
from tests.architecture.source import ROOT
from tests.documents.pages import DOCS, Block, blocks, pages

BETWEEN = re.compile(r"^---\n", re.MULTILINE)
MARKED = [each for each in blocks(*pages()) if each.mark.startswith("policies:")]


@dataclass(frozen=True)
class Planted:
    """The sample estate with one file as a document shows it."""

    path: str
    text: str
    revision: str = WORKING_TREE

    def read(self) -> Listing:
        listing = WorkingTree(ROOT).read()
        others = [file for file in listing.files if file.path != self.path]
        return Listing(files=(*others, File(self.path, self.text.encode())), problems=listing.problems)


def placed(block: Block) -> Planted:
    """The estate that a block speaks of."""
    place = block.mark.removeprefix("policies:").strip()
    path, _, name = place.partition("#")
    if path.endswith("+"):
        path = path[:-1]
        return Planted(path, (ROOT / path).read_text("utf-8") + block.text)
    if not name:
        return Planted(path, block.text)
    documents = BETWEEN.split((ROOT / path).read_text("utf-8"))
    fitting = [number for number, text in enumerate(documents) if f"\nname: {name}\n" in text]
    assert len(fitting) == 1, f"{block}: {len(fitting)} documents of {path} are called {name}"
    documents[fitting[0]] = block.text
    return Planted(path, "---\n".join(documents))


def faults(planted: Planted) -> list[str]:
    return [str(problem) for problem in load(planted, VOCABULARIES).problems]


@pytest.mark.parametrize("block", MARKED, ids=str)
def test_an_example_is_valid_where_it_stands(block: Block) -> None:
    assert faults(placed(block)) == []


def test_a_planted_fault_is_caught() -> None:
    block = next(each for each in MARKED if "secret-scope" in each.text)
    broken = block._replace(text=block.text.replace("can: read", "can: raed"))
    assert broken.text != block.text
    assert any("raed" in fault for fault in faults(placed(broken)))


def test_guides_show_no_policy_unmarked() -> None:
    folders = [DOCS / "how-to", DOCS / "explanation"]
    shown = blocks(DOCS / "tutorial.md", *(page for folder in folders for page in folder.glob("*.md")))
    unmarked = [
        str(each)
        for each in shown
        if each.language == "yaml" and not each.mark and "policies" not in each.mark
    ]
    assert unmarked == []
    assert len(MARKED) >= 8
