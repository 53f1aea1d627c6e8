"""Small random estates: what was wanted, what was found, and the kinds they are made of."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from reconciler.core.desired import Frame
from reconciler.core.model import (
    Address,
    Attribute,
    Found,
    Identity,
    Kind,
    Live,
    Presence,
    Source,
    Unlisted,
    Value,
    Wanted,
)
from reconciler.providers.registry import VOCABULARIES

SCOPE = Kind(
    name="secret-scope",
    rank=30,
    scales={
        "acl": {
            "READ": frozenset({"read"}),
            "WRITE": frozenset({"read", "write"}),
            "MANAGE": frozenset({"read", "write", "manage"}),
        }
    },
)
GROUP = Kind(name="group", rank=10, properties=frozenset({"name", "description"}), identified=True)
FOLDER = Kind(name="folder", rank=50, words={"r-x": "read", "rwx": "write"})
ENTITLEMENTS = Kind(name="entitlements", rank=20, first="assignment")
KINDS = {kind.name: kind for kind in (GROUP, ENTITLEMENTS, SCOPE, FOLDER)}
VALUES: Mapping[str, tuple[tuple[str, tuple[Value, ...]], ...]] = {
    "secret-scope": (("acl", ("READ", "WRITE", "MANAGE")),),
    "group": (("member", ("member",)), ("owner", ("owner",))),
    "folder": (("access", ("r-x", "rwx", "--x")), ("default", ("r-x", "rwx"))),
}
PROVIDER = {kind.name: each.provider for each in VOCABULARIES for kind in each.kinds}
PEOPLE = ("user:ana@corp.example", "user:bo@corp.example", "group:pricing ds", "sp:airflow")
HERE = Source("tenants.d/pricing/access.yaml", 3)


def frame(*names: str, **more: Identity) -> Frame:
    """A frame in which everybody is known, or just those named."""
    known = {name: known_identity(name) for name in names or PEOPLE}
    return Frame(environment="test", kinds=KINDS, identities={**known, **more})


def known_identity(name: str) -> Identity:
    """Somebody whom the directory knows."""
    return Identity(principal=name, presence=Presence.KNOWN, object_id=f"oid-{name}")


def address(kind: str = "secret-scope", locator: str = "pricing") -> Address:
    """An address of a kind."""
    return Address(PROVIDER[kind], "here", kind, locator)


def wanted(grants: Mapping[Attribute, Value], kind: str = "secret-scope", **more: object) -> Wanted:
    """One thing as the policies of an adopted tenant want it."""
    fields: dict[str, object] = {
        "address": address(kind),
        "tenant": "pricing",
        "source": HERE,
        "grants": grants,
        "adopted": True,
    }
    return Wanted(**{**fields, **more})  # type: ignore[arg-type]


def found(grants: Mapping[Attribute, Value], kind: str = "secret-scope", **more: object) -> Found:
    """One thing as it was read."""
    fields: dict[str, object] = {"address": address(kind), "grants": grants}
    return Found(**{**fields, **more})  # type: ignore[arg-type]


def live(*things: Found) -> Live:
    """Live state of these things and no gaps."""
    return Live(found={thing.address: thing for thing in things})


@st.composite
def facts(draw: st.DrawFn, kind: str) -> dict[Attribute, Value]:
    """Random grants of one kind; the thing itself exists."""
    chosen: dict[Attribute, Value] = {Attribute("exists"): "present"}
    for role, values in VALUES[kind]:
        for person in draw(st.sets(st.sampled_from(PEOPLE))):
            chosen[Attribute(role, person)] = draw(st.sampled_from(values))
    return chosen


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Wanted, Live]:
    """What is wanted of one thing and what there is of it, which may be nothing or a mixture."""
    kind = draw(st.sampled_from(sorted(VALUES)))
    want = wanted(
        draw(facts(kind)),
        kind,
        unlisted=draw(st.sampled_from(Unlisted)),
        adopted=draw(st.booleans()),
    )
    if draw(st.integers(0, 5)) == 0:
        return want, Live()
    grants = draw(facts(kind))
    mixed: dict[Attribute, tuple[Value | None, ...]] = {}
    if kind == "folder":
        for fact in draw(st.sets(st.sampled_from(sorted(grants)))):
            if fact.principal:
                del grants[fact]
                values = draw(st.sets(st.sampled_from([None, "r-x", "rwx", "--x"]), min_size=2))
                mixed[fact] = tuple(sorted(values, key=lambda value: value or ""))
    return want, live(found(grants, kind, mixed=mixed, object_id="oid-thing"))


def after(
    actions: object, before: Found | None, address_: Address
) -> dict[Attribute, frozenset[Value | None]]:
    """What every fact comes to when the actions' words are carried out, and nothing but them."""
    state: dict[Attribute, set[Value | None]] = {}
    if before is not None:
        state = {fact: {value} for fact, value in before.grants.items()}
        state.update({fact: set(values) for fact, values in before.mixed.items()})
    for action in actions:  # type: ignore[attr-defined]
        assert action.address == address_
        values = state.setdefault(action.attribute, {None})
        assert values & set(action.before), "an action starts from a value that is there"
        values -= set(action.before)
        values.add(action.after)
    return {fact: frozenset(values) for fact, values in state.items() if values != {None}}
