"""Random facts of one kind: what could hold of the things that the generated policies speak of."""

from __future__ import annotations

from hypothesis import strategies as st

from reconciler.core.model import Address, Attribute
from tests.laws.estate import (
    BOT,
    DIRECTORIES,
    ENTITLEMENTS,
    EXISTS,
    FILES,
    GROUPS,
    MANAGED,
    PEOPLE,
    USERS,
    Facts,
    Grants,
)

KINDS = tuple(MANAGED)


@st.composite
def grants(draw: st.DrawFn, address: Address) -> Grants:
    """Random facts of one thing; it exists."""
    if address.kind == "group":
        members = draw(st.sets(st.sampled_from(PEOPLE)))
        # Entra does not let go of a group's last owner who is a user.
        owners = draw(st.sets(st.sampled_from(USERS), min_size=1)) | draw(st.sets(st.just(BOT)))
        held = {Attribute("member", who): "member" for who in members}
        return {EXISTS: "present", **held, **{Attribute("owner", who): "owner" for who in owners}}
    if address.kind == "entitlements":
        roles = draw(st.sets(st.sampled_from(ENTITLEMENTS), min_size=1))
        held = {Attribute(role, address.locator): "held" for role in roles}
        return {Attribute("assignment", address.locator): "USER", **held}
    people = draw(st.sets(st.sampled_from(PEOPLE), max_size=5))
    if address.kind == "secret-scope":
        rights = st.sampled_from(("READ", "WRITE", "MANAGE"))
        return {EXISTS: "present", **{Attribute("acl", who): draw(rights) for who in sorted(people)}}
    chosen = {who: draw(st.sampled_from(("r-x", "rwx"))) for who in sorted(people)}
    access = {Attribute("access", who): value for who, value in chosen.items()}
    return {
        EXISTS: "present",
        **access,
        **{Attribute("default", who): value for who, value in chosen.items()},
    }


@st.composite
def facts(draw: st.DrawFn, kind: str, complete: bool) -> Facts:
    """Random facts of all things of a kind; of some of them only, unless complete."""
    chosen = [each for each in MANAGED[kind] if complete or draw(st.integers(0, 4))]
    return {each: draw(grants(each)) for each in chosen}


@st.composite
def lists(draw: st.DrawFn) -> dict[str, str]:
    """Access lists of single paths as history leaves them: odd masks, missing defaults, stray entries."""
    result = {}
    # Everybody passes through data/x, with or without a mask: see `_entries`.
    odd = tuple(path for path in (*DIRECTORIES, *FILES) if path != "data/x")
    for path in draw(st.sets(st.sampled_from(odd), max_size=4)):
        result[path] = ",".join(_entries(draw, path in DIRECTORIES))
    return result


def _entries(draw: st.DrawFn, is_folder: bool) -> list[str]:
    bits = st.sampled_from(("---", "--x", "r--", "r-x", "-w-", "rw-", "rwx"))
    entries: list[str] = []
    for prefix in ("", "default:") if is_folder and draw(st.booleans()) else ("",):
        people = draw(st.sets(st.sampled_from((*USERS, *GROUPS, BOT)), max_size=3))
        # `other` beyond the mask is where Microsoft's texts disagree; the provider refuses to guess there,
        # and its own tests show that.
        entries += [f"{prefix}user::rwx", f"{prefix}group::{draw(bits)}", f"{prefix}other::---"]
        entries += [f"{prefix}{who}:{draw(bits)}" for who in sorted(people)]
        if people:
            entries.append(f"{prefix}mask::{draw(bits)}")
    return entries
