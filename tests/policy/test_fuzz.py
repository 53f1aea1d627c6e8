"""Whatever bytes somebody commits, loading answers with problems at places and never raises."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconciler.policy.load import load
from reconciler.policy.policies import Policies
from reconciler.policy.tree import File, Listing, WorkingTree
from tests.policy.small import APPROVAL, PLATFORM, RED, VOCABULARIES

PATHS = (
    "tenants.d/red/groups.yaml",
    "tenants.d/red/tenant.yaml",
    "tenants.d/red/approvals/one.yaml",
    "policies/more.yaml",
    *PLATFORM,
)
GOOD = {
    "tenants.d/red/groups.yaml": (
        "kind: group\nname: red-ds\nmembers:\n  - user:ana@corp.example\n"
        '  - {who: user:bo@corp.example, until: 2027-01-31, because: "CHG-1"}\n---\n'
        "kind: secret-scope\nworkspace: ml\nname: red\nunlisted: keep\n"
        "grants:\n  - {who: group:red-ds, can: [read]}\n---\n"
        "kind: lake-folder\nfolder: lake/curated/red\ngrants: []\n"
    ),
    "tenants.d/red/tenant.yaml": RED["tenants.d/red/tenant.yaml"],
    "tenants.d/red/approvals/one.yaml": APPROVAL,
    "policies/more.yaml": "kind: boundaries\ntenants:\n  green: {groups: ['**']}\n",
    **PLATFORM,
}


class Planted:
    """A tree with one file changed."""

    revision = "planted"

    def __init__(self, path: str, data: bytes) -> None:
        texts = {path: text.encode() for path, text in {**PLATFORM, **RED}.items()} | {path: data}
        self.files = tuple(File(path, data) for path, data in sorted(texts.items()))

    def read(self) -> Listing:
        return Listing(files=self.files, problems=())


LINE = re.compile(r"[^\s:]+:\d+:\d+: \S[^\n]*", re.DOTALL)


def check(policies: Policies, path: str) -> None:
    for problem in (*policies.problems, *policies.notes):
        assert LINE.fullmatch(str(problem)), problem
        assert problem.source.line >= 1
        assert problem.source.column >= 1
        assert len(problem.text) <= 1000
    for documents in policies.declared.values():
        assert all(declared.tenant not in policies.blocked for declared in documents)
    if path.startswith("tenants.d/"):
        assert policies.unusable == ()


@given(st.sampled_from(PATHS), st.binary(max_size=200))
def test_any_bytes(path: str, data: bytes) -> None:
    check(load(Planted(path, data), VOCABULARIES), path)


@given(st.sampled_from(PATHS), st.text(max_size=200))
def test_any_text(path: str, text: str) -> None:
    check(load(Planted(path, text.encode("utf-8", "surrogatepass")), VOCABULARIES), path)


PIECES = st.sampled_from(
    [
        "", " ", "\n", "\t", "- ", ": ", "[", "]", "{", "}", "'", '"', "&a ", "*a", "!!x ", "---\n",
        "null", "~", "5", "true", "\ufeff", "\u202e", "\r", "\0", "\ud7ff", "who", "kind: ", "group",
        "user:", "../", "x" * 300, "é", "<<: ",
    ]
)  # fmt: skip


@given(st.data())
def test_good_policies_with_a_slip(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(GOOD)))
    text = GOOD[path]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    check(load(Planted(path, text.encode()), VOCABULARIES), path)


@given(st.data())
def test_good_policies_with_a_damaged_byte(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(GOOD)))
    content = bytearray(GOOD[path].encode())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(load(Planted(path, bytes(content)), VOCABULARIES), path)


def test_the_good_ones_are_good() -> None:
    for path, text in GOOD.items():
        assert load(Planted(path, text.encode()), VOCABULARIES).problems == ()


NAMES = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=12)


@given(st.lists(NAMES, min_size=1, max_size=3))
def test_any_file_name(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "tenants.d", *names[:-1], f"{names[-1]}.yaml")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"kind: group\n")
        except OSError:
            return
        policies = load(WorkingTree(Path(folder)), VOCABULARIES)
        assert all(str(problem).isprintable() for problem in policies.problems)


def test_hostile_files_end_in_few_short_problems() -> None:
    path = "tenants.d/red/groups.yaml"
    limit = 1 << 17
    for text in (
        "[" * limit,
        "{a: " * (limit // 4),
        "- " * (limit // 2),
        "kind: group\nname: x\nmembers: [" + "a, " * (limit // 3 - 20) + "]",
        "kind: group\n" + "".join(f"k{number}: x\n" for number in range(limit // 12)),
        "kind: group\nname: " + "x" * limit,
        "kind: group\nname: red-a\nmembers: []\n---\n" * (limit // 45),
        "a: &a [x]\nb: [" + "*a, " * (limit // 4 - 20) + "]",
        "? " * (limit // 2),
        "'" * limit,
        "#" * limit,
        "\n" * limit,
        "kind: group\nname: '" + "\\u0430" * (limit // 6 - 20) + "'",
    ):
        policies = load(Planted(path, text.encode()), VOCABULARIES)
        assert policies.unusable == ()
        assert all(len(problem.text) < 1000 for problem in policies.problems)
