"""Checksums as the storage service writes them: MD5, and its own CRC-64, both in base64."""

from __future__ import annotations

import base64
import hashlib

_POLYNOMIAL = 0x9A6C9329AC4BC9B5
"""Reflected (Microsoft docs: Put Blob, x-ms-content-crc64; recorded values agree)."""
_ALL = 0xFFFF_FFFF_FFFF_FFFF


def _row(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = [_row(value) for value in range(256)]


def md5(data: bytes) -> str:
    """`Content-MD5` of these bytes."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def crc64(data: bytes) -> str:
    """`x-ms-content-crc64` of these bytes."""
    value = _ALL
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return base64.b64encode((value ^ _ALL).to_bytes(8, "little")).decode()
