"""Who is who: the object id decides, and a name that may mean somebody else is told."""

from __future__ import annotations

import pytest

from reconciler.core.model import Identity, Presence
from reconciler.providers.databricks.canonical import Resident
from reconciler.providers.databricks.roster import Ambiguous, Labels, Roster, stranger

OID = "AAAAAAAA-0000-4000-8000-00000000000a"
GUID = "22222222-0000-4000-8000-000000000002"


def who(principal: str, oid: str = OID, app_id: str = "") -> Identity:
    return Identity(principal=principal, presence=Presence.KNOWN, object_id=oid, app_id=app_id)


def roster(*residents: Resident) -> Roster:
    result = Roster()
    result.add(residents)
    return result


def group(name: str, ident: str = "1", external: str = "", local: bool = False) -> Resident:
    return Resident(kind="group", id=ident, name=name, external_id=external.lower(), local=local)


def test_the_object_id_decides_even_under_another_name() -> None:
    renamed = group("former-name", external=OID)
    assert roster(renamed).match("group:x", who("group:x")).resident is renamed


@pytest.mark.parametrize(
    ("namesake", "words"),
    [
        (group("X", "9", local=True), ["group of its own", "id 9", OID]),
        (group("x", "9", external="bbbb"), ["id 9", "bbbb", OID]),
        (group("x", "9"), ["id 9", "no external id", OID, "no workspace admin"]),
    ],
)
def test_a_namesake_is_a_conflict_that_names_both_ids(namesake: Resident, words: list[str]) -> None:
    match = roster(namesake).match("group:x", who("group:x"))
    assert match.resident is None
    assert all(word in match.conflict for word in words)


def test_a_group_is_not_a_user_of_the_same_id() -> None:
    user = Resident(kind="user", id="1", name="x", external_id=OID.lower())
    assert roster(user).match("group:x", who("group:x")) == (None, "")


def test_people_without_an_external_id_are_known_by_their_unique_names() -> None:
    ana = Resident(kind="user", id="1", name="Ana@Corp.Example")
    assert roster(ana).match("user:ana@corp.example", who("user:ana@corp.example")).resident is ana
    bot = Resident(kind="sp", id="2", name=GUID)
    assert roster(bot).match("sp:bot", who("sp:bot", app_id=GUID)).resident is bot
    other = Resident(kind="user", id="1", name="ana@corp.example", external_id="bbbb")
    assert "bbbb" in roster(other).match("user:ana@corp.example", who("user:ana@corp.example")).conflict


def test_a_local_namesake_beside_the_right_group_is_told_before_a_name_is_written() -> None:
    both = roster(group("x", "1", external=OID), group("x", "2", local=True))
    assert both.match("group:x", who("group:x")).resident is not None
    assert "id 2" in both.namesake("group:x", who("group:x"))
    assert roster(group("x", "1", external=OID)).namesake("group:x", who("group:x")) == ""


def test_bare_names_are_told_by_who_bears_them() -> None:
    labels = Labels(
        roster(
            group("x", "1", external=OID),
            group("ops@corp.example", "2", external="cccc"),
            group("admins", "3", local=True),
            group("left", "4", external="dddd"),
            Resident(kind="sp", id="5", name=GUID, display="bot", external_id="eeee"),
        ),
        {("group", OID.lower()): "group:x-renamed", ("group", "cccc"): "group:ops@corp.example"},
    )
    assert labels.of("X") == "group:x-renamed"
    assert labels.of("ops@corp.example") == "group:ops@corp.example"
    assert labels.of("admins") == "databricks:admins"
    assert labels.of("left") == "databricks:left"
    assert labels.of(GUID) == "sp:bot"
    assert labels.of("Somebody@corp.example") == "user:somebody@corp.example"
    assert labels.of("nobody-bears-this") == "databricks:nobody-bears-this"
    assert labels.of(GUID.replace("2", "3")) == f"id:{GUID.replace('2', '3')}"


def test_a_name_that_may_mean_two_is_not_guessed() -> None:
    labels = Labels(roster(group("x", "1", external=OID), group("X", "2", local=True)), {})
    with pytest.raises(Ambiguous, match="group 1, group 2"):
        labels.of("x")


def test_strangers_are_named_by_what_they_are() -> None:
    assert stranger(group("users", local=True)) == "databricks:users"
    assert stranger(Resident(kind="user", id="1", name="Ana@X.y")) == "user:ana@x.y"
    assert stranger(Resident(kind="sp", id="1", name=GUID, display="bot")) == "sp:bot"


def test_the_first_reading_of_a_resident_stands() -> None:
    result = roster(group("x", "1", external=OID))
    result.add([group("y", "1", external="ffff")])
    assert result.by_id["1"].name == "x"
    assert result.named("group", "y") == []
