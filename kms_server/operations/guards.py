"""Checks that several families share."""

from collections.abc import Mapping

from kms_server.crypto.encryption_context import canonical
from kms_server.errors import (
    AccessDeniedException,
    DryRunOperationException,
    UnsupportedOperationException,
    ValidationException,
)
from kms_server.keyring.usable_key import UsableKey
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


def encryption_context(call: Call, member: str) -> Mapping[str, str]:
    """An encryption context of the request.

    Raises:
        ValidationException: it is larger than the limit.
    """
    context: Mapping[str, str] = call.parameters.get(member) or {}
    if context:
        limit = call.services.limits.max_encryption_context_bytes
        if len(canonical(context)) > limit:
            raise ValidationException(f"{member} is larger than {limit} bytes.")
    return context


def refuse_recipient(call: Call) -> None:
    """Refuse to encrypt an answer for an enclave.

    Raises:
        UnsupportedOperationException: a Recipient is given; its shape was checked before.
    """
    if call.get("Recipient") is not None:
        raise UnsupportedOperationException("Attestation documents are not supported.")


def stop_dry_run(call: Call) -> None:
    """End a call that only asks whether it would succeed.

    Raises:
        DryRunOperationException: DryRun is set.
    """
    if call.parameters.get("DryRun"):
        raise DryRunOperationException
