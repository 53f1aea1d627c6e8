"""Continuation tokens in the forms of recorded traffic: they name the next path, and look opaque.

DFS tokens are base64 over a compact-thrift record; Blob markers wrap such a token once more.
"""

from __future__ import annotations

import base64
import binascii
import zlib

from reconciler.emulator.lake.errors import StorageError
from reconciler.emulator.lake.stamps import filetime, iso_time

_FIELD_I64 = b"\x16"
_FIELD_BINARY = b"\x18"
_STOP = b"\x00"


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return number, at
        shift += 7


def encode(account: str, account_since: int, filesystem: str, filesystem_since: int, path: str) -> str:
    """A token that says: go on with this path, inclusive."""
    name = (
        f"/{account}\x01{filetime(account_since):016X}/{filesystem}\x01{filetime(filesystem_since):016X}/{path}"
    ).encode()
    inner = _FIELD_BINARY + _varint(len(name)) + name + _FIELD_I64 + _STOP + _STOP
    checksum = zlib.crc32(name) << 32 | zlib.crc32(name[::-1])
    record = b"T" + _FIELD_I64 + _varint(checksum) + _FIELD_BINARY + _varint(len(inner)) + inner + _STOP
    return base64.b64encode(record).decode()


def decode(token: str, filesystem: str) -> list[str]:
    """The path that a token names, as its parts; raises StorageError for any other token."""
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), validate=True)
        if not data.startswith(b"T" + _FIELD_I64):
            raise ValueError(token)
        _, at = _read_varint(data, 2)
        _, at = _read_varint(data, at + 1)
        length, at = _read_varint(data, at + 1)
        name = data[at : at + length].decode()
        _, account, container, *path = name.split("/")
    except (ValueError, IndexError, binascii.Error) as error:
        raise StorageError("InvalidQueryParameterValue") from error
    if container.split("\x01")[0] != filesystem or not account:
        raise StorageError("InvalidQueryParameterValue")
    return path


def encode_marker(token: str, now: int) -> str:
    """A Blob listing's `NextMarker` around a token."""
    time = iso_time(now)
    inner = f"{len(token):06d}!{token}!{len(time):06d}!{time}!"
    text = base64.b64encode(inner.encode()).decode()
    return f"2!{len(text)}!{text.replace('=', '-')}"


def decode_marker(marker: str, filesystem: str) -> list[str]:
    """The path that a `NextMarker` names, as its parts; raises StorageError."""
    try:
        version, _, text = marker.split("!", 2)
        inner = base64.b64decode(text.replace("-", "="), validate=True).decode()
        _, token, *_ = inner.split("!")
    except (ValueError, binascii.Error) as error:
        raise StorageError("InvalidQueryParameterValue") from error
    if version != "2":
        raise StorageError("InvalidQueryParameterValue")
    return decode(token, filesystem)
