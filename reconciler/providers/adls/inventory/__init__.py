"""Blob Inventory runs: found, checked, opened as columns, and judged without a request for each path."""
