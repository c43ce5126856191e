"""From the audit record of a call to what it counted against, as far as the record goes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from kms_server.arn import is_account, is_region
from kms_server.errors import OperatorError, UnknownOperationException
from kms_server.keys.specs import KEY_SPECS
from kms_server.operations import limits
from kms_server.operations.call import Operation
from kms_server.operations.multi_region import is_echo
from kms_server.operations.recording import logged_name
from kms_server.operations.registry import OPERATIONS, find
from kms_server.quotas.attempts import Attempt
from kms_server.quotas.plans import Count

_QUOTAS = {
    algorithm: spec.quota
    for spec in KEY_SPECS.values()
    for algorithms in spec.algorithms.values()
    for algorithm in algorithms
}
# Where the records of cryptographic operations name the algorithm of each key.
_MEMBERS = {
    operation.name: tuple(logged_name(name) for name in operation.logged if name.endswith("Algorithm"))
    for operation in OPERATIONS
    if operation.shared_quota
}
# What is answered before all keys of a call are found, and before it is charged for any.
_UNREACHED = {"AccessDenied", "InvalidArnException", "NotFoundException"}
_VERSION_7 = 7


class _Asked(NamedTuple):
    """A call of the log; `parameters` are the members that its record shows, by their names there."""

    operation: Operation
    account: str
    region: str
    parameters: Mapping[str, Any]

    @property
    def document(self) -> Mapping[str, Any]:
        """The members by the names that requests give them."""
        return {name[:1].upper() + name[1:]: value for name, value in self.parameters.items()}


class _Moment(NamedTuple):
    """When it was, in milliseconds since 1970, or to the second."""

    time: int
    exact: bool


def attempt_of(record: Mapping[str, Any]) -> Attempt | None:
    """The attempt that a record tells of; None where no account's quota counts it.

    Event ids of this server say when a call was to the millisecond, those of AWS do not.

    Raises:
        OperatorError: it is no record of CloudTrail's.
    """
    asked = _asked(record)
    if asked is None or is_echo(record):
        return None
    try:
        event_id = bytes.fromhex(_text(record, "eventID").replace("-", ""))
        time, exact = _moment(_text(record, "eventTime"), event_id)
    except (ValueError, OverflowError):
        raise OperatorError("the record's eventID is no UUID, or its eventTime no time") from None
    return Attempt(time, exact, event_id, _counts(asked, record))


def _asked(record: Mapping[str, Any]) -> _Asked | None:
    """The call, when its caller's account has the record: other accounts may have copies."""
    if record.get("eventType") != "AwsApiCall":
        return None
    operation = _operation(_text(record, "eventSource"), _text(record, "eventName"))
    if operation is None:
        return None
    identity, region = record.get("userIdentity"), _text(record, "awsRegion")
    parameters = record.get("requestParameters") or {}
    if not isinstance(identity, dict) or not isinstance(parameters, dict) or not _is_region(region):
        raise OperatorError("the record's userIdentity, requestParameters or awsRegion is none")
    # What a service asks for by itself counts for whose record it is.
    receiver = record.get("recipientAccountId")
    account = identity.get("accountId", receiver)
    if not isinstance(account, str) or receiver not in (None, account) or not is_account(account):
        return None
    return _Asked(operation, account, region, parameters)


@lru_cache(maxsize=1_024)
def _operation(source: str, name: str) -> Operation | None:
    try:
        return find(source.partition(".")[0], name)
    except UnknownOperationException:
        return None


_is_region = lru_cache(maxsize=64)(is_region)


def _text(record: Mapping[str, Any], member: str) -> str:
    value = record.get(member)
    if not isinstance(value, str):
        raise OperatorError(f"the record has no {member}")
    return value


def _moment(told: str, event_id: bytes) -> _Moment:
    """When a call was: ids of version 7 (RFC 9562) begin with the milliseconds."""
    if len(event_id) != 16:
        raise ValueError
    moment = _told(told)
    by_id = int.from_bytes(event_id[:6])
    if event_id[6] >> 4 == _VERSION_7 and by_id // 1_000 == moment.time // 1_000:
        return _Moment(by_id, exact=True)
    return moment


@lru_cache(maxsize=64)
def _told(text: str) -> _Moment:
    read = datetime.fromisoformat(text)
    if read.tzinfo is None or read.astimezone(UTC).timestamp() < 0:
        raise ValueError
    return _Moment(int(read.timestamp()) * 1_000 + read.microsecond // 1_000, read.microsecond > 0)


def _counts(asked: _Asked, record: Mapping[str, Any]) -> tuple[Count, ...]:
    """What the server charged: who was refused before there was a key is charged for none."""
    operation, account, region, parameters = asked
    reached = record.get("resources") and record.get("errorCode") not in _UNREACHED
    if not operation.shared_quota or not reached:
        return limits.without_key(asked)
    pair = KEY_SPECS.get(str(parameters.get("keyPairSpec")))
    if pair is not None and pair.pair_quota is not None:
        return ((account, region, pair.pair_quota, 1),)
    # Where no algorithm can be chosen, keys are symmetric.
    named = [parameters.get(member) for member in _MEMBERS[operation.name]] or [None]
    return tuple([(account, region, _QUOTAS.get(str(one), limits.SYMMETRIC), 1) for one in named])
