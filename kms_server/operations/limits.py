"""Which limits a call needs."""

from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.specs import KeySpec
from kms_server.operations.call import Call, Operation
from kms_server.quotas.limiter import key_subject, quota_subject

SYMMETRIC = "CryptographicOperationsSymmetric"
# Services whose operations share one quota.
_OF_SERVICE = {"iam": "IamRequests", "sts": "StsRequests"}


def charge(call: Call, *keys: UsableKey, pair: KeySpec | None = None) -> None:
    """Take one token of every limit the call needs, or none of any; a call is charged once.

    `keys` are those a cryptographic operation uses; a data key pair counts by the spec of the pair instead. Without
    keys the operation's own quota is charged.

    Raises:
        ThrottlingException: one of them is exhausted.
    """
    if call.charged:
        return
    call.charged = True
    subjects: tuple[str, ...] = ()
    for usable in keys:
        quota = usable.spec.quota if pair is None or pair.pair_quota is None else pair.pair_quota
        subjects += (quota_subject(call.account, call.region, quota), key_subject(usable.key.key_id))
    services = call.services
    services.limiter.admit(
        services.keyring.limits(may_block=call.may_block),
        subjects or (quota_subject(call.account, call.region, own_quota(call.operation)),),
    )


def own_quota(operation: Operation) -> str:
    """The quota that a call counts against where no key does."""
    return SYMMETRIC if operation.shared_quota else _OF_SERVICE.get(operation.service, operation.name)
