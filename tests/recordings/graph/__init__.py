"""Recorded traffic of Graph and ARM, replayed against the emulated ones."""
