"""From the platform's documents to what the rest of the program works with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from reconciler.core.approval import Entitlement
from reconciler.core.docket import Limit, Rules, Together
from reconciler.core.environment import (
    AcceptedGap,
    ContainerSettings,
    DatabricksSettings,
    EntraSettings,
    Environment,
    InventorySettings,
    LakeSettings,
    StoreSettings,
    WorkspaceSettings,
)
from reconciler.core.model import Source, Verb
from reconciler.core.vocabulary import Boundary, Problem
from reconciler.policy.documents import (
    ApprovalRulesDocument,
    BoundariesDocument,
    EnvironmentDocument,
    GuardrailsDocument,
    InventoryShape,
    Limits,
    LimitShape,
)
from reconciler.policy.parse import Parsed
from reconciler.policy.suggest import did_you_mean

KINDS_OF = {"groups": "group", "workspaces": "entitlements", "scopes": "secret-scope", "folders": "folder"}
"""The words of a boundary, and the kinds of things that they are about."""

WITHOUT = Limit(count=10, percent=30.0)
"""What holds for figures that nobody wrote: never nothing, however few there are of a kind."""


@dataclass(slots=True)
class Platform:
    """What the folder `policies/` comes to, as far as it is valid."""

    environments: dict[str, Environment] = field(default_factory=dict)
    boundaries: dict[tuple[str, str, str], Boundary] = field(default_factory=dict)
    """By tenant, kind and installation."""
    bounded: dict[str, Source] = field(default_factory=dict)
    """Tenants that have a boundary, be it an empty one."""
    rules: Rules = field(default_factory=lambda: _rules(GuardrailsDocument(kind="guardrails")))
    entitlements: tuple[Entitlement, ...] = ()
    complete: bool = True
    """False when a part is missing or wrong, so that its absence proves nothing about tenants."""

    def installations(self, word: str) -> frozenset[str]:
        """Logical names that some environment maps, for one word of a boundary."""
        names: set[str] = set()
        for environment in self.environments.values():
            if word == "folders":
                names.update(environment.lakes)
            elif word != "groups" and environment.databricks is not None:
                names.update(environment.databricks.workspaces)
        return frozenset(names)

    def containers(self, lake: str) -> frozenset[str]:
        """Containers that some environment knows in a lake."""
        return frozenset(
            container
            for environment in self.environments.values()
            if lake in environment.lakes
            for container in environment.lakes[lake].containers
        )


def build(parsed: Sequence[Parsed], kinds: Iterable[str]) -> tuple[Platform, list[Problem], list[Problem]]:
    """The platform's settings, with errors and notes.  `kinds` are those of things in addresses."""
    platform = Platform()
    problems: list[Problem] = []
    notes: list[Problem] = []
    by_kind: dict[str, list[Parsed]] = {}
    for each in parsed:
        by_kind.setdefault(each.kind, []).append(each)
    problems.extend(_environments(by_kind.get("environment", ()), platform))
    problems.extend(_boundaries(by_kind.get("boundaries", ()), platform))
    for kind in ("guardrails", "principals-lock"):
        first, *others = by_kind.get(kind, ()) or (None,)
        for other in others:
            text = f"kind: {kind} is already given at {first.source if first else ''}; merge the two"
            problems.append(Problem(source=other.source, text=text))
    if "guardrails" in by_kind:
        document = by_kind["guardrails"][0]
        platform.rules = _rules(document.model)
        problems.extend(_unknown_kinds(document, frozenset(kinds)))
    for kind, meaning in (
        ("guardrails", "at most 10 grants and 30 % of a kind are taken away at once"),
        ("approval-rules", "nobody may approve anything"),
    ):
        if kind not in by_kind:
            text = f"no document of kind {kind} here: {meaning}"
            notes.append(Problem(source=Source("policies", 1), text=text))
    rules = by_kind.get("approval-rules", ())
    platform.entitlements = tuple(rule for each in rules for rule in _entitlements(each.model))
    problems.extend(fault for each in rules for fault in _misspelt_rules(each, frozenset(kinds)))
    return platform, problems, notes


