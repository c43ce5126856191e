"""The encryption that a bucket gives to new objects of which nothing else is said."""

import json
from dataclasses import asdict, dataclass

from kms_server.s3.encryption.types import SSE_S3


@dataclass(frozen=True, slots=True)
class BucketDefault:
    """A bucket's setting; `key_id` is as it was sent. `blocks_sse_c` is None where nothing was said about SSE-C."""

    kind: str = SSE_S3
    key_id: str | None = None
    bucket_key: bool = False
    blocks_sse_c: bool | None = None

    @classmethod
    def read(cls, text: str | None) -> "BucketDefault":
        """The setting that a bucket has; what it is without one."""
        return cls(**json.loads(text)) if text else cls()

    def write(self) -> str:
        """The setting as it is kept."""
        return json.dumps(asdict(self))
