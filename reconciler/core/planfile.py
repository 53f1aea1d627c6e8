"""The plan as JSON: a public, versioned format, the same bytes for the same plan.

Readers refuse a format that they do not know and a digest that does not match the content.

What the format gained since its first plans is left out where there is nothing to say: a plan without it has
the bytes and the digest that it always had, and is read.  A reader that is older than a field refuses a plan
that uses it, as it refuses everything that it would have to drop.

Of how a place was read the plan says what its content hangs on: by what, how many paths were met, why not by
the reader of first choice, and of what age an inventory was.  How many requests that took, and in how many
goes, differs from run to run over the same live state: it is told beside a plan and is no part of it, as
equal inputs have to give equal bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from reconciler.core.consent import action_id, canonical, fingerprint
from reconciler.core.errors import BadPlanFile
from reconciler.core.model import Address, Attribute, Evidence, Finding, Gap, Reading, Source, Verb
from reconciler.core.plan import Action, Blocked, Cause, Plan, Violation

FORMAT = "reconciler/plan/v1"
STAGES = ("blocked", "next")
"""What a wanted fact that is no action waits for: a person, or the rest of the plan."""


def sealed(plan: Plan) -> Plan:
    """The plan with the digest of its content."""
    return replace(plan, digest=_digest(plan))


def to_document(plan: Plan) -> dict[str, Any]:
    """The plan in JSON-ready form; seals it if it is not yet."""
    return {**_content(plan, plan.actions), "digest": plan.digest or _digest(plan)}


def from_document(document: Any) -> Plan:
    """The plan that a document holds.

    Raises BadPlanFile for another format, a digest that does not match, an action whose id is not that of
    its own words, and anything that is not shaped exactly like a plan: what a reader would have to drop or
    to bend is nothing that somebody consented to.
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, Mapping) else type(document).__name__
        raise BadPlanFile(
            f"this is no plan of format {FORMAT!r} (found {found!r}); make it anew with `plan --out`"
        )
    content = {key: value for key, value in document.items() if key != "digest"}
    if fingerprint(content) != document.get("digest"):
        raise BadPlanFile("the digest does not match the content: the file was edited; make the plan anew")
    try:
        plan = _plan(content, str(document["digest"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadPlanFile(f"the plan file is damaged: {error}; make it anew with `plan --out`") from None
    if _digest(plan) != plan.digest:
        raise BadPlanFile(
            "the plan file holds what no plan of this format does; make it anew with `plan --out`"
        )
    known: set[str] = set()
    for action in plan.actions:
        if action.id != identity_of(action):
            raise BadPlanFile(f"action {action.id[:12]} is not what its id says; make the plan anew")
        if action.id in known:
            raise BadPlanFile(f"action {action.id[:12]} stands in the plan file twice; make the plan anew")
        known.add(action.id)
    return plan


def identity_of(action: Action) -> str:
    """The id that the words of an action come to."""
    return action_id(
        action.environment, action.verb, action.address, action.attribute, action.before, action.after,
        action.until, action.object_ids,
    )  # fmt: skip


def action_document(action: Action) -> dict[str, Any]:
    """One action in JSON-ready form."""
    return {
        "id": action.id,
        "verb": action.verb.value,
        "address": str(action.address),
        "role": action.attribute.role,
        "principal": action.attribute.principal,
        "before": list(action.before),
        "after": action.after,
        "until": action.until.isoformat() if action.until else None,
        "object_ids": dict(sorted(action.object_ids.items())),
        "tenant": action.tenant,
        "cause": action.cause.value,
        "source": _source(action.source),
        "because": action.because,
        "needs": list(action.needs),
        "evidence": _evidence(action.evidence),
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    document: dict[str, Any] = {
        "counts": dict(sorted(evidence.counts.items())),
        "samples": list(evidence.samples),
    }
    if evidence.lists:
        document["files"] = evidence.files
        document["folders"] = evidence.folders
        document["distinct"] = evidence.distinct
        document["lists"] = [{"list": text, "paths": paths} for text, paths in evidence.lists]
    return document


def _digest(plan: Plan) -> str:
    """The `fingerprint` of a plan's content, one action after the other.

    The text of a million actions at once would take gigabytes.  `actions` is the first key in order.
    """
    beside = _content(plan, ())
    del beside["actions"]
    found = hashlib.sha256(b'{"actions":[')
    for number, action in enumerate(plan.actions):
        found.update(b"," if number else b"")
        found.update(canonical(action_document(action)).encode("ascii"))
    found.update(b"],")
    found.update(canonical(beside)[1:].encode("ascii"))
    return found.hexdigest()


def _content(plan: Plan, actions: Sequence[Action]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "environment": plan.environment,
        "revision": plan.revision,
        "as_of": plan.as_of.isoformat(),
        "managed": plan.managed,
        "actions": [action_document(action) for action in actions],
        "blocked": [
            {
                "address": str(each.address),
                "role": each.attribute.role,
                "principal": each.attribute.principal,
                "tenant": each.tenant,
                "source": _source(each.source),
                "reason": each.reason,
                "stage": each.stage,
            }
            for each in plan.blocked
        ],
        "gaps": [
            {
                "address": str(gap.address),
                "reason": gap.reason,
                "status": gap.status,
                "accepted": gap.accepted,
            }
            for gap in plan.gaps
        ],
        "findings": [
            {
                "rule": finding.rule,
                "address": str(finding.address),
                "text": finding.text,
                "tenant": finding.tenant,
                "source": _source(finding.source) if finding.source else None,
            }
            for finding in plan.findings
        ],
        "violations": [
            {
                "rule": violation.rule,
                "tenant": violation.tenant,
                "text": violation.text,
                "actions": list(violation.actions),
                "overridable": violation.overridable,
            }
            for violation in plan.violations
        ],
        "problems": list(plan.problems),
        "unpinned": list(plan.unpinned),
        **({"readings": [_reading(each) for each in plan.readings]} if plan.readings else {}),
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "place": reading.place,
        "reader": reading.reader,
        "paths": reading.paths,
        "why": reading.why,
        "as_of": reading.as_of,
    }


def _source(source: Source) -> dict[str, Any]:
    return {"file": source.file, "line": source.line, "column": source.column}


def _plan(content: Mapping[str, Any], digest: str) -> Plan:
    environment = str(content["environment"])
    return Plan(
        environment=environment,
        revision=str(content["revision"]),
        as_of=date.fromisoformat(content["as_of"]),
        managed=_number(content["managed"], 0),
        actions=tuple(read_action(environment, each) for each in content["actions"]),
        blocked=tuple(_blocked(each) for each in content["blocked"]),
        gaps=tuple(_gap(each) for each in content["gaps"]),
        findings=tuple(_finding(each) for each in content["findings"]),
        violations=tuple(_violation(each) for each in content["violations"]),
        problems=tuple(map(str, content["problems"])),
        unpinned=tuple(map(str, content["unpinned"])),
        readings=tuple(_read_reading(each) for each in content.get("readings", ())),
        digest=digest,
    )


def read_action(environment: str, each: Mapping[str, Any]) -> Action:
    """The action that `action_document` wrote; raises KeyError, TypeError, ValueError for anything else."""
    return Action(
        id=str(each["id"]),
        environment=environment,
        verb=Verb(each["verb"]),
        address=Address.parse(each["address"]),
        attribute=_attribute(each),
        before=_starts(each["before"]),
        after=None if each["after"] is None else _text(each["after"]),
        until=date.fromisoformat(each["until"]) if each["until"] else None,
        object_ids={name: _text(ident) for name, ident in each["object_ids"].items()},
        tenant=str(each["tenant"]),
        cause=Cause(each["cause"]),
        source=_place(each["source"]),
        because=str(each["because"]),
        needs=tuple(map(_text, each["needs"])),
        evidence=_read_evidence(each["evidence"]),
    )


def _read_evidence(each: Mapping[str, Any]) -> Evidence:
    counts = {value: _number(paths, 0) for value, paths in each["counts"].items()}
    samples = tuple(map(_text, each["samples"]))
    if "lists" not in each:
        return Evidence(counts=counts, samples=samples)
    return Evidence(
        counts=counts,
        samples=samples,
        files=_number(each["files"], 0),
        folders=_number(each["folders"], 0),
        distinct=_number(each["distinct"], 1),
        lists=tuple((_text(one["list"]), _number(one["paths"], 1)) for one in each["lists"]),
    )


def _read_reading(each: Mapping[str, Any]) -> Reading:
    return Reading(
        place=_text(each["place"]),
        reader=_text(each["reader"]),
        paths=_number(each["paths"], 0),
        why=_text(each["why"]),
        as_of=_text(each["as_of"]),
    )


def _attribute(each: Mapping[str, Any]) -> Attribute:
    return Attribute(_text(each["role"]), _text(each["principal"]))


def _starts(values: Any) -> tuple[str | None, ...]:
    starts = tuple(None if value is None else _text(value) for value in values)
    if not starts:
        raise ValueError("an action starts from no value")
    return starts


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} stands where a text should")
    return value


def _number(value: Any, least: int) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{value!r} stands where a whole number from {least} on should")
    return value


def _place(each: Mapping[str, Any]) -> Source:
    return Source(str(each["file"]), _number(each["line"], 1), _number(each["column"], 1))


def _blocked(each: Mapping[str, Any]) -> Blocked:
    return Blocked(
        address=Address.parse(each["address"]),
        attribute=_attribute(each),
        tenant=str(each["tenant"]),
        source=_place(each["source"]),
        reason=str(each["reason"]),
        stage=STAGES[STAGES.index(each["stage"])],
    )


def _gap(each: Mapping[str, Any]) -> Gap:
    return Gap(
        address=Address.parse(each["address"]),
        reason=str(each["reason"]),
        status=str(each["status"]),
        accepted=str(each["accepted"]),
    )


def _finding(each: Mapping[str, Any]) -> Finding:
    return Finding(
        rule=str(each["rule"]),
        address=Address.parse(each["address"]),
        text=str(each["text"]),
        tenant=str(each["tenant"]),
        source=_place(each["source"]) if each["source"] else None,
    )


def _violation(each: Mapping[str, Any]) -> Violation:
    return Violation(
        rule=str(each["rule"]),
        tenant=str(each["tenant"]),
        text=str(each["text"]),
        actions=tuple(map(_text, each["actions"])),
        overridable=bool(each["overridable"]),
    )
