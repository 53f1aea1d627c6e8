"""Access control lists by themselves: reading, writing, changing, inheriting, evaluating."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator.lake import acl as acls
from reconciler.emulator.lake.acl import Acl, AclError, Reading

ANA = "aaaaaaaa-0000-4000-8000-000000000001"
BO = "bbbbbbbb-0000-4000-8000-000000000002"
TEAM = "cccccccc-0000-4000-8000-000000000003"
PLAIN = acls.minimal(0o750)


def assigned(text: str, old: Acl = PLAIN, directory: bool = True, drops: bool = True) -> str:
    """The list that setting `text` leaves."""
    return acls.assign(old, acls.parse(text), directory=directory, drops_default=drops).text


@pytest.mark.parametrize(
    ("given_text", "left"),
    [
        # Recorded: the mask moves before other.
        ("user::rwx,group::r--,other::---,mask::rwx", "user::rwx,group::r--,mask::rwx,other::---"),
        # Base entries that are left out stay as they were; the mask is the union of what it covers.
        (f"user:{ANA}:-wx", f"user::rwx,user:{ANA}:-wx,group::r-x,mask::rwx,other::---"),
        # A mask that is given stays, however narrow.
        (f"user:{ANA}:rwx,mask::r--", f"user::rwx,user:{ANA}:rwx,group::r-x,mask::r--,other::---"),
        # Default entries alone leave the access list, and take their base from it.
        (
            f"default:group:{TEAM}:r-x",
            "user::rwx,group::r-x,other::---,default:user::rwx,default:group::r-x,"
            f"default:group:{TEAM}:r-x,default:mask::r-x,default:other::---",
        ),
    ],
)
def test_a_list_is_completed_as_the_service_does(given_text: str, left: str) -> None:
    """Order, fill-ins and masks of `setAccessControl`."""
    assert assigned(given_text) == left


def test_a_list_without_default_entries_removes_those_there_are_unless_switched() -> None:
    """Both readings of an open question can be had."""
    old = acls.assign(PLAIN, acls.parse("default:user::rwx"), directory=True, drops_default=True)
    assert "default" not in assigned("user::rwx,group::r-x,other::---", old)
    assert "default:user::rwx" in assigned("user::rwx,group::r-x,other::---", old, drops=False)


@pytest.mark.parametrize(
    "text",
    [
        "asdf",
        "user:ana@corp.example:rwx",
        "group:pricing-ds:rwx",
        "",
        "user::rw",
        "user::7",
        "owner::rwx",
        "mask:x:rwx",
        "user::rwx,user::r--",
        "user::rwx,",
    ],
)
def test_what_is_not_a_list_is_refused(text: str) -> None:
    """Among it duplicates, and octal digits."""
    with pytest.raises(AclError):
        acls.parse(text)


def test_default_entries_on_a_file_are_refused() -> None:
    """Setting them directly is an error, where a recursive change passes files by."""
    with pytest.raises(AclError):
        assigned("default:user::rwx", directory=False)
    changes = acls.parse(f"default:user:{ANA}:rwx")
    assert acls.modify(PLAIN, changes, directory=False) == PLAIN


def test_the_thirty_third_entry_is_refused_in_each_list_by_itself() -> None:
    """32 entries, of which user, group, mask and other take four."""
    names = [f"user:{number:08x}-0000-4000-8000-000000000000:r--" for number in range(29)]
    default = [f"default:{name}" for name in names[:28]]
    full = assigned(",".join(names[:28] + default))
    assert len(full.split(",")) == 64
    with pytest.raises(AclError, match="33"):
        assigned(",".join(names))
    with pytest.raises(AclError, match="33"):
        acls.modify(PLAIN, acls.parse(",".join(f"default:{name}" for name in names)), directory=True)


def test_modify_adds_and_computes_the_mask_anew() -> None:
    """As setfacl -m does; a mask that is named stays as named."""
    first = acls.modify(PLAIN, acls.parse(f"user:{ANA}:rwx"), directory=True)
    assert first.text == f"user::rwx,user:{ANA}:rwx,group::r-x,mask::rwx,other::---"
    second = acls.modify(first, acls.parse(f"user:{ANA}:r--,mask::r--"), directory=True)
    assert second.text == f"user::rwx,user:{ANA}:r--,group::r-x,mask::r--,other::---"


def test_remove_takes_named_entries_and_leaves_the_base() -> None:
    """Entries that are not there are passed by, and the mask goes with the last named one."""
    text = f"user:{ANA}:rwx,group:{TEAM}:r-x,default:user:{ANA}:r-x"
    full = acls.assign(PLAIN, acls.parse(text), directory=True, drops_default=True)
    gone = acls.parse(f"mask,user:{ANA},group:{BO},user", removal=True)
    assert acls.remove(full, gone).text.startswith(
        f"user::rwx,group::r-x,group:{TEAM}:r-x,mask::r-x,other::---,default:user::rwx,default:user:{ANA}"
    )
    every = acls.parse(
        f"mask,default:mask,default:user,default:group,default:other,user:{ANA},group:{TEAM},"
        f"default:user:{ANA}",
        removal=True,
    )
    assert acls.remove(full, every) == PLAIN


@pytest.mark.parametrize(
    ("text", "mode", "sticky"),
    [
        ("rwxr-x---", 0o750, False),
        ("0777", 0o777, False),
        ("111", 0o111, False),
        ("1777", 0o777, True),
        ("rw-r-x-wt", 0o653, True),
        ("rw-r-x-wT", 0o652, True),
    ],
)
def test_permissions_are_read_symbolic_and_octal(text: str, mode: int, sticky: bool) -> None:
    """With the sticky bit in both."""
    assert acls.parse_permissions(text) == (mode, sticky)


@pytest.mark.parametrize("text", ["asdf", "rwx", "8777", "2777", "rwxrwxrwx+", "rwxrwxrws"])
def test_other_permissions_are_refused(text: str) -> None:
    """There is no set-user-id here."""
    with pytest.raises(AclError):
        acls.parse_permissions(text)


def test_permissions_write_the_mask_where_there_is_one() -> None:
    """Named entries, the owning group's own entry and default entries stay."""
    text = f"user:{ANA}:rwx,default:user:{ANA}:rwx"
    named = acls.assign(PLAIN, acls.parse(text), directory=True, drops_default=True)
    changed = acls.chmod(named, 0o700, sticky=False)
    assert changed.text.startswith(f"user::rwx,user:{ANA}:rwx,group::r-x,mask::---,other::---,default:")
    assert changed.permissions == "rwx------+"
    assert acls.chmod(PLAIN, 0o604, sticky=True).permissions == "rw----r-T"


