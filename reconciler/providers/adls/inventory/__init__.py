"""Blob Inventory runs: found, checked, opened as columns, and judged without a request for each path."""

from __future__ import annotations

from importlib.util import find_spec

from reconciler.core.errors import Unusable


def need_columns() -> None:
    """See that what inventories are read with is installed; raises Unusable.

    Asked before anything here is imported that reads columns: only who has an inventory needs pyarrow.
    """
    if find_spec("pyarrow") is None or find_spec("numpy") is None:
        raise Unusable("an inventory is read by columns, which needs pyarrow: install reconciler[lake]")
