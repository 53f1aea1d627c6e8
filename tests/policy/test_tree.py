"""Files come from a folder or a commit, the same ones from both, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.core.errors import PolicyError
from reconciler.policy.load import load
from reconciler.policy.revision import changed_files, open_revision
from reconciler.policy.tree import MAX_BYTES, Listing, WorkingTree, odd_name
from tests.policy.repository import Repository
from tests.policy.small import PLATFORM, RED, VOCABULARIES

HERE = "tenants.d/red/groups.yaml"


def told(listing: Listing) -> list[tuple[str, str, str]]:
    return sorted((each.source.file, each.text, each.tenant) for each in listing.problems)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "clone")
    made.commit({**PLATFORM, **RED, "tenants.d/red/README.md": "notes", "tenants.d/red/.hidden.yaml": "x: ["})
    return made


def test_a_clean_working_tree_and_its_commit_are_the_same_files(repository: Repository) -> None:
    commit = open_revision(repository.root)
    assert commit.revision == repository.head()
    assert commit.read() == WorkingTree(repository.root).read()
    assert [file.path for file in commit.read().files] == sorted([*PLATFORM, *RED])
    assert load(commit, VOCABULARIES).problems == ()


def test_a_commit_is_read_and_not_the_working_tree(repository: Repository) -> None:
    first = repository.head()
    second = repository.commit({HERE: "second: committed\n"})
    repository.write(HERE, "third: edited\n")
    repository.write("tenants.d/red/new.yaml", "fourth: not even added\n")

    def content(name: str) -> dict[str, bytes]:
        return {file.path: file.data for file in open_revision(repository.root, name).read().files}

    assert content(first)[HERE] == RED[HERE].encode()
    assert content(second)[HERE] == content("main")[HERE] == content("HEAD")[HERE] == b"second: committed\n"
    assert content("HEAD~1") == content(first)
    assert "tenants.d/red/new.yaml" not in content("HEAD")


def test_policies_may_live_below_the_root_of_the_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.commit({f"ops/access/{path}": text for path, text in {**PLATFORM, **RED}.items()})
    commit = open_revision(tmp_path / "ops" / "access")
    assert commit.read() == WorkingTree(tmp_path / "ops" / "access").read()
    with pytest.raises(PolicyError, match="holds no policies/ and no tenants.d/"):
        open_revision(tmp_path).read()


@pytest.mark.parametrize("name", ["nowhere", "-n", "--help", "HEAD^{tree}", "", "main:policies", "HEAD@{99}"])
def test_what_is_no_commit_is_an_error_in_words(repository: Repository, name: str) -> None:
    with pytest.raises(PolicyError, match="is no commit of"):
        open_revision(repository.root, name)


def test_what_is_no_repository_is_an_error_in_words(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(PolicyError, match="is in no git repository"):
            open_revision(folder)


def test_a_replacement_does_not_change_what_a_commit_holds(repository: Repository) -> None:
    good = repository.git("rev-parse", f"HEAD:{HERE}")
    evil = repository.git("hash-object", "-w", "--stdin", feed=b"kind: evil\n")
    repository.git("replace", good, evil)
    files = {file.path: file.data for file in open_revision(repository.root).read().files}
    assert files[HERE] == RED[HERE].encode()


def test_links_are_not_followed(repository: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.yaml").write_text("kind: group\n")
    (repository.root / "tenants.d/red/file.yaml").symlink_to(outside / "x.yaml")
    (repository.root / "tenants.d/red/folder").symlink_to(outside)
    (repository.root / "tenants.d/blue").symlink_to(outside)
    (repository.root / "tenants.d/red/gone.yaml").symlink_to("nothing")
    repository.commit({})
    text = "is a symbolic link; put the file itself here"
    for tree in (WorkingTree(repository.root), open_revision(repository.root)):
        listing = tree.read()
        assert told(listing) == [
            ("tenants.d/blue", text, ""),
            ("tenants.d/red/file.yaml", text, "red"),
            ("tenants.d/red/folder", text, "red"),
            ("tenants.d/red/gone.yaml", text, "red"),
        ]
        assert [file.path for file in listing.files] == sorted([*PLATFORM, *RED])


def test_the_folders_themselves_may_not_be_links(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root" / "policies").mkdir(parents=True)
    (tmp_path / "root" / "tenants.d").symlink_to(tmp_path / "elsewhere")
    assert told(WorkingTree(tmp_path / "root").read()) == [
        ("tenants.d", "is a symbolic link; policies are read from plain folders only", "")
    ]


def test_submodules_and_odd_trees_are_refused(repository: Repository) -> None:
    commit = repository.plant(
        [
            ("100644", "policies/a.yaml", "a: b"),
            ("160000", "tenants.d/red/module", repository.head()),
            ("100644", "tenants.d/red/a\tb.yaml".replace("\t", "\u202e"), "a: b"),
            ("100644", "tenants.d/red/\udcff.yaml", "a: b"),
            ("100644", "tenants.d/red/back\\slash.yaml", "a: b"),
        ]
    )
    listing = open_revision(repository.root, commit).read()
    assert [(file, text.partition(";")[0]) for file, text, _ in told(listing)] == [
        ("tenants.d/red/\\udcff.yaml", "the name holds a byte or character that cannot be shown"),
        (
            "tenants.d/red/a\\u202eb.yaml",
            "U+202E RIGHT-TO-LEFT OVERRIDE is not allowed in a name: 'a\\u202eb.yaml'",
        ),
        ("tenants.d/red/back\\slash.yaml", "a name may not hold a backslash"),
        ("tenants.d/red/module", "is a submodule"),
    ]
    assert [file.path for file in listing.files] == ["policies/a.yaml"]
    assert {each.tenant for each in listing.problems} == {"red"}


@pytest.mark.parametrize("path", ["tenants.d/../x.yaml", "policies/./x", "policies//x", "a/\\b", "a\n"])
def test_a_path_that_leads_elsewhere_is_odd(path: str) -> None:
    assert odd_name(path)


def test_paths_that_differ_in_letter_case_only_are_told_to_both(repository: Repository) -> None:
    platform = ("policies/a.yaml", "policies/A.yaml")
    tenants = ("red/x.yaml", "Red/y.yaml", "blue/\u00e9.yaml", "blue/\u00c9.yaml")
    paths = (*platform, *(f"tenants.d/{path}" for path in tenants))
    entries = [("100644", path, "a: b") for path in paths]
    listing = open_revision(repository.root, repository.plant(entries)).read()
    assert sorted((each.source.file, each.tenant) for each in listing.problems) == [
        ("policies/a.yaml", ""),
        ("tenants.d/Red", "Red"),
        ("tenants.d/blue/\u00e9.yaml", "blue"),
        ("tenants.d/red/x.yaml", "red"),
    ]


def test_large_files_are_not_read(repository: Repository) -> None:
    repository.commit(
        {"tenants.d/red/large.yaml": "#" * (MAX_BYTES + 1), "tenants.d/red/fits.yaml": "#" * MAX_BYTES}
    )
    for tree in (WorkingTree(repository.root), open_revision(repository.root)):
        ((file, text, tenant),) = told(tree.read())
        assert (file, tenant) == ("tenants.d/red/large.yaml", "red")
        assert text == "holds 1,048,577 bytes, and 1,048,576 is the limit; split it into several files"


def test_the_lock_file_may_be_larger(repository: Repository) -> None:
    repository.commit({"policies/principals.lock.yaml": "#" * (MAX_BYTES + 1)})
    assert told(open_revision(repository.root).read()) == told(WorkingTree(repository.root).read()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_told(repository: Repository) -> None:
    (repository.root / HERE).chmod(0)
    assert told(WorkingTree(repository.root).read()) == [(HERE, "cannot be read: Permission denied", "red")]


def test_a_pipe_is_not_waited_for(repository: Repository) -> None:
    os.mkfifo(repository.root / "tenants.d/red/pipe.yaml")
    assert told(WorkingTree(repository.root).read()) == [
        ("tenants.d/red/pipe.yaml", "is neither a file nor a folder; delete it", "red")
    ]


def test_a_tenant_with_a_fault_in_its_folder_is_blocked(repository: Repository) -> None:
    (repository.root / "tenants.d/red/link.yaml").symlink_to("groups.yaml")
    assert set(load(WorkingTree(repository.root), VOCABULARIES).blocked) == {"red"}


def test_what_a_branch_changes_is_known_by_path(repository: Repository) -> None:
    base = repository.head()
    repository.git("checkout", "-q", "-b", "topic")
    repository.commit({HERE: "changed: here\n", "README.md": "no policy"})
    repository.git("checkout", "-q", "main")
    repository.commit({"policies/guardrails.yaml": "kind: guardrails\nwide: []\n"})
    repository.git("checkout", "-q", "topic")
    repository.write("tenants.d/red/new one.yaml", "kind: group\n")
    (repository.root / "tenants.d/red/tenant.yaml").unlink()
    changed = {HERE, "tenants.d/red/new one.yaml", "tenants.d/red/tenant.yaml"}
    # What main did meanwhile is not the branch's doing.
    assert changed_files(repository.root, "main") == changed_files(repository.root, base) == changed
    with pytest.raises(PolicyError, match="is no commit of"):
        changed_files(repository.root, "nowhere")
