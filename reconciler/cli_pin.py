"""`pin`: write down which object every name of the policies and guardrails stands for today."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from reconciler.cli_plan import write_below
from reconciler.cli_session import begin, open_cloud, say, vocabularies
from reconciler.core.docket import Rules
from reconciler.core.errors import ReconcilerError
from reconciler.core.model import Identity, Presence
from reconciler.providers.contract import Directory
from reconciler.report.clean import plain
from reconciler.report.lines import count
from reconciler.report.verdict import ERROR, IN_STEP, REFUSED, UNKNOWN, gravest

FILE = "policies/principals.lock.yaml"
CODES = {
    Presence.UNKNOWN: ERROR,
    Presence.AMBIGUOUS: ERROR,
    Presence.UNREADABLE: UNKNOWN,
    Presence.MOVED: REFUSED,
}
"""What a name that could not be pinned makes of the run; one that a document is about to create, nothing."""


def run(arguments: Namespace) -> int:
    """Ask the directory and write the lock file; what could not be pinned is named, and keeps its old pin."""
    from reconciler.policy.lock import mends, render, sound, updated
    from reconciler.survey import desire, identify

    session = begin(arguments, None, passing=mends)
    former = sound(session.policies.lock)
    directory = session.environment.entra.name
    with open_cloud(session.environment, former.get(directory, {}), session.root, frozenset()) as cloud:
        named = identify(desire(session.inputs, vocabularies()), cloud.directory)
        identities = {**_of_guardrails(session.policies.rules, cloud.directory), **named}
    text = render(updated(former, directory, identities.values()))
    path = session.root / FILE
    fresh = path.is_file() and path.read_text("utf-8") == text
    unpinned = [who for who in identities.values() if who.presence is not Presence.KNOWN]
    for identity in sorted(unpinned, key=lambda each: each.principal):
        say(f"not pinned: {plain(identity.principal)}: {plain(identity.reason or identity.presence.value)}")
    pinned = count(len(identities) - len(unpinned), "name")
    left = f", and {len(unpinned):,} could not be" if unpinned else ""
    code = gravest({CODES.get(who.presence, IN_STEP) for who in unpinned})
    if fresh:
        say(f"{FILE} is up to date: {pinned} pinned{left}")
        return code
    if arguments.check:
        raise ReconcilerError(f"{FILE} is out of date; run `reconciler pin`, review the change and commit it")
    write_below(session.root, Path(FILE), text)
    say(f"wrote {FILE}: {pinned} pinned{left}; review it like a change of access")
    return code


def _of_guardrails(rules: Rules, directory: Directory) -> dict[str, Identity]:
    """Whom guardrails speak of: they know them by their objects too, whatever these are called later.

    Names for everybody that are Databricks' own, such as `users`, stand for nothing in the directory.
    """
    everybody = {name for name in rules.wide if name.startswith("group:") and not set(name) & set("*?[")}
    asked = directory.resolve(sorted(rules.protected | everybody))
    return {
        name: identity
        for name, identity in asked.items()
        if name in rules.protected or identity.presence is not Presence.UNKNOWN
    }
