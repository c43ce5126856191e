"""Global condition keys: what every request says of its caller and its way (AWS "Global condition context keys")."""

from collections.abc import Callable, Sequence

from kms_server.arn import PARTITION
from kms_server.clock import iso_seconds
from kms_server.iam.principal import Principal, Session
from kms_server.operations.call import Condition, Conditions, Forwarded, Subject
from kms_server.operations.condition_keys import is_forwarded, tag, texts

_TYPES = {
    "Root": "Account", "IAMUser": "User", "AssumedRole": "AssumedRole", "FederatedUser": "FederatedUser",
}  # fmt: skip


def _of_principal(read: Callable[[Principal], str | None]) -> Condition:
    return lambda subject, _: texts(read(subject.call.principal))


def _of_session(read: Callable[[Session], str | None]) -> Condition:
    def values(subject: Subject, _: str) -> Sequence[str]:
        session = subject.call.principal.session
        return () if session is None else texts(read(session))

    return values


def _of_service(read: Callable[[Forwarded], str | None]) -> Condition:
    def values(subject: Subject, _: str) -> Sequence[str]:
        forwarded = subject.call.forwarded
        return () if forwarded is None else texts(read(forwarded))

    return values


def _header(name: str) -> Condition:
    """A header of the client's; what a service sends of its own says nothing."""
    return lambda subject, _: () if subject.call.forwarded else texts(subject.call.request.headers.get(name))


def _source_arn(subject: Subject, _: str) -> Sequence[str]:
    """What a service makes the call for: one that acts by itself, or the one that forwards its caller's session."""
    call = subject.call
    if call.principal.is_service:
        return texts(call.principal.source_arn)
    return texts(call.forwarded.source_arn) if call.forwarded else ()


def _source_account(subject: Subject, _: str) -> Sequence[str]:
    """Whose that is."""
    call = subject.call
    if call.principal.is_service:
        return (call.principal.account,)
    return texts(call.forwarded.source_account) if call.forwarded else ()


def _arn(principal: Principal) -> str | None:
    """A session goes by the ARN of its role; a service has none."""
    if principal.is_service:
        return None
    issuer = principal.session.issuer if principal.session else None
    return issuer.arn if issuer is not None and issuer.kind == "Role" else principal.arn


def _provider(session: Session) -> str | None:
    """The OpenID Connect provider whose token began a session; the keys of that token begin with its address."""
    if session.issuer is None or not session.web_identity:
        return None
    address = next(iter(session.web_identity)).rpartition(":")[0]
    return f"arn:{PARTITION}:iam::{session.issuer.account}:oidc-provider/{address}"


def _source_ip(subject: Subject, _: str) -> Sequence[str]:
    """Where the client is; what a service forwards, or does by itself, comes from the service."""
    call = subject.call
    return () if call.forwarded or call.principal.is_service else (call.request.source_ip,)


def _resource_account(subject: Subject, _: str) -> Sequence[str]:
    return (subject.key.account if subject.key else subject.call.account,)


def _region(subject: Subject, _: str) -> Sequence[str]:
    """A replica is made in a Region of its own."""
    return (subject.planned.region if subject.planned else subject.call.region,)


_CALLED_BY = _of_service(lambda forwarded: f"{forwarded.service}.amazonaws.com")

GLOBAL: Conditions = {
    "aws:PrincipalArn": _of_principal(_arn),
    "aws:PrincipalAccount": _of_principal(
        lambda principal: None if principal.is_service else principal.account
    ),
    "aws:PrincipalType": _of_principal(lambda principal: _TYPES.get(principal.kind)),
    "aws:PrincipalTag/": lambda subject, wanted: tag(subject.call.principal.tags, wanted),
    "aws:PrincipalIsAWSService": lambda subject, _: texts(subject.call.principal.is_service),
    "aws:PrincipalServiceName": _of_principal(
        lambda principal: principal.unique_id if principal.is_service else None
    ),
    "aws:userid": _of_principal(lambda principal: None if principal.is_service else principal.unique_id),
    "aws:username": _of_principal(
        lambda principal: principal.user_name if principal.kind == "IAMUser" else None
    ),
    "aws:TokenIssueTime": _of_session(lambda session: iso_seconds(session.created_at)),
    "aws:MultiFactorAuthPresent": _of_session(lambda _session: "false"),
    "aws:SourceIdentity": _of_session(lambda session: session.source_identity),
    "aws:FederatedProvider": _of_session(_provider),
    "aws:SourceIp": _source_ip,
    "aws:SecureTransport": lambda subject, _: texts(subject.call.request.tls is not None),
    "aws:UserAgent": _header("user-agent"),
    "aws:Referer": _header("referer"),
    "aws:CurrentTime": lambda subject, _: (iso_seconds(subject.call.time),),
    "aws:EpochTime": lambda subject, _: (str(int(subject.call.time)),),
    "aws:RequestedRegion": _region,
    "aws:ResourceAccount": _resource_account,
    "aws:ViaAWSService": is_forwarded,
    "aws:CalledVia": _CALLED_BY,
    "aws:CalledViaFirst": _CALLED_BY,
    "aws:CalledViaLast": _CALLED_BY,
    "aws:SourceArn": _source_arn,
    "aws:SourceAccount": _source_account,
}
