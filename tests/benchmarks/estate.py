"""Write a large estate of policies: a thousand tenants, two files each, 113 lines per tenant."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from reconciler.policy.lock import render

WORKSPACES = ("ml-dev", "ml-prod")
GUID = "00000000-0000-4000-8000-{:012x}"
RIGHTS = ("read", "write", "list")


def write_estate(root: Path, tenants: int = 1000, pinned: bool = True) -> tuple[int, int, int]:
    """Write policies and tenants below a folder; returns files, lines and bytes of the tenants' half."""
    chance = random.Random(7)
    (root / "policies").mkdir(parents=True)
    names = [f"team-{number:04}" for number in range(tenants)]
    people = [f"user:person.{number:05}@corp.example" for number in range(tenants * 20)]
    _write(root / "policies" / "environment.yaml", _environment())
    _write(root / "policies" / "boundaries.yaml", _boundaries(names))
    _write(root / "policies" / "guardrails.yaml", ["kind: guardrails", "removals: {'*': {count: 20}}"])
    _write(root / "policies" / "approval-rules.yaml", [
        "kind: approval-rules", "rules:", "  - who: [user:noor@corp.example]",
    ])  # fmt: skip
    if pinned:
        pins = {name: GUID.format(number) for number, name in enumerate([*people, *_groups(names)])}
        (root / "policies" / "principals.lock.yaml").write_text(render({"corp": pins}), encoding="utf-8")
    files = lines = size = 0
    for name in names:
        folder = root / "tenants.d" / name
        folder.mkdir(parents=True)
        for file, text in (
            ("groups", _group_file(name, people, chance)),
            ("access", _access_file(name, chance)),
        ):
            content = list(text)
            size += _write(folder / f"{file}.yaml", content)
            lines += len(content)
            files += 1
    return files, lines, size


def _write(path: Path, lines: list[str]) -> int:
    return path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _groups(names: list[str]) -> Iterator[str]:
    for name in names:
        yield from (f"group:{name}-{part}" for part in ("ds", "eng", "leads"))


def _environment() -> list[str]:
    return [
        "kind: environment", "name: prod", "entra:", "  name: corp", f"  tenant-id: {GUID.format(1)}",
        "databricks:", f"  account-id: {GUID.format(2)}", "  workspaces:",
        *(f'    {name}: {{host: "https://{name}.example", workspace-id: "{number}"}}'
          for number, name in enumerate(WORKSPACES)),
        "lakes:", "  datalake:", "    dfs: https://datalake.dfs.example", "    blob: https://datalake.blob.example",
        "    containers:", "      curated: {}", "      raw: {}",
    ]  # fmt: skip


def _boundaries(names: list[str]) -> list[str]:
    lines = ["kind: boundaries", "tenants:"]
    for name in names:
        lines += [
            f"  {name}:", f'    groups: ["{name}-*"]', "    workspaces: [ml-dev, ml-prod]",
            f'    scopes: ["ml-*/{name}"]', f"    folders: [datalake/curated/{name}, datalake/raw/{name}]",
        ]  # fmt: skip
    return lines


def _group_file(name: str, people: list[str], chance: random.Random) -> Iterator[str]:
    for part, size in (("ds", 22), ("eng", 15), ("leads", 3)):
        chosen = chance.sample(people, size + 2)
        yield from ("---", "kind: group", f"name: {name}-{part}", f"owners: [{chosen[-1]}]", "members:")
        yield from (f"  - {person}" for person in chosen[:size])
        ticket = chance.randrange(9999)
        yield f'  - {{who: {chosen[-2]}, until: 2027-01-31, because: "helps out, CHG-{ticket}"}}'


def _access_file(name: str, chance: random.Random) -> Iterator[str]:
    groups = [f"group:{name}-{part}" for part in ("ds", "eng", "leads")]
    yield from ("kind: tenant", f"name: Team {name}", "adopted: [prod]")
    for workspace in WORKSPACES:
        yield from ("---", "kind: entitlements", f"workspace: {workspace}", "grants:")
        yield from (
            f"  - {{who: {group}, can: [workspace-access, databricks-sql-access]}}" for group in groups[:2]
        )
    yield from ("---", "kind: secret-scope", "workspace: ml-prod", f"name: {name}", "grants:")
    yield from (f"  - {{who: {group}, can: read}}" for group in groups)
    yield from ("keys:", "  - {name: warehouse-password, rotate-every: 90d}")
    for folder in (f"curated/{name}", f"raw/{name}", f"curated/{name}/models"):
        yield from ("---", "kind: lake-folder", f"folder: datalake/{folder}", "grants:")
        yield from (line for group in groups[: 2 + chance.randrange(1, 2)]
                    for line in (f"  - who: {group}", f"    can: {chance.choice(RIGHTS)}"))  # fmt: skip
