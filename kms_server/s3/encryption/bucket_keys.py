"""Data keys of buckets, kept for the callers they were given to."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import NamedTuple

from kms_server.operations.call import Call
from kms_server.s3.encryption.types import Envelope, Target
from kms_server.s3.kms.client import DataKey, KeyUse, KmsClient
from kms_server.storage.waits import Waits

_MOST = 4_096
_LONGEST = 3_600.0  # seconds; after that the KMS makes another one, under what is its current material then


class _Place(NamedTuple):
    """For whom and for what a data key is; another session of the same role is another caller."""

    operation: str
    bucket_id: str
    key_id: str
    ciphertext: bytes
    context: tuple[tuple[str, str], ...]
    caller: tuple[str | None, ...]


class _Held(NamedTuple):
    """A data key and when it was given, in monotonic seconds."""

    data_key: DataKey
    since: float


@dataclass(slots=True)
class _Slot:
    """A place in the cache; who holds its lock asks the KMS for all who wait."""

    lock: Lock = field(default_factory=Lock)
    held: _Held | None = None


class BucketKeys:
    """Asks the KMS once for each caller, bucket and KMS key, and again when the caller may not use the key any more."""

    def __init__(self, kms: KmsClient, waits: Waits) -> None:
        self._kms = kms
        self._waits = waits
        self._slots: OrderedDict[_Place, _Slot] = OrderedDict()
        self._lock = Lock()

    def generate(self, call: Call, key_id: str, context: Mapping[str, str], target: Target) -> DataKey:
        """A data key for new objects of a bucket, under the KMS key that `key_id` names.

        Raises:
            S3Error: the KMS refuses.
        """
        use = KeyUse(key_id, context, target.region, target.bucket_arn)
        place = _place("GenerateDataKey", call, target, use, b"")
        return self._get(call, place, use, lambda: self._kms.generate_data_key(call, use))

    def decrypt(
        self, call: Call, key_arn: str, envelope: Envelope, context: Mapping[str, str], target: Target
    ) -> bytes:
        """The data key that an envelope of an object of the bucket has.

        Raises:
            S3Error: the KMS refuses.
        """
        sealed, use = envelope.data_key, KeyUse(key_arn, context, target.region, target.bucket_arn)
        place = _place("Decrypt", call, target, use, sha256(sealed).digest())

        def opened() -> DataKey:
            return DataKey(key_arn, self._kms.decrypt(call, use, sealed), sealed)

        return self._get(call, place, use, opened).plaintext

    def _get(self, call: Call, place: _Place, use: KeyUse, make: Callable[[], DataKey]) -> DataKey:
        slot = self._slot(place)
        held = slot.held
        if held is not None and self._usable(call, place, held, use):
            return held.data_key
        with _taken(slot.lock, self._waits):
            # What another thread was given meanwhile may be older than a change that this call must see.
            held = slot.held
            if held is None or not self._usable(call, place, held, use):
                slot.held = None
                began = time.monotonic()
                held = slot.held = _Held(make(), began)
            return held.data_key

    def _usable(self, call: Call, place: _Place, held: _Held, use: KeyUse) -> bool:
        return time.monotonic() - held.since < _LONGEST and self._kms.still_allows(
            call, place.operation, use, key_arn=held.data_key.key_arn, since=held.since
        )

    def _slot(self, place: _Place) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(place, _Slot())
            self._slots.move_to_end(place)
            if len(self._slots) > _MOST:
                self._slots.popitem(last=False)
        return slot


@contextmanager
def _taken(lock: Lock, waits: Waits) -> Iterator[None]:
    """A lock; whoever waits for it is late when the storage keeps its holder."""
    with waits.noted():
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _place(operation: str, call: Call, target: Target, use: KeyUse, ciphertext: bytes) -> _Place:
    who = call.principal
    # The access key of temporary credentials stands for their session policies.
    caller = who.kind, who.account, who.arn, who.unique_id, who.access_key_id
    context = tuple(sorted(use.context.items()))
    return _Place(operation, target.bucket_id, use.key_id, ciphertext, context, caller)
