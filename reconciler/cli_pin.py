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

FILE = "policies/principals.lock.yaml"


def run(arguments: Namespace) -> int:
    """Ask the directory and write the lock file; what could not be pinned is named, and keeps its old pin."""
    from reconciler.policy.lock import render, updated
    from reconciler.survey import desire, identify

    session = begin(arguments, None)
    with open_cloud(session.environment, session.pins, session.root, frozenset()) as cloud:
        named = identify(desire(session.inputs, vocabularies()), cloud.directory)
        identities = {**_of_guardrails(session.policies.rules, cloud.directory), **named}
    lock = updated(session.policies.lock, session.environment.entra.name, identities.values())
    text = render(lock)
    path = session.root / FILE
    fresh = path.is_file() and path.read_text("utf-8") == text
    unpinned = [who for who in identities.values() if who.presence is not Presence.KNOWN]
    for identity in sorted(unpinned, key=lambda each: each.principal):
        say(f"not pinned: {plain(identity.principal)}: {plain(identity.reason or identity.presence.value)}")
    if fresh:
        say(f"{FILE} is up to date: {len(identities) - len(unpinned)} names")
        return 0
    if arguments.check:
        raise ReconcilerError(f"{FILE} is out of date; run `reconciler pin`, review the change and commit it")
    write_below(session.root, Path(FILE), text)
    say(f"wrote {FILE}: {len(identities) - len(unpinned)} names pinned; review it like a change of access")
    return 0


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
