"""The sample estate, made anew for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers.databricks.estate import Estate, estate


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Estate]:
    """The sample estate with a provider over it."""
    with estate(tmp_path) as result:
        yield result
