"""No text makes a reader work out of proportion: four times the text is at most about four times the calls.

Calls are counted, not seconds, so that the verdict is the same on a busy machine; texts are large enough that
work which grows with the square of them would not end in the time that a test may take.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.core.consent import fingerprint
from reconciler.core.errors import BadPlanFile
from reconciler.core.planfile import from_document
from reconciler.core.secrecy import without
from reconciler.policy.characters import decode
from reconciler.policy.yaml_nodes import read
from reconciler.providers.adls.acl import AclError, parse
from reconciler.providers.adls.inventory import manifest
from reconciler.providers.adls.inventory.faults import InventoryFault
from reconciler.providers.adls.listing import PageError, scan
from reconciler.report.clean import as_json, plain, prose

SMALL, FACTOR = 2_000, 4
END = b"</EnumerationResults>"
REFUSALS = (AclError, PageError, InventoryFault, BadPlanFile)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, of Python's and of the library's, until it is done or refuses."""
    count = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        with contextlib.suppress(*REFUSALS):
            work()
    finally:
        sys.setprofile(None)
    return count


def a_plan(times: int) -> Any:
    gap = {"address": "a/b/c/d", "reason": "x", "status": "", "accepted": ""}
    content: dict[str, Any] = dict.fromkeys(
        ("actions", "blocked", "findings", "violations", "problems", "unpinned"), []
    )
    content |= {"format": "reconciler/plan/v1", "environment": "e", "revision": "r", "as_of": "2026-11-23"}
    content |= {"managed": 1, "gaps": [gap] * times}
    return {**content, "digest": fingerprint(content)}


READERS: dict[str, Callable[[int], Callable[[], object]]] = {
    "yaml in brackets": lambda n: lambda: read("[" * n),
    "yaml in keys": lambda n: lambda: read("".join(f"k{each}: 1\n" for each in range(n))),
    "yaml of one key": lambda n: lambda: read("a: 1\n" * n),
    "yaml of documents": lambda n: lambda: read("a: 1\n---\n" * n),
    "yaml of faults": lambda n: lambda: read("a: &x !!y 1\n" * n),
    "yaml of aliases": lambda n: lambda: read("a: &x [1]\nb: *x\n" * n),
    "lines of returns": lambda n: lambda: decode(b"a\r\n" * n + b"\xff"),
    "a list of entries": lambda n: lambda: parse(",".join(f"user:{each}:rwx" for each in range(n))),
    "a page of openings": lambda n: lambda: scan(b"<EnumerationResults " + b"<Blob><Name>" * n + END),
    "a page of prefixes": lambda n: lambda: scan(b"<EnumerationResults >" + b"<BlobPrefix>" * n + END),
    "a page of endings": lambda n: lambda: scan(b"<EnumerationResults >" + b"</Blob>" * n + END),
    "a page of entries": lambda n: lambda: scan(b"<EnumerationResults >" + b"&a;<Blob></Blob>" * n + END),
    "a manifest": lambda n: lambda: manifest.read("x", b'{"files": [' + b"{}," * n + b"{}]}", b"x"),
    "a plan": lambda n: (lambda document: lambda: from_document(document))(a_plan(n)),
    "a text of marks": lambda n: lambda: plain("a" + "\u0301" * n),
    "a text of colons": lambda n: lambda: prose(":: @a `|` " * n),
    "a text of quotes": lambda n: lambda: without("token='" * n, {}),
    "a report of signs": lambda n: lambda: as_json({"a": "##[::" * n}),
}


@pytest.mark.parametrize("name", READERS)
def test_work_grows_with_the_text(name: str) -> None:
    make = READERS[name]
    small, large = calls(make(SMALL)), calls(make(FACTOR * SMALL))
    assert large <= FACTOR * small + 2_000, f"{small:,} calls, and {large:,} for {FACTOR} times the text"


def test_the_count_notices_work_that_grows_with_the_square() -> None:
    def square(n: int) -> Callable[[], object]:
        return lambda: [len(str(each)) for _ in range(n // 40) for each in range(n // 40)]

    assert calls(square(FACTOR * SMALL)) > FACTOR * calls(square(SMALL)) + 2_000
    assert json.loads(json.dumps(a_plan(1)))["managed"] == 1
