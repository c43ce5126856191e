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


class KeyUse(NamedTuple):
    """What a KMS key is wanted for: `key_id` is its id, ARN or alias, `region` the bucket's, `source_arn` object or bucket."""

    key_id: str
    context: Mapping[str, str]
    region: str
    source_arn: str


class KmsClient(Protocol):
    """Calls the KMS with the session of the S3 layer's own caller.

    `call` is the S3 call on whose behalf it is. All raise the S3 errors that a failure of the KMS becomes (`s3.kms.faults`): KMS.DisabledException, KMS.NotFoundException,
    KMS.KMSInvalidStateException, AccessDenied, SlowDown and so on.
    """

    def generate_data_key(self, call: Call, use: KeyUse) -> DataKey:
        """A new 256-bit data key."""

    def decrypt(self, call: Call, use: KeyUse, ciphertext: bytes) -> bytes:
        """The data key in clear; the key is named by its ARN."""

    def still_allows(self, call: Call, operation: str, use: KeyUse, *, key_arn: str, since: float) -> bool:
        """Whether a data key that the same caller was given at `since` (monotonic seconds) may be used again.

        `operation` is GenerateDataKey or Decrypt. The key may be named by an alias: when that means another key than
        `key_arn` by now, the answer is no. In process this judges the call anew, as the KMS would now, without making it;
        towards another server it is true for 60 seconds.
        """
