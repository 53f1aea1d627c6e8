"""Turn documents into what is wanted: one thing per principal of a workspace, one per secret scope.

Its law: a fact is asked for in one place; a second place is a problem that names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from reconciler.core.environment import Environment
from reconciler.core.model import (
    PRESENT,
    Address,
    Attribute,
    Lifecycle,
    Source,
    Terms,
    Unlisted,
    Value,
    Wanted,
)
from reconciler.core.vocabulary import Compiled, Context, Declared, Problem, Reach
from reconciler.providers.databricks.documents import (
    EntitlementsDocument,
    SecretScopeDocument,
)
from reconciler.providers.databricks.kinds import (
    ACL,
    ASSIGNMENT,
    CONSUME,
    ENTITLEMENTS,
    HELD,
    INCLUDES_CONSUME,
    PROVIDER,
    SECRET_SCOPE,
    THE_SCOPE,
    USER,
)
from reconciler.providers.document import Document, Terminable, in_force

Wish = tuple[Attribute, Value, Terminable, Source]


def known_here(document: EntitlementsDocument | SecretScopeDocument, environment: Environment) -> bool:
    """Whether the environment knows the workspace that the document speaks of."""
    return environment.databricks is not None and document.workspace in environment.databricks.workspaces


def principals(declared: Declared) -> Iterator[tuple[str, Source]]:
    """Everybody whom a document names, with the place."""
    for index, grant in enumerate(declared.document.grants):
        yield grant.who, declared.locate("grants", index, "who")


def entitlements_reach(declared: Declared) -> Iterator[Reach]:
    """What a document lays claim to: each principal's entitlements, once."""
    document: EntitlementsDocument = declared.document
    seen: set[str] = set()
    for who, source in principals(declared):
        if who not in seen:
            seen.add(who)
            yield Reach(boundary="workspaces", installation=document.workspace, locator=who, source=source)


def scope_reach(declared: Declared) -> Iterator[Reach]:
    """What a document lays claim to: its one scope, whatever the case of its letters."""
    document: SecretScopeDocument = declared.document
    source = declared.locate("name")
    yield Reach(
        boundary="scopes", installation=document.workspace, locator=document.name.lower(), source=source
    )


def compile_documents(declared: Sequence[Declared], context: Context) -> Compiled:
    """All documents of this provider as they come to in one environment."""
    wanted: dict[Address, Wanted] = {}
    problems: list[Problem] = []
    for each in declared:
        document = each.document
        if context.environment.name not in each.environments:
            continue
        if isinstance(document, EntitlementsDocument):
            things: Iterable[Wanted] = _entitlements(each, document, context, problems)
        else:
            things = [_scope(each, document, context, problems)]
        for thing in things:
            first = wanted.setdefault(thing.address, thing)
            if first is not thing:
                problems.append(_twice(thing, first))
    return Compiled(wanted=tuple(wanted.values()), problems=tuple(problems))


def _twice(thing: Wanted, first: Wanted) -> Problem:
    return Problem(
        source=thing.source,
        tenant=thing.tenant,
        text=f"{thing.address} is already declared at {first.source}: it belongs to one document",
    )


def _entitlements(
    declared: Declared, document: EntitlementsDocument, context: Context, problems: list[Problem]
) -> Iterator[Wanted]:
    wishes: dict[str, list[Wish]] = {}
    for index, grant in enumerate(document.grants):
        source = declared.locate("grants", index, "who")
        mine = wishes.setdefault(grant.who, [])
        for entitlement in grant.can:
            mine.append((Attribute(entitlement, grant.who), HELD, grant, source))
    for who, mine in wishes.items():
        _report_doubles(mine, declared, problems)
        grants, terms = in_force(mine, context.as_of)
        _add_assignment(who, mine, context.as_of, grants, terms)
        yield Wanted(
            address=Address(PROVIDER, document.workspace, ENTITLEMENTS, who),
            tenant=declared.tenant,
            source=mine[0][3],
            grants=_settled(who, grants),
            terms=terms,
            unlisted=Unlisted(document.unlisted),
            adopted=context.environment.name in declared.adopted,
            lifecycle=_lifecycle(document),
        )


def _add_assignment(
    who: str,
    wishes: Sequence[Wish],
    as_of: date,
    grants: dict[Attribute, Value],
    terms: dict[Attribute, Terms],
) -> None:
    """Being in the workspace lasts as long as the last of what is held there."""
    attribute = Attribute(ASSIGNMENT, who)
    longest = max(wishes, key=lambda wish: wish[2].until or date.max)
    until = longest[2].until
    terms[attribute] = Terms(source=longest[3], until=until, because=longest[2].because)
    if until is None or as_of <= until:
        grants[attribute] = USER


def _settled(who: str, grants: dict[Attribute, Value]) -> Mapping[Attribute, Value]:
    """Consumer access beside an entitlement that includes it says nothing: leave it out on both sides."""
    if any(Attribute(each, who) in grants for each in INCLUDES_CONSUME):
        grants.pop(Attribute(CONSUME, who), None)
    return grants


def _scope(
    declared: Declared, document: SecretScopeDocument, context: Context, problems: list[Problem]
) -> Wanted:
    wishes: list[Wish] = [
        (Attribute(ACL, grant.who), grant.can.upper(), grant, declared.locate("grants", index, "who"))
        for index, grant in enumerate(document.grants)
    ]
    _report_doubles(wishes, declared, problems)
    grants, terms = in_force(wishes, context.as_of)
    return Wanted(
        address=Address(PROVIDER, document.workspace, SECRET_SCOPE, document.name.lower()),
        tenant=declared.tenant,
        source=declared.source,
        grants={THE_SCOPE: PRESENT, **grants},
        terms=terms,
        unlisted=Unlisted(document.unlisted),
        adopted=context.environment.name in declared.adopted,
        lifecycle=_lifecycle(document),
        details=_details(document),
    )


def _details(document: SecretScopeDocument) -> Mapping[str, str]:
    details = {"name": document.name, "backend": document.backend}
    if document.resource_id and document.dns_name:
        details |= {"resource-id": document.resource_id, "dns-name": document.dns_name}
    for key in document.keys:
        details[f"key:{key.name}"] = (key.rotate_every or "").removesuffix("d")
    return details


def _report_doubles(wishes: Sequence[Wish], declared: Declared, problems: list[Problem]) -> None:
    first: dict[Attribute, Source] = {}
    for attribute, _, _, source in wishes:
        if attribute in first:
            what = attribute.role if attribute.role != ACL else "a right on this scope"
            problems.append(
                Problem(
                    source=source,
                    tenant=declared.tenant,
                    text=f"{attribute.principal} is given {what} here and at {first[attribute]}: keep one",
                )
            )
        first.setdefault(attribute, source)


def _lifecycle(document: Document) -> Lifecycle:
    if document.state == "active":
        return Lifecycle.ACTIVE
    return Lifecycle.DESTROYED if document.destroy else Lifecycle.RETIRED
