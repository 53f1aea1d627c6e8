"""Who wrote a file and who brought it in is what the commits say, whatever the repository would like."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.core.errors import PolicyError
from reconciler.policy.history import Commit, History
from reconciler.policy.revision import open_revision
from tests.policy.repository import Repository

FILE = "tenants.d/red/approvals/one.yaml"
OTHER = "policies/a b.yaml"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "clone")
    made.commit({OTHER: "a: b\n", "README.md": "x"}, person="noor")
    return made


def history(repository: Repository, *paths: str) -> History:
    return History(open_revision(repository.root), paths or (FILE, OTHER))


def people(commits: tuple[Commit, ...]) -> list[str]:
    return [commit.email for commit in commits]


def test_a_pull_request_is_written_by_one_and_merged_by_another(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "topic")
    wrote = repository.commit({FILE: "one\n"}, person="bo")
    repository.git("checkout", "-q", "main")
    repository.commit({"README.md": "y"}, person="noor")
    merged = repository.merge("topic", person="lea")
    told = history(repository)
    assert [commit.sha for commit in told.introduced(FILE)] == [wrote]
    assert people(told.introduced(FILE)) == ["bo@corp.example"]
    assert told.last_change(FILE).author == "Bo"
    (landed,) = told.landed(FILE)
    assert (landed.sha, landed.email, landed.is_merge) == (merged, "lea@corp.example", True)
    assert landed.date > told.last_change(FILE).date
    assert people(told.introduced(OTHER)) == people(told.landed(OTHER)) == ["noor@corp.example"]


def test_a_push_to_the_branch_itself_is_no_merge(repository: Repository) -> None:
    repository.commit({FILE: "one\n"}, person="bo")
    (landed,) = history(repository).landed(FILE)
    assert (landed.email, landed.is_merge) == ("bo@corp.example", False)


def test_only_who_gave_it_the_present_content_counts(repository: Repository) -> None:
    repository.commit({FILE: "one\n"}, person="bo")
    repository.commit({FILE: "two\n"}, person="lea")
    assert people(history(repository).introduced(FILE)) == ["lea@corp.example"]
    # Going back to former content is giving it anew.
    repository.commit({FILE: "one\n"}, person="sam")
    assert people(history(repository).introduced(FILE)) == ["sam@corp.example", "bo@corp.example"]
    assert history(repository).last_change(FILE).email == "sam@corp.example"


def test_what_a_merge_changes_by_itself_is_its_authors_work(repository: Repository) -> None:
    repository.commit({FILE: "one\n"}, person="bo")
    repository.git("checkout", "-q", "-b", "topic")
    repository.commit({"README.md": "y"}, person="bo")
    repository.git("checkout", "-q", "main")
    repository.commit({"CHANGES.md": "z"}, person="noor")
    repository.git("merge", "-q", "--no-ff", "--no-commit", "topic", person="eve")
    evil = repository.commit({FILE: "slipped in\n"}, person="eve")
    told = history(repository)
    assert [commit.sha for commit in told.introduced(FILE)] == [evil]
    assert told.introduced(FILE)[0].is_merge
    assert people(told.landed(FILE)) == ["eve@corp.example"]


def test_a_merge_that_takes_one_side_did_not_write_it(repository: Repository) -> None:
    repository.commit({FILE: "one\n"}, person="bo")
    repository.git("checkout", "-q", "-b", "topic")
    repository.commit({FILE: "two\n"}, person="lea")
    repository.git("checkout", "-q", "main")
    repository.commit({FILE: "three\n"}, person="sam")
    repository.git(
        "merge", "-q", "--no-ff", "-s", "recursive", "-X", "theirs", "-m", "m", "topic", person="eve"
    )
    told = history(repository)
    assert people(told.introduced(FILE)) == ["lea@corp.example"]
    assert people(told.landed(FILE)) == ["eve@corp.example"]


def test_a_moved_file_is_the_movers(repository: Repository) -> None:
    repository.commit({"tenants.d/blue/approvals/one.yaml": "one\n"}, person="bo")
    repository.git("mv", "tenants.d/blue", "tenants.d/red")
    repository.commit({}, person="eve")
    assert people(history(repository).introduced(FILE)) == ["eve@corp.example"]


def test_a_mailmap_rewrites_nobody(repository: Repository) -> None:
    repository.commit({FILE: "one\ntwo\n"}, person="eve")
    repository.commit({".mailmap": "Lea <lea@corp.example> <Eve@corp.example>\n"}, person="eve")
    told = history(repository)
    assert people(told.introduced(FILE)) == people(told.landed(FILE)) == ["eve@corp.example"]
    assert told.writers(FILE) == ("eve@corp.example",) * 2


def test_each_line_has_its_writer(repository: Repository) -> None:
    repository.commit({FILE: "one\ntwo\nthree\n"}, person="bo")
    repository.commit({FILE: "one\nTWO\nthree\n\tfour\n"}, person="lea")
    bo, lea = "bo@corp.example", "lea@corp.example"
    assert history(repository).writers(FILE) == (bo, lea, bo, lea)
    assert history(repository).writers(OTHER) == ("noor@corp.example",)


def test_an_empty_file_has_no_writers(repository: Repository) -> None:
    repository.commit({FILE: ""}, person="bo")
    assert history(repository).writers(FILE) == ()
    assert people(history(repository).introduced(FILE)) == ["bo@corp.example"]


def test_a_name_cannot_pose_as_another_field(repository: Repository) -> None:
    repository.write(FILE, "one\n")
    repository.git("add", "--all")
    tree = repository.git("write-tree")
    odd = b"tree %s\nparent %s\nauthor L\x01e\x02a\x03 :100644 <Eve@corp.example> 1767225600 +0000\n" % (
        tree.encode(), repository.head().encode(),
    )  # fmt: skip
    odd += b"committer X <lea@corp.example> 1767225600 +0000\n\nwork\n"
    commit = repository.git("hash-object", "-t", "commit", "-w", "--stdin", feed=odd)
    repository.git("update-ref", "HEAD", commit)
    (found,) = history(repository).introduced(FILE)
    assert (found.sha, found.email, found.committer_email) == (commit, "eve@corp.example", "lea@corp.example")


def test_a_later_commit_changes_nothing_for_an_earlier_one(repository: Repository) -> None:
    first = repository.commit({FILE: "one\n"}, person="bo")
    repository.commit({FILE: "two\n"}, person="lea")
    earlier = History(open_revision(repository.root, first), [FILE])
    assert people(earlier.introduced(FILE)) == ["bo@corp.example"]


def test_a_file_that_is_not_there_is_an_error_in_words(repository: Repository) -> None:
    for ask in (History.introduced, History.landed, History.writers, History.last_change):
        with pytest.raises(PolicyError, match=r"one\.yaml is not in commit"):
            ask(history(repository), FILE)


def test_policies_below_the_root_have_a_history_too(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.commit({f"ops/{FILE}": "one\n"}, person="bo")
    told = History(open_revision(tmp_path / "ops"), [FILE])
    assert people(told.introduced(FILE)) == people(told.landed(FILE)) == ["bo@corp.example"]
    assert told.writers(FILE) == ("bo@corp.example",)


def test_a_shallow_clone_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.commit({FILE: "one\n"}, person="bo")
    repository.git("clone", "-q", "--depth", "1", f"file://{repository.root}", str(tmp_path / "shallow"))
    with pytest.raises(PolicyError, match="shallow"):
        History(open_revision(tmp_path / "shallow"), [FILE])
