"""Plans to report on: one rich story with everything that a plan can hold, and any plan at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import strategies as st

from reconciler.core.consent import action_id
from reconciler.core.model import Address, Attribute, Evidence, Finding, Gap, Kind, Reading, Source, Verb
from reconciler.core.plan import Action, Blocked, Cause, Plan, Violation
from reconciler.core.planfile import STAGES, identity_of, sealed
from reconciler.providers.registry import VOCABULARIES

KINDS: Mapping[str, Kind] = {kind.name: kind for vocabulary in VOCABULARIES for kind in vocabulary.kinds}
DAY = date(2026, 11, 23)


def action(
    verb: Verb, on: str, fact: str, before: object = None, after: str | None = None, **more: Any
) -> Action:
    """One action; `fact` is `role` or `role/principal`, `before` one value or a tuple of them."""
    role, _, principal = fact.partition("/")
    tenant = more.pop("tenant", "pricing")
    line = more.pop("line", 1)
    fields: dict[str, Any] = {
        "id": "",
        "environment": "prod",
        "verb": verb,
        "address": Address.parse(on),
        "attribute": Attribute(role, principal),
        "before": before if isinstance(before, tuple) else (before,),
        "after": after,
        "until": None,
        "object_ids": {},
        "tenant": tenant,
        "cause": Cause.MISSING if verb in (Verb.CREATE, Verb.GRANT) else Cause.CHANGED,
        "source": Source(more.pop("file", f"tenants.d/{tenant}/access.yaml"), line, 3),
    }
    made = Action(**{**fields, **more})
    return replace(made, id=identity_of(made))


SCOPE = "databricks/ml-prod/secret-scope/pricing"
SANDBOX = "databricks/ml-dev/secret-scope/pricing-sandbox"
LEADS = "databricks/ml-prod/entitlements/group:pricing-leads"
GROUP = "entra/corp/group/pricing-ds"
FORMER = "entra/corp/group/pricing-contractors"
RENAMED = "entra/corp/group/marketing-crm"
GUESTS = "entra/corp/group/events"
FOLDER = "adls/datalake/folder/curated/pricing"
LONG = "adls/datalake/folder/curated/marketing/Campaign results/2026/北京 and a folder with a long name"
WAY = "adls/datalake/traverse/curated"


LISTS = (
    ("owner rwx, user:eve@corp.example rwx, owning group r-x, group:pricing-ds r-x, group:pricing-eng r-x, "
     "mask rwx, other ---", 1_200),
    ("owner rwx, owning group r-x, other ---", 3),
    ("owner rwx, owning group r-x, group:pricing-eng rwx, mask --x, other ---", 2),
)  # fmt: skip


def _pricing() -> list[Action]:
    made = action(Verb.CREATE, SANDBOX, "exists", None, "present", line=25)
    assigned = action(Verb.GRANT, LEADS, "assignment/group:pricing-leads", None, "USER", line=6)
    gone = action(Verb.REVOKE, FORMER, "member/user:zed@corp.example", "member", cause=Cause.RETIRED, line=41)
    return [
        made,
        assigned,
        action(Verb.GRANT, SANDBOX, "acl/group:pricing-ds", None, "MANAGE", line=29, needs=(made.id,)),
        action(Verb.GRANT, LEADS, "workspace-access/group:pricing-leads", None, "held", line=6,
               needs=(assigned.id,)),
        action(Verb.GRANT, GROUP, "member/user:bo@corp.example", None, "member", until=date(2027, 1, 31),
               because="helps with the migration, CHG-1234", line=12),
        action(Verb.GRANT, FOLDER, "access/group:pricing-eng", (None, "r-x"), "rwx", line=52,
               evidence=Evidence(counts={"-": 3, "r-x": 1_200, "rwx": 20, "--x": 2},
                                 samples=("pricing/2025", "pricing/2026/elasticity.parquet"),
                                 files=1_194, folders=11, distinct=3, lists=LISTS)),
        action(Verb.GRANT, FOLDER, "default/group:pricing-eng", None, "rwx", line=52),
        action(Verb.RAISE, SCOPE, "acl/group:pricing-leads", "READ", "MANAGE", line=20),
        action(Verb.LOWER, SCOPE, "acl/group:pricing-ds", "WRITE", "READ", line=18),
        action(Verb.REVOKE, GROUP, "member/user:old.hand@corp.example", "member", cause=Cause.UNLISTED,
               line=9, needs=("0" * 64, assigned.id)),
        action(Verb.REVOKE, GROUP, "member/user:petra@corp.example", "member", cause=Cause.EXPIRED,
               until=date(2026, 6, 30), because="parental leave cover, HR-771", line=27),
        action(Verb.REVOKE, FOLDER, "access/user:eve@corp.example", "rwx", cause=Cause.UNLISTED, line=49,
               evidence=Evidence(counts={"-": 7, "rwx": 1}, samples=("pricing/Eve's experiments",))),
        action(Verb.REVOKE, FOLDER, "access/other", "r-x", cause=Cause.UNLISTED, line=49,
               evidence=Evidence(counts={"r-x": 1}, samples=("pricing",))),
        gone,
        action(Verb.DELETE, FORMER, "exists", "present", cause=Cause.RETIRED, line=38, needs=(gone.id,)),
    ]  # fmt: skip


def _marketing() -> list[Action]:
    invited = [
        action(Verb.GRANT, GUESTS, f"member/user:guest-{number:02}@corp.example", None, "member",
               tenant="marketing", line=60 + number)
        for number in range(15)
    ]  # fmt: skip
    return [
        action(Verb.SET, RENAMED, "name", "marketing-crm-users", "marketing-crm", tenant="marketing",
               cause=Cause.RENAMED, line=10),
        action(Verb.SET, RENAMED, "description", None, "Who may work with the customers' data; ask Tom Reed "
               "before anybody is added, and see the handbook", tenant="marketing", line=11),
        *invited,
        action(Verb.GRANT, LONG, "access/id:dddddddd-0000-4000-8000-00000000dead", None, "r-x",
               tenant="marketing", line=40),
    ]  # fmt: skip


def _platform() -> list[Action]:
    return [
        action(Verb.GRANT, WAY, "access/group:lake-users", None, "--x", tenant="platform",
               file="tenants.d/pricing/access.yaml", line=49),
        action(Verb.GRANT, WAY, "access/sp:pricing-airflow", None, "--x", tenant="platform",
               file="tenants.d/marketing/access.yaml", line=40),
    ]  # fmt: skip


def _blocked() -> tuple[Blocked, ...]:
    def wanted(on: str, fact: str, reason: str, stage: str = "blocked", line: int = 8) -> Blocked:
        role, _, principal = fact.partition("/")
        return Blocked(address=Address.parse(on), attribute=Attribute(role, principal), tenant="marketing",
                       source=Source("tenants.d/marketing/access.yaml", line), reason=reason,
                       stage=stage)  # fmt: skip

    nobody = "user:o.brien@corp.example: nobody has this name in Entra; is it user:obrien@corp.example?"
    wait = "follows once marketing-new exists and has an object id"
    return (
        wanted(GUESTS, "member/user:o.brien@corp.example", f"user:o.brien@corp.example: {nobody}"),
        wanted(LONG, "access/user:o.brien@corp.example", nobody, line=41),
        wanted(LONG, "default/user:o.brien@corp.example", nobody, line=41),
        wanted("entra/corp/group/marketing-new", "member/user:tom@corp.example", wait, "next", 31),
        wanted("entra/corp/group/marketing-new", "member/user:yuki@corp.example", wait, "next", 32),
        wanted("entra/corp/group/marketing-new", "owner/user:tom@corp.example", wait, "next", 33),
    )


def _findings() -> tuple[Finding, ...]:
    def finding(rule: str, on: str, text: str, tenant: str = "") -> Finding:
        return Finding(rule=rule, address=Address.parse(on), text=text, tenant=tenant)

    return (
        finding("bypass", "adls/datalake/role-assignments/curated", "user:eve@corp.example holds Storage "
                "Blob Data Contributor at container curated, and may read and write whatever the folders' "
                "lists say"),
        finding("bypass", "adls/datalake/role-assignments/curated", "sp:reconciler-plan holds Storage Blob "
                "Data Reader at storage account datalake"),
        finding("stale-key", SCOPE, "secret vendor-api-token was last set 312 days ago; it should be rotated "
                "every 30", "pricing"),
        finding("unmanaged", "databricks/ml-prod/secret-scope/pricing-old", "no document names it"),
        finding("unmanaged", "entra/corp/group/pricing-tmp-2024", "no document claims it"),
    )  # fmt: skip


def rich() -> Plan:
    """A plan with everything in it."""
    actions = (*_pricing(), *_marketing(), *_platform())
    removals = tuple(each.id for each in actions if each.verb is Verb.REVOKE and each.address.kind == "group")
    return sealed(
        Plan(
            environment="prod",
            revision="3f5a1c0de9b84725a6f0c1d2e3b4a59687f0e1d2",
            as_of=DAY,
            actions=actions,
            blocked=_blocked(),
            gaps=(
                Gap(address=Address.parse("databricks/ml-prod/secret-scope/*"), status="timeout",
                    reason="no answer from https://adb-1.azuredatabricks.example within 10 s; is it "
                    "reachable?"),
                Gap(address=Address.parse("entra/corp/group/fraud-investigations"),
                    status="403 Authorization_RequestDenied", reason="403 Authorization_RequestDenied: "
                    "Insufficient privileges",
                    accepted="accepted until 2027-06-30: hidden membership, LEGAL-88"),
            ),
            findings=_findings(),
            violations=(
                Violation(rule="removals", tenant="pricing", actions=removals, text="pricing: 3 of 9 group "
                          "grants would be taken away (33 %; limit 2); restore them in the policies, or "
                          "override rule 'removals' in an approval with a reason"),
                Violation(rule="boundary", tenant="marketing", actions=(actions[-3].id,), overridable=False,
                          text="tenants.d/marketing/access.yaml:40: is outside the boundary of marketing"),
            ),
            problems=("tenants.d/fraud/lake.yaml:7:9: no workspace 'ml-prd'; did you mean 'ml-prod'?",),
            unpinned=("group:marketing-crm", "group:pricing-tmp"),
            managed=1_038,
            readings=(
                Reading(place="adls/datalake/archive", reader="inventory", paths=48_000_112,
                        as_of="run of 2026-11-23 01:00, 7 h old (rule nightly)"),
                Reading(place="adls/datalake/curated", reader="list-blobs", paths=1_204_331, requests=243,
                        resumed=800_000),
                Reading(place="adls/datalake/raw", reader="path-listing", paths=40_000, requests=8_120,
                        single=8_112, why="List Blobs was refused (403 AuthorizationPermissionMismatch)"),
            ),
        )
    )  # fmt: skip


def quiet(**more: Any) -> Plan:
    """A plan with nothing to do."""
    return sealed(Plan(environment="prod", revision="working tree", as_of=DAY, managed=38, **more))


def many(number: int, tenants: int = 1, verb: Verb = Verb.REVOKE) -> Plan:
    """A plan with that many actions, spread over tenants."""
    before, after = ("member", None) if verb is Verb.REVOKE else (None, "member")
    return sealed(
        replace(
            quiet(),
            actions=tuple(
                action(verb, f"entra/corp/group/team-{each % 50}", f"member/user:person-{each}@corp.example",
                       before, after, tenant=f"team-{each % tenants:04}", line=each + 1)
                for each in range(number)
            ),
            digest="",
        )
    )  # fmt: skip


NASTY = st.sampled_from([
    "\x1b[31mred", "\x9b2J", "\r\n::error::x", "::add-mask::y", "##[add-mask]x", "##vso[task.setvariable]x",
    "a\u202egnp.exe", "zero\u200bwidth", "\u2066isolate", "\ufeff", "tag\U000e0041", "null\x00", "\ud800",
    "new\nline", "line\u2028sep", "tab\t", "\xad", "\u3164", "\u2800", "vs\ufe0f",
    "e\u0301\u0301\u0301\u0301", "@octocat", "user@corp.example", "@org/team", "#123", "owner/repo#1",
    "GH-12", "https://evil.example", "www.evil.example", "ftp://evil.example", "mailto:a@b.example",
    "[x](javascript:alert(1))", "![x](http://e/)", "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "</details>", "<!--", "-->", "&lt;", "&#64;x", "| cell | cell |", "\\|",
    "`", "``", "`` ` ``", "\\`", "**bold**", "_em_", "~~s~~", "# heading", "> [!NOTE]", "- item", "1. item",
    "* * *", "---", "===", "[^1]", "[ref]: http://e", ":tada:", "$x^2$", "deadbeefcafe", "\\", "%0A",
    "{{7*7}}", "北京", "Zoë", " ", "  ", "",
])  # fmt: skip
"""What somebody may have named a group to play a trick on whoever reads the report."""

WORDS = st.lists(NASTY | st.text(max_size=8), min_size=1, max_size=3).map("".join)
NAMES = WORDS.filter(bool)
ADDRESSES = st.builds(
    Address,
    NAMES.map(lambda text: text.replace("/", "_")),
    NAMES.map(lambda text: text.replace("/", "_")),
    st.sampled_from(sorted(KINDS)) | NAMES.map(lambda text: text.replace("/", "_")),
    NAMES,
)
VALUES = st.none() | st.sampled_from(["member", "READ", "r-x", "rwx", "held"]) | WORDS
SOURCES = st.builds(Source, NAMES, st.integers(1, 999), st.integers(1, 99))
DAYS = st.dates(date(2000, 1, 1), date(9999, 12, 31))


NUMBERS = st.integers(0, 9_999)
HELD = st.tuples(WORDS, st.integers(1, 9_999))
EVIDENCE = st.builds(
    Evidence,
    counts=st.dictionaries(WORDS, NUMBERS, max_size=3),
    samples=st.lists(WORDS, max_size=2).map(tuple),
) | st.builds(
    Evidence,
    counts=st.dictionaries(WORDS, NUMBERS, max_size=3),
    samples=st.lists(WORDS, max_size=2).map(tuple),
    files=NUMBERS,
    folders=NUMBERS,
    distinct=st.integers(1, 9_999),
    lists=st.lists(HELD, min_size=1, max_size=2).map(tuple),
)
READINGS = st.builds(
    Reading,
    place=WORDS,
    reader=st.sampled_from(["list-blobs", "path-listing", "inventory"]) | WORDS,
    paths=NUMBERS,
    why=WORDS | st.just(""),
    as_of=WORDS | st.just(""),
)
"""Readings as a saved plan has them."""


@st.composite
def actions(draw: st.DrawFn) -> Action:
    """Any action, its id that of its words."""
    made = Action(
        id="",
        environment="prod",
        verb=draw(st.sampled_from(Verb)),
        address=draw(ADDRESSES),
        attribute=Attribute(draw(st.sampled_from(["exists", "member", "acl", "access", "name"]) | NAMES),
                            draw(WORDS)),
        before=tuple(draw(st.lists(VALUES, min_size=1, max_size=3, unique=True))),
        after=draw(VALUES),
        until=draw(st.none() | DAYS),
        object_ids=draw(st.dictionaries(WORDS, WORDS, max_size=2)),
        tenant=draw(st.sampled_from(["pricing", "fraud"]) | NAMES),
        cause=draw(st.sampled_from(Cause)),
        source=draw(SOURCES),
        because=draw(WORDS),
        needs=tuple(draw(st.lists(WORDS, max_size=2))),
        evidence=draw(EVIDENCE),
    )  # fmt: skip
    return replace(made, id=identity_of(made))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan, with names as hostile as they come."""
    chosen = tuple(draw(st.lists(actions(), max_size=4, unique_by=lambda each: each.id)))
    blocked = st.builds(
        Blocked,
        address=ADDRESSES,
        attribute=st.builds(Attribute, NAMES, WORDS),
        tenant=NAMES,
        source=SOURCES,
        reason=WORDS,
        stage=st.sampled_from(STAGES),
    )
    gaps = st.builds(Gap, address=ADDRESSES, reason=WORDS, status=WORDS, accepted=WORDS)
    findings = st.builds(
        Finding, rule=NAMES, address=ADDRESSES, text=WORDS, tenant=WORDS, source=st.none() | SOURCES
    )
    violations = st.builds(
        Violation,
        rule=NAMES,
        text=WORDS,
        tenant=WORDS,
        overridable=st.booleans(),
        actions=st.lists(WORDS, max_size=2).map(tuple),
    )

    def few(strategy: st.SearchStrategy[Any]) -> Any:
        return tuple(draw(st.lists(strategy, max_size=2)))

    return sealed(
        Plan(
            environment="prod",
            revision=draw(NAMES),
            as_of=draw(DAYS),
            actions=chosen,
            blocked=few(blocked),
            gaps=few(gaps),
            findings=few(findings),
            violations=few(violations),
            problems=few(WORDS),
            unpinned=few(NAMES),
            managed=draw(st.integers(0, 10_000)),
            readings=few(READINGS),
        )
    )  # fmt: skip


def any_environment(plan: Plan, environment: str) -> Plan:
    """The same plan for an environment of another name."""
    moved = [replace(each, environment=environment) for each in plan.actions]
    named = tuple(
        replace(each, id=action_id(environment, each.verb, each.address, each.attribute, each.before,
                                   each.after, each.until, each.object_ids))
        for each in moved
    )  # fmt: skip
    return sealed(replace(plan, environment=environment, actions=named, digest=""))
