"""Read secret scopes: who may use them, and how old the secrets in them are, by name only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple, TypeVar

from reconciler.core.model import PRESENT, Attribute, Found, Identity, Presence, Value, Wanted
from reconciler.providers.contract import Directory
from reconciler.providers.databricks.boundaries import tenants, watches
from reconciler.providers.databricks.canonical import GROUP, Malformed, Scope
from reconciler.providers.databricks.client import Failure, Host
from reconciler.providers.databricks.kinds import ACL, MANAGE, SECRET_SCOPE, THE_SCOPE
from reconciler.providers.databricks.labelling import labels_for
from reconciler.providers.databricks.roster import Ambiguous, Labels, Roster
from reconciler.providers.databricks.secrets_api import BACKENDS, list_acl, list_scopes, list_secrets
from reconciler.providers.databricks.site import Reading

T = TypeVar("T")
RANKS = ("READ", "WRITE", MANAGE)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was read of one scope."""

    want: Wanted
    scope: Scope
    acl: list[tuple[str, Value]] | Exception
    ages: Mapping[str, float] | Exception


def read_scopes(
    reading: Reading,
    wanted: Sequence[Wanted],
    identities: Mapping[str, Identity],
    directory: Directory,
    as_of: date,
    pool: Executor,
    progress: Callable[[int, int], None],
) -> None:
    """Fill in everything about secret scopes; what fails becomes gaps."""
    if not wanted and not watches(reading.boundaries, SECRET_SCOPE):
        return
    host = reading.site.host
    try:
        scopes = list_scopes(host)
        _tell_unmanaged(reading, scopes, wanted)
        present = [want for want in wanted if want.address.locator in scopes]
        if not present:
            return
        myself = reading.site.myself()
        answers = _ask(host, [(want, scopes[want.address.locator]) for want in present], pool, progress)
        wires = {wire for each in answers if not isinstance(each.acl, Exception) for wire, _ in each.acl}
        labels = labels_for(reading.site, reading.people, identities, directory, wires, granted(present))
    except (Failure, Malformed) as error:
        reading.gap_all(SECRET_SCOPE, wanted, error)
        return
    for answer in answers:
        _enter(reading, answer, labels, identities, myself)
        _tell_keys(reading, answer, as_of)


def _ask(
    host: Host, chosen: Sequence[tuple[Wanted, Scope]], pool: Executor, progress: Callable[[int, int], None]
) -> list[_Answer]:
    """One request per scope, and one more where keys are declared; bounded by the pool."""

    def ask(each: tuple[Wanted, Scope]) -> _Answer:
        want, scope = each
        keys = any(detail.startswith("key:") for detail in want.details)
        return _Answer(
            want,
            scope,
            _or_error(lambda: list_acl(host, scope.name)),
            _or_error(lambda: list_secrets(host, scope.name)) if keys else {},
        )

    answers = []
    for answer in pool.map(ask, chosen):
        answers.append(answer)
        progress(len(answers), len(chosen))
    return answers


def _or_error(read: Callable[[], T]) -> T | Exception:
    try:
        return read()
    except (Failure, Malformed) as error:
        return error


def granted(wanted: Iterable[Wanted]) -> set[str]:
    """Everybody whom the policies give something."""
    return {fact.principal for want in wanted for fact in want.grants if fact.principal}


class Facts(NamedTuple):
    """An ACL in the words of the policies, with the names that stand for each principal on the wire."""

    grants: dict[Attribute, Value]
    kept: dict[Attribute, str]
    wires: dict[str, list[str]]


def facts_of(acl: Iterable[tuple[str, Value]], labels: Labels, myself: frozenset[str]) -> Facts:
    """What an ACL says; raises Ambiguous where one of its names may mean several."""
    facts = Facts({THE_SCOPE: PRESENT}, {}, {})
    for wire, permission in acl:
        principal = labels.of(wire)
        attribute = Attribute(ACL, principal)
        facts.grants[attribute] = _wider(facts.grants.get(attribute), permission)
        facts.wires.setdefault(principal, []).append(wire)
        reason = _why_kept(wire, permission, myself) or labels.doubts.get(principal, "")
        if reason:
            facts.kept[attribute] = reason
    return facts


def _wider(one: Value | None, other: Value) -> Value:
    """What somebody holds who is on the list under two spellings of one name."""
    if one is None or one == other:
        return other
    ranked = [value for value in RANKS if value in (one, other)]
    return ranked[-1] if len(ranked) == 2 else "+".join(sorted({one, other}))


def _why_kept(wire: str, permission: Value, myself: frozenset[str]) -> str:
    """Why an entry is not to be removed by anybody's plan; "" when it may be."""
    if permission == MANAGE and wire.lower() in myself:
        return "it is the reconciler's own, which it needs to manage the scope"
    if permission == MANAGE and wire == "admins":
        return "workspace admins manage every scope, whatever its ACL says"
    return ""


def conflict_of(principals: Iterable[str], identities: Mapping[str, Identity], roster: Roster) -> str:
    """Why the name of one of these would bind to somebody else; "" when all are safe."""
    for principal in sorted(principals):
        identity = identities[principal]
        if identity.presence is Presence.KNOWN:
            conflict = roster.namesake(principal, identity)
            if conflict:
                return conflict
    return ""


