"""What cannot be read is a gap that says why: it is never read as nothing, and takes nothing else along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from reconciler.core.model import Address, Attribute, Live
from reconciler.emulator.faults import Fault
from reconciler.providers.adls.provider import Lakes
from reconciler.providers.contract import Question
from tests.providers.adls.lake import TODAY, Lake, folder, lake

PRICING = Address.parse("adls/datalake/folder/curated/pricing")
SALES = Address.parse("adls/datalake/folder/curated/sales")
ROLES = Address.parse("adls/datalake/role-assignments/curated")
LIST = "user::rwx,group::r-x,group:pricing-ds:r-x,mask::r-x,other::---"
READ_LIST = LIST + "".join(f",default:{entry}" for entry in LIST.split(","))
PATHS = [
    {"path": "pricing", "acl": READ_LIST},
    {"path": "pricing/a/b"},
    {"path": "pricing/a/f", "type": "file"},
    {"path": "sales", "acl": READ_LIST},
    {"path": "sales/x", "type": "file"},
]
ACCESS = Attribute("access", "group:pricing-ds")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lake]:
    with lake(tmp_path, PATHS, patience=3) as running:
        running.documents = [
            folder(grants={"group:pricing-ds": "read"}),
            folder("curated/sales", tenant="sales", grants={"group:pricing-ds": "read"}),
        ]
        yield running


def fault(here: Lake, **keys: object) -> None:
    here.emulator.world.faults.add_json({"service": "lake/datalake/(dfs|blob)", "times": None, **keys})


def page(name: str = "", acl: str = "user::rwx,group::r-x,other::---") -> str:
    """A listing of one file, or of nothing."""
    properties = f"<Properties><Acl>{acl}</Acl><ResourceType>file</ResourceType></Properties>"
    blob = f"<Blob><Name>{name}</Name>{properties}</Blob>" if name else ""
    return (
        f'<?xml version="1.0"?><EnumerationResults ContainerName="curated"><Blobs>{blob}</Blobs>'
        "<NextMarker /></EnumerationResults>"
    )


def in_step(live: Live, *addresses: Address) -> None:
    for address in addresses:
        assert address not in live.gaps, live.gaps[address].reason
        found = live.found[address]
        assert found.grants[ACCESS] == "r-x"
        assert not found.mixed


def test_a_tree_that_is_refused_is_a_gap_and_its_neighbour_is_read(here: Lake) -> None:
    fault(here, target="(prefix|directory)=pricing", status=403, headers={"x-ms-error-code": "AuthX"})
    live = here.read()
    assert PRICING not in live.found
    assert "403" in live.gaps[PRICING].reason
    assert live.gaps[PRICING].status == "403 AuthX"
    in_step(live, SALES)


def test_the_part_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    """Without a data role the reconciler reads by lists, like everybody else."""
    me = "sp:reconciler:r-x"
    reader = f"user::rwx,group::r-x,group:pricing-ds:r-x,{me},mask::r-x,other::---"
    both = reader + "".join(f",default:{entry}" for entry in reader.split(","))
    closed = "user::rwx,group::---,other::---"
    paths = [
        {"path": "pricing", "acl": both},
        {"path": "pricing/a/b"},
        {"path": "pricing/private", "acl": closed},
        {"path": "sales", "acl": both},
    ]
    root = {"acl": f"user::rwx,group::r-x,{me},mask::r-x,other::---"}
    with lake(tmp_path, paths, root=root, role="Reader") as here:
        here.documents = [
            folder(grants={"group:pricing-ds": "read"}, unlisted="keep"),
            folder("curated/sales", tenant="sales", grants={"group:pricing-ds": "read"}),
        ]
        live = here.read()
        assert "curated/pricing/private: 403 AuthorizationPermissionMismatch" in live.gaps[PRICING].reason
        assert "Storage Blob Data Reader" in live.gaps[PRICING].reason
        in_step(live, SALES)


def test_without_an_answer_for_the_root_its_folders_are_read_all_the_same(here: Lake) -> None:
    fault(here, method="HEAD", target="/curated/.action=getAccessControl", kind="reset")
    live = here.read()
    in_step(live, PRICING, SALES)
    assert live.answering == {"adls/datalake"}
    (gap,) = [gap for address, gap in live.gaps.items() if address.provider == "adls"]
    assert gap.address.locator == "curated" and "gave no whole answer" in gap.reason


def test_a_page_of_somebody_elses_is_no_answer_of_the_lake(here: Lake) -> None:
    fault(here, kind="html", status=200)
    live = here.read()
    assert {PRICING, SALES} <= live.gaps.keys()
    assert live.answering == frozenset()


def test_a_data_reader_reads_everything(tmp_path: Path) -> None:
    with lake(tmp_path, PATHS, role="Storage Blob Data Reader") as here:
        here.documents = [folder(grants={"group:pricing-ds": "read"})]
        in_step(here.read(), PRICING)


@pytest.mark.parametrize("behaviour", ["refused", "without-acl"])
def test_without_lists_in_listings_every_path_is_asked(here: Lake, behaviour: str) -> None:
    expected = here.read()
    wider = READ_LIST.replace("pricing-ds:r-x", "pricing-ds:rwx").replace("mask::r-x", "mask::rwx")
    here.set("pricing/a/b", wider)
    here.emulator.world.switches["lake.list-blobs-permissions"] = behaviour
    live = here.read()
    in_step(live, SALES)
    assert live.found[PRICING].mixed[ACCESS] == ("r-x", "rwx")
    here.set("pricing/a/b", READ_LIST)
    assert here.read() == expected


def test_a_page_that_is_cut_short_is_a_gap(here: Lake) -> None:
    fault(here, target="comp=list", kind="truncate")
    fault(here, target="resource=filesystem", kind="truncate")
    live = here.read()
    assert set(live.gaps) >= {PRICING, SALES}
    assert live.found.keys().isdisjoint({PRICING, SALES})


def test_a_proxys_error_page_is_a_gap(here: Lake) -> None:
    fault(here, target="comp=list", kind="html", status=200)
    live = here.read()
    assert set(live.gaps) >= {PRICING, SALES}


def test_a_listing_that_goes_round_in_circles_is_a_gap(here: Lake) -> None:
    body = page().replace("<NextMarker />", "<NextMarker>again</NextMarker>")
    fault(here, target="comp=list", status=200, body=body)
    live = here.read()
    assert "round in circles" in live.gaps[PRICING].reason


def test_a_listing_of_somewhere_else_is_a_gap(here: Lake) -> None:
    fault(here, target="comp=list", status=200, body=page("elsewhere/x"))
    assert "names paths elsewhere" in here.read().gaps[PRICING].reason


def test_a_list_that_does_not_parse_is_a_gap(here: Lake) -> None:
    body = page("pricing/odd", "user::rwx,role:x:rwx")
    fault(here, target="comp=list.*prefix=pricing", status=200, body=body)
    live = here.read()
    assert "curated/pricing/odd: 'role:x:rwx' is not an entry" in live.gaps[PRICING].reason
    in_step(live, SALES)


def test_directories_that_a_listing_leaves_out_are_asked_for(here: Lake) -> None:
    body = page("pricing/a/f", LIST.replace("pricing-ds", here.oid("group:pricing-ds")))
    fault(here, target="comp=list.*prefix=pricing", status=200, body=body)
    here.set("pricing/a", "user::rwx,group::r-x,other::---")
    assert here.read().found[PRICING].mixed[ACCESS] == (None, "r-x")


def test_a_busy_service_is_asked_again(here: Lake) -> None:
    fault(here, target="comp=list", status=503, headers={"Retry-After": "0"}, times=2)
    in_step(here.read(), PRICING, SALES)


def test_somebody_who_cannot_be_named_is_a_gap(here: Lake) -> None:
    here.set("pricing/a", READ_LIST + ",user:ana@corp.example:r-x")
    here.people.silent_about.add(here.oid("user:ana@corp.example"))
    live = here.read()
    assert "403 from Graph" in live.gaps[PRICING].reason
    assert "curated/pricing/a" in live.gaps[PRICING].reason
    in_step(live, SALES)


def test_a_file_in_the_place_of_a_folder_is_a_gap(here: Lake) -> None:
    here.documents = [folder("curated/sales/x", grants={"group:pricing-ds": "read"})]
    live = here.read()
    gap = live.gaps[Address.parse("adls/datalake/folder/curated/sales/x")]
    assert "is a file, not a folder" in gap.reason


def test_a_container_that_is_not_there_is_a_gap(here: Lake) -> None:
    here.documents = [folder("rraw/pricing", grants={"group:pricing-ds": "read"})]
    live = here.read()
    gap = live.gaps[Address.parse("adls/datalake/folder/rraw/pricing")]
    assert "'rraw'" in gap.reason and "correct the name" in gap.reason
    assert gap.status.startswith("404")


def test_a_way_that_may_not_be_read_is_a_gap_of_its_own(here: Lake) -> None:
    fault(here, method="HEAD", target=r"^/curated/\?", status=403)
    live = here.read()
    assert Address.parse("adls/datalake/traverse/curated") in live.gaps
    in_step(live, PRICING, SALES)


def everything(here: Lake) -> set[Address]:
    return {want.address for want in here.wanted()} | {Address.parse("adls/datalake/folder/*")}


def reopened(here: Lake, tmp_path: Path, **changes: object) -> Live:
    """Read with another provider, whose settings are changed; it has to answer within seconds."""
    environ = dict(here.environ)
    settings = here.environment.lakes["datalake"]
    environment = here.environment
    if "secret" in changes:
        environ["AZURE_CLIENT_SECRET"] = str(changes["secret"])
    else:
        changed = replace(settings, dfs=str(changes["dfs"]), blob=str(changes["dfs"]))
        environment = replace(environment, lakes={"datalake": changed})
    provider = Lakes(environment, environ, tmp_path)
    started = monotonic()
    try:
        return provider.read(Question(wanted=here.wanted(), directory=here.people, as_of=TODAY))
    finally:
        provider.close()
        assert monotonic() - started < 15


def test_a_wrong_secret_is_a_gap_for_everything(here: Lake, tmp_path: Path) -> None:
    live = reopened(here, tmp_path, secret="wrong")
    assert set(live.gaps) == everything(here)
    assert all("signing in failed" in gap.reason for gap in live.gaps.values())
    assert "wrong" not in str(live)


def test_an_unreachable_host_is_a_gap_for_everything(here: Lake, tmp_path: Path) -> None:
    live = reopened(here, tmp_path, dfs="https://127.0.0.1:9")
    assert set(live.gaps) >= everything(here) - {Address.parse("adls/datalake/folder/*")}
    assert "cannot be reached" in live.gaps[PRICING].reason


def test_an_untrusted_certificate_is_a_gap_for_everything(here: Lake, tmp_path: Path) -> None:
    from reconciler.emulator.tls import Authority

    (tmp_path / "other").mkdir()
    Authority().write_ca(tmp_path / "other" / "ca.pem")
    environment = replace(here.environment, ca_file=str(tmp_path / "other" / "ca.pem"))
    provider = Lakes(environment, here.environ, tmp_path)
    live = provider.read(Question(wanted=here.wanted(), directory=here.people, as_of=TODAY))
    provider.close()
    assert set(live.gaps) >= everything(here)


def test_a_line_that_goes_dead_midway_is_not_waited_for_path_by_path(here: Lake) -> None:
    here.documents = [folder(f"curated/f{number}", grants={}) for number in range(40)]
    fault(here, method="HEAD", target="/curated/f", kind="reset")
    started = monotonic()
    live = here.read()
    assert len([address for address in live.gaps if address.kind == "folder"]) == 40
    assert monotonic() - started < 20


def test_role_assignments_outrank_lists_and_are_told(here: Lake) -> None:
    arm = here.emulator.services["arm"]
    arm.seed(
        {
            "role-definitions": [
                {"name": "Reads blobs", "data-actions": ["Microsoft.Storage/storageAccounts/*/read"]},
                {"name": "Queues", "data-actions": ["Microsoft.Storage/storageAccounts/queueServices/*"]},
            ],
            "role-assignments": [
                {"principal": "group:sales", "role": "Storage Blob Data Contributor", "scope": "datalake"},
                {"principal": "user:ana@corp.example", "role": "Reads blobs", "scope": "datalake/curated"},
                {"principal": "user:bo@corp.example", "role": "Queues", "scope": "datalake"},
                {"principal": "user:bo@corp.example", "role": "Reader", "scope": "datalake"},
            ],
        }
    )
    texts = sorted(each.text for each in here.read().findings if each.rule == "bypass")
    assert texts == [
        "group:sales holds Storage Blob Data Contributor at storage account datalake, and may read and write "
        "in every container whatever the folders' lists say",
        "sp:reconciler holds Storage Blob Data Owner at storage account datalake, and may read and write in "
        "every container whatever the folders' lists say",
        "user:ana@corp.example holds Reads blobs at container curated, and may read in container curated "
        "whatever the folders' lists say",
    ]


def test_role_assignments_that_may_not_be_read_are_a_gap(here: Lake) -> None:
    here.emulator.world.faults.add(Fault(service="arm", target="roleAssignments", status=403, times=None))
    live = here.read()
    assert "grant the reading identity Reader" in live.gaps[ROLES].reason
    in_step(live, PRICING, SALES)


def test_a_role_that_cannot_be_looked_up_is_a_gap(here: Lake) -> None:
    here.emulator.services["arm"].seed(
        {
            "role-definitions": [{"name": "Odd"}],
            "role-assignments": [{"principal": "group:sales", "role": "Odd", "scope": "datalake"}],
        }
    )
    here.emulator.world.faults.add(Fault(service="arm", target="roleDefinitions", status=404, times=None))
    assert ROLES in here.read().gaps


def test_without_the_accounts_id_role_assignments_are_a_gap(tmp_path: Path) -> None:
    with lake(tmp_path, PATHS, resource_id=False) as here:
        here.documents = [folder(grants={"group:pricing-ds": "read"})]
        gap = here.read().gaps[Address.parse("adls/datalake/role-assignments/*")]
        assert "`resource-id`" in gap.reason
