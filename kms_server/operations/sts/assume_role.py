"""AssumeRole: temporary credentials of a role, for whom its trust policy trusts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kms_server.arn import Arn, is_account, session_arn
from kms_server.errors import (
    AccessDeniedException,
    MalformedPolicyDocumentException,
    PackedPolicyTooLargeException,
    ValidationException,
)
from kms_server.iam.authority import Authority
from kms_server.iam.context import Context
from kms_server.iam.denial import denied
from kms_server.iam.evaluate import authorize
from kms_server.iam.policy import compile_trust_policy
from kms_server.keyring import principals
from kms_server.keyring.principals import LoadedIdentity
from kms_server.keyring.session_token import Kind, SessionCredentials
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.sts.session_request import (
    answer,
    context_of,
    new_credentials,
    refuse_codes,
    session_tags,
    tag_keys,
    tagged,
)
from kms_server.schemas import sts as schemas
from kms_server.storage import identities

ROLE = "AWS::IAM::Role"
_DEFAULT_SECONDS = 3_600
# Longer no session lives that was made by the session of another role.
_CHAINED_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class _Passed:
    """What a session gets from its request, and from the session that makes it.

    `tags` are those of the request, `inherited` those that go on from the caller's session.
    """

    tags: Mapping[str, str]
    inherited: Mapping[str, str]
    transitive: tuple[str, ...]
    source_identity: str | None

    def context(self, call: Call, role: LoadedIdentity) -> Context:
        """The condition keys of the request."""
        single = {
            "sts:RoleSessionName": call.get("RoleSessionName"),
            "sts:ExternalId": call.get("ExternalId"),
            "sts:SourceIdentity": call.get("SourceIdentity"),
            "sts:DurationSeconds": str(call.get("DurationSeconds", _DEFAULT_SECONDS)),
        }
        keys = {name: (value,) for name, value in single.items() if value is not None}
        of_role = {
            f"{service}:ResourceTag/{key}": (value,)
            for service in ("aws", "iam")
            for key, value in role.tags.items()
        }
        transitive = {"sts:TransitiveTagKeys": self.transitive} if self.transitive else {}
        account = {"aws:ResourceAccount": (role.identity.account,)}
        return context_of(call, keys | tag_keys(self.tags) | of_role | transitive | account)


def assume_role(call: Call) -> Answer:
    """Issue credentials of a role to a signed caller."""
    if call.principal.is_root and not call.services.dev:
        raise AccessDeniedException("Roles may not be assumed by root accounts.")
    refuse_codes(call)
    if call.get("ProvidedContexts"):
        raise ValidationException("No context provider is known here.")
    role_account(call)
    passed, role = _passed(call), _role(call)
    _authorize(call, role, passed.context(call, role), _actions(passed))
    seconds = role_seconds(call, role)
    credentials = replace(
        new_credentials(call, Kind.ROLE, role.identity.account, role.identity.unique_id, seconds),
        name=call.get("RoleSessionName"), source_identity=passed.source_identity,
    )  # fmt: skip
    transitive = (*passed.inherited, *passed.transitive)
    issued = tagged(credentials, {**passed.inherited, **passed.tags}, transitive)
    return role_answer(call, role, issued, SourceIdentity=passed.source_identity)


def _passed(call: Call) -> _Passed:
    """Tags and source identity of a request.

    Raises:
        ValidationException, AccessDeniedException: they contradict what the caller's session has.
    """
    session = call.principal.session
    inherited = session.transitive if session else {}
    given, transitive = session_tags(call), tuple(call.get("TransitiveTagKeys") or ())
    if not {key.lower() for key in transitive} <= {key.lower() for key in given}:
        raise ValidationException("The specified transitive tag key must be included in the requested tags.")
    if {key.lower() for key in given} & {key.lower() for key in inherited}:
        raise ValidationException("A tag that is inherited cannot be passed again.")
    own, passed = call.get("SourceIdentity"), session.source_identity if session else None
    if own is not None and passed is not None and own != passed:
        raise AccessDeniedException("The source identity of a session cannot be changed.")
    lower = {key.lower() for key in transitive}
    return _Passed(given, inherited, tuple(key for key in given if key.lower() in lower), own or passed)


def _actions(passed: _Passed) -> tuple[str, ...]:
    more = (("sts:TagSession", passed.tags), ("sts:SetSourceIdentity", passed.source_identity))
    return ("sts:AssumeRole", *(action for action, used in more if used))


def role_account(call: Call) -> str:
    """The account of RoleArn.

    Raises:
        ValidationException: it is no role's ARN.
    """
    text = call.get("RoleArn")
    arn = Arn.parse(text)
    is_role = arn is not None and arn.service == "iam" and not arn.region and arn.resource.startswith("role/")
    if arn is None or not is_role or not is_account(arn.account):
        raise ValidationException(f"{text} is invalid")
    return arn.account


def find_role(call: Call) -> LoadedIdentity | None:
    """The role that RoleArn names, past the cache: strangers may name any account."""
    with call.services.database.read() as connection:
        unique_id = identities.named(connection, call.get("RoleArn"))
        return principals.load(connection, unique_id) if unique_id else None


def _role(call: Call) -> LoadedIdentity:
    """The role that is asked for; that there is none looks like that nobody may assume it."""
    role = find_role(call)
    if role is None:
        raise _refusal(call, call.operation.action)
    return role


def set_conditions(call: Call, role: LoadedIdentity) -> None:
    """Let a call have the condition keys of a request to assume a role.

    Raises:
        ValidationException, AccessDeniedException: what it asks for contradicts itself or the caller's session.
    """
    _passed(call).context(call, role)


def trust(role: LoadedIdentity) -> Authority:
    """What a role contributes to the decision about who may assume it."""
    one = role.identity
    assert one.trust_policy is not None  # noqa: S101 - a constraint holds it
    return Authority(one.account, one.arn, compile_trust_policy(one.trust_policy), "trust policy")


def _authorize(call: Call, role: LoadedIdentity, context: Context, actions: tuple[str, ...]) -> None:
    for action in actions:
        decision = authorize(call.principal, action, trust(role), context)
        # The record of a stranger does not tell either whether there is such a role.
        if decision.allowed or role.identity.account == call.account:
            call.touches(ROLE, role.identity.arn)
        if not decision.allowed and role.identity.account == call.account:
            raise denied(call.principal, action, role.identity.arn, decision)
        if not decision.allowed:
            raise _refusal(call, action)


def _refusal(call: Call, action: str) -> AccessDeniedException:
    """The error that does not tell whether there is such a role."""
    return AccessDeniedException(
        f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {call.get('RoleArn')}"
    )


def role_seconds(call: Call, role: LoadedIdentity) -> int:
    """How long the session lives.

    Raises:
        ValidationException: longer than it may.
    """
    seconds: int = call.get("DurationSeconds", _DEFAULT_SECONDS)
    if call.principal.kind == "AssumedRole" and seconds > _CHAINED_SECONDS:
        raise ValidationException(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if seconds > (role.identity.max_session_seconds or _DEFAULT_SECONDS):
        raise ValidationException(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return seconds


def role_answer(call: Call, role: LoadedIdentity, issued: SessionCredentials, **members: Any) -> Answer:  # noqa: ANN401 - members have many types
    """The answer with credentials of a role."""
    one = role.identity
    user = {
        "AssumedRoleId": f"{one.unique_id}:{issued.name}",
        "Arn": session_arn(one.account, one.name, issued.name),
    }
    return answer(call, issued, AssumedRoleUser=user, **members)


OPERATIONS = (
    Operation(
        "AssumeRole", assume_role, schemas.AssumeRoleRequest, schemas.AssumeRoleResponse, Plane.READ,
        "Issues temporary credentials of a role.", service="sts",
        logged=("RoleArn", "RoleSessionName", "PolicyArns", "Policy", "DurationSeconds", "Tags", "TransitiveTagKeys",
                "ExternalId", "SerialNumber", "SourceIdentity"),
        answers=("AssumedRoleUser", "PackedPolicySize", "SourceIdentity"),
        errors=(MalformedPolicyDocumentException, PackedPolicyTooLargeException),
    ),
)  # fmt: skip
