"""Load policies: files to documents, documents to what they claim, and everything that is wrong, all at once.

Its laws: no file makes this raise; one tenant's mistake blocks that tenant and no other.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from reconciler.core.approval import PLATFORM, Consent
from reconciler.core.consent import fingerprint
from reconciler.core.docket import Rules
from reconciler.core.model import Address, Attribute, Source
from reconciler.core.vocabulary import Declared, DocumentKind, Problem, Vocabulary
from reconciler.policy import principals
from reconciler.policy.claims import Claim, settle
from reconciler.policy.documents import ApprovalDocument, TenantDocument
from reconciler.policy.lock import read_lock
from reconciler.policy.overrides import RuleNames
from reconciler.policy.parse import APPROVAL, RULES, TENANT, Parsed, parse
from reconciler.policy.platform import Platform, build
from reconciler.policy.policies import ApprovalFile, Policies, Tenant, is_platforms
from reconciler.policy.rulebook import rulebook
from reconciler.policy.suggest import did_you_mean
from reconciler.policy.tree import TENANTS_FOLDER, Listing, Tree, is_approval, printable, tenant_of

_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def load(tree: Tree, vocabularies: Sequence[Vocabulary]) -> Policies:
    """Everything that a tree of policies says, with its errors as values.

    Raises PolicyError only where there is nothing to read at all: no such folder, no such commit.
    """
    with _no_collections():
        return _load(tree, vocabularies)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Leave the garbage collector alone: walking a growing estate again and again triples the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            # What was loaded stays for the whole run: later collections need not walk it either.
            gc.freeze()
            gc.enable()


def _load(tree: Tree, vocabularies: Sequence[Vocabulary]) -> Policies:
    listing = tree.read()
    kinds = {document.kind: document for each in vocabularies for document in each.documents}
    strangers = _strangers(listing)
    parsed, faults = parse(listing.files, {kind: each.model for kind, each in kinds.items()}, strangers)
    problems = [*listing.problems, *faults]
    for folder, text in strangers.items():
        source = Source(printable(f"{TENANTS_FOLDER}/{folder}"), 1)
        problems.append(Problem(source=source, text=text, tenant=folder))

    things = [kind.name for vocabulary in vocabularies for kind in vocabulary.kinds]
    platform, faults, notes = build([each for each in parsed if not each.tenant], things)
    problems.extend(faults)
    book, faults = rulebook([each for each in parsed if each.kind == "guardrail"], listing.files, things)
    problems.extend(faults)
    platform.complete &= not any(map(is_platforms, problems))
    rule_names = RuleNames.of(parsed, platform.complete)
    for each in parsed:
        if each.kind == RULES:
            (problems if rule_names.complete else notes).extend(rule_names.unknown(each))
    lock: dict[str, dict[str, str]] = {}
    lock_file = next((each for each in parsed if each.kind == "principals-lock"), None)
    if lock_file is not None:
        directories = frozenset(each.entra.name for each in platform.environments.values())
        lock, faults = read_lock(lock_file, directories)
        problems.extend(faults)

    tenants, faults = _tenants(parsed, platform)
    problems.extend(faults)
    claims, faults = settle(_claims(parsed, kinds, tenants), platform)
    problems.extend(faults)
    names, groups = principals.named(claims), principals.declared_groups(claims)
    problems.extend(principals.impostors(claims, names, groups, lock))
    notes.extend(principals.unpinned(names, groups, lock))
    notes.extend(_without_card(claims, tenants))
    approvals, faults, doubts = _approvals(parsed, platform, rule_names)
    problems.extend(faults)
    notes.extend(doubts)

    blocked = _blocked(problems)
    frozen = frozenset(blocked)
    return Policies(
        revision=tree.revision,
        environments=platform.environments,
        boundaries=tuple(platform.boundaries.values()),
        rules=replace(_with_groups_only(platform.rules, tenants.values()), custom=book),
        entitlements=platform.entitlements,
        lock=lock,
        tenants=tenants,
        declared={each.provider: tuple(_of_provider(each, claims, frozen)) for each in vocabularies},
        approvals=tuple(approvals),
        problems=_sorted(problems),
        notes=_sorted(notes),
        blocked=blocked,
    )


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(set(problems), key=lambda each: (each.source, each.text, each.tenant)))


def _strangers(listing: Listing) -> dict[str, str]:
    """Folders that cannot be a tenant's, with the reason."""
    folders = {tenant_of(file.path) for file in listing.files} - {""}
    strangers = {
        folder: "a tenant's folder is named with lower-case letters, digits and hyphens; rename it"
        for folder in folders
        if _TENANT.fullmatch(folder) is None
    }
    if PLATFORM in folders:
        strangers[PLATFORM] = "this name stands for the platform itself; rename the tenant"
    return strangers


