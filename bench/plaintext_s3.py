"""The S3 layer without its cipher: the same front door, index and blobs, for `bench.transfers` to compare with.

It exists here alone, takes the options of `kms-server serve`, and stores what it is sent in clear.
"""

from collections.abc import Sequence

from cryptography.utils import Buffer

from kms_server.cli import main
from kms_server.s3 import content


class PlainSealer:
    """Hands bytes on."""

    header = b""

    def __init__(self, keys: Sequence[bytes], part_id: bytes) -> None:
        del keys, part_id

    def update(self, data: Buffer) -> memoryview:
        return memoryview(data)

    def finish(self) -> memoryview:
        return memoryview(b"")


class PlainOpener:
    """Gives them back."""

    def __init__(self, keys: Sequence[bytes], part_id: bytes, header: bytes, size: int) -> None:
        del keys, part_id, header
        self.sealed_size = size

    def sealed_range(self, first: int, last: int) -> tuple[int, int]:
        return first, last - first + 1

    def open_range(self, sealed: bytes, first: int, last: int) -> bytes:
        del first, last
        return sealed


if __name__ == "__main__":
    content.PartSealer = PlainSealer  # type: ignore[assignment,misc]  # it does what is asked of one
    content.PartOpener = PlainOpener  # type: ignore[assignment,misc]  # it does what is asked of one
    main.main()
