"""What loading comes to: the platform's settings, the tenants, their documents, and all that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from reconciler.core.approval import PLATFORM, Approval, Consent, Entitlement
from reconciler.core.docket import Rules
from reconciler.core.environment import Environment
from reconciler.core.model import Address, Source
from reconciler.core.vocabulary import Boundary, Declared, Problem


def is_platforms(problem: Problem) -> bool:
    """Whether a problem is in the platform's own half; its approvals only fail to count."""
    return not problem.tenant and problem.source.file.split("/")[0] == "policies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One team: its folder's name, and what its card says."""

    folder: str
    title: str
    source: Source
    owners: tuple[str, ...] = ()
    """Mail addresses in lower case."""
    contacts: tuple[str, ...] = ()
    adopted: frozenset[str] = frozenset()
    """Environments in which what is not listed is revoked."""
    groups_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFile:
    """Consent as a file says it; who gave it is for the history of that file to tell."""

    ident: str
    """The fingerprint of what it says; comments, order of keys and its place do not count."""
    source: Source
    tenant: str
    """The tenant whose folder it is in; `platform` below `policies/`."""
    environment: str
    because: str
    expires: date
    consents: tuple[Consent, ...]
    overrides: Mapping[str, str] = field(default_factory=dict)

    def given_by(self, approvers: frozenset[str]) -> Approval:
        """The approval of these people, named by the mail addresses of their commits."""
        return Approval(
            ident=self.ident,
            source=self.source,
            tenant=self.tenant,
            environment=self.environment,
            because=self.because,
            expires=self.expires,
            consents=self.consents,
            overrides=self.overrides,
            approvers=approvers,
        )


@dataclass(frozen=True, kw_only=True)
class Policies:
    """Everything that one revision says, checked as far as that goes without asking a service."""

    revision: str
    environments: Mapping[str, Environment] = field(default_factory=dict)
    boundaries: tuple[Boundary, ...] = ()
    rules: Rules = field(default_factory=Rules)
    entitlements: tuple[Entitlement, ...] = ()
    """Who may approve what."""
    lock: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per directory, by the name that environments call it: principal to object id."""
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    declared: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    """Valid documents of tenants that are not blocked, by provider, in order of place."""
    approvals: tuple[ApprovalFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Every error, in order of place."""
    notes: tuple[Problem, ...] = ()
    """What is no error and worth a look: names that no lock entry pins, tenants without a card."""
    blocked: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    """Tenants of which nothing may be planned, with the reasons."""

    @property
    def unusable(self) -> tuple[Problem, ...]:
        """Errors in the platform's own half: while there is one, there is nothing to plan."""
        return tuple(filter(is_platforms, self.problems))

    def pins(self, environment: str) -> Mapping[str, str]:
        """Principal to pinned object id in the directory of this environment."""
        return self.lock.get(self.environments[environment].entra.name, {})

    def declared_in(self, environment: str) -> Mapping[str, Sequence[Declared]]:
        """The documents that hold in this environment, by provider."""
        return {
            provider: [each for each in documents if environment in each.environments]
            for provider, documents in self.declared.items()
        }

    def inside(self, tenant: str, address: Address) -> bool:
        """Whether a tenant's boundary covers an address; the platform's own things have no boundary."""
        if tenant == PLATFORM:
            return True
        keys = ((tenant, address.kind, installation) for installation in (address.installation, ""))
        own = (boundary for key in keys for boundary in self._by_place.get(key, ()))
        return any(boundary.covers(address.locator) for boundary in own)

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str, str], Sequence[Boundary]]:
        found: dict[tuple[str, str, str], list[Boundary]] = {}
        for each in self.boundaries:
            found.setdefault((each.tenant, each.kind, each.installation), []).append(each)
        return found
