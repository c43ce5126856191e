"""From the audit record of a call back to the question that it was, as far as the record goes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kms_server.errors import OperatorError
from kms_server.iam.principal import Principal
from kms_server.keyring import callers
from kms_server.keyring.principals import load
from kms_server.operations.call import Forwarded, Services
from kms_server.operations.explanation import Question, find_action
from kms_server.operations.recording import DATES, epoch
from kms_server.operations.registry import OPERATIONS
from kms_server.protocol.message import Request, TlsDetails
from kms_server.schemas.fields import Blob

_KEY = "AWS::KMS::Key"
_REFUSED = re.compile(r"not authorized to perform: (\S+)(?: on resource: (\S+))?")
_SIDES = {"kms:ReEncryptFrom": "Source", "kms:ReEncryptTo": "Destination"}
# Their records name what they are about only where the caller is refused.
_OF_UNTOLD_RESOURCES = ("iam:", "servicequotas:", "sts:")
# Members that no condition key tells of.
_NEVER_ASKED = ("GrantTokens", "DryRun", "Limit", "Marker")
_OF_SERVICES = (
    "aws:SourceArn, aws:SourceAccount and aws:SecureTransport: no record of a forwarded call has them"
)
_INVOKER = re.compile(r"fas\.([a-z0-9-]+)\.amazonaws\.com")
_OF_SESSIONS = "session policies and session tags: only the session's token has them"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call of the log: the question, what of it the log does not have, and what came of it."""

    question: Question
    gaps: tuple[str, ...]
    error_code: str | None
    time: str


def rebuild(services: Services, record: Mapping[str, Any]) -> Recorded:
    """The question that a record answers. Policies are those of now, whatever they were then.

    Raises:
        OperatorError: it is no call, its caller is gone, or it does not tell which key it was about.
    """
    if record.get("eventType") != "AwsApiCall" or "arn" not in record["userIdentity"]:
        raise OperatorError("the record is about no call that policies decide")
    refusal = _REFUSED.search(record.get("errorMessage") or "")
    service = record["eventSource"].partition(".")[0]
    action = find_action(refusal[1] if refusal else f"{service}:{record['eventName']}")
    parameters = _members(record["requestParameters"] or {})
    time = datetime.fromisoformat(record["eventTime"]).timestamp()
    key, resource = _resource(record, action, parameters, refusal[2] if refusal else None)
    principal = _principal(services, record["userIdentity"], time)
    question = Question(
        principal, action, record["awsRegion"], time, key, resource, parameters=parameters,
        encryption_context=parameters.get(f"{_SIDES.get(action, '')}EncryptionContext") or {},
        request=_request(record), forwarded=_forwarded(record),
    )  # fmt: skip
    gaps = _gaps(record["eventName"], service, parameters)
    if question.forwarded is not None:
        gaps += (_OF_SERVICES,)
    return Recorded(
        question,
        (*gaps, _OF_SESSIONS) if principal.session else gaps,
        record.get("errorCode"),
        record["eventTime"],
    )


def _principal(services: Services, identity: Mapping[str, Any], time: float) -> Principal:
    """Who called, if it is still the same: a name may be another's by now."""
    if identity["type"] == "FederatedUser":
        raise OperatorError("what a federated user may do is in its session token, which no record has")
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    with services.database.read() as connection:
        if issuer.get("type") == "Role":
            role = load(connection, issuer["principalId"])
            found = None if role is None else callers.of_role(role, identity["arn"].rpartition("/")[2], time)
        else:
            found = callers.caller(connection, identity["arn"], time)
    if found is None or found.unique_id != identity["principalId"]:
        raise OperatorError(f"the caller {identity['arn']} ({identity['principalId']}) no longer exists")
    return found


def _resource(
    record: Mapping[str, Any], action: str, parameters: Mapping[str, Any], refused: str | None
) -> tuple[str | None, str]:
    """The key by an identifier, else None and the ARN of what is not a key."""
    if refused is not None:
        return (
            (refused, refused)
            if ":key/" in refused and refused.startswith("arn:aws:kms:")
            else (None, refused)
        )
    if action.startswith(_OF_UNTOLD_RESOURCES) and not record.get("resources"):
        raise OperatorError("the record does not tell what the request was about: nothing refused it")
    if not action.startswith("kms:"):
        return None, next((one["ARN"] for one in record.get("resources", ())), "*")
    keys = [one["ARN"] for one in record.get("resources", ()) if one["type"] == _KEY]
    named = parameters.get(f"{_SIDES.get(action, '')}KeyId")
    found = keys[-1 if action == "kms:ReEncryptTo" else 0] if keys else named
    if found is None and record.get("errorCode"):
        raise OperatorError(
            "the record does not tell which key the request was about: the caller did not name it"
        )
    return found, "*"


def _request(record: Mapping[str, Any]) -> Request:
    agent = record.get("userAgent")
    tls = record.get("tlsDetails")
    return Request(
        "POST", "/", {"user-agent": agent} if agent else {}, b"", record["sourceIPAddress"],
        TlsDetails(tls["tlsVersion"], tls["cipherSuite"]) if tls else None,
    )  # fmt: skip


def _forwarded(record: Mapping[str, Any]) -> Forwarded | None:
    """The service that made the call with its caller's session."""
    invoker = _INVOKER.fullmatch(record["userIdentity"].get("invokedBy", ""))
    return None if invoker is None else Forwarded(invoker[1], record["awsRegion"])


def _gaps(event_name: str, service: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The request members that the log never has and a policy might ask about."""
    operation = next(one for one in OPERATIONS if (one.service, one.name) == (service, event_name))
    fields = operation.request().fields
    return tuple(
        f"request member {name}" for name, field in fields.items()
        if name not in (*operation.logged, *parameters, *_NEVER_ASKED) and not isinstance(field, Blob)
    )  # fmt: skip


def _members(logged: Mapping[str, Any]) -> dict[str, Any]:
    """Members of a record by the names that requests give them."""
    return {_named(name): _value(name, value) for name, value in logged.items()}


def _named(logged: str) -> str:
    return logged[:1].upper() + logged[1:]


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict) and "ncryptionContext" not in name:
        return _members(value)
    if isinstance(value, str) and _named(name) in DATES:
        return epoch(value)
    return [_value("", one) for one in value] if isinstance(value, list) else value
