"""SSE-C: object keys under the customer's key, of which only a salted HMAC-SHA-256 is kept."""

import hmac
import os

from kms_server.crypto import wrap
from kms_server.operations.call import Call
from kms_server.s3.encryption.envelope import binding
from kms_server.s3.encryption.kinds import unwrapped
from kms_server.s3.encryption.types import SSE_C, Chosen, CustomerKey, Envelope, ObjectKeys, Target
from kms_server.s3.errors import AccessDenied, InternalError, InvalidRequest

_SALT = 16


class SseC:
    """Needs the customer's key with every call."""

    layers = 1

    def check(self, envelope: Envelope, customer: CustomerKey | None) -> None:
        """See `Kind`."""
        if customer is None:
            raise InvalidRequest(
                "The object was stored using a form of Server Side Encryption. "
                "The correct parameters must be provided to retrieve the object."
            )
        if not matches(envelope, customer):
            raise AccessDenied(
                "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key."
            )

    def wrap(self, _call: Call, keys: ObjectKeys, chosen: Chosen, target: Target) -> Envelope:
        """See `Kind`."""
        customer = _given(chosen.customer)
        wrapped = wrap.wrap(customer.key, keys.inner, binding(SSE_C, 0, target))
        salt = os.urandom(_SALT)
        return Envelope(SSE_C, wrapped, check=salt + _tag(salt, customer))

    def open(
        self, _call: Call, envelope: Envelope, target: Target, customer: CustomerKey | None
    ) -> ObjectKeys:
        """See `Kind`."""
        return ObjectKeys(unwrapped(_given(customer).key, envelope.wrapped, binding(SSE_C, 0, target)))

    def rewrap_master(self, envelope: Envelope, _target: Target) -> Envelope:
        """See `Kind`."""
        return envelope


def matches(envelope: Envelope, customer: CustomerKey) -> bool:
    """Whether this is the key that an object was stored with."""
    salt, kept = envelope.check[:_SALT], envelope.check[_SALT:]
    return hmac.compare_digest(_tag(salt, customer), kept)


def _given(customer: CustomerKey | None) -> CustomerKey:
    """The key, which was checked to be there.

    Raises:
        InternalError: it was not.
    """
    if customer is None:
        raise InternalError
    return customer


def _tag(salt: bytes, customer: CustomerKey) -> bytes:
    return hmac.digest(salt, customer.key, "sha256")
