"""How each place was read, in a line: by what, how much of it, at what cost, and why not the usual way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reconciler.core.model import Reading
from reconciler.report.clean import plain
from reconciler.report.lines import count

READERS = {
    "list-blobs": "List Blobs",
    "path-listing": "path listing",
    "inventory": "inventory",
}
SHOWN = 8
"""Places that are told one by one; an estate may have hundreds of containers."""

Quote = Callable[[str], str]


def told(readings: Sequence[Reading], quote: Quote = plain, say: Quote = plain) -> Iterator[tuple[str, str]]:
    """A style and a sentence for each place; what was not read as it should be first, and never left out.

    `quote` writes a name that somebody else chose, and `say` a sentence that somebody else wrote.
    """
    usual = [each for each in readings if not each.why]
    for reading in [each for each in readings if each.why]:
        yield "warn", sentence(reading, quote, say)
    for reading in usual[:SHOWN]:
        yield "dim", sentence(reading, quote, say)
    rest = usual[SHOWN:]
    if rest:
        paths = sum(each.paths for each in rest)
        yield "dim", f"read {count(len(rest), 'more place')}: {count(paths, 'path')}"


def sentence(reading: Reading, quote: Quote = plain, say: Quote = plain) -> str:
    """`read adls/datalake/curated: 1,204,331 paths by List Blobs, 243 requests`.

    Of a saved plan the requests are not known any more.
    """
    reader = READERS.get(reading.reader) or quote(reading.reader)
    parts = [f"{count(reading.paths, 'path')} by {reader}"]
    if reading.as_of:
        parts[0] += f" {say(reading.as_of)}"
    if reading.requests:
        single = f" ({reading.single:,} for single paths)" if reading.single else ""
        parts.append(count(reading.requests, "request") + single)
    if reading.resumed:
        parts.append(f"resumed after {count(reading.resumed, 'path')}")
    why = f"; {say(reading.why)}" if reading.why else ""
    return f"read {quote(reading.place)}: {', '.join(parts)}{why}"
