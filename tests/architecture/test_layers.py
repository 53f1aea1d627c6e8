"""Imports run one way: cli -> reconcile -> apply -> providers | policy | report -> core."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.architecture.source import ROOT, Source, imports, sources

RANK = {
    "cli": 5,
    "reconcile": 4,
    "court": 4,
    "apply": 3,
    "survey": 3,
    "providers": 2,
    "policy": 2,
    "report": 2,
    "store": 2,
    "core": 1,
}
"""A part imports parts of lower rank; parts of one rank do not know each other."""

CATALOGUE = "reconciler.providers.registry"
"""The one module that names every provider: adding a provider is one line there."""

SDKS = ("azure", "databricks", "msgraph", "msgraph_core", "msal")
SDK_PREFIXES = ("kiota_",)

# fmt: off
CORE_MAY_IMPORT = frozenset(
    {
        "__future__", "abc", "array", "base64", "binascii", "bisect", "collections", "contextlib",
        "copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fnmatch", "fractions",
        "functools", "graphlib", "hashlib", "heapq", "ipaddress", "itertools", "json", "keyword",
        "math", "numbers", "operator", "re", "statistics", "string", "struct", "textwrap", "types",
        "typing", "unicodedata", "uuid", "weakref",
    }
)
# fmt: on
"""The standard library without clocks, chance, files, sockets, processes, threads and loggers.

