"""The ground that tests stand on: a clean process, no way out of the machine."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from tests.isolation import clean_environment, is_loopback


def test_names_outside_the_machine_do_not_resolve() -> None:
    with pytest.raises(socket.gaierror, match="outside this machine"):
        socket.getaddrinfo("login.example", 443)


def test_addresses_outside_the_machine_are_unreachable() -> None:
    with socket.socket() as sock, pytest.raises(OSError, match="outside this machine"):
        sock.connect(("192.0.2.1", 443))


def test_loopback_works() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("ml-prod.localhost", True),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("localhost.example", False),
        ("graph.example", False),
    ],
)
def test_what_counts_as_loopback(host: str, inside: bool) -> None:
    assert is_loopback(host) is inside


def test_settings_of_the_machine_are_left_behind() -> None:
    before = {"AZURE_TENANT_ID": "t", "HTTPS_PROXY": "p", "GIT_AUTHOR_NAME": "n", "PATH": "/bin"}
    after = clean_environment(before)
    assert after["PATH"] == "/bin"
    assert not {"AZURE_TENANT_ID", "HTTPS_PROXY", "GIT_AUTHOR_NAME"} & set(after)
    assert "DATABRICKS_HOST" not in os.environ


def test_git_reads_no_settings_of_the_machine() -> None:
    listing = subprocess.run(
        ["git", "config", "--list", "--show-scope"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert {line.split()[0] for line in listing.stdout.splitlines()} == {"command"}
