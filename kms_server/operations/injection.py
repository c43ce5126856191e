"""Where injected faults meet calls: right before a call is charged."""

import time
from collections.abc import Sequence

from kms_server.errors import ServiceError
from kms_server.iam.patterns import fits, wild
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.usable_key import UsableKey
from kms_server.operations.call import Call
from kms_server.operations.named_keys import key_id_of
from kms_server.schemas import base
from kms_server.storage import injected_faults
from kms_server.storage.injected_faults import ERRORS, InjectedFault

_IDENTIFIERS = ("KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId")


def meet(call: Call, faults: Sequence[InjectedFault], keys: Sequence[UsableKey]) -> None:
    """Have a call counted by the oldest of the faults that matches it, and let it take what the fault has for it.

    `keys` are those that the call is charged for; of one without, those that its request names.

    Raises:
        WouldBlock: a fault matches, and the call was asked not to wait; nothing was counted.
        ThrottlingException, KMSInternalException, DependencyTimeoutException: the fault's error.
    """
    if not call.operation.injectable:
        return
    for fault in faults:
        if not _matches(fault, call, keys):
            continue
        if not call.may_block:
            raise WouldBlock
        position = injected_faults.take(call.services.database, fault)
        if position is not None:
            if fault.meets(position):
                _strike(fault)
            return


def _matches(fault: InjectedFault, call: Call, keys: Sequence[UsableKey]) -> bool:
    """Whether a fault counts a call; one on no operation counts those of KMS."""
    operation, pattern = call.operation, fault.principal
    named = operation.service == "kms" if fault.operation is None else operation.name == fault.operation
    return (
        named
        and fault.account in {None, call.account}
        and (pattern is None or any(fits(wild(pattern), arn) for arn in call.principal.arns))
        and (fault.key_id is None or fault.key_id in _key_ids(call, keys))
    )


def _key_ids(call: Call, keys: Sequence[UsableKey]) -> set[str | None]:
    """The ids of a call's keys; a request that is not in order names none."""
    if keys:
        return {usable.key.key_id for usable in keys}
    try:
        members = call.parameters or base.load(call.operation.request, call.document)
    except ServiceError:
        return set()
    return {key_id_of(call, members[name]) for name in _IDENTIFIERS if name in members}


def _strike(fault: InjectedFault) -> None:
    time.sleep(fault.delay)
    if fault.error is not None:
        raise ERRORS[fault.error]
