"""Documents point at what exists: files, headings, make targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import ROOT, tracked

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"`make ([a-z-]+)|^\s*(?:\$ )?make ([a-z-]+)", re.MULTILINE)


def dead_links(path: Path, text: str) -> Iterator[str]:
    """Relative links of a document that lead nowhere, to a missing heading included."""
    prose = FENCE.sub("", text)
    for link in LINK.findall(prose):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, heading = link.partition("#")
        target = path.parent / file
        if not target.exists():
            yield f"{path.name}: {link} leads nowhere"
        elif heading and heading not in _headings(target.read_text(encoding="utf-8") if file else text):
            yield f"{path.name}: {link} names no heading there"


def _headings(text: str) -> set[str]:
    """Anchors as forges make them: lower case, spaces to hyphens, punctuation dropped."""
    titles = re.findall(r"^#+ (.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def unknown_targets(text: str, targets: set[str]) -> list[str]:
    """Targets of make that a document speaks of and the Makefile does not have."""
    return sorted({found for pair in TARGET.findall(text) for found in pair if found} - targets)


def make_targets() -> set[str]:
    """What the Makefile offers."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_links_lead_somewhere() -> None:
    documents = [ROOT / path for path in tracked("*.md")]
    assert documents
    assert [text for path in documents for text in dead_links(path, path.read_text(encoding="utf-8"))] == []


def test_make_targets_exist() -> None:
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in tracked("*.md")}
    assert {
        path: unknown for path, text in texts.items() if (unknown := unknown_targets(text, make_targets()))
    } == {}


def test_every_target_is_explained() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)[0].split())
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert phony == explained == make_targets()


def test_a_dead_link_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# One thing: first\n", encoding="utf-8")
    text = "# Here\n[a](other.md) [b](other.md#one-thing-first) [c](#here) [d](https://x.example)\n"
    assert list(dead_links(page, text)) == []
    page.write_text(text, encoding="utf-8")
    assert len(list(dead_links(page, text + "[e](gone.md) [f](other.md#two) [g](#there)"))) == 3
    assert list(dead_links(page, text + "```\n[e](gone.md)\n```\n")) == []


def test_an_unknown_target_is_caught() -> None:
    assert unknown_targets("run `make tset` or\n    make demo\nto make sure", {"test", "demo"}) == ["tset"]
