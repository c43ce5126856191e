"""Which limits a call needs."""

from kms_server.keys.specs import find
from kms_server.operations.call import Call
from kms_server.quotas.limiter import key_subject, quota_subject

SYMMETRIC = "CryptographicOperationsSymmetric"


def charge(call: Call, *keys: tuple[str, str]) -> None:
    """Take one token of every limit the call needs, or none of any; a call is charged once.

    `keys` gives id and spec of the keys a cryptographic operation uses; without keys the operation's own
    quota is charged.

    Raises:
        ThrottlingException: one of them is exhausted.
    """
    if call.charged:
        return
    call.charged = True
    subjects: tuple[str, ...] = ()
    for key_id, spec in keys:
        subjects += (quota_subject(call.account, call.region, find(spec).quota), key_subject(key_id))
    services = call.services
    services.limiter.admit(
        services.keyring.limits(may_block=call.may_block),
        subjects or (quota_subject(call.account, call.region, _own_quota(call)),),
    )


def _own_quota(call: Call) -> str:
    return SYMMETRIC if call.operation.shared_quota else call.operation.name
