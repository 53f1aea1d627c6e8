"""The state of an unfinished reading as plain values, and back again.

Its law: what comes back is either what was saved or an error.  A file that somebody else wrote has to fit the
question in every path that it names; it can never make more of a lake known than was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reconciler.providers.adls.ground import SAMPLES, Key, Tally
from reconciler.providers.adls.listing import Listed
from reconciler.providers.adls.sweeping.catch import Catch
from reconciler.providers.adls.sweeping.region import Region
from reconciler.providers.adls.sweeping.stretch import Stretch
from reconciler.providers.adls.sweeping.walk import Walk

Count = Annotated[int, Field(ge=0)]
BareRow = tuple[str, str | None, bool | None, str]
"""The fields of `Listed`."""
TallyRow = tuple[Count, bool, str, Count, Count, list[str]]
"""List and owning group, both by their number among the texts, whether directories, spot, count, samples."""


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CatchState(_State):
    """What a stretch of a listing brought in."""

    sinks: dict[str, list[TallyRow]]
    lists: dict[str, Count]
    siblings: list[str]
    bare: list[BareRow]
    met: list[str]
    owed: list[str]
    open: list[str]
    passed: list[str]
    declared: Count
    last: str


class StretchState(_State):
    """One stretch of a listing, begun or not."""

    prefix: str
    start: str
    end: str
    scope: str | None
    next: Count | None
    """Which of the region's stretches follows."""
    behind: str
    """The first path of the stretch that follows, where that one was read to its end already."""
    own: BareRow | None
    beyond: str
    marker: str
    pages: Count
    paths: Count
    first: str
    low: str
    last: str
    count: int
    met: str
    done: bool
    settled: bool
    catch: CatchState


class OpenState(_State):
    """A region that is being read."""

    kind: Literal["open"] = "open"
    pages: Count
    paths: Count
    hits: Count
    misses: Count
    cuts: Count
    catch: CatchState
    stretches: list[StretchState]


class DoneState(_State):
    """A region that was read to its end."""

    kind: Literal["done"] = "done"
    paths: Count
    catch: CatchState


class LeftState(_State):
    """A region that is not to be read as a whole, or not by List Blobs."""

    kind: Literal["left"] = "left"
    why: str
    """Why List Blobs does not serve; "" where the region holds too much that nobody declared."""


class WalkState(_State):
    """A tree whose names come from a path listing."""

    kind: Literal["walk"] = "walk"
    continuation: str
    whole: bool
    """Whether the last page was taken."""
    paths: Count
    catch: CatchState


State = OpenState | DoneState | LeftState | WalkState
RegionState = Annotated[State, Field(discriminator="kind")]


class ScanState(_State):
    """One file: what an unfinished reading of one container has come to."""

    format: Literal["reconciler/scan/v1"] = "reconciler/scan/v1"
    question: str
    """The fingerprint of what was asked."""
    begun: str
    """When its oldest part was read, ISO 8601 with the zone."""
    texts: list[str]
    regions: dict[str, RegionState]
    """By what is read how."""


@dataclass(slots=True)
class Texts:
    """Lists and groups by number: a lake holds few, and every tract speaks of them."""

    known: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """The number of a text."""
        return self.known.setdefault(text, len(self.known))


def pack_catch(catch: Catch, texts: Texts) -> CatchState:
    """A catch as plain values; its sinks have to be tallies."""
    return CatchState.model_construct(
        sinks={path: _rows(sink, texts) for path, sink in catch.sinks.items() if isinstance(sink, Tally)},
        lists={path: texts.number(text) for path, text in catch.lists.items()},
        siblings=list(catch.siblings),
        bare=[tuple(entry) for entry in catch.bare],
        met=sorted(catch.met),
        owed=sorted(catch.owed),
        open=list(catch.open),
        passed=sorted(catch.passed),
        declared=catch.declared,
        last=catch.last,
    )


def _rows(tally: Tally, texts: Texts) -> list[TallyRow]:
    return [
        (
            texts.number(key.acl),
            key.directory,
            key.spot,
            texts.number(key.group),
            count,
            list(tally.samples[key]),
        )
        for key, count in tally.counts.items()
    ]


def unpack_catch(state: CatchState, texts: Sequence[str], catch: Catch) -> Catch:
    """Fill a fresh catch; raises ValueError where the state does not fit its folders."""
    for path, rows in state.sinks.items():
        tract = catch.plots.get(path)
        if tract is None:
            raise ValueError(f"{path!r} is not among the folders that were asked about")
        tally = catch.make(tract)
        if not isinstance(tally, Tally):
            raise ValueError("what was saved are counts")
        for row in rows:
            key = Key(_text(row[0], texts), row[1], row[2], _text(row[3], texts))
            count, samples = row[4], row[5]
            if key in tally.counts or not count or len(samples) != min(count, SAMPLES):
                raise ValueError(f"the counts of {path!r} contradict each other")
            if key.spot and key.spot not in tract.spots:
                raise ValueError(f"{key.spot!r} is no place of its own in {path!r}")
            if any(one != path and not one.startswith(f"{path}/") for one in samples):
                raise ValueError(f"a sample of {path!r} is from elsewhere")
            tally.counts[key], tally.samples[key] = count, samples
        catch.sinks[path] = tally
    if not set(state.lists) <= catch.ways:
        raise ValueError("there are lists of directories that were not asked about")
    catch.lists = {path: _text(number, texts) for path, number in state.lists.items()}
    catch.siblings = list(state.siblings)
    catch.bare = [Listed(*row) for row in state.bare]
    catch.met, catch.owed, catch.passed = set(state.met), set(state.owed), set(state.passed)
    catch.open, catch.declared, catch.last = list(state.open), state.declared, state.last
    return catch


