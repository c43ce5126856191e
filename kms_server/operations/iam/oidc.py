"""OpenID Connect providers: Create…, Get…, List…s, Delete…, client ids, thumbprints.

An issuer's keys are pinned by the command line (`kms-server identity trust-issuer`): nothing here fetches them.
"""

from urllib.parse import urlsplit

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import Arn, oidc_provider_arn
from kms_server.operations.call import Answer, Call, Plane
from kms_server.operations.iam import common
from kms_server.operations.iam.tag_rules import tag
from kms_server.schemas import iam as schemas
from kms_server.schemas import iam_policies as policy_schemas
from kms_server.schemas.fields import ListOf, Structure, Timestamp
from kms_server.storage import identities, oidc_providers
from kms_server.storage.identity_tags import Owner
from kms_server.storage.oidc_providers import OidcProvider

MEMBER = "OpenIDConnectProviderArn"
_MOST_PROVIDERS, _MOST_CLIENTS, _MOST_THUMBPRINTS = 100, 100, 5
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def create_open_id_connect_provider(call: Call, connection: Connection) -> Answer:
    """Trust an issuer (AWS CreateOpenIDConnectProvider)."""
    url = issuer(call.parameters["Url"])
    arn = oidc_provider_arn(call.account, url)
    common.allow(call, connection, arn)
    if oidc_providers.get(connection, arn) is not None:
        raise e.EntityAlreadyExistsException(f"Provider with url https://{url} already exists.")
    have = len(oidc_providers.of_account(connection, call.account))
    common.require_room("OpenIdConnectProvidersPerAccount", have, _MOST_PROVIDERS)
    clients, thumbprints = call.get("ClientIDList", []), call.get("ThumbprintList", [])
    common.require_room("ClientIdsPerOpenIdConnectProvider", len(clients) - 1, _MOST_CLIENTS)
    _check_thumbprints(thumbprints)
    provider = OidcProvider(
        arn, call.account, url, tuple(dict.fromkeys(clients)), tuple(thumbprints), None, call.time
    )
    identities.add_account(call.writing, call.account)
    oidc_providers.add(call.writing, provider)
    tag(call, owner(provider))
    return {MEMBER: arn} | common.tags_of(connection, arn)


def get_open_id_connect_provider(call: Call, connection: Connection) -> Answer:
    """A provider (AWS GetOpenIDConnectProvider)."""
    provider = find(call, connection)
    return {
        "Url": provider.url,
        "ClientIDList": list(provider.client_ids),
        "ThumbprintList": list(provider.thumbprints),
        "CreateDate": provider.created_at,
        **common.tags_of(connection, provider.arn),
    }


