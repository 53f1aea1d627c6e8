"""Where to look for things that no document claims."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.vocabulary import Boundary
from reconciler.providers.databricks.kinds import ENTITLEMENTS, SECRET_SCOPE


def lying_in(boundaries: Iterable[Boundary], workspace: str) -> tuple[Boundary, ...]:
    """The boundaries over entitlements and scopes of one workspace."""
    return tuple(
        each
        for each in boundaries
        if each.kind in (ENTITLEMENTS, SECRET_SCOPE) and each.installation in ("", workspace)
    )


def watches(boundaries: Iterable[Boundary], kind: str) -> bool:
    """Whether things of a kind are to be looked for."""
    return any(each.kind == kind for each in boundaries)


def tenants(boundaries: Iterable[Boundary], kind: str, locator: str) -> str | None:
    """Within whose boundary a thing lies: a tenant, "" when several share it, None for nobody's."""
    owners = {each.tenant for each in boundaries if each.kind == kind and each.covers(locator)}
    if not owners:
        return None
    return owners.pop() if len(owners) == 1 else ""
