"""Whole plans for guardrails: several things, wanted and found, put together as planning does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.diff import diff
from reconciler.core.docket import Docket, Rules
from reconciler.core.guardrails import judge
from reconciler.core.model import EXISTS, PRESENT, Attribute, Found, Gap, Live, Value, Wanted
from reconciler.core.order import order
from tests.core.estates import address, found, frame, known_identity, wanted
from tests.core.moving import KINDS

ANA, BO, GLASS = "user:ana@corp.example", "user:bo@corp.example", "user:glass@corp.example"
ROLE = {
    "group": "member",
    "entitlements": "workspace-access",
    "secret-scope": "acl",
    "traverse": "access",
    "folder": "access",
}
"""One role of each kind."""
HIGH = {
    "group": "member",
    "entitlements": "held",
    "secret-scope": "WRITE",
    "traverse": "--x",
    "folder": "rwx",
}
LOW = {"secret-scope": "READ", "folder": "r-x"}
"""A right that is less than the high one, where there is any."""

Facts = Mapping[Attribute, Value]


def facts(kind: str, *people: str, value: str = "", role: str = "") -> dict[Attribute, Value]:
    """These people hold the same right on a thing of a kind."""
    return {Attribute(role or ROLE[kind], who): value or HIGH[kind] for who in people}


def people(count: int, first: int = 0) -> list[str]:
    return [f"user:u{number}@corp.example" for number in range(first, first + count)]


@dataclass
class Scene:
    """Things of some tenants, as they are and as they should be."""

    wants: list[Wanted] = field(default_factory=list)
    things: list[Found] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def thing(
        self, kind: str, locator: str, has: Facts, wants: Facts, tenant: str = "pricing", **more: Any
    ) -> Scene:
        """Add one thing that exists; `more` are further terms of its document."""
        at = address(kind, locator)
        exists = {Attribute(EXISTS): PRESENT}
        oid = f"oid-{locator}" if kind == "group" else ""
        self.things.append(found({**exists, **has}, kind, address=at, object_id=oid))
        self.wants.append(wanted({**exists, **wants}, kind, address=at, tenant=tenant, **more))
        return self

    def unread_group(self, name: str, *members: str) -> Scene:
        """Add a group that could not be read, and into which the policies put these."""
        at = address("group", name)
        self.gaps.append(Gap(address=at, reason="members could not be read", status="403"))
        grants = {Attribute(EXISTS): PRESENT, **facts("group", *members)}
        self.wants.append(wanted(grants, "group", address=at))
        return self

    def docket(self, rules: Rules, **more: Any) -> Docket:
        live = Live(
            found={each.address: each for each in self.things},
            gaps={gap.address: gap for gap in self.gaps},
        )
        facts = [*(each.grants for each in self.wants), *(each.grants for each in self.things)]
        named = {fact.principal for grants in facts for fact in grants if fact.principal}
        identities = {name: known_identity(name) for name in named}
        drift = diff(self.wants, live, replace(frame(), identities=identities, kinds=KINDS))
        actions = order(drift.actions, KINDS, self.wants)
        fields: dict[str, Any] = {"live": live, "held": drift.held, "wanted": self.wants, **more}
        return Docket(actions=actions, rules=rules, **fields)

    def broken(self, rules: Rules, **more: Any) -> list[str]:
        """The names of the rules that refuse something, each once."""
        return sorted({violation.rule for violation in judge(self.docket(rules, **more))})


def taking(kind: str, gone: Sequence[str], staying: Sequence[str] = (), tenant: str = "pricing") -> Scene:
    """One thing from which some lose their right while others keep it."""
    return Scene().thing(
        kind, f"{tenant}-{kind}", facts(kind, *gone, *staying), facts(kind, *staying), tenant
    )
