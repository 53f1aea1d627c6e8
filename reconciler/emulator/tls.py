"""The emulator's own certificate authority, so that the real SDKs keep verifying certificates."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

NAMES = (
    "localhost",
    "127.0.0.1",
    "::1",
    "login.microsoftonline.com",
    "graph.microsoft.com",
    "management.azure.com",
    "*.azuredatabricks.net",
    "*.dfs.core.windows.net",
    "*.blob.core.windows.net",
)


class Authority:
    """A certificate authority made for one run; its private key never leaves memory."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="reconciler emulator")
        self._server = self._authority.issue_cert(*NAMES)

    def write_ca(self, path: Path) -> None:
        """Write the CA certificate, the file that clients are told to trust."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._authority.cert_pem.write_to_path(str(path))

    def configure(self, context: ssl.SSLContext) -> None:
        """Give a server context the certificate of all emulated hosts."""
        self._server.configure_cert(context)
