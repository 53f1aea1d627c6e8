"""Read members and owners of many groups, service principals included.

The v1.0 endpoint leaves service principals out of members, and out of owners (Microsoft docs: List group
members; List group owners; both as known issues), so that beta is asked; where there is no beta, a second
listing in v1.0, cast to service principals, makes up for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.providers.entra.batch import Listing, Report, listings, unheard
from reconciler.providers.entra.client import GraphClient
from reconciler.providers.entra.wire import BETA, PAGE, V1, Call, Trouble, query

MEMBERS, OWNERS = "members", "owners"
SELECT = "id,displayName,userPrincipalName,appId,accountEnabled"
CAST = "/microsoft.graph.servicePrincipal"

Asked = tuple[str, str]
"""A group's object id, and `members` or `owners`."""


async def read_relations(
    client: GraphClient, asked: Sequence[Asked], report: Report = unheard
) -> list[Listing]:
    """The whole of each relation, in the order of asking."""
    read = await listings(client, [relation_call(*each) for each in asked], BETA, report)
    if not asked or not all(isinstance(part, Trouble) and _no_beta(part) for part in read):
        return read
    plain = await listings(client, [relation_call(*each) for each in asked], V1)
    cast = await listings(client, [relation_call(*each, cast=True) for each in asked], V1)
    return [_joined(first, second) for first, second in zip(plain, cast, strict=True)]


def relation_call(group_id: str, relation: str, cast: bool = False) -> Call:
    """One relation of one group; `cast` keeps service principals only."""
    path = f"/groups/{group_id}/{relation}"
    if not cast:
        return Call(path=path + query(select=SELECT, top=str(PAGE)))
    # A cast is an advanced query (Microsoft docs: Advanced query capabilities on directory objects).
    options = query(select="id,displayName,appId,accountEnabled", top=str(PAGE), count="true")
    return Call(path=path + CAST + options, advanced=True)


def _no_beta(trouble: Trouble) -> bool:
    return trouble.status.startswith(("400", "404"))


def _joined(plain: Listing, cast: Listing) -> Listing:
    if isinstance(plain, Trouble):
        return plain
    if isinstance(cast, Trouble):
        return Trouble(f"service principals among them cannot be read: {cast.reason}", cast.status)
    known = {each.get("id") for each in plain}
    typed = [{"@odata.type": "#microsoft.graph.servicePrincipal", **each} for each in cast]
    return plain + [each for each in typed if each["id"] not in known]
