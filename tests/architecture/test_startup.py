"""Asking for help loads no SDK and no model library: the command line answers at once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.architecture.source import ROOT

HEAVY = (
    "azure",
    "databricks",
    "msgraph",
    "kiota_",
    "msal",
    "aiohttp",
    "httpx",
    "cryptography",
    "git",
    "uvicorn",
    "numpy",
    "pyarrow",
    "pyspark",
    "cel_expr_python",
)
LOADED = re.compile(r"^import time:\s+\d+ \|\s+(\d+) \|\s*([\w.]+)$", re.MULTILINE)


def heavy_modules(import_times: str) -> Iterator[str]:
    """Heavy packages in the listing of `python -X importtime`, each with its microseconds."""
    for microseconds, module in LOADED.findall(import_times):
        top = module.split(".")[0]
        if module == top and any(top == name or (name[-1] == "_" and top.startswith(name)) for name in HEAVY):
            yield f"{module} ({microseconds} µs)"


@pytest.mark.parametrize("arguments", [("--help",), ("plan", "--help")])
def test_help_loads_no_sdk(arguments: tuple[str, ...]) -> None:
    if not any(ROOT.glob("reconciler/cli*")):
        pytest.skip("there is no command line yet")
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "reconciler", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert answer.stdout
    assert list(heavy_modules(answer.stderr)) == []


def test_a_heavy_import_is_caught() -> None:
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import azure.core"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert [text.split()[0] for text in heavy_modules(listing.stderr)] == ["azure"]
