"""What the operations that issue temporary credentials share: session policies, session tags, and the answer."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from kms_server.arn import Arn
from kms_server.errors import (
    AccessDeniedException,
    LimitExceededException,
    PackedPolicyTooLargeException,
    ValidationException,
)
from kms_server.iam.context import Context, FixedContext
from kms_server.iam.policy import compile_identity_policy
from kms_server.keyring import session_token
from kms_server.keyring.session_token import LONGEST, Kind, SessionCredentials
from kms_server.operations.call import Call
from kms_server.operations.context import CallContext
from kms_server.storage import managed_policies

_MOST_POLICIES = 10
_MOST_TAGS = 50
# What long-term credentials of an account's root are good for at most, in seconds.
ROOT_SECONDS = 3_600


def context_of(call: Call, keys: Mapping[str, Sequence[str]]) -> Context:
    """The condition keys of a request for temporary credentials, with those that every call has."""
    call.conditions = FixedContext(keys)
    return CallContext(call)


def refuse_codes(call: Call) -> None:
    """Nobody has an MFA device here, so that no code can be right.

    Raises:
        AccessDeniedException: the request has one.
    """
    if call.get("TokenCode") is not None or call.get("SerialNumber") is not None:
        raise AccessDeniedException("MultiFactorAuthentication failed with invalid MFA one time pass code.")


def session_tags(call: Call) -> dict[str, str]:
    """The tags of a request.

    Raises:
        ValidationException: a key is reserved, or there twice; keys that differ in case alone are the same.
    """
    sent = call.get("Tags") or []
    if any(tag["Key"].lower().startswith("aws:") for tag in sent):
        raise ValidationException("Tag keys must not begin with aws:, which is reserved.")
    if len({tag["Key"].lower() for tag in sent}) < len(sent):
        raise ValidationException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    return {tag["Key"]: tag["Value"] for tag in sent}


def tag_keys(tags: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """The condition keys of tags in a request."""
    if not tags:
        return {}
    return {"aws:TagKeys": tuple(tags), **{f"aws:RequestTag/{key}": (value,) for key, value in tags.items()}}


def new_credentials(
    call: Call, kind: Kind, account: str, owner: str | None, seconds: float
) -> SessionCredentials:
    """Fresh credentials that live for `seconds`, with the session policies of the request.

    Raises:
        MalformedPolicyDocumentException, ValidationException, PackedPolicyTooLargeException: of the policies.
    """
    policy, arns = call.get("Policy"), _policy_arns(call, account)
    if policy is not None:
        try:
            compile_identity_policy(policy)
        except LimitExceededException as error:
            raise PackedPolicyTooLargeException(error.message) from None
    return SessionCredentials(
        session_token.new_access_key_id(account), secrets.token_urlsafe(30), kind, account, owner,
        call.time, call.time + seconds, policy=policy, policy_arns=arns,
    )  # fmt: skip


def _policy_arns(call: Call, account: str) -> tuple[str, ...]:
    arns = tuple(dict.fromkeys(one["arn"] for one in call.get("PolicyArns") or [] if "arn" in one))
    if len(arns) > _MOST_POLICIES:
        raise PackedPolicyTooLargeException(f"A session can have at most {_MOST_POLICIES} managed policies.")
    for arn in arns:
        parsed = Arn.parse(arn)
        if parsed is None or parsed.account not in (account, "aws") or not _exists(call, account, arn):
            raise ValidationException(f"ARN {arn} does not exist or is not attachable.")
    return arns


def _exists(call: Call, account: str, arn: str) -> bool:
    document = partial(managed_policies.document, arn=arn)
    keyring = call.services.keyring
    return keyring.of_account(account, f"policy {arn}", document, may_block=call.may_block) is not None


def answer(call: Call, credentials: SessionCredentials, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - members have many types
    """The answer with the credentials; the record has neither secret nor token.

    Raises:
        PackedPolicyTooLargeException: there is no room for the session's policies and tags.
    """
    percent = credentials.packed_percent()
    token = session_token.seal(
        credentials, call.services.token_key, at_least=call.get("MinimumSessionTokenSize", 0)
    )
    call.answered_extra = {
        "Credentials": {"AccessKeyId": credentials.access_key_id, "Expiration": credentials.expires_at}
    }
    told = {
        "Credentials": {
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret,
            "SessionToken": token,
            "Expiration": credentials.expires_at,
        },
        "PackedPolicySize": percent,
        "SessionTokenUtilization": -(-100 * len(token) // LONGEST),
        "SessionTokenSize": len(token),
    } | members
    return {name: value for name, value in told.items() if value is not None}


def tagged(
    credentials: SessionCredentials, tags: Mapping[str, str], transitive: tuple[str, ...] = ()
) -> SessionCredentials:
    """The credentials with session tags.

    Raises:
        ValidationException: there are more than 50, with those inherited.
    """
    if len(tags) > _MOST_TAGS:
        raise ValidationException(f"A session can have at most {_MOST_TAGS} tags.")
    return replace(credentials, tags=tags, transitive=transitive)
