"""Reading a tree by several readers at once: every path once, whatever its shape, order and changes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from functools import partial
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.emulator.lake.tree import Folder, Node
from reconciler.providers.adls.ground import in_order
from reconciler.providers.adls.sweeping.sweep import Unread
from tests.emulator.lake.harness import Lake
from tests.providers.adls.direct import (
    CONTAINER,
    Met,
    grown,
    names,
    reader_of,
    small_pages,
    swept,
    tract,
)

SERVICES = [
    {},
    {"list_blobs_start_from": "refused"},
    {"list_blobs_start_from": "ignored"},
    {"list_blobs_start_from": "relative"},
    {"list_blobs_order": "names"},
    {"list_blobs_order": "names", "list_blobs_start_from": "refused"},
    {"list_blobs_permissions": "refused"},
    {"list_blobs_permissions": "without-acl"},
]
Paths = dict[str, bool]


@pytest.fixture(autouse=True)
def pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        small_pages(patch)
        yield


def tree(seed: int, size: int) -> Paths:
    """A tree below `top`, of one of the shapes that lakes have, with names of one of their sorts."""
    chance = random.Random(seed)
    found: Paths = {"top": True}
    spell = chance.choice(
        [
            lambda: f"part-{chance.randrange(10**5):05}",
            lambda: f"{chance.getrandbits(64):016x}",
            lambda: chance.choice("abcxyz") * chance.randrange(1, 4),
            lambda: (
                chance.choice(["a", "a-", "a b", "a.b", "a!", "ab", "b", "a0", "é", "~", "\U0001f4a9"])
                + chance.choice(["", "x", "-", "1"])
            ),
            lambda: f"date=2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
        ]
    )
    directories = ["top"]
    wide = chance.random()
    for _ in range(2 * size):
        if len(found) == size:
            break
        above = chance.choice(directories[-3:] if wide < 0.3 else directories)
        path = f"{above}/{spell()}"
        if path not in found:
            found[path] = chance.random() < wide / 2
            if found[path]:
                directories.append(path)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 10**9), size=st.integers(1, 250), service=st.sampled_from(SERVICES))
def test_every_path_is_met_once_whatever_the_service_can_do(
    seed: int, size: int, service: dict[str, str]
) -> None:
    paths = tree(seed, size)
    lake = grown(paths.items(), **service)
    lake.make("zz/", "topper/x")
    reader = reader_of(lake, seed=seed)
    reading = swept(reader, {"top": tract("top")})
    assert not reading.unread
    assert names(reading, "top") == sorted(paths)
    alone = swept(reader_of(lake, seed=seed), {"top": tract("top")}, split=False)
    one, other = reading.sinks["top"], alone.sinks["top"]
    assert isinstance(one, Met) and isinstance(other, Met)
    # However it was read, also the samples and their order are the same.
    if "list_blobs_order" not in service:
        assert list(one.counts.items()) == list(other.counts.items())
        assert one.samples == other.samples
    assert reading.counts.paths == len(paths)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 10**9), size=st.integers(50, 300), service=st.sampled_from(SERVICES))
def test_paths_go_to_their_nearest_folder(seed: int, size: int, service: dict[str, str]) -> None:
    chance = random.Random(seed)
    paths = tree(seed, size)
    inner = [path for path, directory in paths.items() if directory and path != "top"]
    declared = ["top", *chance.sample(inner, min(len(inner), 6))]
    plots = {path: tract(path) if chance.random() < 0.8 else None for path in declared}
    plots["top"] = tract("top")
    reading = swept(reader_of(grown(paths.items(), **service), seed=seed), plots)
    for folder, declared_as in plots.items():
        mine = [path for path in paths if home(path, plots) == folder]
        assert names(reading, folder) == (sorted(mine) if declared_as else [])


def home(path: str, plots: Iterable[str]) -> str:
    """The nearest declared folder, by another way than the product's."""
    return max((each for each in plots if path == each or path.startswith(each + "/")), key=len)


def gone(lake: Lake, path: str) -> object:
    """Delete a path with everything below it."""
    return lake.ask("DELETE", f"/{CONTAINER}/{quote(path)}?recursive=true")


