"""Without pyarrow an inventory is one clear line."""

from __future__ import annotations

import pytest

from reconciler.core.errors import Unusable
from reconciler.providers.adls import inventory


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory.need_columns()
    monkeypatch.setattr(inventory, "find_spec", lambda name: None)
    with pytest.raises(Unusable) as told:
        inventory.need_columns()
    assert str(told.value) == (
        "an inventory is read by columns, which needs pyarrow: install reconciler[lake]"
    )
