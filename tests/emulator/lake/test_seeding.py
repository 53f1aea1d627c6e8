"""The `lakes` section of a seed, and the way back; and filling a filesystem at once."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.emulator import services as registry
from reconciler.emulator.lake.acl import AclError
from reconciler.emulator.lake.service import LakeService
from reconciler.emulator.lake.tree import find
from reconciler.emulator.world import World
from tests.emulator.lake.harness import ACCOUNT, ANA, Lake

DANGLING = "dddddddd-0000-4000-8000-00000000dead"
DIRECTORY = {
    "users": [{"upn": "ana@corp.example"}, {"upn": "bo@corp.example"}],
    "groups": [{"name": "pricing-ds"}, {"name": "a, b"}, {"name": "twin"}, {"name": "twin", "id": ANA}],
    "service-principals": [{"name": "pricing-airflow"}],
}
LAKES: dict[str, Any] = {
    "datalake": {
        "hns": True,
        "retention-days": 7,
        "filesystems": {
            "curated": {
                "root": {"acl": "user::rwx,group::r-x,other::--x", "owner": "user:bo@corp.example"},
                "metadata": {"team": "pricing"},
                "paths": [
                    {"path": "pricing/daily/file.parquet", "type": "file", "size": 12},
                    {
                        "path": "pricing",
                        "acl": "user:ana@corp.example:r-x,group:pricing-ds:r-x,sp:pricing-airflow:rwx,"
                        f"user:{DANGLING}:rwx,default:group:pricing-ds:r-x",
                        "group": "group:pricing-ds",
                    },
                    {"path": "pricing/quoted", "acl": ["group:a, b:r-x"]},
                    {"path": "open", "sticky": True, "acl": "other::rwx"},
                    {"path": "open/note", "type": "file", "content": "aGk=", "metadata": {"a": "1"}},
                ],
            }
        },
    },
    "flat": {"hns": False},
}


def seeded(lakes: dict[str, Any]) -> tuple[World, dict[str, Any]]:
    """A world and its services with this seed."""
    world = World()
    services = registry.build(world)
    registry.seed(world, services, {"directory": DIRECTORY, "lakes": lakes})
    return world, services


def test_a_seed_dumped_and_seeded_again_is_the_same() -> None:
    """In names where they are safe, and in ids where a name is shared, gone or has a comma."""
    _, services = seeded(LAKES)
    dumped = services["lake"].dump()
    _, again = seeded(dumped)
    assert again["lake"].dump() == dumped
    paths = {item["path"]: item for item in dumped["datalake"]["filesystems"]["curated"]["paths"]}
    pricing = paths["pricing"]["acl"]
    assert "user:ana@corp.example:r-x" in pricing
    assert "group:pricing-ds:r-x" in pricing
    assert f"user:{DANGLING}:rwx" in pricing
    assert "sp:" not in pricing
    assert paths["pricing"]["group"] == "group:pricing-ds"
    assert "a, b" not in paths["pricing/quoted"]["acl"]
    assert paths["open"]["sticky"] is True


def test_children_inherit_from_parents_named_later_in_the_file() -> None:
    """Whatever the order, parents come first; implied directories inherit too."""
    world, services = seeded(LAKES)
    lake: LakeService = services["lake"]
    root = lake.accounts["datalake"].filesystems["curated"].root
    group = world.directory.by_group_name("pricing-ds")[0].id
    *_, daily, file = find(root, ["pricing", "daily", "file.parquet"])
    assert f"default:group:{group}:r-x" in daily.acl.text
    assert f"group:{group}:r-x" in file.acl.text
    assert daily.group == group


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ({"path": "x", "acl": "user:nobody@corp.example:r-x"}, "nobody@corp.example"),
        ({"path": "x", "acl": "group:twin:r-x"}, "2 objects"),
        ({"path": "x", "acl": "group:pricing-ds:rx"}, "access control list"),
        ({"path": "x", "kind": "file"}, "unknown key 'kind'"),
        ({"path": "x", "type": "link"}, "directory or file"),
        ({"path": "", "type": "file"}, "needs a path"),
        ({"path": "pricing/daily", "type": "file"}, "both as a file and as a directory"),
    ],
)
def test_a_wrong_entry_is_named(path: dict[str, Any], complaint: str) -> None:
    """With the account, the filesystem and the path."""
    filesystem = {"paths": [{"path": "pricing/daily/deep"}, path]}
    with pytest.raises(ValueError, match=complaint) as error:
        seeded({"datalake": {"filesystems": {"curated": filesystem}}})
    assert "lakes.datalake.curated" in str(error.value)


def test_endpoints_come_in_pairs_for_every_account() -> None:
    """DFS first."""
    _, services = seeded(LAKES)
    assert services["lake"].endpoints() == [
        "lake/datalake/dfs",
        "lake/datalake/blob",
        "lake/flat/dfs",
        "lake/flat/blob",
    ]


def test_role_assignments_of_the_control_plane_open_the_lake() -> None:
    """A data role on the container, given to a group, is found for its member."""
    world, services = seeded(LAKES)
    directory = world.directory
    bo, group = directory.resolve("user:bo@corp.example"), directory.resolve("group:pricing-ds")
    directory.link(group, "members", bo)
    arm = {
        "role-assignments": [
            {"principal": "group:pricing-ds", "role": "Storage Blob Data Reader", "scope": "datalake/curated"}
        ]
    }
    services["arm"].seed(arm)
    assert services["lake"].roles(bo, "datalake", "curated") == {"Storage Blob Data Reader"}
    assert not services["lake"].roles(bo, "datalake", "other")


def test_very_many_paths_are_grown_and_listed() -> None:
    """Parents implied, lists inherited, every path in the listing once."""
    lake = Lake()
    text = f"group:{ANA}:r-x,default:group:{ANA}:r-x"

    def rows() -> Any:
        yield "top", True, text
        for folder in range(20):
            for number in range(500):
                yield f"top/{folder:02}/part-{number:04}", False, ""

    assert lake.service.grow(ACCOUNT, "curated", rows(), size=5) == 10_001
    answer = lake.ask("GET", "/curated?restype=container&comp=list&include=permissions", host="blob")
    assert len(answer.names) == 5_000
    assert lake.acl("top/07") == f"user::rwx,group::r-x,group:{ANA}:r-x,mask::r-x,other::---," + (
        f"default:user::rwx,default:group::r-x,default:group:{ANA}:r-x,default:mask::r-x,default:other::---"
    )
    assert lake.node("top/07/part-0001").size == 5
    assert len({id(lake.node(f"top/07/part-{number:04}").acl) for number in range(500)}) == 1
    with pytest.raises(AclError):
        lake.service.grow(ACCOUNT, "curated", [("x", False, "nonsense")])
    with pytest.raises(ValueError, match="goes through the file"):
        lake.service.grow(ACCOUNT, "curated", [("f", False, ""), ("f/x", False, "")])


def test_a_tree_of_many_paths_in_one_line() -> None:
    folder = {"path": "top", "acl": "user:ana@corp.example:r-x,default:user:ana@corp.example:r-x"}
    tree = {"below": "top/days", "levels": [["day=##", 3], ["part-###.csv", 2]]}
    lakes = {"datalake": {"filesystems": {"curated": {"paths": [folder], "trees": [tree]}}}}
    _, services = seeded(lakes)
    dumped = services["lake"].dump()["datalake"]["filesystems"]["curated"]["paths"]
    paths = {item["path"]: item for item in dumped}
    assert sorted(path for path in paths if path.startswith("top/days/day=01")) == [
        "top/days/day=01",
        "top/days/day=01/part-000.csv",
        "top/days/day=01/part-001.csv",
    ]
    assert len(paths) == 2 + 3 + 6
    assert "user:ana@corp.example:r-x" in paths["top/days/day=02/part-001.csv"]["acl"]


@pytest.mark.parametrize("levels", [[], [["part", 2]]])
def test_a_tree_without_numbers_is_refused(levels: list[Any]) -> None:
    tree = {"below": "top", "levels": levels}
    with pytest.raises(ValueError, match="needs levels"):
        seeded({"datalake": {"filesystems": {"curated": {"trees": [tree]}}}})
