"""How directory objects look on the wire: which properties, in which order, with which nulls.

The order and the nulls are those of responses recorded from the live service.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from reconciler.emulator.directory import DirectoryObject, Group, ServicePrincipal, User
from reconciler.emulator.graph.call import Application

Payload = dict[str, Any]

TYPES = {
    User: "#microsoft.graph.user",
    Group: "#microsoft.graph.group",
    ServicePrincipal: "#microsoft.graph.servicePrincipal",
}
COLLECTIONS = {User: "users", Group: "groups", ServicePrincipal: "servicePrincipals"}
RELATIONS: dict[type, tuple[str, ...]] = {
    User: ("memberOf", "transitiveMemberOf", "ownedObjects", "manager"),
    Group: ("members", "owners", "memberOf", "transitiveMembers", "transitiveMemberOf"),
    ServicePrincipal: ("owners", "memberOf", "transitiveMemberOf", "ownedObjects"),
}
SERVICE_NAMES = {User: "User", Group: "Group", ServicePrincipal: "ServicePrincipal"}


@lru_cache(maxsize=65536)
def security_identifier(oid: str) -> str:
    """The SID that Entra derives from an object id: its 16 bytes as four little-endian integers."""
    return "S-1-12-1-" + "-".join(str(part) for part in struct.unpack("<4I", uuid.UUID(oid).bytes_le))


def group(thing: Group, beta: bool = False) -> Payload:
    """A group with all properties that are returned when none is selected."""
    extra = thing.properties
    dynamic = thing.membership_rule is not None
    mail = extra.get("mail")
    payload: Payload = {
        "id": thing.id,
        "deletedDateTime": None,
        "classification": extra.get("classification"),
        "createdDateTime": thing.created,
        "creationOptions": [],
        "description": thing.description,
        "displayName": thing.display_name,
        "expirationDateTime": None,
        "groupTypes": group_types(thing),
        "isAssignableToRole": thing.role_assignable,
        "mail": mail,
        "mailEnabled": thing.mail_enabled,
        "mailNickname": thing.mail_nickname or thing.id[:8],
        "membershipRule": thing.membership_rule,
        "membershipRuleProcessingState": "On" if dynamic else None,
        "onPremisesDomainName": "corp.example" if thing.on_premises else None,
        "onPremisesLastSyncDateTime": thing.created if thing.on_premises else None,
        "onPremisesNetBiosName": "CORP" if thing.on_premises else None,
        "onPremisesSamAccountName": thing.display_name if thing.on_premises else None,
        "onPremisesSecurityIdentifier": None,
        "onPremisesSyncEnabled": True if thing.on_premises else None,
        "preferredDataLocation": extra.get("preferredDataLocation"),
        "preferredLanguage": extra.get("preferredLanguage"),
        "proxyAddresses": [f"SMTP:{mail}"] if mail else [],
        "renewedDateTime": thing.created,
        "resourceBehaviorOptions": extra.get("resourceBehaviorOptions", []),
        "resourceProvisioningOptions": extra.get("resourceProvisioningOptions", []),
        "securityEnabled": thing.security_enabled,
        "securityIdentifier": security_identifier(thing.id),
        "theme": extra.get("theme"),
        "uniqueName": extra.get("uniqueName"),
        "visibility": "HiddenMembership" if thing.hidden else extra.get("visibility"),
        "onPremisesProvisioningErrors": [],
        "serviceProvisioningErrors": [],
    }
    return payload


def group_types(thing: Group) -> list[str]:
    """`Unified` and `DynamicMembership`, as far as they hold."""
    found = list(thing.properties.get("groupTypes", []))
    if thing.membership_rule is not None and "DynamicMembership" not in found:
        found.append("DynamicMembership")
    return found


USER_DEFAULT = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)
USER_UNSET = (
    "ageGroup",
    "city",
    "companyName",
    "consentProvidedForMinor",
    "country",
    "creationType",
    "department",
    "employeeHireDate",
    "employeeId",
    "employeeType",
    "externalUserState",
    "externalUserStateChangeDateTime",
    "faxNumber",
    "lastPasswordChangeDateTime",
    "legalAgeGroupClassification",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesImmutableId",
    "onPremisesLastSyncDateTime",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "passwordPolicies",
    "postalCode",
    "signInSessionsValidFromDateTime",
    "state",
    "streetAddress",
    "usageLocation",
)
"""Properties of a user that are null unless a seed sets them."""
GROUP_UNSET = (
    "allowExternalSenders",
    "autoSubscribeNewMembers",
    "hasMembersWithLicenseErrors",
    "hideFromAddressLists",
    "hideFromOutlookClients",
    "isArchived",
    "isSubscribedByMail",
    "licenseProcessingState",
    "unseenCount",
)
"""Properties of a group that come when selected only."""


def application(thing: Application) -> Payload:
    """An application with all properties that are returned when none is selected."""
    extra = thing.properties
    return {
        "id": thing.id,
        "deletedDateTime": None,
        "appId": thing.app_id,
        "applicationTemplateId": None,
        "disabledByMicrosoftStatus": None,
        "createdDateTime": thing.created,
        "displayName": thing.display_name,
        "description": extra.get("description"),
        "groupMembershipClaims": extra.get("groupMembershipClaims"),
        "identifierUris": extra.get("identifierUris", []),
        "isDeviceOnlyAuthSupported": extra.get("isDeviceOnlyAuthSupported"),
        "isFallbackPublicClient": extra.get("isFallbackPublicClient"),
        "nativeAuthenticationApisEnabled": None,
        "notes": extra.get("notes"),
        "publisherDomain": extra.get("publisherDomain", "corp.example"),
        "serviceManagementReference": extra.get("serviceManagementReference"),
        "signInAudience": extra.get("signInAudience", "AzureADMyOrg"),
        "tags": extra.get("tags", []),
        "tokenEncryptionKeyId": None,
        "uniqueName": None,
        "samlMetadataUrl": None,
        "defaultRedirectUri": None,
        "certification": None,
        "optionalClaims": extra.get("optionalClaims"),
        "servicePrincipalLockConfiguration": None,
        "requestSignatureVerification": None,
        "addIns": [],
        "api": {
            "acceptMappedClaims": None,
            "knownClientApplications": [],
            "requestedAccessTokenVersion": None,
            "oauth2PermissionScopes": [],
            "preAuthorizedApplications": [],
        },
        "appRoles": extra.get("appRoles", []),
        "info": dict.fromkeys(LINKS),
        "keyCredentials": extra.get("keyCredentials", []),
        "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
        "passwordCredentials": list(thing.secrets),
        "publicClient": extra.get("publicClient", {"redirectUris": []}),
        "requiredResourceAccess": extra.get("requiredResourceAccess", []),
        "verifiedPublisher": dict.fromkeys(PUBLISHER),
        "web": extra.get(
            "web",
            {
                "homePageUrl": None,
                "logoutUrl": None,
                "redirectUris": [],
                "implicitGrantSettings": {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
                "redirectUriSettings": [],
            },
        ),
        "spa": extra.get("spa", {"redirectUris": []}),
    }


LINKS = ("logoUrl", "marketingUrl", "privacyStatementUrl", "supportUrl", "termsOfServiceUrl")
PUBLISHER = ("displayName", "verifiedPublisherId", "addedDateTime")


def user(thing: User, beta: bool = False) -> Payload:
    """A user with every property that this emulator knows; most of them are returned when selected only."""
    extra = thing.properties
    payload: Payload = {
        "businessPhones": extra.get("businessPhones", []),
        "displayName": thing.display_name,
        "givenName": extra.get("givenName"),
        "jobTitle": extra.get("jobTitle"),
        "mail": extra.get("mail"),
        "mobilePhone": extra.get("mobilePhone"),
        "officeLocation": extra.get("officeLocation"),
        "preferredLanguage": extra.get("preferredLanguage"),
        "surname": extra.get("surname"),
        "userPrincipalName": thing.upn,
        "id": thing.id,
        "deletedDateTime": None,
        "accountEnabled": thing.enabled,
        "createdDateTime": extra.get("createdDateTime", "2024-01-01T00:00:00Z"),
        "mailNickname": extra.get("mailNickname", thing.upn.partition("@")[0]),
        "otherMails": extra.get("otherMails", []),
        "proxyAddresses": extra.get("proxyAddresses", []),
        "securityIdentifier": security_identifier(thing.id),
        "userType": extra.get("userType", "Member"),
    }
    payload.update((name, extra.get(name)) for name in USER_UNSET)
    return payload


def service_principal(thing: ServicePrincipal, beta: bool = False) -> Payload:
    """A service principal with all properties that are returned when none is selected."""
    extra = thing.properties
    payload: Payload = {
        "id": thing.id,
        "deletedDateTime": None,
        "accountEnabled": extra.get("accountEnabled", True),
        "alternativeNames": extra.get("alternativeNames", []),
        "appDisplayName": extra.get("appDisplayName", thing.display_name),
        "appDescription": None,
        "appId": thing.app_id,
        "applicationTemplateId": None,
        "appOwnerOrganizationId": extra.get("appOwnerOrganizationId"),
        "appRoleAssignmentRequired": extra.get("appRoleAssignmentRequired", False),
        "createdDateTime": extra.get("createdDateTime", "2024-01-01T00:00:00Z"),
        "description": extra.get("description"),
        "disabledByMicrosoftStatus": None,
        "displayName": thing.display_name,
        "homepage": extra.get("homepage"),
        "loginUrl": None,
        "logoutUrl": None,
        "notes": extra.get("notes"),
        "notificationEmailAddresses": [],
        "preferredSingleSignOnMode": None,
        "preferredTokenSigningKeyThumbprint": None,
        "replyUrls": extra.get("replyUrls", []),
        "servicePrincipalNames": extra.get("servicePrincipalNames", [thing.app_id]),
        "servicePrincipalType": "ManagedIdentity" if thing.managed_identity else "Application",
        "signInAudience": extra.get("signInAudience", "AzureADMyOrg"),
        "tags": extra.get("tags", []),
        "tokenEncryptionKeyId": None,
        "samlSingleSignOnSettings": None,
        "addIns": [],
        "appRoles": extra.get("appRoles", []),
        "info": dict.fromkeys(LINKS),
        "keyCredentials": extra.get("keyCredentials", []),
        "oauth2PermissionScopes": extra.get("oauth2PermissionScopes", []),
        "passwordCredentials": extra.get("passwordCredentials", []),
        "resourceSpecificApplicationPermissions": [],
        "verifiedPublisher": dict.fromkeys(PUBLISHER),
    }
    return payload


EXTRA: Mapping[type, tuple[str, ...]] = {User: (), Group: GROUP_UNSET, ServicePrincipal: ()}
_FULL: Mapping[type, Callable[..., Payload]] = {User: user, Group: group, ServicePrincipal: service_principal}


def full(thing: DirectoryObject, beta: bool = False) -> Payload:
    """An object with everything that may be selected or filtered by."""
    return _FULL[type(thing)](thing, beta)


def chosen(thing: DirectoryObject, select: tuple[str, ...], beta: bool, typed: bool) -> Payload:
    """What a response holds of an object: the selection, or the type's default set.

    `typed` puts `@odata.type` first, as in collections of directory objects of mixed type.
    """
    head: Payload = {"@odata.type": TYPES[type(thing)]} if typed else {}
    if select == ("id",):
        head["id"] = thing.id
        return head
    payload = full(thing, beta)
    if select:
        payload.update((name, thing.properties.get(name)) for name in EXTRA[type(thing)])
        known = {name.lower() for name in select}
        head.update((name, value) for name, value in payload.items() if name.lower() in known)
        return head
    if isinstance(thing, User) and not beta:
        if typed:
            head["id"] = thing.id
        head.update((name, payload[name]) for name in USER_DEFAULT if name not in head)
        return head
    return head | payload


def id_only(thing: DirectoryObject, select: tuple[str, ...], beta: bool) -> Payload:
    """What is left of an object whose type the caller may not read: type and id, the rest null.

    Source: Microsoft docs, "Limited information returned for inaccessible member objects".
    """
    shown = chosen(thing, select, beta, typed=True)
    kept = ("@odata.type", "id")
    return {"@odata.type": shown["@odata.type"], "id": thing.id} | {
        name: None for name in shown if name not in kept
    }


def known_properties(kind: type, beta: bool) -> frozenset[str]:
    """Names that may be selected or filtered by, in lower case."""
    return _known(kind, beta)


@lru_cache(maxsize=16)
def _known(kind: type, beta: bool) -> frozenset[str]:
    blank = "00000000-0000-0000-0000-000000000000"
    samples: Iterable[DirectoryObject] = (
        User(id=blank, upn="", display_name=""),
        Group(id=blank, display_name=""),
        ServicePrincipal(id=blank, app_id="", display_name=""),
    )
    return frozenset(
        name.lower()
        for sample in samples
        if type(sample) is kind
        for name in (*full(sample, beta), *EXTRA[kind], *RELATIONS[kind])
    )