def moved(lake: Lake, path: str) -> object:
    """Rename a path."""
    target = f"/{CONTAINER}/top/moved-{len(path)}?mode=legacy"
    return lake.ask("PUT", target, x_ms_rename_source=f"/{CONTAINER}/{quote(path)}")


def joined(lake: Lake, path: str) -> object:
    """Make another path beside one."""
    return lake.ask("PUT", f"/{CONTAINER}/{quote(path + '-new')}?resource=file")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seed=st.integers(0, 10**9),
    size=st.integers(30, 250),
    service=st.sampled_from(SERVICES[:3]),
    when=st.lists(st.integers(1, 40), max_size=4),
)
def test_what_stays_is_met_once_while_others_delete_rename_and_create(
    seed: int, size: int, service: dict[str, str], when: list[int]
) -> None:
    chance = random.Random(seed)
    paths = tree(seed, size)
    lake = grown(paths.items(), **service)
    candidates = sorted(path for path in paths if path != "top")
    touched: set[str] = set()
    reader = reader_of(lake, seed=seed)
    for number in when:
        victim = chance.choice(candidates)
        touched.add(victim)
        reader.changes[number] = partial(chance.choice([gone, moved, joined]), path=victim)
    try:
        reading = swept(reader, {"top": tract("top")})
    except Unread:
        return
    if reading.unread:
        return
    met = names(reading, "top")
    assert len(met) == len(set(met)), "a path was counted twice"
    stayed = [
        path
        for path in paths
        if not any(path == each or path.startswith((each + "/", each + "-new")) for each in touched)
    ]
    assert set(stayed) <= set(met), "a path that was there all the time was not met"


def flat(count: int, width: int = 6) -> Paths:
    return {"top": True, **{f"top/part-{number:0{width}}": False for number in range(count)}}


SHAPES: dict[str, Paths] = {
    "small": flat(19),
    "one flat directory": flat(600),
    "many tiny directories": {
        "top": True,
        **{
            f"top/d{number:05}{rest}": not rest for number in range(300) for rest in ("", "/a", "/b")
        },
    },
    "one deep chain": {
        **{"top" + "/x" * depth: True for depth in range(40)},
        **{"top" + "/x" * 39 + f"/f{number:05}": False for number in range(600)},
    },
    "skewed": {
        "top": True,
        **{
            path: directory
            for name, count in (("aa", 3), ("big", 700), ("bigger", 150), ("c", 1), ("z", 20))
            for path, directory in [
                (f"top/{name}", True),
                *((f"top/{name}/f{number:05}", False) for number in range(count)),
            ]
        },
    },
    "files, then directories": {
        "top": True,
        **{f"top/a{number:05}": False for number in range(300)},
        "top/b": True,
        **{f"top/b/{one}": True for one in range(7)},
        **{f"top/b/{one}/{number:05}": False for one in range(7) for number in range(60)},
    },
}  # fmt: skip


