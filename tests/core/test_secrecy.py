"""What looks like a credential, or is known to be one, is left out; everything else is kept."""

from __future__ import annotations

import pytest

from reconciler.core.secrecy import known_secrets, without

ENVIRON = {
    "AZURE_CLIENT_ID": "aaaaaaaa-0000-4000-8000-000000000001",
    "AZURE_CLIENT_SECRET": "canary secret/+",
    "USE_TOKEN": "true",
    "TOKEN_TRIES": "3",
    "HTTPS_PROXY": "http://noor:p%40ss-canary@proxy:3128",
    "LAKE": "EndpointSuffix=x;AccountKey=canaryKey==;Y=z",
}

KEPT = (
    "GET /v1.0/groups?$top=999 200, client 0000, secret scope pricing",
    "secret vendor-api-token was last set 312 days ago; it should be rotated every 30",
    "pricing: 3 of 9 group grants would be taken away (33 %; limit 2); restore them",
    "no secret 'warehouse-password' in scope pricing: set it, or take the key out of the document",
    "azure-credential client-secret needs AZURE_CLIENT_SECRET; not set: AZURE_CLIENT_SECRET",
    "403 AuthorizationPermissionMismatch: This request is not authorized to perform this operation",
    "basic authentication is refused; the bearer is unknown",
    "databricks/ml-prod/secret-scope/token: grant group:secrets READ",
    "user:ana@corp.example holds Storage Blob Data Contributor at https://lake.dfs.core.windows.net/curated",
)


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_is_kept(text: str) -> None:
    assert without(text, known_secrets(ENVIRON)) == text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer CANARY", "authorization='Bearer CANARY'", "{'Authorization': 'Basic CANARY='}",
        '{\\"access_token\\": \\"CANARY\\"}', "client_secret = 'CANARY'", "x?sv=1&sig=CANARY&se=2",
        "AccountName=a;AccountKey=CANARY;x=y", "SharedAccessSignature=CANARY", "https://a:CANARY@host/x",
        "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nCANARY",
        "Set-Cookie: session=CANARY; Path=/", "X-Databricks-Azure-SP-Management-Token: CANARY",
        "password=CANARY",
        "eyJCANARYCANARY.CANARY.CANARY", "Proxy-Authorization: Basic CANARY", "subject_token=CANARY&x",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_left_out(text: str) -> None:
    assert "CANARY" not in without(text, {})


@pytest.mark.parametrize(
    "piece", ["token=", "://a:", "a-", "-token: ", "bearer ", 'secret": "', "-----BEGIN PRIVATE KEY-----"]
)
def test_looking_for_secrets_takes_time_in_proportion(piece: str) -> None:
    """A service may make a text to be looked at for long: a megabyte of anything is done in a moment."""
    assert without(piece * (1_000_000 // len(piece)), {}) is not None


@pytest.mark.parametrize(
    "text",
    [
        "canary secret/+", "canary%20secret%2F%2B", "canary+secret%2F%2B",
        "YWFhYWFhYWEtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAxOmNhbmFyeSBzZWNyZXQvKw==", "p%40ss-canary",
        "p@ss-canary", "canaryKey==",
    ],
)  # fmt: skip
def test_what_the_environment_holds_is_known_in_every_spelling(text: str) -> None:
    shown = without(f"said {text} and more", known_secrets(ENVIRON))
    assert text not in shown
    assert shown.startswith("said <") and shown.endswith("and more")


def test_switches_and_numbers_are_no_secrets() -> None:
    assert without("3 of true", known_secrets(ENVIRON)) == "3 of true"
