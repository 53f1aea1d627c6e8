"""Exchanges with Databricks, written down by others, replayed against the emulator."""