`datetime` and `uuid` are here for their values; asking them for now, or for chance, is caught by name.
"""


def part_of(module: str, providers: frozenset[str]) -> str | None:
    """The part a dotted name belongs to; None for a room that has no place in the drawing."""
    first, _, rest = module.removeprefix("reconciler").lstrip(".").partition(".")
    if not first or (first.startswith("__") and first != "__main__"):
        return "root"
    if first == "__main__" or first == "cli" or first.startswith("cli_"):
        return "cli"
    if first == "apply" or first.startswith("apply_"):
        return "apply"
    if first == "providers" and rest.split(".")[0] in providers:
        return f"providers/{rest.split('.')[0]}"
    return first if first in RANK or first == "emulator" else None


def layer_violations(source: Source, providers: frozenset[str]) -> Iterator[str]:
    """Imports of this file that run up, sideways, or into a neighbouring provider."""
    own = part_of(source.module, providers)
    if own is None:
        yield source.at(1, f"{source.module} has no place in the layers: add it to RANK or rename it")
        return
    for found in imports(source):
        if not found.reaches("reconciler"):
            continue
        target = part_of(found.target, providers)
        if target is None:
            yield source.at(found.line, f"{found.target} is no part of the house")
        elif not _may_import(source, own, target):
            yield source.at(found.line, f"{own} must not import {found.target}")


def _may_import(source: Source, own: str, target: str) -> bool:
    if target in {own, "root"}:
        return True
    if "emulator" in {own, target}:
        # The judge shares no code with the judged, and only two commands and the tests may call it.
        return target == "emulator" and own == "cli" and _starts_emulator(source)
    own_layer, _, own_provider = own.partition("/")
    target_layer, _, target_provider = target.partition("/")
    if own_layer == target_layer == "providers":
        return not target_provider or source.module == CATALOGUE
    return RANK.get(own_layer, 0) > RANK[target_layer]


def _starts_emulator(source: Source) -> bool:
    name = source.module.removeprefix("reconciler.").replace(".", "_")
    return name.startswith(("cli_emulator", "cli_demo"))


def core_violations(source: Source) -> Iterator[str]:
    """Imports of core that could reach a clock, chance, a file, a network, a process or a logger."""
    if part_of(source.module, frozenset()) != "core":
        return
    for found in imports(source):
        top = found.target.split(".")[0]
        pure_url = found.reaches("urllib.parse")
        if top != "reconciler" and top not in CORE_MAY_IMPORT and not pure_url:
            whose = "it is pure computation" if top in sys.stdlib_module_names else "standard library only"
            yield source.at(found.line, f"core must not import {found.target}: {whose}")


def sdk_violations(source: Source) -> Iterator[str]:
    """SDKs named outside the client files; and, inside them, loaded before they are needed."""
    name = source.path.rpartition("/")[2]
    is_client = name.startswith("client") and "/core/" not in source.path
    if is_client or source.is_emulator or source.path == "reconciler/providers/identity.py":
        return
    for found in imports(source):
        top = found.target.split(".")[0]
        if top in SDKS or top.startswith(SDK_PREFIXES):
            yield source.at(found.line, f"{found.target}: an SDK is named only in client*.py and identity.py")


def cycles(modules: Mapping[str, frozenset[str]]) -> list[str]:
    """Circles of imports, each told once, as `a -> b -> a`."""
    state: dict[str, int] = {}
    path: list[str] = []
    found: list[str] = []

    def visit(module: str) -> None:
        state[module] = 1
        path.append(module)
        for target in sorted(modules.get(module, ())):
            if state.get(target) == 1:
                found.append(" -> ".join([*path[path.index(target) :], target]))
            elif target not in state:
                visit(target)
        path.pop()
        state[module] = 2

    for module in sorted(modules):
        if module not in state:
            visit(module)
    return found


def import_graph(files: list[Source]) -> dict[str, frozenset[str]]:
    """Which file imports which, `from package import module` counted as the module."""
    names = {source.module for source in files}

    def resolve(target: str) -> str:
        return target if target in names else target.rpartition(".")[0]

    graph = {
        source.module: {resolve(found.target) for found in imports(source) if found.runs} for source in files
    }
    return {module: frozenset(targets & names - {module}) for module, targets in graph.items()}


def provider_folders() -> frozenset[str]:
    """Names of the provider folders that exist today."""
    return frozenset(path.parent.name for path in ROOT.glob("reconciler/providers/*/__init__.py"))


PACKAGE = sources("reconciler")


def test_imports_run_one_way() -> None:
    assert [text for source in PACKAGE for text in layer_violations(source, provider_folders())] == []


def test_core_is_pure() -> None:
    assert [text for source in PACKAGE for text in core_violations(source)] == []


def test_sdks_are_named_in_clients_only() -> None:
    assert [text for source in PACKAGE for text in sdk_violations(source)] == []


def test_no_import_goes_in_a_circle() -> None:
    assert cycles(import_graph(PACKAGE)) == []


FOLDERS = frozenset({"entra", "adls"})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/diff.py", "from reconciler.providers.contract import Provider"),
        ("core/diff.py", "def f():\n    import reconciler.report.text"),
        ("core/diff.py", "from ..policy import loader"),
        ("report/text.py", "from reconciler.policy import loader"),
        ("policy/loader.py", "from reconciler.providers.adls import documents"),
        ("policy/loader.py", "from reconciler.providers.contract import Provider"),
        ("providers/entra/provider.py", "from reconciler.providers.adls.canonical import acl"),
        ("providers/entra/provider.py", "from reconciler.providers import adls"),
        (
            "providers/entra/provider.py",
            "__import__('reconciler.providers.adls')",
        ),
        ("providers/contract.py", "from reconciler.providers.entra import provider"),
        ("providers/__init__.py", "from reconciler.providers import entra"),
        ("providers/entra/provider.py", "from reconciler.policy.loader import load"),
        ("apply.py", "from reconciler.reconcile import plan"),
        ("apply_journal.py", "import reconciler.cli"),
        ("reconcile.py", "from reconciler import cli_demo"),
        ("cli.py", "from reconciler.emulator import app"),
        ("reconcile.py", "from reconciler.emulator.server import serve"),
        ("emulator/adls/acl.py", "from reconciler.providers.adls.canonical import mask"),
        ("emulator/app.py", "from reconciler.core.model import Address"),
        ("utilities.py", "x = 1"),
        ("core/diff.py", "from reconciler.sundries import x"),
    ],
)
def test_a_wrong_import_is_caught(path: str, text: str) -> None:
    assert list(layer_violations(Source(f"reconciler/{path}", text), FOLDERS))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/diff.py", "from reconciler.core.model import Address"),
        ("core/__init__.py", "from .model import Address"),
        ("policy/loader.py", "from reconciler.core.vocabulary import Problem"),
        ("providers/entra/provider.py", "from reconciler.providers.contract import Provider"),
        ("providers/entra/provider.py", "from reconciler.providers.entra import canonical"),
        ("providers/registry.py", "from reconciler.providers import adls, entra"),
        ("apply.py", "from reconciler.core.plan import Plan\nimport reconciler.providers.contract"),
        ("cli.py", "import json\nfrom reconciler import __version__, reconcile"),
        ("__main__.py", "from reconciler.cli import main"),
        ("cli_demo.py", "from reconciler.emulator.server import serve"),
        ("cli/emulator.py", "from reconciler.emulator.server import serve"),
        ("emulator/app.py", "from reconciler.emulator.wire import Request"),
    ],
)
def test_a_right_import_is_not(path: str, text: str) -> None:
    assert list(layer_violations(Source(f"reconciler/{path}", text), FOLDERS)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import logging",
        "import os.path",
        "from pathlib import Path",
        "def f():\n    import time",
        "from random import choice",
        "import pydantic",
        "import urllib.request",
        "import asyncio",
    ],
)
def test_an_impure_core_is_caught(text: str) -> None:
    assert list(core_violations(Source("reconciler/core/diff.py", text)))
    assert not list(core_violations(Source("reconciler/apply.py", text)))


@pytest.mark.parametrize(
    ("path", "caught"),
    [
        ("reconciler/providers/adls/provider.py", True),
        ("reconciler/providers/contract.py", True),
        ("reconciler/core/client.py", True),
        ("reconciler/cli.py", True),
        ("reconciler/providers/adls/client.py", False),
        ("reconciler/providers/adls/client_listing.py", False),
        ("reconciler/store/client_blob.py", False),
        ("reconciler/providers/identity.py", False),
        ("reconciler/emulator/entra/token.py", False),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "from azure.identity import DefaultAzureCredential",
        "def f():\n    import databricks.sdk",
        "from kiota_abstractions.request_information import RequestInformation",
        "import importlib\nimportlib.import_module('msgraph')",
    ],
)
def test_a_stray_sdk_is_caught(path: str, caught: bool, text: str) -> None:
    assert bool(list(sdk_violations(Source(path, text)))) is caught


def test_a_circle_is_caught() -> None:
    files = [
        Source("reconciler/core/a.py", "from reconciler.core import b"),
        Source("reconciler/core/b.py", "from reconciler.core.c import x"),
        Source("reconciler/core/c.py", "import reconciler.core.a"),
        Source("reconciler/core/d.py", "import reconciler.core.a"),
        Source("reconciler/core/e.py", "from reconciler.core import f"),
        Source(
            "reconciler/core/f.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from reconciler.core import e",
        ),
    ]
    assert cycles(import_graph(files)) == [
        "reconciler.core.a -> reconciler.core.b -> reconciler.core.c -> reconciler.core.a"
    ]
