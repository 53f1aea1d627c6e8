"""What is imported is declared, what is declared is locked and explained."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.source import ROOT, Source, imports, sources


@cache
def declared() -> Mapping[str, frozenset[str]]:
    """Distributions by the part of pyproject.toml that declares them; `run` is what always is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"run": project["dependencies"], **project["optional-dependencies"]}
    return {group: frozenset(map(distribution, lines)) for group, lines in groups.items()}


def distribution(requirement: str) -> str:
    """The normal form of the name in a requirement: `PyYAML>=6` is `pyyaml` (PEP 503)."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def undeclared(source: Source, providers: Mapping[str, list[str]], allowed: frozenset[str]) -> Iterator[str]:
    """Imports from distributions that this file may not count on."""
    for found in imports(source):
        top = found.target.split(".")[0]
        if top in sys.stdlib_module_names or top in {"reconciler", "tests"}:
            continue
        homes = {distribution(name) for name in providers.get(top, [])}
        if not homes & allowed:
            home = " or ".join(sorted(homes)) or "no installed distribution"
            yield source.at(found.line, f"{found.target} comes with {home}: declare it in pyproject.toml")


def explained(document: str) -> set[str]:
    """First cells of the document's tables, heads and rules aside."""
    return set(re.findall(r"^\| ([a-z0-9][\w.-]*) \|", document, re.MULTILINE)) - {"package"}


BY_COLUMNS = (
    "reconciler/providers/adls/inventory/", "reconciler/providers/adls/keeping.py",
    "reconciler/emulator/lake/inventory.py",
)  # fmt: skip
"""Rooms that are entered only where columns are wanted; `need_columns` says what is missing."""


def allowed(source: Source) -> frozenset[str]:
    """Distributions that a file may count on."""
    found = declared()["run"]
    if _comes_with_emulator(source):
        found |= declared()["emulator"]
    if source.path == "reconciler/policy/cel.py":
        # Loaded where there are rules to compile, and told by name where it is missing.
        found |= declared()["rules"]
    return found | declared()["lake"] | declared()["spark"] if source.path.startswith(BY_COLUMNS) else found


def test_what_is_imported_is_declared() -> None:
    homes = packages_distributions()
    found = [text for source in sources("reconciler") for text in undeclared(source, homes, allowed(source))]
    assert found == []


def test_columns_are_not_loaded_by_those_who_do_not_want_them() -> None:
    """Settings, sources and faults of inventories are for everybody: only rows need pyarrow."""
    modules = [
        "reconciler.cli", "reconciler.providers.adls.provider", "reconciler.providers.adls.client_inventory",
        "reconciler.providers.adls.inventory.folder", "reconciler.emulator.lake.inventory",
    ]  # fmt: skip
    program = (
        f"import sys, {', '.join(modules)}; print([n for n in ('pyarrow', 'numpy') if n in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_the_engine_of_rules_is_not_loaded_where_there_are_none() -> None:
    program = (
        "import sys; from pathlib import Path; from reconciler.policy.load import load; "
        "from reconciler.policy.tree import WorkingTree; "
        "from reconciler.providers.registry import VOCABULARIES; "
        "load(WorkingTree(Path('.')), VOCABULARIES); print('cel_expr_python' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == "False"


def _comes_with_emulator(source: Source) -> bool:
    return source.is_emulator or (
        source.is_command_line and ("emulator" in source.path or "demo" in source.path)
    )


def test_what_is_declared_is_explained_and_nothing_else() -> None:
    rows = explained((ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"))
    assert rows == {name for group in declared().values() for name in group}


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements.txt", ("run", "emulator", "lake", "rules", "build")),
        ("requirements-dev.txt", ("run", "emulator", "lake", "rules", "spark", "build", "dev")),
    ],
)
def test_what_is_declared_is_locked(lock: str, groups: tuple[str, ...]) -> None:
    locked = locked_versions(lock)
    assert {name for group in groups for name in declared()[group]} - set(locked) == set(), "run `make lock`"


def test_both_locks_agree() -> None:
    tool, everything = locked_versions("requirements.txt"), locked_versions("requirements-dev.txt")
    assert {name: everything.get(name) for name in tool} == tool


def locked_versions(lock: str) -> dict[str, str]:
    """Name to version, as a lock pins them."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([\w.!+]+)", text, re.MULTILINE)
    return {distribution(name): version for name, version in pins}


def test_an_undeclared_import_is_caught() -> None:
    homes = {"yaml": ["PyYAML"], "azure": ["azure-core", "azure-identity"]}
    here = Source(
        "reconciler/policy/x.py", "import yaml\nfrom azure.core import x\nimport json\nimport nowhere"
    )
    assert len(list(undeclared(here, homes, frozenset()))) == 3
    assert [text.split()[1] for text in undeclared(here, homes, frozenset({"pyyaml", "azure-core"}))] == [
        "nowhere"
    ]


def test_rows_are_told_from_heads() -> None:
    assert explained("| package | what for |\n| --- | --- |\n| rich | tables |\nrich | no row |") == {"rich"}
