"""The body of a request, decoded and checked on the way."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from functools import cached_property
from typing import Self

from kms_server.protocol.message import Body, Request
from kms_server.s3.errors import (
    BadDigest,
    IncompleteBody,
    MalformedTrailer,
    MaxMessageLengthExceeded,
    MissingContentLength,
    XAmzContentSHA256Mismatch,
)
from kms_server.s3.wire.aws_chunked import ChunkedBody, ChunkedDecoder, ChunkSigning
from kms_server.s3.wire.checksums import BY_HEADER, CHECKSUMS, Checksum, Hasher
from kms_server.s3.wire.declared import Digests, decoded, digests_of, length_of, mode_of

_FRAMING = frozenset({"content-length", "transfer-encoding"})
_FORM_HEADERS = frozenset({"content-md5", "x-amz-sdk-checksum-algorithm"})


class BytesBody:
    """A body that is there already."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def read(self, most: int) -> bytes:
        """As `Body.read`."""
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece


def body_of(request: Request) -> Body:
    """The body of a request, not decoded."""
    return BytesBody(request.body) if request.stream is None else request.stream


class RequestPayload:
    """Implements `s3.call.Payload`; nothing of the body is read, and nothing said of it looked at, before it is asked for.

    `headers` are those of the request; `body` is None where nothing says that there is one. `signing` verifies signed chunks; None where nobody
    signed, and in `--dev`. Without `checksums` the checksum headers are not about the body (CompleteMultipartUpload).
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        body: Body | None,
        signing: ChunkSigning | None,
        *,
        checksums: bool = True,
    ) -> None:
        self._headers = headers
        self._body = body
        self._signing = signing
        self._checksums = checksums
        self._wanted: set[str] = set()
        self._hashers: dict[str, Hasher] | None = None
        self._count = 0
        self._at_end = False

    @classmethod
    def of(cls, request: Request, signing: ChunkSigning | None, *, checksums: bool = True) -> Self:
        """The payload of a request."""
        body = None if not request.body and _FRAMING.isdisjoint(request.headers) else body_of(request)
        return cls(request.headers, body, signing, checksums=checksums)

    @classmethod
    def of_form(cls, fields: Mapping[str, str], file: Body) -> Self:
        """The payload of a POST form; `fields` have lower-case names and may declare digests of the file."""
        told = {name: value for name, value in fields.items() if name in BY_HEADER or name in _FORM_HEADERS}
        return cls(told, file, None)

    @cached_property
    def length(self) -> int | None:
        """The length of the decoded body in bytes, where the request tells it.

        Raises:
            MissingContentLength, InvalidArgument
        """
        return length_of(self._headers, mode_of(self._headers))

    def declared(self) -> str | None:
        """The name of the checksum that the client declared; None where there is none.

        Raises:
            InvalidArgument, InvalidDigest, InvalidRequest: what is declared of the body is malformed.
        """
        checksum = self._digests.checksum
        return checksum.name if checksum else None

    @property
    def is_checked(self) -> bool:
        """Whether the client declared a digest of the body, beside the signed one.

        Raises:
            InvalidArgument, InvalidDigest, InvalidRequest
        """
        return self._digests.md5 is not None or self._digests.checksum is not None

    @cached_property
    def _digests(self) -> Digests:
        return digests_of(self._headers, checksums=self._checksums)

    @cached_property
    def _source(self) -> Body:
        mode = mode_of(self._headers)
        if self._body is None:
            return BytesBody(b"")
        if mode is None:
            return self._body
        return ChunkedBody(self._body, ChunkedDecoder(mode, self.length or 0, self._signing))

    def want(self, *algorithms: str) -> None:
        """Have digests made that the request itself does not ask for; before the first read."""
        self._wanted.update(algorithms)

    def read(self, most: int) -> bytes:
        """The next decoded bytes; empty at the end, when all that the request declares of the body has been checked.

        Raises:
            MissingContentLength: nothing says that there is a body.
            S3Error: it is not what was declared, or not signed.
            ClientGone: the rest will not come.
        """
        if self._body is None:
            raise MissingContentLength
        return self._read(most)

    def whole(self, most: int) -> bytes:
        """All of a small body; empty where nothing says that there is one.

        Raises:
            S3Error: as `read`.
            MaxMessageLengthExceeded: it is longer than `most`.
        """
        if self.length is not None and self.length > most:
            raise MaxMessageLengthExceeded
        found = bytearray()
        while piece := self._read(most + 1 - len(found)):
            found += piece
            if len(found) > most:
                raise MaxMessageLengthExceeded
        return bytes(found)

    def digest(self, algorithm: str) -> bytes:
        """A digest of the whole body, once it was read to its end, by the name of a checksum."""
        if not self._at_end or self._hashers is None:
            raise ValueError("the body was not read to its end")
        return self._hashers[algorithm].digest()

    def _read(self, most: int) -> bytes:
        if self._at_end:
            return b""
        if self._hashers is None:
            self._hashers = self._made_hashers()
        piece = self._source.read(most)
        if not piece:
            self._check(self._hashers)
            self._at_end = True
            return b""
        self._count += len(piece)
        for hasher in self._hashers.values():
            hasher.update(piece)
        return piece

    def _made_hashers(self) -> dict[str, Hasher]:
        declared = self._digests
        names = set(self._wanted)
        if declared.sha256 is not None:
            names.add("SHA256")
        if declared.md5 is not None:
            names.add("MD5")
        if declared.checksum is not None:
            names.add(declared.checksum.name)
        return {name: CHECKSUMS[name].hasher() for name in names}

    def _check(self, hashers: Mapping[str, Hasher]) -> None:
        declared = self._digests
        if self.length is not None and self._count != self.length:
            raise IncompleteBody
        if declared.sha256 is not None:
            _check_sha256(declared.sha256, hashers["SHA256"].digest().hex())
        if declared.md5 is not None:
            _check_md5(declared.md5, hashers["MD5"].digest())
        if any(name in BY_HEADER and name not in declared.trailers for name in self._trailers()):
            raise MalformedTrailer
        if declared.checksum is not None:
            self._check_checksum(declared.checksum, declared.value, hashers[declared.checksum.name].digest())

    def _check_checksum(self, checksum: Checksum, value: str | None, computed: bytes) -> None:
        if value is None:
            value = self._trailers().get(checksum.header)
        if value is None:
            raise MalformedTrailer
        if not hmac.compare_digest(decoded(checksum, value), computed):
            raise BadDigest(f"The {checksum.name} you specified did not match the calculated checksum.")

    def _trailers(self) -> Mapping[str, str]:
        return self._source.trailers if isinstance(self._source, ChunkedBody) else {}


def _check_sha256(told: str, computed: str) -> None:
    if not hmac.compare_digest(told, computed):
        raise XAmzContentSHA256Mismatch(ClientComputedContentSHA256=told, S3ComputedContentSHA256=computed)


def _check_md5(told: bytes, computed: bytes) -> None:
    if not hmac.compare_digest(told, computed):
        raise BadDigest(
            "The Content-MD5 you specified did not match what we received.",
            ExpectedDigest=b64encode(told).decode(), CalculatedDigest=b64encode(computed).decode(),
        )  # fmt: skip
