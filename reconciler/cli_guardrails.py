"""`guardrails`: try the platform's own rules on plans that were saved, before anybody is bound by them."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from reconciler.cli_session import KINDS, load, out, say
from reconciler.cli_show import read_plan
from reconciler.core.custom import CustomRule, RuleBook, answers, sums_of
from reconciler.core.errors import PolicyError
from reconciler.core.plan import Action, Plan
from reconciler.report.clean import plain
from reconciler.report.lines import count
from reconciler.report.verdict import REFUSED

SHOWN = 5
"""Refused actions that are named for each rule."""


def run(arguments: Namespace) -> int:
    """Say for each plan and rule how many actions pass and which are refused; 3 when any is."""
    book = _rules(arguments.root, arguments.rules)
    plans = [(path, read_plan(path)) for path in arguments.plans]
    refused = [_tell(path, plan, book) for path, plan in plans]
    say(f"{count(len(book.rules), 'rule')}, {count(len(plans), 'plan')}, {sum(refused):,} refused")
    return REFUSED if any(refused) else 0


def _rules(root: Path, chosen: Path | None) -> RuleBook:
    """The rules to try; raises PolicyError for faults in them, and where there are none."""
    if chosen is None:
        book, place = load(root, None).rules.custom, f"{root / 'policies'}"
    else:
        book, place = _alone(chosen), f"{chosen}"
    if book is None:
        raise PolicyError(
            f"{place}: no document of kind guardrail; docs/how-to/write-a-guardrail.md shows one"
        )
    return book


def _alone(chosen: Path) -> RuleBook | None:
    """Rules that need not lie in policies/ yet."""
    from reconciler.policy.rulebook import rules_in
    from reconciler.policy.tree import File

    paths = sorted(each for suffix in ("yaml", "yml") for each in chosen.rglob(f"*.{suffix}"))
    try:
        files = [File(str(path), path.read_bytes()) for path in ([chosen] if chosen.is_file() else paths)]
    except OSError as error:
        raise PolicyError(f"cannot read {error.filename}: {error.strerror}") from None
    book, problems = rules_in(files, KINDS)
    if problems:
        raise PolicyError("the rules are in error:" + "".join(f"\n  {problem}" for problem in problems))
    return book


def _tell(path: Path, plan: Plan, book: RuleBook) -> int:
    """Print what each rule says of one plan; how many refusals that are."""
    refused: dict[str, list[tuple[Action, str]]] = {rule.name: [] for rule in book.rules}
    for rule, action, reason in answers(book, plan.actions, sums_of(plan, KINDS)):
        if reason:
            refused[rule.name].append((action, reason))
    out(f"{plain(str(path))}: {plain(plan.environment)}, {count(len(plan.actions), 'action')}\n")
    for rule in book.rules:
        _tell_rule(rule, len(plan.actions), refused[rule.name])
    return sum(map(len, refused.values()))


def _tell_rule(rule: CustomRule, asked: int, refused: list[tuple[Action, str]]) -> None:
    out(f"  {rule.name}: {asked - len(refused):,} pass, {len(refused):,} refused  ({rule.source})\n")
    for action, reason in refused[:SHOWN]:
        what = f"{action.verb} {action.attribute.principal or action.attribute.role} on {action.address}"
        out(f"    {action.id[:10]} {plain(what)}: {plain(reason)}\n")
    if len(refused) > SHOWN:
        out(f"    and {len(refused) - SHOWN:,} more\n")