def test_the_group_triplet_of_permissions_is_the_mask() -> None:
    """Recorded: `group::r--,mask::rwx` shows `rwxrwx---+`."""
    found = acls.assign(PLAIN, acls.parse("group::r--,mask::rwx"), directory=True, drops_default=True)
    assert found.permissions == "rwxrwx---+"


@pytest.mark.parametrize(
    ("mode", "umask", "directory", "text"),
    [
        (None, None, True, "user::rwx,group::r-x,other::---"),
        (None, None, False, "user::rw-,group::r--,other::---"),
        (0o777, None, True, "user::rwx,group::r-x,other::---"),
        (0o777, 0o000, False, "user::rwx,group::rwx,other::rwx"),
        (0o777, 0o007, True, "user::rwx,group::rwx,other::---"),
    ],
)
def test_without_a_default_list_the_umask_cuts(
    mode: int | None, umask: int | None, directory: bool, text: str
) -> None:
    """Recorded, all of them."""
    assert acls.inherit(PLAIN, directory=directory, mode=mode, umask=umask).text == text


def test_with_a_default_list_only_the_mode_narrows() -> None:
    """What hadoop-azure's live tests found of new files and directories."""
    default = (
        f"default:user::rwx,default:user:{ANA}:rwx,default:group::r-x,default:mask::rwx,default:other::---"
    )
    parent = acls.assign(PLAIN, acls.parse(default), directory=True, drops_default=True)
    file = acls.inherit(parent, directory=False, mode=0o644, umask=0o077)
    assert file.permissions == "rw-r-----+"
    assert f"user:{ANA}:rwx" in file.text
    assert not file.default
    folder = acls.inherit(parent, directory=True, mode=0o777, umask=0o022)
    assert folder.permissions == "rwxrwx---+"
    assert folder.default == parent.default
    assert acls.inherit(parent, directory=True, mode=0o740).permissions == "rwxr-----+"


