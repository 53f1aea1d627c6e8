"""What a lake may hold or answer that nobody meant: a gap that names it, and the rest of the lake judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from reconciler.core.model import Address, Attribute, Live
from reconciler.emulator.lake.tree import Folder
from tests.providers.adls.lake import ODD, Lake, folder, lake

LIST = "user::rwx,group::r-x,group:pricing-ds:r-x,mask::r-x,other::---"
READ_LIST = LIST + "".join(f",default:{entry}" for entry in LIST.split(","))
NAMES = ("pricing", "sales", "hr", "ops", "raw")
"""Enough folders side by side for being listed together."""
ACCESS = Attribute("access", "group:pricing-ds")
LONG = "/".join(["x" * 120] * 8)
"""A path of nearly 1,024 characters."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lake]:
    paths = [{"path": name, "acl": READ_LIST} for name in NAMES]
    paths += [{"path": f"{name}/{odd}/{odd}", "type": "file"} for name in NAMES for odd in (*ODD, LONG)]
    with lake(tmp_path, paths, patience=5) as running:
        running.documents = [
            folder(f"curated/{name}", tenant=name, grants={"group:pricing-ds": "read"}) for name in NAMES
        ]
        yield running


def at(name: str) -> Address:
    return Address.parse(f"adls/datalake/folder/curated/{name}")


def only_gap(live: Live, name: str) -> str:
    """The reason of the only folder that could not be read; all the others are in step."""
    assert {address for address in live.gaps if address.kind == "folder"} == {at(name)}
    for other in set(NAMES) - {name}:
        assert live.found[at(other)].grants[ACCESS] == "r-x" and not live.found[at(other)].mixed
    return live.gaps[at(name)].reason


@pytest.mark.parametrize("behaviour", ["on", "without-acl", "refused"])
def test_odd_names_are_names(here: Lake, behaviour: str) -> None:
    """Newlines, percent signs, plus signs, trailing dots, emoji, a thousand characters: nothing is a gap."""
    here.emulator.world.switches["lake.list-blobs-permissions"] = behaviour
    if behaviour != "on":
        without_control_characters(here)
    live = here.read()
    assert {address for address in live.gaps if address.kind == "folder"} == set()
    for name in NAMES:
        assert live.found[at(name)].grants[ACCESS] == "r-x"
    (reading,) = live.readings
    assert reading.paths == len(here.paths()) - 1
    assert reading.reader == ("path-listing" if behaviour == "refused" else "list-blobs")
    assert bool(reading.why) == (behaviour != "on")


def without_control_characters(here: Lake) -> None:
    """The service takes them in no URL, so that such a path cannot be asked for by itself."""
    for name in NAMES:
        top = here.node(name)
        assert isinstance(top, Folder)
        for odd in [child for child in top.children if not child.isprintable()]:
            top.take(odd)


def test_a_name_that_cannot_be_asked_for_is_a_gap_that_shows_it(here: Lake) -> None:
    here.emulator.world.switches["lake.list-blobs-permissions"] = "refused"
    reason = here.read().gaps[at("sales")].reason
    assert reason == "curated/sales/line\nbreak: 400 InvalidUri"


@pytest.mark.parametrize("name", ["odd\nname", "50%", "a+b", "dots...", "\N{PILE OF POO}", LONG])
@pytest.mark.parametrize(
    ("acl", "said"),
    [
        ("user::rwx,role:x:rwx", "'role:x:rwx' is not an entry of an access control list"),
        ("group::r-x,other::---", "has no user:: entry"),
        ("user::rwx,group::r-x,other::---,user:a:r-x,user:a:r--", "somebody who is listed already"),
        (
            "user::rwx,group::r-x,mask::r-x,other::---"
            + "".join(f",group:00000000-0000-4000-8000-{number:012x}:r-x" for number in range(29)),
            "a list of 33 entries, where the service takes 32",
        ),
    ],
    ids=["unparsable", "incomplete", "twice", "too-long"],
)
def test_a_list_that_cannot_be_right_is_a_gap_that_names_the_path(
    here: Lake, name: str, acl: str, said: str
) -> None:
    encoded = '<Name Encoded="true">sales%2Fodd%0Aname</Name>' if "\n" in name else ""
    answered(here, "sales", encoded or f"<Name>{escape(f'sales/{name}')}</Name>", f"<Acl>{acl}</Acl>")
    reason = only_gap(here.read(), "sales")
    assert reason.startswith(f"curated/sales/{name}: ")
    assert said in reason


def answered(here: Lake, name: str, element: str, acl: str) -> None:
    """Let the listings of one folder, and those of all together, be something else."""
    page = (
        '<?xml version="1.0"?><EnumerationResults ContainerName="curated"><Blobs><Blob>'
        f"{element}<Properties>{acl}<ResourceType>file</ResourceType></Properties></Blob></Blobs>"
        "<NextMarker /></EnumerationResults>"
    )
    fault(here, target=f"comp=list.*prefix={name}", status=200, body=page)
    # Together they would be asked for without a prefix; what is wrong in one of them is no page for all.
    fault(here, target="comp=list(?!.*prefix)", status=200, body=page.replace(f"<Name>{name}/", "<Name>&no;"))


def fault(here: Lake, **keys: object) -> None:
    here.emulator.world.faults.add_json({"service": "lake/datalake/(dfs|blob)", "times": None, **keys})


def test_a_name_that_is_no_text_is_a_gap_of_its_folder(here: Lake) -> None:
    """Bytes that are not UTF-8 cannot be asked about: the folder that they are in is unknown."""
    answered(here, "sales", "<Name>&no;</Name>", f"<Acl>{LIST}</Acl>")
    assert "does not parse" in only_gap(here.read(), "sales")


def test_an_entry_without_a_list_is_asked_for_by_itself(here: Lake) -> None:
    wider = READ_LIST.replace("ds:r-x", "ds:rwx").replace("mask::r-x", "mask::rwx")
    here.set("sales/a+b", wider)
    answered(here, "sales", "<Name>sales/a+b</Name>", "<Acl />")
    live = here.read()
    assert not [address for address in live.gaps if address.kind == "folder"]
    assert live.found[at("sales")].mixed[ACCESS] == ("r-x", "rwx")


def test_an_entry_that_can_neither_be_listed_nor_asked_for_is_a_gap(here: Lake) -> None:
    answered(here, "sales", "<Name>sales/a+b</Name>", "<Acl />")
    fault(here, method="HEAD", target="sales/a%2Bb", status=500)
    assert "curated/sales/a+b: 500" in only_gap(here.read(), "sales")


def test_many_entries_without_lists_are_read_the_other_way(
    here: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.providers.adls.sweeping import region, sweep

    without_control_characters(here)
    expected = here.read()
    monkeypatch.setattr(region, "BARE_LIMIT", 3)
    monkeypatch.setattr(sweep, "BARE_LIMIT", 3)
    here.emulator.world.switches["lake.list-blobs-permissions"] = "without-acl"
    live = here.read()
    assert live == expected
    (reading,) = live.readings
    assert reading.reader == "path-listing" and "came without their lists" in reading.why
    assert reading.single >= sum(node.is_folder for node in here.paths().values())
