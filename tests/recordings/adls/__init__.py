"""Recorded traffic of the storage service, replayed against the emulated one."""