def _unreadable(principals: Iterable[str], identities: Mapping[str, Identity]) -> str:
    """Why it cannot be told which entries are these principals'; "" when it can."""
    for principal in sorted(principals):
        identity = identities[principal]
        if identity.presence is Presence.UNREADABLE:
            return f"who {principal} is could not be read: {identity.reason}"
    return ""


def _keep_doubtful(facts: Facts, principals: Iterable[str], identities: Mapping[str, Identity]) -> None:
    """Whoever bears the name of somebody who cannot be resolved keeps what they hold: it may be them."""
    doubtful = {
        principal.partition(":")[2].casefold(): f"it may be {principal}: {identities[principal].reason}"
        for principal in principals
        if identities[principal].presence is not Presence.KNOWN
    }
    for label, wires in facts.wires.items():
        reason = next((doubtful[wire.casefold()] for wire in wires if wire.casefold() in doubtful), "")
        if reason:
            facts.kept.setdefault(Attribute(ACL, label), reason)


def _enter(
    reading: Reading,
    answer: _Answer,
    labels: Labels,
    identities: Mapping[str, Identity],
    myself: frozenset[str],
) -> None:
    """Enter one scope as found or as a gap."""
    want, address = answer.want, answer.want.address
    if isinstance(answer.acl, Exception):
        reading.gap(address, answer.acl)
        return
    conflict = _unreadable(granted([want]), identities) or conflict_of(
        granted([want]), identities, labels.roster
    )
    if conflict:
        reading.gap(address, conflict)
        return
    try:
        facts = facts_of(answer.acl, labels, myself)
    except Ambiguous as error:
        reading.gap(address, error)
        return
    _keep_doubtful(facts, granted([want]), identities)
    reading.found[address] = Found(address=address, grants=facts.grants, kept=facts.kept)
    _tell_outsiders(reading, want, facts, identities, labels.roster)
    for principal, wires in facts.wires.items():
        if principal.startswith("id:") and principal not in labels.doubts:
            text = f"{wires[0]} is on the ACL, and Entra does not know {principal.removeprefix('id:')}"
            reading.tell("dangling", address, text, want)
    _tell_backend(reading, answer)


def _tell_outsiders(
    reading: Reading, want: Wanted, facts: Facts, identities: Mapping[str, Identity], roster: Roster
) -> None:
    """Groups that are to get a right and are not in the workspace, nor on their way there."""
    for principal in sorted(granted([want]) - facts.wires.keys() - reading.arriving):
        identity = identities[principal]
        if not principal.startswith(f"{GROUP}:") or identity.presence is not Presence.KNOWN:
            continue
        if roster.match(principal, identity).resident is None:
            text = (
                f"{principal} is not in this workspace, so that no right can be given to it: declare its "
                "entitlements there"
            )
            reading.tell("unassigned", want.address, text, want)


def _tell_backend(reading: Reading, answer: _Answer) -> None:
    want, scope = answer.want, answer.scope
    declared = want.details.get("backend", "")
    if not declared:
        # No document speaks of it any more: there is nothing to hold it against.
        return
    if scope.backend != BACKENDS.get(declared):
        text = (
            f"keeps its secrets in {scope.backend}, and the document says {declared}: a scope's back end "
            "cannot change, only a new scope can have another"
        )
        reading.tell("backend", want.address, text, want)
    elif scope.vault[0].lower() != want.details.get("resource-id", "").lower():
        text = f"shows the key vault {scope.vault[0]}, and the document names another"
        reading.tell("backend", want.address, text, want)


def _tell_keys(reading: Reading, answer: _Answer, as_of: date) -> None:
    """Secrets that are missing or too old: names and ages."""
    want = answer.want
    if isinstance(answer.ages, Exception):
        reading.gap(reading.site.address(want.address.kind, f"{want.address.locator}/keys"), answer.ages)
        return
    for detail, limit in want.details.items():
        if not detail.startswith("key:"):
            continue
        name = detail.removeprefix("key:")
        changed = answer.ages.get(name.lower())
        if changed is None:
            reading.tell("missing-key", want.address, f"secret {name} is not there", want)
            continue
        age = (as_of - datetime.fromtimestamp(changed, UTC).date()).days
        if limit and age > int(limit):
            text = f"secret {name} was last set {age} days ago; it should be rotated every {limit}"
            reading.tell("stale-key", want.address, text, want)


def _tell_unmanaged(reading: Reading, scopes: Mapping[str, Scope], wanted: Sequence[Wanted]) -> None:
    claimed = {want.address.locator for want in wanted}
    for locator in sorted(scopes.keys() - claimed):
        tenant = tenants(reading.boundaries, SECRET_SCOPE, locator)
        if tenant is not None:
            reading.tell(
                "unmanaged",
                reading.site.address(SECRET_SCOPE, locator),
                f"secret scope {scopes[locator].name} is there, and no document names it",
                tenant=tenant,
            )
