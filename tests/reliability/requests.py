"""Every kind of request that the reconciler sends: the rows of the matrix.

A request of the emulator's log that fits none of them is a new kind, and fails the suite until it is here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.emulator.log import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request, told by regular expressions as the emulator's faults tell them."""

    system: str
    name: str
    service: str
    method: str
    target: str
    """Searched for in `path?query`."""
    traits: frozenset[str]

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return "writes" in self.traits

    @property
    def keeps(self) -> bool:
        """Whether it changes the store, which is no part of what is reconciled."""
        return "keeps" in self.traits

    @property
    def item(self) -> bool:
        """Whether it travels inside a `$batch`."""
        return "item" in self.traits

    @property
    def title(self) -> str:
        """What it is called in the table."""
        return f"{self.name} (in a batch)" if self.item else self.name

    def fits(self, service: str, method: str, target: str, item: bool) -> bool:
        """Whether a request is of this kind."""
        return (
            self.item is item
            and re.fullmatch(self.service, service) is not None
            and re.fullmatch(self.method, method) is not None
            and re.search(self.target, target) is not None
        )


SERVICES = {
    "ws": "databricks/ws",
    "account": "databricks-account",
    "dfs": "lake/lake/dfs",
    "blob": "lake/lake/blob",
    "memory": "lake/memory/dfs",
}
TABLE = r"""
Entra      | find the issuer         | entra   | GET    | openid-configuration             | signs-in
Entra      | sign in                 | entra   | POST   | /token$                          | signs-in
Entra      | groups by name          | graph   | GET    | ^/v1.0/groups\?\$filter          | pages
Entra      | names of all groups     | graph   | GET    | ^/v1.0/groups\?\$select          | pages
Entra      | users by name           | graph   | GET    | ^/v1.0/users\?                   | pages
Entra      | SPs by name             | graph   | GET    | ^/v1.0/servicePrincipals\?       | pages
Entra      | who is behind ids       | graph   | POST   | /directoryObjects/getByIds$      |
Entra      | one group               | graph   | GET    | ^/v1.0/groups/[^/]+\?            |
Entra      | members of one group    | graph   | GET    | ^/beta/groups/[^/]+/members      | pages
Entra      | batch of reads          | graph   | POST   | ^/beta/\$batch                   |
Entra      | members                 | graph   | GET    | /members\?                       | item pages
Entra      | owners                  | graph   | GET    | /owners\?                        | item pages
Entra      | PIM assignments         | graph   | GET    | assignmentScheduleInstances      | pages
Entra      | create a group          | graph   | POST   | ^/v1.0/groups$                   | writes
Entra      | change a group          | graph   | PATCH  | ^/v1.0/groups/[^/]+$             | writes bare
Entra      | add a member            | graph   | POST   | /members/\$ref$                  | writes bare
Entra      | add an owner            | graph   | POST   | /owners/\$ref$                   | writes bare
Entra      | batch of removals       | graph   | POST   | ^/v1.0/\$batch                   | writes
Entra      | remove a member         | graph   | DELETE | /members/[^/]+/\$ref$            | item writes bare
Entra      | remove a member         | graph   | DELETE | /members/[^/]+/\$ref$            | writes bare
Entra      | remove an owner         | graph   | DELETE | /owners/[^/]+/\$ref$             | writes bare
Entra      | delete a group          | graph   | DELETE | ^/v1.0/groups/[^/]+$             | writes bare
Databricks | sign in                 | ws      | POST   | /oidc/                           | signs-in
Databricks | sign in, account        | account | POST   | /oidc/                           | signs-in
Databricks | who is assigned         | ws      | GET    | /permissionassignments$          |
Databricks | workspace SCIM all      | ws      | GET    | /preview/scim/.*startIndex       | pages
Databricks | workspace SCIM by name  | ws      | GET    | /preview/scim/.*filter=          |
Databricks | workspace SCIM myself   | ws      | GET    | /preview/scim/v2/Me              |
Databricks | account SCIM by name    | ws      | GET    | /account/scim/                   |
Databricks | resolve an Entra object | account | POST   | resolve-by-external-id           |
Databricks | secret scopes           | ws      | GET    | /secrets/scopes/list             |
Databricks | ACL of a scope          | ws      | GET    | /secrets/acls/list               |
Databricks | keys of a scope         | ws      | GET    | /secrets/list                    |
Databricks | assign                  | ws      | PUT    | /permissionassignments/          | writes
Databricks | unassign                | ws      | DELETE | /permissionassignments/          | writes
Databricks | change entitlements     | ws      | PATCH  | /preview/scim/                   | writes
Databricks | put an ACL              | ws      | POST   | /secrets/acls/put                | writes
Databricks | delete an ACL           | ws      | POST   | /secrets/acls/delete             | writes
Databricks | create a scope          | ws      | POST   | /secrets/scopes/create           | writes
Databricks | delete a scope          | ws      | POST   | /secrets/scopes/delete           | writes
ARM        | role assignments        | arm     | GET    | /roleAssignments\?               | pages
ARM        | role definition         | arm     | GET    | /roleDefinitions/                |
Lake       | List Blobs              | blob    | GET    | ^/data[?].*comp=list             | pages
Lake       | list paths              | dfs     | GET    | resource=filesystem              | pages
Lake       | lists of a path         | dfs     | HEAD   | action=getAccessControl          | bare
Lake       | set a list              | dfs     | PATCH  | action=setAccessControl$         | writes bare
Lake       | change a tree           | dfs     | PATCH  | action=setAccessControlRecursive | writes pages
Lake       | create a folder         | dfs     | PUT    | resource=directory               | writes bare
Lake       | rename a folder         | dfs     | PUT    | mode=legacy                      | writes bare
Lake       | delete a folder         | dfs     | DELETE | recursive=false                  | writes bare
Inventory  | list the runs           | blob    | GET    | ^/inventory[?].*comp=list        | pages
Inventory  | checksum of a run       | blob    | GET    | -manifest[.]checksum$            |
Inventory  | manifest of a run       | blob    | GET    | -manifest[.]json$                |
Inventory  | a file of CSV           | blob    | GET    | [.]csv$                          |
Inventory  | a file of Parquet       | blob    | GET    | [.]parquet$                      |
Store      | list journals           | memory  | GET    | resource=filesystem              | pages
Store      | read a journal          | memory  | GET    | [.]jsonl$                        |
Store      | make a journal          | memory  | PUT    | [.]jsonl[?]resource=file         | keeps bare
Store      | add lines               | memory  | PATCH  | [.]jsonl[?]action=append         | keeps bare again
Store      | make lines last         | memory  | PATCH  | [.]jsonl[?]action=flush          | keeps bare again
Store      | make the lock           | memory  | PUT    | /lock[?]resource=file            | keeps bare
Store      | take the lock           | memory  | PUT    | /lock[?]comp=lease$              | keeps bare
Store      | write who holds it      | memory  | PATCH  | /lock[?]action=                  | keeps bare
Store      | renew the lock          | memory  | PUT    | /lock[?].*timeout=10             | keeps bare again
Store      | release the lock        | memory  | PUT    | /lock[?].*timeout=5              | keeps bare
"""


