"""Read the repository's own sources as data: files, syntax trees, imports, dotted names.

Checkers take a `Source`, never a path, so that each can be shown a planted violation.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: its path from the root of the repository, and its text."""

    path: str
    text: str

    @property
    def module(self) -> str:
        """Its dotted name: `reconciler/core/model.py` is `reconciler.core.model`."""
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """What a relative import starts from."""
        if self.path.endswith("__init__.py"):
            return self.module
        return self.module.rpartition(".")[0]

    @property
    def tree(self) -> ast.Module:
        return _parse(self.text)

    @property
    def is_command_line(self) -> bool:
        """Whether it is part of the command line: the one place that meets the process and the person."""
        inside = PurePosixPath(self.path).parts[1:]
        return bool(inside) and (
            inside[0] in {"cli", "__main__.py"} or (inside[0].startswith("cli") and len(inside) == 1)
        )

    @property
    def is_emulator(self) -> bool:
        return self.path.startswith("reconciler/emulator/")

    def at(self, line: int, text: str) -> str:
        """A violation as it is shown: `path:line: text`."""
        return f"{self.path}:{line}: {text}"


class Import(NamedTuple):
    """One imported name, spelt out: `from a.b import c` is `a.b.c`, whether c is a module or not."""

    line: int
    target: str
    runs: bool = True
    """False under `if TYPE_CHECKING`, which only a type checker follows."""

    def reaches(self, package: str) -> bool:
        return self.target == package or self.target.startswith(package + ".")


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def tracked(*patterns: str) -> list[str]:
    """Paths that git knows and that are there, sorted; all of them without a pattern."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return sorted(path for path in listing.stdout.split("\0") if path and (ROOT / path).is_file())


def sources(*folders: str) -> list[Source]:
    """Every Python file below these folders, committed or not; a folder that is not there has none."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in found
        if "__pycache__" not in path.parts
    ]


def imports(source: Source) -> Iterator[Import]:
    """Everything a file imports, wherever in it, `import_module("…")` with a literal name included."""
    typing_only = _typing_only(source.tree)
    for node in ast.walk(source.tree):
        runs = id(node) not in typing_only
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name, runs) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(source, node)
            yield from (Import(node.lineno, f"{origin}.{alias.name}", runs) for alias in node.names)
        elif isinstance(node, ast.Call) and _last_name(node.func) in {"import_module", "__import__"}:
            literals = (arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant))
            yield from (Import(node.lineno, text) for text in literals if isinstance(text, str))


def dotted_names(source: Source) -> Iterator[tuple[int, str]]:
    """Every name read and every attribute chain, imports undone: `dt.now` is `datetime.datetime.now`."""
    aliases = _aliases(source)
    inner = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            continue
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in inner:
            chain = _chain(node)
            if chain:
                yield node.lineno, ".".join((aliases.get(chain[0], chain[0]), *chain[1:]))


def _typing_only(tree: ast.Module) -> set[int]:
    guarded = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING"
    )
    return {id(inner) for node in guarded for statement in node.body for inner in ast.walk(statement)}


def _origin(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.package.split(".")
    base = ".".join(package[: len(package) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def _aliases(source: Source) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(source, node)
            names.update({alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names})
    return names


def _chain(node: ast.expr) -> tuple[str, ...]:
    """`a.b.c` as its parts; empty when it does not start at a plain name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def _last_name(node: ast.expr) -> str:
    chain = _chain(node)
    return chain[-1] if chain else ""