def _environments(documents: Iterable[Parsed], platform: Platform) -> Iterator[Problem]:
    first: dict[str, Parsed] = {}
    directories: dict[str, tuple[str, Source]] = {}
    for each in documents:
        model: EnvironmentDocument = each.model
        if model.name in first:
            text = f"environment {model.name} is already given at {first[model.name].source}; rename one"
            yield Problem(source=each.places("name"), text=text)
            continue
        first[model.name] = each
        tenant, place = directories.setdefault(
            model.entra.name, (model.entra.tenant_id, each.places("entra", "tenant-id"))
        )
        if tenant != model.entra.tenant_id:
            yield Problem(
                source=each.places("entra", "name"),
                text=f"entra.name {model.entra.name!r} stands for another directory at {place}; give this "
                "one another name, as addresses and the lock file go by it",
            )
        yield from _strange_containers(each)
        platform.environments[model.name] = _environment(model)
    if not first:
        platform.complete = False
        yield Problem(
            source=Source("policies", 1),
            text="no valid document of kind environment: without one nothing has a place",
        )


def _strange_containers(document: Parsed) -> Iterator[Problem]:
    """Containers that an inventory is to be read for, and in which nothing may be declared."""
    model: EnvironmentDocument = document.model
    for name, lake in model.lakes.items():
        for number, container in enumerate(lake.inventory.containers if lake.inventory else ()):
            if container not in lake.containers:
                yield Problem(
                    source=document.places("lakes", name, "inventory", "containers", number),
                    text=f"lakes.{name}.inventory.containers: the lake has no container {container!r}"
                    f"{did_you_mean(container, frozenset(lake.containers))}",
                )


def _environment(model: EnvironmentDocument) -> Environment:
    databricks = model.databricks
    return Environment(
        name=model.name,
        entra=EntraSettings(**model.entra.model_dump()),
        databricks=None
        if databricks is None
        else DatabricksSettings(
            account_id=databricks.account_id,
            account_host=databricks.account_host,
            identity_sync=databricks.identity_sync,
            workspaces={
                name: WorkspaceSettings(name=name, host=each.host, workspace_id=each.workspace_id)
                for name, each in databricks.workspaces.items()
            },
        ),
        lakes={
            name: LakeSettings(
                name=name,
                dfs=lake.dfs,
                blob=lake.blob,
                resource_id=lake.resource_id,
                containers={
                    container: ContainerSettings(name=container, traverse=each.traverse)
                    for container, each in lake.containers.items()
                },
                inventory=None if lake.inventory is None else _inventory(lake.inventory),
            )
            for name, lake in model.lakes.items()
        },
        azure_credential=model.azure_credential,
        databricks_credential=model.databricks_credential,
        ca_file=model.ca_file,
        store=StoreSettings(folder=model.store.folder, container=model.store.container),
        accepted_gaps=tuple(
            AcceptedGap(address=gap.address, until=gap.until, because=gap.because)
            for gap in model.accepted_gaps
        ),
        patience=model.patience,
    )


def _inventory(model: InventoryShape) -> InventorySettings:
    number, unit = int(model.max_age[:-1]), model.max_age[-1]
    return InventorySettings(
        container=model.container,
        rule=model.rule,
        prefix=model.prefix,
        max_age=timedelta(hours=number) if unit == "h" else timedelta(days=number),
        containers=frozenset(model.containers),
        names=model.names,
        percent_encoded=model.percent_encoded,
    )


def _boundaries(documents: Sequence[Parsed], platform: Platform) -> Iterator[Problem]:
    if not documents:
        platform.complete = False
        yield Problem(
            source=Source("policies", 1),
            text="no valid document of kind boundaries: without one no tenant may declare anything",
        )
    collected: dict[tuple[str, str, str], list[str]] = {}
    for each in documents:
        model: BoundariesDocument = each.model
        for tenant, boundary in model.tenants.items():
            place = each.places.key("tenants", tenant)
            if tenant in platform.bounded:
                text = f"tenant {tenant} already has a boundary at {platform.bounded[tenant]}; merge the two"
                yield Problem(source=place, text=text)
                continue
            platform.bounded[tenant] = place
            for word, kind in KINDS_OF.items():
                for number, pattern in enumerate(getattr(boundary, word)):
                    names, inner, fault = _placed(word, pattern, platform)
                    if fault:
                        source = each.places("tenants", tenant, word, number)
                        yield Problem(source=source, text=f"tenants.{tenant}.{word}: {fault}")
                    for name in names:
                        collected.setdefault((tenant, kind, name), []).extend(inner)
    platform.boundaries = {
        key: Boundary(tenant=key[0], kind=key[1], installation=key[2], patterns=tuple(patterns))
        for key, patterns in sorted(collected.items())
    }