@pytest.mark.parametrize("service", SERVICES[:3], ids=["on", "refused", "ignored"])
@pytest.mark.parametrize("shape", SHAPES)
def test_requests_are_bound_to_pages(shape: str, service: dict[str, str]) -> None:
    """`N / page + 2` for every stretch, and few stretches: a quarter more pages at the worst, and a few."""
    paths = SHAPES[shape]
    reader = reader_of(grown(paths.items(), **service))
    reading = swept(reader, {"top": tract("top")})
    assert names(reading, "top") == sorted(paths)
    pages = -(-(len(paths) - 1) // 5)
    listed = reader.count("comp=list")
    stretches = 1 + len({one for one in reader.asked if "startFrom" in one and "marker" not in one})
    stretches += len(
        {one.partition("prefix=")[2].partition("&")[0] for one in reader.asked if "prefix" in one}
    )
    assert listed - reader.count("delimiter") <= pages + 2 * stretches
    assert listed <= 1.4 * pages + 4
    if pages <= 4:
        assert listed == pages
    # The root of the container, and the folder itself: neither is in any listing.
    assert reader.count("getAccessControl") == 2


def test_a_large_flat_directory_is_read_by_several_at_once() -> None:
    """By one alone every page would wait for the one before it."""
    reader = reader_of(grown(flat(1500).items()))
    swept(reader, {"top": tract("top")})
    assert reader.under_way[1] == 8
    refusing = reader_of(grown(flat(1500).items(), list_blobs_start_from="refused"))
    swept(refusing, {"top": tract("top")})
    assert refusing.under_way[1] <= 2


def test_directories_are_read_by_several_at_once_where_no_listing_begins_at_a_name() -> None:
    paths = {"top": True}
    for number in range(40):
        paths[f"top/d{number:02}"] = True
        paths |= {f"top/d{number:02}/{one:03}": False for one in range(50)}
    reader = reader_of(grown(paths.items(), list_blobs_start_from="refused"))
    swept(reader, {"top": tract("top")})
    assert reader.under_way[1] == 8


def test_three_thousand_folders_side_by_side_are_listed_together() -> None:
    paths: Paths = {}
    for number in range(3000):
        paths[f"team/f{number:04}"] = True
        paths |= {f"team/f{number:04}/{one}": False for one in range(4)}
    plots = {f"team/f{number:04}": tract(f"team/f{number:04}") for number in range(3000)}
    reader = reader_of(grown(paths.items()), page=500)
    with pytest.MonkeyPatch.context() as patch:
        small_pages(patch, 500)
        reading = swept(reader, plots)
    assert len(reading.sinks) == 3000
    assert all(len(names(reading, path)) == 5 for path in plots)
    assert reader.count("comp=list") <= 1.4 * 30 + 4
    assert reader.count("getAccessControl") == 1


def test_a_directory_that_vanishes_between_its_level_and_itself_is_absent() -> None:
    """Where a single directory is handed out, its own entry is known before what is in it."""
    paths = {"top": True}
    for name in ("a", "b", "c", "d"):
        paths[f"top/{name}"] = True
        paths |= {f"top/{name}/{one:03}": False for one in range(60)}
    lake = grown(paths.items(), list_blobs_start_from="refused")
    reader = reader_of(lake)
    swept(reader, {"top": tract("top")})
    inside = next(at for at, request in enumerate(reader.asked) if "prefix=top/c/" in request)
    again = reader_of(lake, changes={inside: partial(gone, path="top/c")})
    reading = swept(again, {"top": tract("top")})
    assert not reading.unread
    assert names(reading, "top") == sorted(path for path in paths if not path.startswith("top/c"))
    assert again.count("HEAD /curated/top/c") == 1


def test_an_empty_directory_is_not_taken_for_one_that_vanished() -> None:
    paths = {"top": True}
    for name in ("a", "b", "d"):
        paths[f"top/{name}"] = True
        paths |= {f"top/{name}/{one:03}": False for one in range(60)}
    paths["top/c"] = True
    reading = swept(reader_of(grown(paths.items(), list_blobs_start_from="refused")), {"top": tract("top")})
    assert names(reading, "top") == sorted(paths)


def test_an_order_that_nobody_knows_is_read_by_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backwards, say: every path is still met once, and the reading says why it took so long."""
    from reconciler.emulator.lake import blob_listing

    def backwards(folder: Folder, base: str, start: list[str], *_: object) -> Iterator[tuple[str, Node]]:
        found = sorted(forwards(folder, base), key=lambda item: in_order(item[0]), reverse=True)
        begin = base + "/".join(start)
        return iter([item for item in found if not start or in_order(item[0]) <= in_order(begin)])

    forwards = blob_listing.walk
    monkeypatch.setattr(blob_listing, "walk", backwards)
    paths = tree(7, 200)
    reading = swept(reader_of(grown(paths.items())), {"top": tract("top")})
    assert not reading.unread
    assert names(reading, "top") == sorted(paths)
    assert any("by one reader alone" in why for why in reading.whys)
    assert reading.counts.paths == len(paths)


def test_memory_does_not_follow_the_number_of_directories() -> None:
    from reconciler.providers.adls.listing import Listed
    from reconciler.providers.adls.sweeping.catch import Catch, places_of

    plots = {"top": tract("top")}
    catch = Catch(plots=plots, make=lambda tract: Met(tract.spots), places=places_of(plots))
    acl = "user::rwx,group::r-x,other::---"
    for number in range(200):
        catch.take([Listed(f"top/d{number:05}", acl, True), Listed(f"top/d{number:05}/f", acl, False)])
    assert catch.open == ["top/d00199"]
    assert catch.missing() == ["top"]
    assert catch.owed == {"top"} and not catch.passed
