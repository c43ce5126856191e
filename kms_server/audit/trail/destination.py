"""Where trails deliver to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol


class DestinationError(Exception):
    """It did not take or give what was asked for; `code` is CloudTrail's or S3's name for the reason, such as AccessDenied."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


class NoSuchFile(DestinationError):
    """There is no such file."""

    def __init__(self) -> None:
        super().__init__("NoSuchKey")


@dataclass(frozen=True, slots=True)
class Delivered:
    """A file as it was delivered; `metadata` is what S3 keeps as x-amz-meta-*, in lower case."""

    body: bytes
    metadata: Mapping[str, str]


class Destination(Protocol):
    """A bucket, wherever it is. Keys are as in S3: parts between slashes."""

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Store a file, in place of one of the same key; it is there for good, whole, when this returns.

        Raises:
            DestinationError
        """

    def get(self, key: str) -> Delivered:
        """A file.

        Raises:
            NoSuchFile, DestinationError
        """

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`, in the order of their bytes.

        Raises:
            DestinationError
        """
