"""From what a request asks for to the keys of an object, and back from what was kept."""

from collections.abc import Iterable

from kms_server.crypto.encryption_context import length_prefixed
from kms_server.operations.call import Call, Services
from kms_server.s3.encryption.bucket_keys import BucketKeys
from kms_server.s3.encryption.default import BucketDefault
from kms_server.s3.encryption.kinds import Kind
from kms_server.s3.encryption.master import Master
from kms_server.s3.encryption.sse_c import SseC
from kms_server.s3.encryption.sse_kms import DsseKms, SseKms
from kms_server.s3.encryption.sse_s3 import SseS3
from kms_server.s3.encryption.types import (
    DSSE_KMS,
    SSE_C,
    SSE_KMS,
    SSE_S3,
    Chosen,
    CustomerKey,
    Envelope,
    ObjectKeys,
    Target,
)
from kms_server.s3.errors import InternalError
from kms_server.s3.kms.client import KmsClient
from kms_server.storage.objects import Version

_ETAG = b"kms-server etag v1"


class Encryption:
    """Makes and opens the envelopes of all kinds; made once per process.

    With `block_sse_c` buckets take no SSE-C unless they are told to (AWS's default since April 2026).
    """

    def __init__(self, services: Services, kms: KmsClient, *, block_sse_c: bool = False) -> None:
        self.master = Master(services)
        self._block_sse_c = block_sse_c
        bucket_keys = BucketKeys(kms, services.database.waits)
        self._kinds: dict[str, Kind] = {
            SSE_S3: SseS3(self.master),
            SSE_KMS: SseKms(kms, bucket_keys),
            DSSE_KMS: DsseKms(kms, bucket_keys, self.master),
            SSE_C: SseC(),
        }

    def blocks_sse_c(self, default: BucketDefault) -> bool:
        """Whether a bucket of this setting takes no new objects under SSE-C."""
        return self._block_sse_c if default.blocks_sse_c is None else default.blocks_sse_c

    def create(self, call: Call, chosen: Chosen, target: Target) -> tuple[ObjectKeys, Envelope]:
        """Fresh keys for an object, and their envelope.

        Raises:
            S3Error: the KMS refuses.
        """
        kind = self._kinds[chosen.kind]
        keys = ObjectKeys.fresh(layers=kind.layers)
        return keys, kind.wrap(call, keys, chosen, target)

    def check(self, envelope: Envelope, customer: CustomerKey | None) -> None:
        """Check, without opening anything, that a request has the customer's key where the object needs it.

        Raises:
            InvalidRequest, AccessDenied
        """
        self._kind(envelope).check(envelope, customer)

    def open(
        self, call: Call, envelope: Envelope, target: Target, customer: CustomerKey | None = None
    ) -> ObjectKeys:
        """The keys of an object.

        Raises:
            S3Error: the KMS refuses, or the customer's key is missing or wrong.
            InternalError: the envelope is damaged, or that of another object.
        """
        kind = self._kind(envelope)
        kind.check(envelope, customer)
        return kind.open(call, envelope, target, customer)

    def rewrap(self, call: Call, envelope: Envelope, chosen: Chosen, target: Target) -> Envelope:
        """The same object's keys in another envelope, of a kind with as many layers.

        Raises:
            S3Error: the KMS refuses one or the other.
            InternalError: the envelope is damaged, or that of another object.
        """
        return self._kinds[chosen.kind].wrap(call, self.open(call, envelope, target), chosen, target)

    def rewrap_master(self, envelope: Envelope, target: Target) -> Envelope:
        """The envelope under the current backing key of the SSE-S3 master, where it is under the master at all.

        Raises:
            InternalError: the envelope is damaged, or that of another object.
        """
        return self._kind(envelope).rewrap_master(envelope, target)

    def seal_etag(self, region: str, bucket_id: str, object_id: str, etag: str) -> bytes:
        """An ETag that says something about the content, under the master."""
        return self.master.seal(region, etag.encode(), _etag_binding(bucket_id, object_id)).data

    def prepare_etags(self, region: str) -> None:
        """Load what opens ETags, so that a transaction which opens one takes no second connection."""
        self.master.material(region)

    def open_etags(self, region: str, versions: Iterable[Version]) -> list[str]:
        """The ETags of versions in a Region, whether they are sealed or not.

        Raises:
            InternalError: one is damaged, or that of another object.
        """
        return [
            self._open_etag(region, version) if version.etag is None else version.etag for version in versions
        ]

    def _open_etag(self, region: str, version: Version) -> str:
        binding = _etag_binding(version.bucket_id, version.object_id)
        return self.master.open(region, version.sealed_etag or b"", binding).decode()

    def _kind(self, envelope: Envelope) -> Kind:
        kind = self._kinds.get(envelope.kind)
        if kind is None:
            raise InternalError
        return kind


def _etag_binding(bucket_id: str, object_id: str) -> bytes:
    return length_prefixed(_ETAG, bucket_id.encode(), object_id.encode())