def _kinds() -> Iterator[Kind]:
    for line in TABLE.strip().splitlines():
        system, name, service, method, target, traits = (cell.strip() for cell in line.split("|"))
        yield Kind(
            system=system,
            name=name,
            service=SERVICES.get(service, service),
            method=method,
            target=target,
            traits=frozenset(traits.split()),
        )


KINDS = tuple(_kinds())


def requests(entry: Entry) -> Iterator[tuple[str, str, str, bool]]:
    """What an exchange asked for: service, method and target of itself, and of what is in its batch."""
    target = f"{entry.path}?{entry.query}" if entry.query else entry.path
    yield entry.service, entry.method, target, False
    if entry.path.endswith("/$batch"):
        version = entry.path.removesuffix("/$batch")
        for item in json.loads(entry.body)["requests"]:
            yield entry.service, item["method"], version + item["url"], True


def kinds_of(entry: Entry) -> list[Kind]:
    """The kinds of an exchange; raises LookupError where one of its requests fits none, or several."""
    found = []
    for service, method, target, item in requests(entry):
        fitting = [kind for kind in KINDS if kind.fits(service, method, target, item)]
        if len(fitting) != 1:
            names = " and ".join(kind.title for kind in fitting) or "no kind"
            raise LookupError(f"{method} {service}{target} fits {names} of tests/reliability/requests.py")
        found += fitting
    return found