def _text(number: int, texts: Sequence[str]) -> str:
    if number >= len(texts):
        raise ValueError(f"there is no text {number}")
    return texts[number]


def pack(work: Region | Walk, texts: Texts) -> OpenState | DoneState | WalkState:
    """A reading as it stands between two pages."""
    if isinstance(work, Region):
        if work.stretches or not work.pages:
            return _pack_region(work, texts)
        return DoneState.model_construct(paths=work.paths, catch=pack_catch(work.catch, texts))
    return WalkState.model_construct(
        continuation=work.continuation,
        whole=work.whole,
        paths=work.paths,
        catch=pack_catch(work.catch, texts),
    )


def _pack_region(region: Region, texts: Texts) -> OpenState:
    places = {id(stretch): at for at, stretch in enumerate(region.stretches)}
    return OpenState.model_construct(
        pages=region.pages,
        paths=region.paths,
        hits=region.hits,
        misses=region.misses,
        cuts=region.cuts,
        catch=pack_catch(region.catch, texts),
        stretches=[_pack_stretch(stretch, places, texts) for stretch in region.stretches],
    )


_PLAIN = ("prefix", "start", "end", "scope", "beyond", "marker", "pages", "paths") + (
    "first",
    "low",
    "last",
    "count",
    "met",
    "done",
)
"""Fields of a stretch that are saved as they are."""


def _pack_stretch(stretch: Stretch, places: Mapping[int, int], texts: Texts) -> StretchState:
    following = stretch.next
    return StretchState.model_construct(
        **{name: getattr(stretch, name) for name in _PLAIN},
        next=None if following is None else places.get(id(following)),
        behind="" if following is None or id(following) in places else following.first,
        own=None if stretch.own is None else tuple(stretch.own),
        settled=stretch.settled.is_set(),
        catch=pack_catch(stretch.catch, texts),
    )


def _unpack_region(state: OpenState, texts: Sequence[str], region: Region) -> None:
    """Fill a fresh region; raises ValueError where the state does not fit it."""
    if not state.stretches and not state.pages:
        return
    unpack_catch(state.catch, texts, region.catch)
    made = [_unpack_stretch(each, texts, region) for each in state.stretches]
    followed: set[int] = set()
    for stretch, each in zip(made, state.stretches, strict=True):
        if each.next is not None:
            if each.next >= len(made) or each.next in followed or made[each.next] is stretch:
                raise ValueError("its stretches do not follow one another")
            followed.add(each.next)
            stretch.next = made[each.next]
        elif each.behind:
            stretch.next = Stretch(prefix=each.prefix, catch=region.make(), first=each.behind, done=True)
            stretch.next.settled.set()
        if stretch.next is not None and not stretch.end:
            raise ValueError("a stretch that is followed has no end")
    if not made or any(not each.settled.is_set() and at not in followed for at, each in enumerate(made)):
        raise ValueError("its stretches are not all of it")
    region.stretches = made
    region.pages, region.paths = state.pages, state.paths
    region.hits, region.misses, region.cuts = state.hits, state.misses, state.cuts


def _unpack_stretch(state: StretchState, texts: Sequence[str], region: Region) -> Stretch:
    if not state.prefix.startswith(region.prefix):
        raise ValueError(f"{state.prefix!r} is not within {region.prefix!r}")
    stretch = Stretch(
        **{name: getattr(state, name) for name in _PLAIN},
        own=None if state.own is None else Listed(*state.own),
        catch=unpack_catch(state.catch, texts, region.make()),
        resumed=bool(state.marker),
    )
    if state.settled:
        stretch.settled.set()
    return stretch


def unpack(state: OpenState | DoneState | WalkState, texts: Sequence[str], work: Region | Walk) -> int:
    """Fill fresh work and count its paths; raises ValueError where the state does not fit it."""
    if isinstance(state, DoneState):
        unpack_catch(state.catch, texts, work.catch)
    elif isinstance(state, OpenState) and isinstance(work, Region):
        _unpack_region(state, texts, work)
        work.resumed = state.paths
    elif isinstance(state, WalkState) and isinstance(work, Walk):
        unpack_catch(state.catch, texts, work.catch)
        work.continuation, work.whole = state.continuation, state.whole
        work.paths = work.resumed = state.paths
    else:
        raise ValueError("it was read in another way")
    return state.paths
