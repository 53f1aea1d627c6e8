"""The storage service's ways of writing an instant: ETag, HTTP date, FILETIME, seven-digit ISO time.

An instant is an integer count of ticks, 100 ns each, since the year 1, because that is what an ETag holds:
in recorded traffic the ETag's digits of a new directory are its creation time to the tick.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

SECOND = 10_000_000
DAY = 24 * 3600 * SECOND
UNIX_EPOCH = 621_355_968_000_000_000
"""Ticks at 1970-01-01."""
FILETIME_EPOCH = 504_911_232_000_000_000
"""Ticks at 1601-01-01, where Windows FILETIME begins."""


def ticks(unix_seconds: float) -> int:
    """Ticks of a time in seconds since 1970."""
    return UNIX_EPOCH + round(unix_seconds * SECOND)


def unix(instant: int) -> float:
    """Seconds since 1970 of an instant."""
    return (instant - UNIX_EPOCH) / SECOND


def etag(instant: int) -> str:
    """The entity tag of something last changed at this instant, without quotes."""
    return f"0x{instant:X}"


def filetime(instant: int) -> int:
    """The instant as a Windows FILETIME, as `creationTime` and `expiryTime` of path listings hold it."""
    return instant - FILETIME_EPOCH


def http_date(instant: int) -> str:
    """The instant in the form of an HTTP header, cut to the second."""
    return _of_second(instant // SECOND)


@lru_cache(maxsize=65536)
def _of_second(seconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds - UNIX_EPOCH // SECOND)
    return format_datetime(moment, usegmt=True)


def iso_time(instant: int) -> str:
    """The instant with seven decimals, as error messages and continuation markers write it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=(instant - UNIX_EPOCH) // SECOND)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{instant % SECOND:07d}Z"


def parse_http_date(text: str) -> int | None:
    """The instant that an HTTP date names, or None when it is not one."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return ticks(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


class Ticker:
    """Hands out instants that never repeat, so that no two ETags of an account are alike."""

    def __init__(self) -> None:
        self.last = 0

    def at(self, unix_seconds: float) -> int:
        """The instant of this time, or the next free one after it."""
        self.last = max(ticks(unix_seconds), self.last + 1)
        return self.last
