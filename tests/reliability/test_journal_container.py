"""A journal in a container, where somebody on the way answers with a page of his own."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.identity import ClientSecretCredential

from reconciler.core.errors import StoreError
from reconciler.emulator.faults import Fault
from reconciler.emulator.server import running
from reconciler.store.client_container import ContainerStore
from tests.cli.desk import APPS, seed


def test_a_page_in_the_place_of_the_journals_is_told_in_words(tmp_path: Path) -> None:
    with running(seed(), tmp_path / "ca.pem") as emulator:
        ident, secret = APPS["apply"]
        trust = str(emulator.ca_file)
        credential = ClientSecretCredential(
            emulator.world.directory.tenant_id,
            ident,
            secret,
            authority=emulator.url("entra"),
            connection_verify=trust,
            disable_instance_discovery=True,
        )
        pauses: list[float] = []
        store = ContainerStore(
            f"{emulator.url('lake/lake/dfs')}/data/journals", credential, trust, sleep=pauses.append
        )
        emulator.world.faults.add(Fault(service="lake/.*", kind="html", status=200, times=None))
        with pytest.raises(StoreError, match="cannot list journals"):
            store.names()
        assert pauses == [2.0, 4.0], "somebody else's page is no answer, and the service is asked again"
        emulator.world.faults.clear()
        assert store.names() == []
