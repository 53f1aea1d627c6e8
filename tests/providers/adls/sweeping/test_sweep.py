"""How many requests a reading takes, and what lies beside declared folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.model import Address, Attribute
from reconciler.core.vocabulary import Boundary
from reconciler.emulator.lake.service import LakeService
from reconciler.providers.contract import Question
from tests.providers.adls.lake import ACCOUNT, TODAY, Lake, folder, lake


def declared(here: Lake, parent: str, count: int) -> None:
    """Declare folders `f0`, `f1`, … below a directory of container `curated`."""
    here.documents += [folder(f"curated/{parent}/f{number}", grants={}) for number in range(count)]


def asked(here: Lake) -> tuple[int, int]:
    """Listing pages and single lists that a reading takes; it must find every folder."""
    here.emulator.world.log.clear()
    live = here.read()
    assert {str(address) for address in live.gaps} == set()
    assert len([address for address in live.found if address.kind == "folder"]) == len(here.documents)
    return len(here.requests("comp=list")), len(here.requests("action=getAccessControl"))


def grown(here: Lake, path: str, count: int) -> None:
    """Put files into a directory that nobody declared."""
    service = here.emulator.services["lake"]
    assert isinstance(service, LakeService)
    paths = [{"path": f"{path}/{number:06}", "type": "file"} for number in range(count)]
    service.seed({ACCOUNT: {"filesystems": {"curated": {"paths": paths}}}})


def test_neighbours_are_listed_together(tmp_path: Path) -> None:
    paths = [{"path": f"{parent}/f{number}/sub"} for parent in ("a", "b") for number in range(50)]
    with lake(tmp_path, paths, traverse="everyone") as here:
        declared(here, "a", 50)
        declared(here, "b", 50)
        # One page, and the root, which is in no listing.
        assert asked(here) == (1, 1)


def test_a_few_folders_are_listed_each_by_itself(tmp_path: Path) -> None:
    with lake(tmp_path, [{"path": f"a/f{number}"} for number in range(3)], traverse="everyone") as here:
        declared(here, "a", 3)
        assert asked(here) == (3, 1 + 3 + 1)


def test_what_nobody_declared_is_not_read_to_its_end(tmp_path: Path) -> None:
    paths = [{"path": f"z/f{number}"} for number in range(20)]
    with lake(tmp_path, paths, traverse="everyone") as here:
        grown(here, "big", 30_000)
        declared(here, "z", 20)
        pages, _ = asked(here)
        assert pages == 1
        here.documents.append(folder("curated/big/one", grants={}))
        grown(here, "big/one", 10)
        pages, _ = asked(here)
        # Three pages of the whole container say that it is not worth it; then both parts by themselves.
        assert pages <= 3 + 1 + 1


def test_a_tree_of_many_pages_takes_no_more_than_its_pages(tmp_path: Path) -> None:
    with lake(tmp_path, [{"path": "a/f0"}], traverse="everyone") as here:
        grown(here, "a/f0", 12_000)
        declared(here, "a", 1)
        pages, single = asked(here)
        assert (pages, single) == (3, 3)


@pytest.mark.parametrize("parent", ["", "team"])
def test_undeclared_neighbours_within_a_boundary_are_told(tmp_path: Path, parent: str) -> None:
    base = f"{parent}/" if parent else ""
    names = ("pricing", "pricing-raw", "pricing-raw/deep", "sales", "pricing/sub")
    with lake(tmp_path, [{"path": base + name} for name in names], traverse="everyone") as here:
        here.documents = [folder(f"curated/{base}pricing", grants={})]
        here.boundaries = [
            Boundary(
                tenant="pricing",
                kind="folder",
                installation=ACCOUNT,
                patterns=(f"curated/{base}pricing*", f"curated/{base}pricing*/**"),
            )
        ]
        found = [each for each in here.read().findings if each.rule == "unmanaged"]
        place = f"adls/datalake/folder/curated/{base}pricing-raw"
        assert [(str(each.address), each.tenant) for each in found] == [(place, "pricing")]
        here.boundaries = ()
        assert [each for each in here.read().findings if each.rule == "unmanaged"] == []


def test_undeclared_neighbours_are_told_where_folders_are_listed_together(tmp_path: Path) -> None:
    paths = [{"path": f"a/f{number}"} for number in range(10)] + [{"path": "a/g"}, {"path": "a/g/h"}]
    with lake(tmp_path, paths, traverse="everyone") as here:
        declared(here, "a", 10)
        here.boundaries = [
            Boundary(tenant="pricing", kind="folder", installation="", patterns=("curated/a/*",))
        ]
        assert asked(here) == (1, 2)
        found = [str(each.address) for each in here.read().findings if each.rule == "unmanaged"]
        assert found == ["adls/datalake/folder/curated/a/g"]


def test_where_neighbours_cannot_be_looked_for_is_a_gap(tmp_path: Path) -> None:
    with lake(tmp_path, [{"path": "a/f0"}], traverse="everyone") as here:
        declared(here, "a", 1)
        here.boundaries = [
            Boundary(tenant="pricing", kind="folder", installation="", patterns=("curated/a/*",))
        ]
        here.emulator.world.faults.add_json({"target": "delimiter", "status": 403, "times": None})
        live = here.read()
        assert set(live.gaps) == {Address.parse("adls/datalake/folder/curated/a/*")}
        assert Address.parse("adls/datalake/folder/curated/a/f0") in live.found


def test_what_no_document_declares_any_more_is_still_looked_at(tmp_path: Path) -> None:
    """Grants were made on it: it is read where it is, inside of somebody's tree."""
    old = "user::rwx,group::r-x,group:sales:r-x,mask::r-x,other::---"
    paths = [{"path": "a"}, {"path": "a/old", "acl": old}]
    with lake(tmp_path, paths, traverse="everyone") as here:
        here.documents = [folder("curated/a", grants={}), folder("curated/a/old", grants={})]
        former = next(want for want in here.wanted() if want.address.locator == "curated/a/old")
        here.documents.pop()
        wanted = [*here.wanted(), replace(former, details={}, grants={})]
        live = here.provider.read(Question(wanted=wanted, directory=here.people, as_of=TODAY))
        assert live.gaps == {}
        sales = Attribute("access", "group:sales")
        assert live.found[former.address].grants[sales] == "r-x"
        around = live.found[Address.parse("adls/datalake/folder/curated/a")]
        assert sales in around.mixed


def test_progress_is_told(tmp_path: Path) -> None:
    with lake(tmp_path, [{"path": "a/f0/sub"}], traverse="everyone") as here:
        declared(here, "a", 1)
        told: list[tuple[str, int, int]] = []
        question = Question(
            wanted=here.wanted(),
            directory=here.people,
            as_of=TODAY,
            progress=lambda what, done, total: told.append((what, done, total)),
        )
        here.provider.read(question)
        assert told == [("lake paths", 1, 0), ("lake paths", 2, 0)]
