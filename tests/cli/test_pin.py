"""`pin`: what it could not tie to an object it names, and never ends as if all were done."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from reconciler.emulator.faults import Fault
from tests.cli.conftest import LIVE
from tests.cli.desk import Desk, seed

LOCK = "policies/principals.lock.yaml"
ONE, OTHER = (f"{number}7777777-0000-4000-8000-000000000000" for number in (1, 2))
ACCESS = "tenants.d/red/access.yaml"


def pins(desk: Desk) -> dict[str, str]:
    """What the lock file says of the one directory."""
    held: dict[str, str] = yaml.safe_load((desk.root / LOCK).read_text("utf-8"))["directories"]["corp"]
    return held


def edit(desk: Desk, path: str, old: str, new: str) -> None:
    text = (desk.root / path).read_text("utf-8")
    assert old in text
    desk.write(path, text.replace(old, new))


def mention(desk: Desk, *names: str) -> None:
    """Have the policies speak of more names."""
    grants = "".join(f"  - {{who: '{name}', can: read}}\n" for name in names)
    edit(desk, ACCESS, "name: red\ngrants:\n", f"name: red\ngrants:\n{grants}")


def nobody(desk: Desk) -> None:
    mention(desk, "user:nobody@corp.example")


def twins(desk: Desk) -> None:
    more: dict[str, Any] = {
        "groups": [*LIVE["groups"], {"name": "twins", "id": ONE}, {"name": "twins", "id": OTHER}]
    }
    desk.emulator.reset(seed(**{**LIVE, **more}))
    mention(desk, "group:twins")


def moved(desk: Desk) -> None:
    """Somebody else has the name now."""
    held = pins(desk)
    eve = held["user:eve@corp.example"]
    edit(desk, LOCK, f"    user:eve@corp.example: {eve}\n", "")
    edit(desk, LOCK, held["user:ana@corp.example"], eve)


def moved_and_nobody(desk: Desk) -> None:
    moved(desk)
    nobody(desk)


def silent(desk: Desk) -> None:
    desk.emulator.world.faults.add(Fault(service="graph", status=403, times=None))


@pytest.mark.parametrize(
    ("happens", "name", "code"),
    [
        (nobody, "user:nobody@corp.example", 1),
        (twins, "group:twins", 1),
        (moved, "user:ana@corp.example", 3),
        (moved_and_nobody, "user:ana@corp.example", 1),
        (silent, "user:ana@corp.example", 4),
    ],
)
def test_what_could_not_be_pinned_is_told_and_is_no_success(
    desk: Desk, happens: Any, name: str, code: int
) -> None:
    happens(desk)
    former = pins(desk)
    said = desk.run("pin")
    assert f"not pinned: {name}: " in said.err
    assert said.code == code
    assert pins(desk).get(name) == former.get(name), "only a person decides that"
    assert desk.run("pin", "--check").code == code, "the file is as fresh as it can be"


def test_the_rest_is_pinned_all_the_same(desk: Desk) -> None:
    nobody(desk)
    edit(desk, LOCK, f"    user:bo@corp.example: {pins(desk)['user:bo@corp.example']}\n", "")
    said = desk.run("pin")
    assert "user:bo@corp.example" in pins(desk)
    assert said.err.splitlines()[-1].endswith(
        f"wrote {LOCK}: {len(pins(desk))} names pinned, and 1 could not be; review it like a change of access"
    )


def test_a_group_that_is_about_to_be_made_has_no_object_yet(desk: Desk) -> None:
    mention(desk, "group:red-new")
    text = (desk.root / ACCESS).read_text("utf-8")
    desk.write(
        ACCESS, f"{text}---\nkind: group\nname: red-new\nowners: [user:lea@corp.example]\nmembers: []\n"
    )
    said = desk.run("pin")
    assert "not pinned: group:red-new: " in said.err
    assert said.code == 0
    assert "group:red-new" not in pins(desk)


def test_a_file_that_would_change_fails_the_check(desk: Desk) -> None:
    before = (desk.root / LOCK).read_bytes()
    said = desk.run("pin", "--check")
    assert said.code == 1
    assert "out of date; run `reconciler pin`" in said.one_line()
    assert (desk.root / LOCK).read_bytes() == before


def out_of_order(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:-2], lines[-1], lines[-2]])


@pytest.mark.parametrize(
    "damage",
    [
        out_of_order,
        lambda text: text.replace("user:bo@", "user:Bo@"),
        lambda text: text.replace("584f77b-a3cb-5d02-b796-d589630e3239", "4"),
    ],
)
def test_what_tells_somebody_to_pin_does_not_keep_him_from_it(desk: Desk, damage: Any) -> None:
    assert desk.run("pin").code == 0
    fresh = (desk.root / LOCK).read_text("utf-8")
    desk.write(LOCK, damage(fresh))
    said = desk.run("plan")
    assert (said.code, "run `reconciler pin`" in said.err) == (1, True)
    assert desk.run("pin", "--check").code == 1
    assert desk.run("pin").code == 0
    assert (desk.root / LOCK).read_text("utf-8") == fresh


def test_one_object_under_two_names_is_for_a_person_to_tell_apart(desk: Desk) -> None:
    held = pins(desk)
    edit(desk, LOCK, held["user:ana@corp.example"], held["user:eve@corp.example"])
    before = (desk.root / LOCK).read_bytes()
    said = desk.run("pin")
    assert said.code == 1
    assert "are pinned to one object; remove the line that is wrong" in said.err
    assert (desk.root / LOCK).read_bytes() == before
