"""`approve`: write approvals for a saved plan, one file per tenant, to be committed and reviewed."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path

from reconciler.cli_plan import write_below
from reconciler.cli_session import now, out, say
from reconciler.cli_show import read_plan
from reconciler.core.approval import PLATFORM
from reconciler.core.errors import BadPlanFile, ReconcilerError
from reconciler.core.moments import IN_PART
from reconciler.core.plan import Action, Plan
from reconciler.policy.consent import render
from reconciler.report.clean import plain

DAYS = 14
"""How long an approval can be used when nobody says otherwise."""


def run(arguments: Namespace) -> int:
    """Write the files and name them; nothing is applied and nothing is committed."""
    if not arguments.because.strip():
        raise ReconcilerError("--because is empty; say why, it is kept with the approval")
    plan = read_plan(arguments.plan)
    actions = chosen(plan, arguments.only, arguments.tenant)
    overrides = dict(_override(text) for text in arguments.override)
    _known_rules(plan, overrides)
    today = now().date()
    expires = arguments.expires or today + timedelta(days=DAYS)
    if expires < today:
        raise ReconcilerError(f"--expires {expires} has passed; name a day from {today} on")
    files: dict[Path, str] = {}
    for tenant in sorted({action.tenant for action in actions}):
        own = [action for action in actions if action.tenant == tenant]
        text = render(own, plan.environment, arguments.because, expires, overrides)
        stem = f"{today}-{named(plan.environment)}-{own[0].id[:8]}"
        files[_free(arguments.root, folder(tenant), stem, text)] = text
    _readable(files)
    for path, text in files.items():
        write_below(arguments.root, path, text)
        out(f"{path}\n")
    say("commit them; they count once they are on the protected branch, put there by somebody entitled")
    return 0


def chosen(plan: Plan, prefixes: Sequence[str], tenants: Sequence[str]) -> list[Action]:
    """The actions of these tenants with these ids, or all; raises ReconcilerError for what fits none."""
    within = [action for action in plan.actions if not tenants or action.tenant in tenants]
    for tenant in tenants:
        if tenant not in {action.tenant for action in within}:
            raise ReconcilerError(f"the plan has no actions of tenant {tenant!r}")
    if not within:
        raise ReconcilerError("the plan has no actions, so there is nothing to approve")
    if not prefixes:
        return within
    picked: dict[str, Action] = {}
    for prefix in prefixes:
        fitting = [action for action in within if len(prefix) >= 4 and action.id.startswith(prefix.lower())]
        if len(fitting) != 1:
            what = f"fits {len(fitting)} actions" if fitting else "fits no action"
            raise ReconcilerError(
                f"--only {prefix} {what} of the plan; give more of an id that `show` prints"
            )
        picked[fitting[0].id] = fitting[0]
    return [action for action in within if action.id in picked]


def _free(root: Path, place: Path, stem: str, text: str) -> Path:
    """Where an approval may be written; raises ReconcilerError where the same one lies already.

    The same text would be the same consent, and add nothing once that is spent.
    """
    for number in count(1):
        path = place / f"{stem}{f'-{number}' if number > 1 else ''}.yaml"
        try:
            if (root / path).read_text("utf-8") == text:
                raise ReconcilerError(
                    f"{path} says exactly this already: commit it, or where it is spent, "
                    "say in --because what is new"
                )
        except FileNotFoundError:
            return path
        except (OSError, UnicodeDecodeError) as error:
            raise ReconcilerError(f"cannot read {root / path}: {error}; move it away") from None
    raise AssertionError("numbers do not end")


def _readable(files: Mapping[Path, str]) -> None:
    """Raises ReconcilerError for what would count for nothing because nobody could load it."""
    from reconciler.policy.parse import parse
    from reconciler.policy.tree import File

    written = [File(path.as_posix(), text.encode("utf-8", "surrogateescape")) for path, text in files.items()]
    _, faults = parse(written, {}, {})
    if faults:
        raise ReconcilerError(f"this would be no valid approval: {plain(faults[0].text)}")


def folder(tenant: str) -> Path:
    """Where a tenant's approvals live."""
    base = Path("policies") if tenant == PLATFORM else Path("tenants.d") / named(tenant)
    return base / "approvals"


def named(text: str) -> str:
    """The text, as part of a path; raises BadPlanFile where a plan file's name would lead elsewhere."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is None:
        raise BadPlanFile(
            f"the plan file speaks of {plain(repr(text))}, which is no name; make the plan anew"
        )
    return text


def _override(text: str) -> tuple[str, str]:
    rule, separator, why = text.partition("=")
    if not separator or not rule.strip() or not why.strip():
        raise ReconcilerError(f"--override {text!r} gives no reason; write RULE=REASON")
    return rule.strip(), why.strip()


def _known_rules(plan: Plan, overrides: dict[str, str]) -> None:
    broken = {violation.rule for violation in plan.violations}
    for rule in overrides:
        # What is approved of a plan may have a bad moment of its own, which only `apply` can see.
        if rule not in {*broken, IN_PART}:
            names = ", ".join(sorted(broken)) or "none"
            raise ReconcilerError(f"--override {rule}: this plan breaks no such rule; it breaks {names}")