def _tenants(parsed: Iterable[Parsed], platform: Platform) -> tuple[dict[str, Tenant], list[Problem]]:
    """The tenants by folder, each with what its card says; one without a card has adopted nothing."""
    tenants: dict[str, Tenant] = {}
    problems: list[Problem] = []
    for each in parsed:
        if each.kind != TENANT:
            continue
        if each.tenant in tenants:
            text = f"tenant {each.tenant} already has a card at {tenants[each.tenant].source}; keep one"
            problems.append(Problem(source=each.source, text=text, tenant=each.tenant))
            continue
        card: TenantDocument = each.model
        for number, name in enumerate(card.adopted):
            if name not in platform.environments and platform.complete:
                text = f"adopted: no environment {name!r}{did_you_mean(name, platform.environments)}"
                place = each.places("adopted", number)
                problems.append(Problem(source=place, text=text, tenant=each.tenant))
        tenants[each.tenant] = Tenant(
            folder=each.tenant,
            title=card.name,
            source=each.source,
            owners=card.owners,
            contacts=card.contacts,
            adopted=frozenset(card.adopted),
            groups_only=card.groups_only,
        )
    return tenants, problems


def _claims(
    parsed: Iterable[Parsed], kinds: dict[str, DocumentKind[Any]], tenants: dict[str, Tenant]
) -> Iterator[Claim]:
    for each in parsed:
        kind = kinds.get(each.kind)
        if kind is None or not each.tenant:
            continue
        tenant = tenants.get(each.tenant)
        declared = Declared(
            tenant=each.tenant,
            document=each.model,
            source=each.source,
            locate=each.places,
            adopted=tenant.adopted if tenant is not None else frozenset(),
        )
        yield Claim(declared, kind, tuple(kind.reach(declared)))


def _without_card(claims: Iterable[Claim], tenants: dict[str, Tenant]) -> Iterator[Problem]:
    for name in sorted({claim.declared.tenant for claim in claims} - tenants.keys()):
        yield Problem(
            source=Source(f"{TENANTS_FOLDER}/{name}", 1),
            text=f"{name} has no document of kind tenant, so it has adopted no environment: "
            "what is not listed is told and never revoked",
            tenant=name,
        )


def _approvals(
    parsed: Iterable[Parsed], platform: Platform, rule_names: RuleNames
) -> tuple[list[ApprovalFile], list[Problem], list[Problem]]:
    """The approvals that count, with what keeps others from it, and with notes."""
    files: list[ApprovalFile] = []
    problems: list[Problem] = []
    notes: list[Problem] = []
    for each in parsed:
        if each.kind != APPROVAL:
            continue
        document: ApprovalDocument = each.model
        if document.environment not in platform.environments and platform.complete:
            text = (
                f"no environment {document.environment!r}"
                f"{did_you_mean(document.environment, platform.environments)}"
            )
            place = each.places("environment")
            problems.append(Problem(source=place, text=text, tenant=each.tenant))
            continue
        # Approvals are kept for good, and outlive rules of the platform's own that they went past.
        notes.extend(rule_names.unknown(each))
        files.append(
            ApprovalFile(
                ident=fingerprint(document.model_dump(mode="json")),
                source=each.source,
                tenant=each.tenant,
                environment=document.environment,
                because=document.because,
                expires=document.expires,
                consents=tuple(_consents(each, document)),
                overrides={each.rule: each.because for each in document.override},
            )
        )
    return files, problems, notes


def _consents(parsed: Parsed, document: ApprovalDocument) -> Iterator[Consent]:
    for number, action in enumerate(document.actions):
        before = action.before
        yield Consent(
            verb=action.verb,
            address=Address.parse(action.address),
            attribute=Attribute(action.role, action.who),
            before=before if isinstance(before, tuple) else (before,),
            after=action.after,
            until=action.until,
            object_ids=action.ids,
            source=parsed.places("actions", number),
        )


def _blocked(problems: Iterable[Problem]) -> dict[str, tuple[Problem, ...]]:
    """Tenants in whose own documents something is wrong; a faulty approval just does not count."""
    reasons: dict[str, list[Problem]] = {}
    for each in _sorted(problems):
        if each.tenant not in ("", PLATFORM) and not is_approval(each.source.file):
            reasons.setdefault(each.tenant, []).append(each)
    return {tenant: tuple(own) for tenant, own in reasons.items()}


def _of_provider(
    vocabulary: Vocabulary, claims: Iterable[Claim], frozen: frozenset[str]
) -> Iterator[Declared]:
    own = {document.kind for document in vocabulary.documents}
    for claim in claims:
        if claim.kind.kind in own and claim.declared.tenant not in frozen:
            yield replace(claim.declared, blocked_tenants=frozen) if frozen else claim.declared


def _with_groups_only(rules: Rules, tenants: Iterable[Tenant]) -> Rules:
    wanting = {tenant.folder for tenant in tenants if tenant.groups_only}
    return replace(rules, groups_only=rules.groups_only | wanting)
