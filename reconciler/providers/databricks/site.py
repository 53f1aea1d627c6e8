"""One workspace of the environment, with the account behind it, and what a reading of it comes to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.core.environment import WorkspaceSettings
from reconciler.core.model import Address, Finding, Found, Gap, Value, Wanted
from reconciler.core.vocabulary import Boundary
from reconciler.providers.databricks import canonical
from reconciler.providers.databricks.canonical import COLLECTIONS, Assigned, Malformed, Resident
from reconciler.providers.databricks.client import (
    ACCOUNT_LIST,
    ASSIGN,
    ASSIGN_READ,
    SCIM_READ,
    Failure,
    Host,
)
from reconciler.providers.databricks.kinds import ADMIN, PROVIDER, USER
from reconciler.providers.databricks.people import WORKSPACE_SCIM, People, find

ASSIGNMENTS = "/api/2.0/preview/permissionassignments"
"""The workspace's own view of who is assigned to it: a workspace admin may ask (Terraform provider, access/).
The account's API says the same to account admins only."""
ACCOUNT_THROUGH_WORKSPACE = "/api/2.0/account/scim/v2"
"""The account's SCIM as workspace admins may read it (databrickslabs/ucx, workspace_access/groups)."""


@dataclass(slots=True, kw_only=True)
class Site:
    """One workspace and the account, ready to be asked, with what cannot change while we are at it."""

    settings: WorkspaceSettings
    host: Host
    account: Callable[[], Host]
    """The account's own host, connected on first use; raises Unusable."""
    account_id: str
    sync: str
    """`aim` or `scim`: how Databricks learns of Entra."""
    services: dict[tuple[str, str], str] = field(default_factory=dict)
    """Service principals met so far, by application id: those are never given to anybody else."""
    _myself: frozenset[str] | None = None

    def address(self, kind: str, locator: str) -> Address:
        """Where a thing of this workspace stands."""
        return Address(PROVIDER, self.settings.name, kind, locator)

    def assigned(self) -> Mapping[str, Assigned]:
        """Who is assigned to the workspace, by Databricks id; raises Failure or Malformed."""
        return canonical.assignments(self.host.get(ASSIGNMENTS, ASSIGN_READ))

    def assign(self, ident: str, permission: Value) -> None:
        """Give a principal its place in the workspace; raises Failure.

        The permission is never empty or unknown: the service would delete the assignment (SDK docstring:
        workspace_assignment.update).
        """
        if permission not in (USER, ADMIN):
            raise Failure(f"{permission!r} is no permission that can be assigned; nothing was sent")
        answer = self.host.send(
            "PUT", f"{ASSIGNMENTS}/principals/{ident}", ASSIGN, {"permissions": [permission]}
        )
        if answer.get("error"):
            raise Failure(f"{self.host.name} did not assign principal {ident}: {answer['error']}")

    def unassign(self, ident: str) -> None:
        """Take a principal out of the workspace, with all that it holds there directly; raises Failure."""
        self.host.send("DELETE", f"{ASSIGNMENTS}/principals/{ident}", ASSIGN)

    def myself(self) -> frozenset[str]:
        """What ACLs of the workspace may call us, in lower case, asked once; raises Failure or Malformed."""
        if self._myself is None:
            # Terraform leaves the entitlements out as well: they are slow to compute (issue 5725).
            me = self.host.get(f"{WORKSPACE_SCIM}/Me", SCIM_READ, {"excludedAttributes": "entitlements"})
            self._myself = canonical.own_names(me)
        return self._myself

    def in_account(self, kind: str, name: str) -> list[Resident]:
        """Everybody of this name in the whole account; raises Failure or Malformed."""
        try:
            return find(self.host, kind, name, ACCOUNT_THROUGH_WORKSPACE, ACCOUNT_LIST)
        except Failure:
            path = f"/api/2.0/accounts/{self.account_id}/scim/v2"
            return find(self.account(), kind, name, path, ACCOUNT_LIST)


@dataclass(slots=True)
class Reading:
    """What has been read of one workspace so far; filled by one thread."""

    site: Site
    people: People
    boundaries: tuple[Boundary, ...] = ()
    """The boundaries that lie in this workspace."""
    arriving: frozenset[str] = frozenset()
    """Principals whom documents bring into the workspace."""
    found: dict[Address, Found] = field(default_factory=dict)
    gaps: dict[Address, Gap] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def gap(self, address: Address, error: Exception | str) -> None:
        """This could not be read."""
        status = error.label if isinstance(error, Failure) else ""
        self.gaps[address] = Gap(address=address, reason=str(error), status=status)

    def gap_all(self, kind: str, wanted: Iterable[Wanted], error: Exception) -> None:
        """Nothing of a kind could be read here: neither what is wanted nor what else there may be."""
        for want in wanted:
            self.gap(want.address, error)
        self.gap(self.site.address(kind, "*"), error)

    def tell(
        self, rule: str, address: Address, text: str, want: Wanted | None = None, tenant: str = ""
    ) -> None:
        """Note a fact for which there is no action."""
        self.findings.append(
            Finding(
                rule=rule,
                address=address,
                text=text,
                tenant=want.tenant if want else tenant,
                source=want.source if want else None,
            )
        )

    def load(self, kinds: Iterable[str]) -> dict[str, Exception]:
        """Fetch everybody of these kinds, at once; the kinds that could not be had, with the reason."""
        failed: dict[str, Exception] = {}

        def fetch(kind: str) -> None:
            try:
                self.people.whole(kind)
            except (Failure, Malformed) as error:
                failed[kind] = error

        threads = [threading.Thread(target=fetch, args=(kind,), daemon=True) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return failed


ALL_KINDS = tuple(COLLECTIONS)
