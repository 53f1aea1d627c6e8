"""Documents as data: their fenced blocks, each with what was said of it in the line before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.architecture.source import ROOT

DOCS = ROOT / "docs"
BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n+)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block of a page."""

    page: Path
    line: int
    mark: str
    """What the comment right before it says; "" without one."""
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page for readers: the front page and everything below `docs/`."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(*which: Path) -> Iterator[Block]:
    """The fenced blocks of these pages."""
    for page in which:
        text = page.read_text("utf-8")
        for found in BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(page, line, found[1] or "", found[2], found[3])


def sections(page: Path) -> dict[str, str]:
    """Heading of the second level to what stands below it."""
    return dict(SECTION.findall(page.read_text("utf-8")))
