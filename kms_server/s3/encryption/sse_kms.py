"""SSE-KMS and DSSE-KMS: object keys under data keys of the KMS, which sees the caller and the object or bucket."""

from collections.abc import Mapping
from dataclasses import replace

from kms_server.crypto import wrap
from kms_server.operations.call import Call
from kms_server.s3.encryption.bucket_keys import BucketKeys
from kms_server.s3.encryption.envelope import binding
from kms_server.s3.encryption.kinds import no_customer_key, unwrapped
from kms_server.s3.encryption.master import Master, Sealed
from kms_server.s3.encryption.types import (
    DSSE_KMS,
    SSE_KMS,
    Chosen,
    CustomerKey,
    Envelope,
    ObjectKeys,
    Target,
)
from kms_server.s3.errors import InternalError, InvalidArgument
from kms_server.s3.kms.client import DataKey, KeyUse, KmsClient

MANAGED_KEY = "alias/aws/s3"
SOURCE_ARN = "aws:s3:arn"


class SseKms:
    """A data key for each object, or one of the bucket."""

    layers = 1
    _name = SSE_KMS

    def __init__(self, kms: KmsClient, bucket_keys: BucketKeys) -> None:
        self._kms = kms
        self._bucket_keys = bucket_keys

    def check(self, _envelope: Envelope, customer: CustomerKey | None) -> None:
        """See `Kind`."""
        no_customer_key(customer)

    def wrap(self, call: Call, keys: ObjectKeys, chosen: Chosen, target: Target) -> Envelope:
        """See `Kind`."""
        context = _full_context(chosen.context, _source(target, bucket_key=chosen.bucket_key))
        data_key = self._data_key(call, chosen, context, target)
        bound = binding(self._name, 0, target, data_key.key_arn)
        return Envelope(
            self._name, wrap.wrap(data_key.plaintext, keys.inner, bound), data_key.key_arn, dict(chosen.context),
            chosen.bucket_key, data_key.ciphertext,
        )  # fmt: skip

    def open(
        self, call: Call, envelope: Envelope, target: Target, _customer: CustomerKey | None
    ) -> ObjectKeys:
        """See `Kind`."""
        return ObjectKeys(self._inner(call, envelope, target))

    def rewrap_master(self, envelope: Envelope, _target: Target) -> Envelope:
        """See `Kind`."""
        return envelope

    def _data_key(self, call: Call, chosen: Chosen, context: Mapping[str, str], target: Target) -> DataKey:
        _require_sigv4(call)
        key_id = chosen.key_id or MANAGED_KEY
        if chosen.bucket_key:
            return self._bucket_keys.generate(call, key_id, context, target)
        return self._kms.generate_data_key(call, KeyUse(key_id, context, target.region, target.arn))

    def _inner(self, call: Call, envelope: Envelope, target: Target) -> bytes:
        _require_sigv4(call)
        key_arn = envelope.key_arn
        if key_arn is None:
            raise InternalError
        context = _full_context(envelope.context, _source(target, bucket_key=envelope.bucket_key))
        if envelope.bucket_key:
            root = self._bucket_keys.decrypt(call, key_arn, envelope, context, target)
        else:
            use = KeyUse(key_arn, context, target.region, target.arn)
            root = self._kms.decrypt(call, use, envelope.data_key)
        return unwrapped(root, envelope.wrapped, binding(self._name, 0, target, key_arn))


class DsseKms(SseKms):
    """A second layer under a key of its own, which the SSE-S3 master wraps; there are no bucket keys."""

    layers = 2
    _name = DSSE_KMS

    def __init__(self, kms: KmsClient, bucket_keys: BucketKeys, master: Master) -> None:
        super().__init__(kms, bucket_keys)
        self._master = master

    def wrap(self, call: Call, keys: ObjectKeys, chosen: Chosen, target: Target) -> Envelope:
        """See `Kind`."""
        envelope = super().wrap(call, keys, replace(chosen, bucket_key=False), target)
        assert keys.outer is not None  # noqa: S101 - there are two layers
        return _with_outer(
            envelope, self._master.seal(target.region, keys.outer, binding(DSSE_KMS, 1, target))
        )

    def open(
        self, call: Call, envelope: Envelope, target: Target, _customer: CustomerKey | None
    ) -> ObjectKeys:
        """See `Kind`."""
        return ObjectKeys(self._inner(call, envelope, target), self._outer(envelope, target))

    def rewrap_master(self, envelope: Envelope, target: Target) -> Envelope:
        """See `Kind`."""
        outer = self._outer(envelope, target)
        return _with_outer(envelope, self._master.seal(target.region, outer, binding(DSSE_KMS, 1, target)))

    def _outer(self, envelope: Envelope, target: Target) -> bytes:
        return self._master.open(target.region, envelope.wrapped_outer, binding(DSSE_KMS, 1, target))


def _with_outer(envelope: Envelope, sealed: Sealed) -> Envelope:
    return replace(envelope, wrapped_outer=sealed.data, material=sealed.material)


def _source(target: Target, *, bucket_key: bool) -> str:
    return target.bucket_arn if bucket_key else target.arn


def _require_sigv4(call: Call) -> None:
    """Refuse whoever signed otherwise or not at all, whether or not the KMS would have to be asked.

    Raises:
        InvalidArgument
    """
    if not call.sigv4:
        raise InvalidArgument(
            "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.",
            ArgumentName="Authorization", ArgumentValue="null",
        )  # fmt: skip


def _full_context(pairs: Mapping[str, str], source: str) -> dict[str, str]:
    """The encryption context that the KMS sees.

    Raises:
        InvalidArgument: the user's own says that this is another object or bucket.
    """
    if pairs.get(SOURCE_ARN, source) != source:
        raise InvalidArgument(
            f"The encryption context must have {source} as {SOURCE_ARN}, or leave it out.",
            ArgumentName="x-amz-server-side-encryption-context", ArgumentValue=pairs[SOURCE_ARN],
        )  # fmt: skip
    return dict(pairs) | {SOURCE_ARN: source}
