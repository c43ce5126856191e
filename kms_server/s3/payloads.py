"""The bytes that operations take, whoever brings them."""

from typing import Protocol


class Source(Protocol):
    """The bytes of an object to be, with their digests once all were read."""

    def want(self, *algorithms: str) -> None:
        """Have digests made; before the first read. MD5, or names of S3 checksums."""

    def read(self, most: int) -> bytes:
        """The next bytes, about `most` of them; empty at the end.

        Raises:
            S3Error: they are not what was declared, or stored.
            ClientGone: the rest will not come.
        """

    def digest(self, algorithm: str) -> bytes:
        """A digest of all bytes, once they were read to the end."""


class Payload(Source, Protocol):
    """The body of a request, decoded and checked on the way: at its end against all that the request declares."""

    @property
    def length(self) -> int | None:
        """The length of the decoded body in bytes, where the request tells it."""

    def whole(self, most: int) -> bytes:
        """All of a small body.

        Raises:
            S3Error: as `read`, or it is longer than `most`.
        """

    @property
    def is_checked(self) -> bool:
        """Whether the client declared a digest of the body, beside the signed one.

        Raises:
            S3Error: as `declared`.
        """

    def declared(self) -> str | None:
        """The name of the checksum that the client declared; None where there is none.

        Raises:
            S3Error: what is declared of the body is malformed.
        """
