"""STS: who is calling, and credentials of the callers' own."""

from dataclasses import replace

from kms_server.arn import federated_user_arn
from kms_server.errors import (
    AccessDeniedException,
    MalformedPolicyDocumentException,
    PackedPolicyTooLargeException,
    ValidationException,
)
from kms_server.iam.denial import denied
from kms_server.iam.evaluate import authorize
from kms_server.keyring.session_token import Kind, account_of
from kms_server.operations.access import allow_without_key
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.sts.session_request import (
    ROOT_SECONDS,
    answer,
    context_of,
    new_credentials,
    refuse_codes,
    session_tags,
    tag_keys,
    tagged,
)
from kms_server.schemas import sts as schemas

_DEFAULT_SECONDS = 43_200


def get_caller_identity(call: Call) -> Answer:
    """Tell callers who they are; nobody needs a permission for it, and no policy can deny it."""
    principal = call.principal
    return {"UserId": principal.unique_id, "Account": principal.account, "Arn": principal.arn}


def get_access_key_info(call: Call) -> Answer:
    """Tell whose an access key is, whatever its state."""
    allow_without_key(call)
    access_key_id = call.get("AccessKeyId")
    account = account_of(access_key_id)
    if account is None:
        identity = call.services.keyring.identity(access_key_id, may_block=call.may_block)
        if identity is None:
            raise ValidationException("There is no such access key.")
        account = identity.principal.account
    return {"Account": account}


def get_session_token(call: Call) -> Answer:
    """Issue temporary credentials of the caller itself; it takes no permission, and no policy can deny it."""
    refuse_codes(call)
    owner = None if call.principal.is_root else _user(call)
    return answer(call, new_credentials(call, Kind.SELF, call.account, owner, _seconds(call)))


def get_federation_token(call: Call) -> Answer:
    """Issue temporary credentials of somebody for whom the caller vouches."""
    name, principal, tags = call.get("Name"), call.principal, session_tags(call)
    arn = federated_user_arn(call.account, name)
    context = context_of(call, {"sts:DurationSeconds": (str(_seconds(call)),), **tag_keys(tags)})
    for action in (call.operation.action, *(("sts:TagSession",) if tags else ())):
        decision = authorize(principal, action, arn, context)
        if not decision.allowed:
            raise denied(principal, action, arn, decision)
    owner = None if principal.is_root else _user(call)
    credentials = new_credentials(call, Kind.FEDERATED, call.account, owner, _seconds(call))
    return answer(
        call, tagged(replace(credentials, name=name), tags),
        FederatedUser={"FederatedUserId": f"{call.account}:{name}", "Arn": arn},
    )  # fmt: skip


def _user(call: Call) -> str:
    """The caller's unique id.

    Raises:
        AccessDeniedException: it is no user that is known here.
    """
    if call.principal.kind != "IAMUser":
        raise AccessDeniedException(f"Cannot call {call.operation.name} with session credentials")
    return call.principal.unique_id


def _seconds(call: Call) -> int:
    seconds: int = call.get("DurationSeconds", _DEFAULT_SECONDS)
    return min(seconds, ROOT_SECONDS) if call.principal.is_root else seconds


OPERATIONS = (
    Operation(
        "GetCallerIdentity", get_caller_identity, schemas.GetCallerIdentityRequest, schemas.GetCallerIdentityResponse,
        Plane.DATA, "Tells callers who they are.", service="sts",
    ),
    Operation(
        "GetAccessKeyInfo", get_access_key_info, schemas.GetAccessKeyInfoRequest, schemas.GetAccessKeyInfoResponse,
        Plane.READ, "Tells the account of an access key.", logged=("AccessKeyId",), service="sts",
    ),
    Operation(
        "GetSessionToken", get_session_token, schemas.GetSessionTokenRequest, schemas.GetSessionTokenResponse,
        Plane.READ, "Issues temporary credentials of the caller itself.", service="sts", read_only=False,
        logged=("DurationSeconds", "SerialNumber"),
    ),
    Operation(
        "GetFederationToken", get_federation_token, schemas.GetFederationTokenRequest,
        schemas.GetFederationTokenResponse, Plane.READ,
        "Issues temporary credentials of somebody for whom the caller vouches.", service="sts", read_only=False,
        logged=("Name", "Policy", "PolicyArns", "DurationSeconds", "Tags"),
        answers=("FederatedUser", "PackedPolicySize"),
        errors=(MalformedPolicyDocumentException, PackedPolicyTooLargeException),
    ),
)  # fmt: skip
