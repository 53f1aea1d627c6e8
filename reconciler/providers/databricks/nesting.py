"""Groups within granted groups, which provisioning by SCIM does not copy.

Microsoft docs (provisioning to Azure Databricks): nested groups are skipped, so that their members gain
nothing from what the outer group is given.  Automatic identity management reads them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.core.model import Identity, Presence, Wanted
from reconciler.providers.contract import Directory
from reconciler.providers.databricks.site import Reading


def tell_nested(
    reading: Reading, wanted: Sequence[Wanted], identities: Mapping[str, Identity], directory: Directory
) -> None:
    """Report each granted group that contains groups, once for the workspace."""
    if reading.site.sync != "scim":
        return
    first: dict[str, Wanted] = {}
    for want in wanted:
        for fact in want.grants:
            if fact.principal.startswith("group:"):
                first.setdefault(fact.principal, want)
    ids = {
        principal: identities[principal].object_id
        for principal in first
        if identities[principal].presence is Presence.KNOWN
    }
    members = directory.members(sorted(set(ids.values())))
    inside = frozenset[str]().union(*(held for held in members.values() if held))
    names = directory.name(sorted(inside))
    for principal, object_id in sorted(ids.items()):
        held = members.get(object_id)
        want = first[principal]
        if held is None:
            text = f"whether {principal} contains groups, which provisioning skips, could not be read"
            reading.tell("nested-group", want.address, text, want)
            continue
        nested = sorted(names[each].principal for each in held if names[each].principal.startswith("group:"))
        if nested:
            text = (
                f"{principal} contains {', '.join(nested)}, and provisioning by SCIM does not copy groups "
                "within groups: their members gain nothing here; grant to them directly"
            )
            reading.tell("nested-group", want.address, text, want)