def _placed(word: str, pattern: str, platform: Platform) -> tuple[list[str], tuple[str, ...], str]:
    """The installations that a pattern is about, the patterns within them, and what is wrong with it."""
    if word == "groups":
        return [""], (pattern,), ""
    installation, _, inner = pattern.partition("/")
    if word == "workspaces":
        if inner:
            return [], (), f"{pattern!r} is no workspace; write its name alone"
        inner = "**"
    elif not inner:
        shape = "workspace/scope" if word == "scopes" else "lake/container/path"
        return [], (), f"{pattern!r} names no {word[:-1]}; write {shape}"
    known = platform.installations(word)
    names = sorted(name for name in known if fnmatchcase(name, installation))
    if not names and platform.environments:
        what = "lake" if word == "folders" else "workspace"
        return [], (), f"no environment knows a {what} {installation!r}{did_you_mean(installation, known)}"
    # A folder is declared with everything below it, so its boundary goes as deep.
    below = word == "folders" and not inner.endswith("**")
    return names, (inner, f"{inner}/**") if below else (inner,), ""


def _limits(limits: Limits) -> dict[str, Limit]:
    return {kind: _limit(limit) for kind, limit in limits.items()}


def _limit(limit: LimitShape) -> Limit:
    return Limit(count=limit.count, percent=limit.percent)


def _rules(model: GuardrailsDocument) -> Rules:
    chosen: dict[str, Any] = {} if model.wide is None else {"wide": model.wide}
    removals, together = _limits(model.removals), model.removals_together
    rest = removals.get("*", WITHOUT)
    removals["*"] = Limit(
        count=WITHOUT.count if rest.count is None else rest.count,
        percent=WITHOUT.percent if rest.percent is None else rest.percent,
    )
    return Rules(
        removals=removals,
        together=Together(
            tenant=_limit(together.tenant), kind=_limit(together.kind), all=_limit(together.all)
        ),
        tenant_removals={tenant: _limits(limits) for tenant, limits in model.tenant_removals.items()},
        protected=frozenset((*model.own_identities, *model.break_glass)),
        groups_only=frozenset(model.groups_only),
        admin_groups=model.protected_admins,
        **chosen,
    )


def _unknown_kinds(document: Parsed, kinds: frozenset[str]) -> Iterator[Problem]:
    """Limits for kinds that do not exist would limit nothing."""
    model: GuardrailsDocument = document.model
    tables: list[tuple[tuple[str, ...], Mapping[str, object]]] = [(("removals",), model.removals)]
    tables += [(("tenant-removals", tenant), limits) for tenant, limits in model.tenant_removals.items()]
    for path, table in tables:
        for kind in table:
            if kind != "*" and kind not in kinds:
                yield Problem(
                    source=document.places.key(*path, kind),
                    text=f"{'.'.join(path)}: no kind {kind!r}{did_you_mean(kind, kinds)}",
                )


def _entitlements(model: ApprovalRulesDocument) -> Iterator[Entitlement]:
    for rule in model.rules:
        yield Entitlement(
            approvers=frozenset(rule.who),
            tenants=rule.tenants,
            kinds=rule.kinds,
            verbs=rule.verbs,
            overrides=rule.overrides,
        )


def _misspelt_rules(document: Parsed, kinds: frozenset[str]) -> Iterator[Problem]:
    """A rule for a kind or verb that does not exist would let nobody approve anything, silently."""
    model: ApprovalRulesDocument = document.model
    verbs = frozenset(verb.value for verb in Verb)
    for position, rule in enumerate(model.rules):
        for word, given, known in (("kinds", rule.kinds, kinds), ("verbs", rule.verbs, verbs)):
            for number, pattern in enumerate(given):
                if not any(fnmatchcase(name, pattern) for name in known):
                    yield Problem(
                        source=document.places("rules", position, word, number),
                        text=f"rules[{position}].{word}: no such thing as {pattern!r}"
                        f"{did_you_mean(pattern, known)}",
                    )
