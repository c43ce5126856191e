"""SSE-S3: object keys under the service's own master."""

from dataclasses import replace

from kms_server.operations.call import Call
from kms_server.s3.encryption.envelope import binding
from kms_server.s3.encryption.kinds import no_customer_key
from kms_server.s3.encryption.master import Master
from kms_server.s3.encryption.types import SSE_S3, Chosen, CustomerKey, Envelope, ObjectKeys, Target


class SseS3:
    """Needs nothing of the caller."""

    layers = 1

    def __init__(self, master: Master) -> None:
        self._master = master

    def check(self, _envelope: Envelope, customer: CustomerKey | None) -> None:
        """See `Kind`."""
        no_customer_key(customer)

    def wrap(self, _call: Call, keys: ObjectKeys, _chosen: Chosen, target: Target) -> Envelope:
        """See `Kind`."""
        sealed = self._master.seal(target.region, keys.inner, binding(SSE_S3, 0, target))
        return Envelope(SSE_S3, sealed.data, material=sealed.material)

    def open(
        self, _call: Call, envelope: Envelope, target: Target, _customer: CustomerKey | None
    ) -> ObjectKeys:
        """See `Kind`."""
        return ObjectKeys(self._opened(envelope, target))

    def rewrap_master(self, envelope: Envelope, target: Target) -> Envelope:
        """See `Kind`."""
        sealed = self._master.seal(target.region, self._opened(envelope, target), binding(SSE_S3, 0, target))
        return replace(envelope, wrapped=sealed.data, material=sealed.material)

    def _opened(self, envelope: Envelope, target: Target) -> bytes:
        return self._master.open(target.region, envelope.wrapped, binding(SSE_S3, 0, target))
