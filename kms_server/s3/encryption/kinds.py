"""What all kinds of encryption have in common."""

from typing import Protocol

from kms_server.crypto import wrap
from kms_server.crypto.wrap import WrapError
from kms_server.operations.call import Call
from kms_server.s3.encryption.types import Chosen, CustomerKey, Envelope, ObjectKeys, Target
from kms_server.s3.errors import InternalError, InvalidRequest


class Kind(Protocol):
    """One kind of server-side encryption. `layers` is how many keys an object has."""

    layers: int

    def check(self, envelope: Envelope, customer: CustomerKey | None) -> None:
        """Check that a request has the customer's key when it needs one, and the right one.

        Raises:
            InvalidRequest: it has none, or one that nothing asks for.
            AccessDenied: it is another key.
        """

    def wrap(self, call: Call, keys: ObjectKeys, chosen: Chosen, target: Target) -> Envelope:
        """Wrap the keys of an object.

        Raises:
            S3Error: the KMS refuses.
        """

    def open(
        self, call: Call, envelope: Envelope, target: Target, customer: CustomerKey | None
    ) -> ObjectKeys:
        """The keys in an envelope that was checked.

        Raises:
            S3Error: the KMS refuses.
            InternalError: the envelope is damaged, or that of another object.
        """

    def rewrap_master(self, envelope: Envelope, target: Target) -> Envelope:
        """The envelope with what the SSE-S3 master wraps wrapped under its current backing key."""


def no_customer_key(customer: CustomerKey | None) -> None:
    """Refuse a customer's key where none belongs.

    Raises:
        InvalidRequest
    """
    if customer is not None:
        raise InvalidRequest("The encryption parameters are not applicable to this object.")


def unwrapped(root: bytes, wrapped: bytes, binding: bytes) -> bytes:
    """An object key out of an envelope.

    Raises:
        InternalError: it does not open.
    """
    try:
        return wrap.unwrap(root, wrapped, binding)
    except WrapError:
        raise InternalError from None
