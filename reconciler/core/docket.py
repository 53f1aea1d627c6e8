"""What guardrails look at, and what the platform says they shall let pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from reconciler.core.custom import RuleBook
from reconciler.core.membership import Membership, memberships
from reconciler.core.model import Address, Live, Verb, Wanted
from reconciler.core.plan import Action

WIDENERS = frozenset({Verb.GRANT, Verb.RAISE, Verb.SET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much may be removed at once: both are asked, and None asks nothing."""

    count: int | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """How much may be removed at once of several tenants or kinds, so that splitting does not step around."""

    tenant: Limit = field(default_factory=Limit)
    """Of one tenant, all kinds of things together."""
    kind: Limit = field(default_factory=Limit)
    """Of one kind of thing, all tenants together."""
    all: Limit = field(default_factory=Limit)
    """Of everything in the environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The guardrails of the platform, as `policies/guardrails.yaml` sets them."""

    removals: Mapping[str, Limit] = field(default_factory=dict)
    """Per kind; `*` is for kinds that are not named, and for figures that a kind does not give."""
    tenant_removals: Mapping[str, Mapping[str, Limit]] = field(default_factory=dict)
    """Per tenant and kind, where a tenant has limits of its own."""
    together: Together = field(default_factory=Together)
    protected: frozenset[str] = frozenset()
    """Principals that nothing may be taken from: the reconciler's own identities and break-glass accounts."""
    groups_only: frozenset[str] = frozenset()
    """Tenants that want grants to groups only."""
    wide: tuple[str, ...] = ("other", "group:users", "group:account users", "group:All Users")
    """Principals that stand for everybody, as shell-style patterns."""
    last_holders: Mapping[str, tuple[str, str]] = field(
        default_factory=lambda: {
            "last-owner": ("group", "owner"),
            "last-manage": ("secret-scope", "acl:MANAGE"),
        }
    )
    """Rule name to (kind, `role` or `role:value`): somebody must keep holding it."""
    admin_groups: tuple[str, ...] = ()
    """Groups, as shell-style patterns, that must keep at least one member."""
    custom: RuleBook | None = None
    """Rules that the platform wrote itself."""

    def limit(self, tenant: str, kind: str) -> Limit:
        """The limit of one tenant and kind: each figure is the most particular one that is given."""
        own = self.tenant_removals.get(tenant, {})
        levels = [own.get(kind), own.get("*"), self.removals.get(kind), self.removals.get("*")]
        given = [level for level in levels if level is not None]
        return Limit(
            count=next((each.count for each in given if each.count is not None), None),
            percent=next((each.percent for each in given if each.percent is not None), None),
        )


# No slots: who is in which group is worked out once, and only where a rule asks for it.
@dataclass(frozen=True, kw_only=True)
class Docket:
    """Everything that the rules look at."""

    actions: Sequence[Action]
    """The unfiltered plan."""
    live: Live
    rules: Rules
    held: Mapping[tuple[str, str], int]
    """Live grants by (tenant, kind)."""
    recent: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Removals of the last 24 hours by (tenant, kind)."""
    inside: Callable[[str, Address], bool] = lambda tenant, address: True
    """Whether a tenant's boundary allows it to touch an address."""
    wanted: Sequence[Wanted] = ()
    pins: Mapping[str, str] = field(default_factory=dict)
    """Names to the object ids that they were reviewed with: a name may change, the object stays."""
    environment: str = ""
    as_of: date = date.min
    """The day that the plan is for."""
    kinds: frozenset[str] = frozenset()
    """Every kind of thing there is."""
    gaps: int = 0
    """Gaps that nobody accepted."""

    @cached_property
    def before(self) -> Membership:
        """Who is in which group today."""
        return self._memberships[0]

    @cached_property
    def after(self) -> Membership:
        """Who will be in which group once the whole plan is carried out."""
        return self._memberships[1]

    @cached_property
    def _memberships(self) -> tuple[Membership, Membership]:
        return memberships(self.live, self.actions)
