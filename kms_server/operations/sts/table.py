"""Every operation of STS."""

from kms_server.operations.call import Operation
from kms_server.operations.sts import assume_role, callers, web_identity

OPERATIONS: tuple[Operation, ...] = (
    *callers.OPERATIONS,
    *assume_role.OPERATIONS,
    *web_identity.OPERATIONS,
)
