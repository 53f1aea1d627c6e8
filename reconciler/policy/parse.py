"""From files to valid documents: every fault of every file is told at once, and none stops another file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.core.approval import PLATFORM
from reconciler.core.model import Source
from reconciler.core.vocabulary import Problem
from reconciler.policy import characters
from reconciler.policy.documents import PLATFORM_DOCUMENTS, ApprovalDocument, TenantDocument
from reconciler.policy.faults import explain
from reconciler.policy.suggest import did_you_mean
from reconciler.policy.tree import (
    APPROVALS_FOLDER,
    PLATFORM_FOLDER,
    TENANTS_FOLDER,
    File,
    is_approval,
    tenant_of,
)
from reconciler.policy.yaml_nodes import MAX_FAULTS, Document, Places, read, shorten

Models = Mapping[str, type[BaseModel]]

APPROVAL, RULES, TENANT = "approval", "approval-rules", "tenant"


@dataclass(frozen=True, slots=True)
class Parsed:
    """One valid document, still as its model."""

    kind: str
    tenant: str
    """"" for the platform's documents."""
    model: Any
    places: Places
    source: Source


@dataclass(frozen=True, slots=True)
class Area:
    """Which kinds belong into a folder."""

    folder: str
    models: Models


def parse(
    files: Iterable[File], vocabulary: Models, tenant_fault: Mapping[str, str]
) -> tuple[list[Parsed], list[Problem]]:
    """Every valid document in order of place, and every fault of the others.

    `tenant_fault` names folders that are no tenant's, with the reason: their files are not looked at.
    """
    approvals = Area(APPROVALS_FOLDER, {APPROVAL: ApprovalDocument})
    platform = Area(PLATFORM_FOLDER, PLATFORM_DOCUMENTS)
    tenants = Area(TENANTS_FOLDER, {TENANT: TenantDocument, **vocabulary})
    areas = (platform, tenants, approvals)
    parsed: list[Parsed] = []
    problems: list[Problem] = []
    for file in files:
        tenant = tenant_of(file.path)
        if tenant in tenant_fault:
            continue
        if not tenant and file.path.startswith(f"{TENANTS_FOLDER}/"):
            problems.append(
                Problem(
                    source=Source(file.path, 1),
                    text=f"belongs to no tenant; move it into a folder of {TENANTS_FOLDER}/",
                )
            )
            continue
        area = tenants if tenant else platform
        if is_approval(file.path):
            area = approvals
            tenant = tenant or PLATFORM
        _parse_file(file, tenant, area, areas, parsed, problems)
    return parsed, problems


def _parse_file(
    file: File,
    tenant: str,
    area: Area,
    areas: Iterable[Area],
    parsed: list[Parsed],
    problems: list[Problem],
) -> None:
    path = file.path

    def tell(source: Source, text: str) -> None:
        problems.append(Problem(source=source, text=text, tenant=tenant))

    text, unreadable = characters.decode(file.data)
    if unreadable is not None:
        tell(Source(path, unreadable.line, unreadable.column), unreadable.text)
        return
    documents, faults = read(text)
    for fault in faults:
        tell(Source(path, fault.line, fault.column), fault.text)
    look = characters.needs_look(text)
    for document in documents:
        if not document.sound:
            continue
        places = Places(path, document.mark)
        value = document.value
        kind = value.get("kind")
        # Consent may have to name what somebody odd created, to take it away; `approve` spells it in escapes.
        if look and kind != APPROVAL:
            odd = list(islice(characters.faults(document), MAX_FAULTS))
            for fault in odd:
                tell(Source(path, fault.line, fault.column), fault.text)
            if odd:
                continue
        model = area.models.get(kind) if kind.__class__ is str else None
        if model is None:
            tell(*_no_kind(value, places, area, areas))
            continue
        try:
            instance = model.model_validate(value)
        except ValidationError as error:
            told = list(explain(error, model, value, places))
            instance = None
        else:
            told = []
        if document.empty and kind != APPROVAL:
            told.extend(_empty(document, path, {source for source, _ in told}))
        for source, said in told:
            tell(source, said)
        if not told:
            parsed.append(Parsed(kind, tenant, instance, places, places()))


def _empty(document: Document, path: str, told: set[Source]) -> Iterator[tuple[Source, str]]:
    """Keys without a value, as far as nothing else was said of them: somebody forgot something there."""
    lines = {source.line for source in told}
    for place in document.empty:
        source = Source(path, place >> 40, place >> 20 & 0xFFFFF)
        if source.line not in lines:
            yield source, "has no value; write one ([] for an empty list), or remove the key"


def _no_kind(value: dict[str, Any], places: Places, area: Area, areas: Iterable[Area]) -> tuple[Source, str]:
    """Why a document's kind is none that belongs here."""
    kind = value.get("kind")
    if kind is None:
        known = ", ".join(sorted(area.models))
        return places("kind"), f"a document says what it is: add `kind:`, one of {known}"
    if not isinstance(kind, str):
        return places("kind"), "kind: has to be text"
    for other in areas:
        if kind in other.models:
            place = f"{TENANTS_FOLDER}/<tenant>/{APPROVALS_FOLDER}" if kind == APPROVAL else other.folder
            return places("kind"), f"kind: {shorten(kind)} belongs into {place}/, not here"
    return places("kind"), f"kind: {shorten(kind)} is unknown{did_you_mean(kind, area.models)}"
