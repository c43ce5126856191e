"""Checks that several families share."""

from kms_server.errors import AccessDeniedException
from kms_server.keyring.keyring import UsableKey
from kms_server.keys.key import KmsKey
from kms_server.operations.call import Call


def customer_managed(call: Call, usable: UsableKey) -> KmsKey:
    """The key itself, unless AWS manages it and nobody may change it.

    Raises:
        AccessDeniedException: it is an AWS managed key.
    """
    if usable.key.manager == "AWS":
        raise AccessDeniedException(
            f"User: {call.principal.arn} is not authorized to perform: {call.operation.action} on resource: "
            f"{usable.key.arn} because it is an AWS managed key"
        )
    return usable.key
