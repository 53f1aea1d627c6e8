"""A part of a listing that one reader reads, page by page, to a name at which another one began."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.sweeping.catch import Catch

WORTH = 4
"""Pages that a stretch should still hold for being cut in two."""


class Sprawl(Exception):
    """A region holds too much that nobody declared to be read whole."""


@dataclass(slots=True, kw_only=True)
class Stretch:
    """A part of a listing that one reader reads page by page."""

    prefix: str
    """What its names begin with."""
    catch: Catch
    start: str = ""
    """The name from which on it is read; "" from the beginning."""
    end: str = ""
    """The name from which on it is not; "" for all of it."""
    scope: str | None = None
    """The prefix whose rest it reads, from where it is to its end; None where it ends within something."""
    next: Stretch | None = None
    """The stretch that begins where this one ends, where that is a name and no directory's end."""
    own: Listed | None = None
    """The directory whose contents it is, where no stretch would meet its entry."""
    beyond: str = ""
    """A name from which on there is nothing in it."""
    marker: str = ""
    pages: int = 0
    paths: int = 0
    first: str = ""
    """The first path met."""
    low: str = ""
    last: str = ""
    """A path of the last page, and the last one: `count` paths apart."""
    count: int = 0
    met: str = ""
    """The path at which it ended because the next stretch has it."""
    done: bool = False
    resumed: bool = False
    """Whether its marker is from an interrupted reading: the service may not know it any more."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it is known whether there is anything in it."""
    looked: dict[str, float] = field(default_factory=dict)
    """Levels that were looked at in vain, with the pages of the region from which on they may be again."""
    markers: set[int] = field(default_factory=set)
