"""Discovery documents: OpenID configuration of both versions and instance discovery."""

from __future__ import annotations

from typing import Any

CLOUD_HOSTS = ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net")


def openid_configuration(base: str, tenant: str, tenant_id: str, v2: bool) -> dict[str, Any]:
    """`/.well-known/openid-configuration` (Microsoft docs: OpenID Connect)."""
    root = f"{base}/{tenant}"
    authorize = f"{root}/oauth2/v2.0" if v2 else f"{root}/oauth2"
    issuer = f"{base}/{tenant_id}/v2.0" if v2 else f"https://sts.windows.net/{tenant_id}/"
    return {
        "token_endpoint": f"{authorize}/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
            "self_signed_tls_client_auth",
        ],
        "jwks_uri": f"{root}/discovery/v2.0/keys" if v2 else f"{root}/discovery/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"] if v2 else ["openid"],
        "issuer": issuer,
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": f"{authorize}/authorize",
        "device_authorization_endpoint": f"{authorize}/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{authorize}/logout",
        "claims_supported": [
            "sub",
            "iss",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "acr",
            "nonce",
            "name",
            "tid",
            "ver",
        ],
        "kerberos_endpoint": f"{root}/kerberos",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


def instance(base: str, endpoint: str) -> dict[str, Any] | None:
    """`/common/discovery/instance`: aliases of the authority's host, None for one that is not Microsoft's."""
    own = base.partition("://")[2]
    host, _, rest = endpoint.partition("://")[2].partition("/")
    if host not in (*CLOUD_HOSTS, own):
        return None
    tenant = rest.partition("/")[0]
    metadata = [
        {
            "preferred_network": "login.microsoftonline.com",
            "preferred_cache": "login.windows.net",
            "aliases": list(CLOUD_HOSTS),
        }
    ]
    if own not in CLOUD_HOSTS:
        metadata.append({"preferred_network": own, "preferred_cache": own, "aliases": [own]})
    return {
        "tenant_discovery_endpoint": f"https://{host}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": metadata,
    }
