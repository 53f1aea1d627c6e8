"""Rules of the platform's own, asked of every action of a plan; and the rules that are always there."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from datetime import date
from statistics import median

from reconciler.core.custom import CustomRule, RuleBook, custom, sums
from reconciler.core.docket import Docket, Limit, Rules
from reconciler.core.guardrails import judge
from reconciler.core.model import Address, Attribute, Live, Source, Verb
from reconciler.core.plan import Action, Cause
from reconciler.policy.cel import Cel
from tests.benchmarks.record import Report, Row

EXPRESSIONS = (
    "action.verb != 'grant' || !action.principal.startsWith('user:') || action.until != null",
    "action.kind != 'secret-scope' || action.after != 'MANAGE' || action.principal.matches('-admins$')",
    "plan.environment != 'prod' || tenant.removals <= 1000",
    "plan.kinds[action.kind] < 100000 && plan.verbs['delete'] == 0",
)
DAY = date(2026, 11, 23)


def _action(number: int) -> Action:
    tenant = f"t{number % 500:03}"
    return Action(
        id=f"{number:064x}",
        environment="prod",
        verb=Verb.GRANT if number % 2 else Verb.REVOKE,
        address=Address("databricks", "ws", "secret-scope", f"{tenant}-{number % 7}"),
        attribute=Attribute("acl", f"group:{tenant}-{number}"),
        before=(None,) if number % 2 else ("READ",),
        after="READ" if number % 2 else None,
        until=None,
        object_ids={},
        tenant=tenant,
        cause=Cause.MISSING if number % 2 else Cause.UNLISTED,
        source=Source(f"tenants.d/{tenant}/access.yaml", 3),
    )


def run(actions: int = 1_000, rules: int = 20, runs: int = 5) -> Report:
    """Measure both; the median of several runs."""
    engine = Cel()
    begun = time.process_time()
    written = [
        CustomRule(
            name=f"rule-{number}",
            source=Source("policies/guardrails/own.yaml", 3),
            message="no",
            expression=engine.compile(EXPRESSIONS[number % len(EXPRESSIONS)], "bool"),
        )
        for number in range(rules)
    ]
    compiled = time.process_time() - begun
    book = RuleBook(rules=written, bind=engine.bind)
    plan = [_action(number) for number in range(actions)]

    def own() -> None:
        refused = list(custom(book, plan, sums("prod", DAY, plan, 0, ())))
        assert refused == [], refused[0].text

    docket = Docket(
        actions=plan, live=Live(), held={},
        rules=Rules(removals={"*": Limit(count=actions)}, protected=frozenset({"sp:own"})),
    )  # fmt: skip
    asked, always = _cpu(own, runs), _cpu(lambda: judge(docket), runs)
    return Report(
        name="guardrails",
        title=f"guardrails over {actions:,} actions, median of {runs} runs",
        rows=[
            Row(what=f"{rules} rules in CEL", cpu=asked, mebibytes=_peak(), target="none set"),
            Row(what="the rules that are always there", cpu=always),
        ],
        facts={
            "answers a second": round(actions * rules / asked),
            "cpu ms to compile all of them": round(1_000 * compiled, 1),
        },
    )


def _cpu(work: Callable[[], object], runs: int) -> float:
    took = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)
    return median(took)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
