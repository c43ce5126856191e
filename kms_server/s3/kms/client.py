"""What the S3 layer asks of a KMS, in this process or elsewhere."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from kms_server.operations.call import Call


class DataKey(NamedTuple):
    """A new data key; `key_arn` is the KMS key it is under, `ciphertext` what `decrypt` takes."""

    key_arn: str
    plaintext: bytes
    ciphertext: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.key_arn!r})"


class KmsClient(Protocol):
    """Calls the KMS with the session of the S3 layer's own caller.

    `call` is the S3 call on whose behalf it is, `region` the bucket's, `source_arn` the object or bucket. All raise the
    S3 errors that a failure of the KMS becomes (`s3.kms.faults`): KMS.DisabledException, KMS.NotFoundException,
    KMS.KMSInvalidStateException, AccessDenied, SlowDown and so on.
    """

    def generate_data_key(
        self, call: Call, *, key_id: str, context: Mapping[str, str], region: str, source_arn: str
    ) -> DataKey:
        """A new 256-bit data key under a KMS key, which `key_id` names by id, ARN or alias."""

    def decrypt(
        self,
        call: Call,
        *,
        key_arn: str,
        ciphertext: bytes,
        context: Mapping[str, str],
        region: str,
        source_arn: str,
    ) -> bytes:
        """The data key in clear."""

    def still_allows(
        self, call: Call, operation: str, *, key_id: str, key_arn: str, context: Mapping[str, str], region: str,
        source_arn: str, since: float,
    ) -> bool:  # fmt: skip
        """Whether a data key that the same caller was given at `since` (monotonic seconds) may be used again.

        `operation` is GenerateDataKey or Decrypt. `key_id` is what the request names, which may be an alias: when it names
        another key than `key_arn` by now, the answer is no. In process this judges the call anew, as the KMS would now, without
        making it; towards another server it is true for 60 seconds.
        """
