"""The S3 layer without its cipher: the same front door, index and blobs, for `bench.transfers` to compare with.

It exists here alone, takes the options of `kms-server serve`, and stores what it is sent in clear.
"""

from cryptography.utils import Buffer

from kms_server.cli import main
from kms_server.s3 import content


class PlainSealer:
    """Hands bytes on."""

    header = b""

    def __init__(self, inner: bytes, outer: bytes | None, part_id: bytes) -> None:
        del inner, outer, part_id

    def update(self, data: Buffer) -> memoryview:
        return memoryview(data)

    def finish(self) -> memoryview:
        return memoryview(b"")


class PlainOpener:
    """Gives them back."""

    def __init__(self, inner: bytes, outer: bytes | None, part_id: bytes, header: bytes, size: int) -> None:
        del inner, outer, part_id, header
        self.sealed_size = size

    def sealed_range(self, first: int, end: int) -> tuple[int, int]:
        return first, end - first

    def open(self, sealed: bytes, first: int, end: int) -> list[bytes]:
        del first, end
        return [sealed]


def plain_size(header: bytes, size: int) -> int:
    """Bytes take as much room as they are."""
    del header
    return size


if __name__ == "__main__":
    vars(content).update(PartSealer=PlainSealer, PartOpener=PlainOpener, sealed_size=plain_size)
    main.main()
