"""AssumeRoleWithWebIdentity: temporary credentials of a role for the token of an OpenID Connect provider."""

from dataclasses import replace

from kms_server.clock import real_now
from kms_server.errors import (
    AccessDeniedException,
    ExpiredIdentityToken,
    IDPCommunicationErrorException,
    IDPRejectedClaimException,
    InvalidIdentityTokenException,
    MalformedPolicyDocumentException,
    PackedPolicyTooLargeException,
    ValidationException,
)
from kms_server.iam.evaluate import authorize
from kms_server.iam.principal import Principal
from kms_server.keyring.session_token import Kind
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.sts.assume_role import (
    ROLE,
    find_role,
    role_account,
    role_answer,
    role_seconds,
    trust,
)
from kms_server.operations.sts.session_request import context_of, new_credentials
from kms_server.protocol import web_identity
from kms_server.protocol.web_identity import WebIdentity
from kms_server.schemas import sts as schemas
from kms_server.storage import oidc_providers


def assume_role_with_web_identity(call: Call) -> Answer:
    """Issue credentials of a role to whomever an identity provider's token speaks of; from then on there is a caller."""
    if call.get("ProviderId") is not None:
        raise ValidationException("Only OpenID Connect tokens are taken, which have no ProviderId.")
    account = role_account(call)
    provider, identity = _identified(call, account)
    who = f"{provider.arn}:{identity.audience}:{identity.subject}"
    call.principal = Principal.web_identity(account, provider.arn, who, identity.subject)
    role = find_role(call)
    if role is None:
        raise _not_authorized(call)
    common = context_of(call, {
        "sts:RoleSessionName": (call.get("RoleSessionName"),),
        "aws:FederatedProvider": (provider.arn,), **identity.condition_keys,
    })  # fmt: skip
    call.touches(ROLE, role.identity.arn)
    if not authorize(call.principal, call.operation.action, trust(role), common).allowed:
        raise _not_authorized(call)
    issued = replace(
        new_credentials(call, Kind.ROLE, account, role.identity.unique_id, role_seconds(call, role)),
        name=call.get("RoleSessionName"),
        web_identity={name: values[0] for name, values in identity.condition_keys.items() if len(values) == 1},
    )  # fmt: skip
    return role_answer(
        call, role, issued, SubjectFromWebIdentityToken=identity.subject, Provider=provider.arn,
        Audience=identity.audience,
    )  # fmt: skip


def _identified(call: Call, account: str) -> tuple[oidc_providers.OidcProvider, WebIdentity]:
    token = call.get("WebIdentityToken")
    issuer = web_identity.issuer_of(token)
    with call.services.database.read() as connection:
        providers = oidc_providers.of_account(connection, account)
    provider = next((one for one in providers if one.url == issuer), None)
    if provider is None:
        raise InvalidIdentityTokenException(
            f"No OpenIDConnect provider found in your account for https://{issuer}"
        )
    return provider, web_identity.verify(token, provider.url, provider.client_ids, provider.jwks, real_now())


def _not_authorized(call: Call) -> AccessDeniedException:
    return AccessDeniedException(f"Not authorized to perform {call.operation.action}")


OPERATIONS = (
    Operation(
        "AssumeRoleWithWebIdentity", assume_role_with_web_identity, schemas.AssumeRoleWithWebIdentityRequest,
        schemas.AssumeRoleWithWebIdentityResponse, Plane.READ,
        "Issues temporary credentials of a role for the token of an OpenID Connect provider.", service="sts",
        unsigned=True, logged=("RoleArn", "RoleSessionName", "PolicyArns", "Policy", "DurationSeconds"),
        answers=("SubjectFromWebIdentityToken", "AssumedRoleUser", "PackedPolicySize", "Provider", "Audience"),
        errors=(MalformedPolicyDocumentException, PackedPolicyTooLargeException, IDPRejectedClaimException,
                IDPCommunicationErrorException, InvalidIdentityTokenException, ExpiredIdentityToken),
    ),
)  # fmt: skip