def list_open_id_connect_providers(call: Call, connection: Connection) -> Answer:
    """The providers of the account (AWS ListOpenIDConnectProviders)."""
    common.allow(call, connection, "*")
    found = oidc_providers.of_account(connection, call.account)
    return {"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in found]}


def delete_open_id_connect_provider(call: Call, connection: Connection) -> Answer:
    """Trust an issuer no longer; one that is not there is gone already (AWS DeleteOpenIDConnectProvider)."""
    provider = _found(call, connection)
    if provider is not None:
        oidc_providers.remove(call.writing, provider)
    return None


def add_client_id(call: Call, connection: Connection) -> Answer:
    """Take one more audience (AWS AddClientIDToOpenIDConnectProvider)."""
    provider, client = find(call, connection), call.parameters["ClientID"]
    clients = tuple(dict.fromkeys((*provider.client_ids, client)))
    common.require_room("ClientIdsPerOpenIdConnectProvider", len(clients) - 1, _MOST_CLIENTS)
    oidc_providers.set_client_ids(call.writing, provider, clients)
    return None


def remove_client_id(call: Call, connection: Connection) -> Answer:
    """Take an audience no longer; one that is not taken stays so (AWS RemoveClientIDFromOpenIDConnectProvider)."""
    provider, client = find(call, connection), call.parameters["ClientID"]
    clients = tuple(one for one in provider.client_ids if one != client)
    oidc_providers.set_client_ids(call.writing, provider, clients)
    return None


def update_thumbprint(call: Call, connection: Connection) -> Answer:
    """Replace the thumbprints (AWS UpdateOpenIDConnectProviderThumbprint)."""
    provider, thumbprints = find(call, connection), call.parameters["ThumbprintList"]
    _check_thumbprints(thumbprints)
    oidc_providers.set_thumbprints(call.writing, provider, tuple(thumbprints))
    return None


def issuer(url: str) -> str:
    """The URL of an issuer without its scheme; a slash at its end is part of it, because tokens name it so.

    Raises:
        InvalidInputException: it is not an https URL that could be one.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise e.InvalidInputException("Invalid Open ID Connect Provider URL") from None
    plain = (
        parts.scheme == "https"
        and parts.hostname
        and not (parts.query or parts.fragment or "@" in parts.netloc)
    )
    if not plain or any(character.isspace() or ord(character) > 126 for character in url):
        raise e.InvalidInputException("Invalid Open ID Connect Provider URL")
    return parts.netloc + parts.path


def find(call: Call, connection: Connection) -> OidcProvider:
    """The provider that the request names, when the caller may perform the operation on it.

    Raises:
        AccessDeniedException, InvalidInputException, NoSuchEntityException
    """
    provider = _found(call, connection)
    if provider is None:
        raise e.NoSuchEntityException(f"OpenIDConnect Provider not found for arn {call.parameters[MEMBER]}")
    return provider


def owner(provider: OidcProvider) -> Owner:
    """A provider as the owner of tags."""
    return Owner(provider.account, provider.arn, ignores_case=False)


def _found(call: Call, connection: Connection) -> OidcProvider | None:
    arn = call.parameters[MEMBER]
    parsed = Arn.parse(arn)
    if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("oidc-provider/"):
        raise e.InvalidInputException(f"ARN {arn} is not valid.")
    provider = oidc_providers.get(connection, arn)
    own = provider if provider and provider.account == call.account else None
    common.allow(call, connection, arn, owner=None if own is None else arn)
    return own


def _check_thumbprints(thumbprints: list[str]) -> None:
    if len(thumbprints) > _MOST_THUMBPRINTS:
        raise e.InvalidInputException("Thumbprint list must contain fewer than 5 entries.")
    if not all(_HEXADECIMAL.issuperset(one) for one in thumbprints):
        raise e.InvalidInputException("A thumbprint has 40 hexadecimal digits.")


_NAMED = {MEMBER: schemas.arn(required=True)}
_ERRORS = (e.InvalidInputException, e.NoSuchEntityException)


def _clients() -> ListOf:
    return ListOf(policy_schemas.client_id())


def _thumbprints(*, required: bool = False) -> ListOf:
    return ListOf(policy_schemas.thumbprint(), required=required)


OPERATIONS = (
    common.operation(
        "CreateOpenIDConnectProvider", create_open_id_connect_provider, Plane.WRITE,
        "Creates an OpenID Connect provider.",
        {"Url": policy_schemas.provider_url(required=True), "ClientIDList": _clients(),
         "ThumbprintList": _thumbprints(), "Tags": schemas.tags()},
        {MEMBER: schemas.arn(), "Tags": schemas.tags()}, answers=(MEMBER,),
        errors=(e.InvalidInputException, e.EntityAlreadyExistsException, e.LimitExceededException),
    ),
    common.operation(
        "GetOpenIDConnectProvider", get_open_id_connect_provider, Plane.READ,
        "Describes an OpenID Connect provider.", _NAMED,
        {"Url": policy_schemas.provider_url(), "ClientIDList": _clients(), "ThumbprintList": _thumbprints(),
         "CreateDate": Timestamp(), "Tags": schemas.tags()},
        errors=_ERRORS,
    ),
    common.operation(
        "ListOpenIDConnectProviders", list_open_id_connect_providers, Plane.READ,
        "Lists the OpenID Connect providers.", {},
        {"OpenIDConnectProviderList": ListOf(Structure(policy_schemas.OpenIDConnectProviderListEntry))}, errors=(),
    ),
    common.operation(
        "DeleteOpenIDConnectProvider", delete_open_id_connect_provider, Plane.WRITE,
        "Deletes an OpenID Connect provider.", _NAMED, errors=_ERRORS,
    ),
    common.operation(
        "AddClientIDToOpenIDConnectProvider", add_client_id, Plane.WRITE,
        "Adds an audience to an OpenID Connect provider.",
        {**_NAMED, "ClientID": policy_schemas.client_id(required=True)}, errors=(*_ERRORS, e.LimitExceededException),
    ),
    common.operation(
        "RemoveClientIDFromOpenIDConnectProvider", remove_client_id, Plane.WRITE,
        "Removes an audience from an OpenID Connect provider.",
        {**_NAMED, "ClientID": policy_schemas.client_id(required=True)}, errors=_ERRORS,
    ),
    common.operation(
        "UpdateOpenIDConnectProviderThumbprint", update_thumbprint, Plane.WRITE,
        "Replaces the thumbprints of an OpenID Connect provider.",
        {**_NAMED, "ThumbprintList": _thumbprints(required=True)}, errors=_ERRORS,
    ),
)  # fmt: skip