bits = st.integers(0, 7)
names = st.sampled_from([ANA, BO, TEAM])
entries = st.dictionaries(st.tuples(st.sampled_from(["user", "group"]), names), bits, max_size=6)


@st.composite
def lists(draw: st.DrawFn) -> Acl:
    """Any list that the service can hold."""
    text = [f"user::{_rwx(draw(bits))}", f"group::{_rwx(draw(bits))}", f"other::{_rwx(draw(bits))}"]
    text += [f"{kind}:{who}:{_rwx(value)}" for (kind, who), value in draw(entries).items()]
    if draw(st.booleans()):
        text.append(f"mask::{_rwx(draw(bits))}")
    default = [f"default:{entry}" for entry in text] if draw(st.booleans()) else []
    return acls.assign(PLAIN, acls.parse(",".join(text + default)), directory=True, drops_default=True)


def _rwx(value: int) -> str:
    return "".join(char if value & bit else "-" for char, bit in zip("rwx", (4, 2, 1), strict=True))


@given(lists())
def test_a_list_read_back_is_the_same_list(acl: Acl) -> None:
    """The text form loses nothing but the sticky bit, and setting it again changes nothing."""
    again = acls.assign(acl, acls.parse(acl.text), directory=True, drops_default=True)
    assert again == acl
    assert again.access == acl.access
    assert again.default == acl.default


@given(lists(), lists())
def test_a_mask_stands_exactly_where_somebody_is_named_or_asked_for_it(acl: Acl, other: Acl) -> None:
    """After any modification named entries have a mask."""
    changed = acls.modify(acl, acls.parse(other.text), directory=True)
    for scope in (changed.access, changed.default):
        if any(entry.who for entry in scope):
            assert acls.bits_of(scope, "mask") is not None


@given(lists(), bits)
def test_nobody_gets_more_than_the_mask_but_owner_and_other(acl: Acl, asked: int) -> None:
    """Named users, the owning group and named groups end at the mask."""
    mask = acls.bits_of(acl.access, "mask")
    if mask is None or asked & ~mask == 0:
        return
    for who, groups in ((ANA, [TEAM]), ("x", [TEAM])):
        allowed = acls.allows(
            acl, asked, who=who, groups=groups, owner="someone", owning_group=TEAM, reading=Reading()
        )
        assert not allowed


def may(text: str, asked: int, groups: tuple[str, ...] = (), reading: Reading | None = None) -> bool:
    """Whether Ana, who owns nothing, gets the asked bits from a list."""
    acl = acls.assign(PLAIN, acls.parse(text), directory=True, drops_default=True)
    reading = reading or Reading()
    return acls.allows(
        acl, asked, who=ANA, groups=groups, owner="somebody", owning_group="nobody", reading=reading
    )


def test_the_first_class_that_applies_decides() -> None:
    """A named user with less than other gets less than other; so does a group's member."""
    assert not may(f"user:{ANA}:---,group::---,other::rwx,mask::rwx", 4, (TEAM,))
    assert not may(f"group:{TEAM}:---,group::---,other::rwx,mask::rwx", 4, (TEAM,))
    assert may(f"group:{TEAM}:---,group::---,other::rwx,mask::rwx", 4)


def test_the_texts_on_groups_and_mask_can_be_had_in_both_readings() -> None:
    """Two groups that together give what is asked; a mask that hides other or does not."""
    two = f"group:{TEAM}:r--,group:{BO}:-wx,group::---,other::---,mask::rwx"
    assert may(two, 7, (TEAM, BO))
    assert not may(two, 7, (TEAM, BO), Reading(groups="any"))
    open_to_all = f"group:{TEAM}:---,group::---,other::rwx,mask::---"
    assert not may(open_to_all, 4)
    assert may(open_to_all, 4, (), Reading(masked_other=False))
    fallen_through = f"group:{TEAM}:---,group::---,other::rwx,mask::rwx"
    assert may(fallen_through, 4, (TEAM,), Reading(groups="any"))
