"""From bytes that arrive to a stored part, and from stored parts to bytes that leave. Nothing is held whole."""

import os
from collections.abc import Callable, Iterable, Iterator

from kms_server.crypto.stream import CHUNK, PartOpener, PartSealer, StreamError, sealed_size
from kms_server.s3.blobs.store import BlobMissing, BlobStore, StoreFull, StoreUnavailable
from kms_server.s3.encryption.types import ObjectKeys
from kms_server.s3.errors import EntityTooLarge, InternalError, ServiceUnavailable
from kms_server.s3.ranges import Span
from kms_server.storage.objects import Part

# A part of at most so many bytes stands in the index itself: one commit, and no file.
INLINE_BYTES = 16_384
PIECE_BYTES = 16 * CHUNK

Read = Callable[[int], bytes]


def store(blobs: BlobStore, keys: ObjectKeys, read: Read, *, number: int, now: float, most: int) -> Part:
    """Seal what `read` gives until it gives nothing more, as a new part of an object.

    Raises:
        EntityTooLarge: it is more than `most` bytes.
        ServiceUnavailable: there is no room for it.
    """
    blob_id = os.urandom(16).hex()
    sealer = PartSealer(keys.inner, keys.outer, bytes.fromhex(blob_id))
    piece = _at_least(read, INLINE_BYTES + 1)
    size = len(piece)
    if size <= INLINE_BYTES:
        inline = bytes(sealer.update(piece)) + bytes(sealer.finish())
        return Part(blob_id, number, size, sealer.header, inline, now)
    try:
        with blobs.create(blob_id) as writer:
            while piece:
                if size > most:
                    raise EntityTooLarge(ProposedSize=str(size), MaxSizeAllowed=str(most))
                writer.write(sealer.update(piece))
                piece = read(PIECE_BYTES)
                size += len(piece)
            writer.write(sealer.finish())
            writer.finish()
    except StoreFull:
        raise ServiceUnavailable("There is no room for the object.") from None
    except StoreUnavailable:
        raise ServiceUnavailable from None
    return Part(blob_id, number, size, sealer.header, None, now)


def _at_least(read: Read, count: int) -> bytes:
    """The first bytes, `count` or more of them unless there are no more."""
    pieces = [read(PIECE_BYTES)]
    while pieces[-1] and sum(map(len, pieces)) < count:
        pieces.append(read(PIECE_BYTES))
    return b"".join(pieces)


def read(blobs: BlobStore, keys: ObjectKeys, parts: Iterable[Part], span: Span) -> Iterator[bytes]:
    """The bytes of a span over an object's parts, each checked before it is given.

    Raises:
        InternalError: something is missing, or is not what was stored.
    """
    for part, first, end in _touched(parts, span):
        yield from filter(None, _part(blobs, keys, part, first, end))


def _touched(parts: Iterable[Part], span: Span) -> Iterator[tuple[Part, int, int]]:
    """The parts that a span touches, each with what of it; empty parts are touched by what begins or ends there."""
    start = 0
    for part in parts:
        first, end = max(span.first - start, 0), min(span.end - start, part.size)
        if first < end or (not part.size and span.first <= start <= span.end):
            yield part, first, end
        start += part.size


def settle(blobs: BlobStore, parts: Iterable[Part]) -> None:
    """Tell the store which blobs now belong to something."""
    for part in parts:
        if part.inline is None:
            blobs.settle(part.blob_id)


def check(blobs: BlobStore, parts: Iterable[Part], span: Span) -> None:
    """Check that the parts which a span touches are there at their full length.

    Raises:
        InternalError
    """
    for part, _, _ in _touched(parts, span):
        try:
            sealed = sealed_size(part.header, part.size)
            there = blobs.size(part.blob_id) if part.inline is None else len(part.inline)
        except (BlobMissing, StreamError):
            raise InternalError from None
        if there != sealed:
            raise InternalError


def _opener(keys: ObjectKeys, part: Part) -> PartOpener:
    try:
        return PartOpener(keys.inner, keys.outer, bytes.fromhex(part.blob_id), part.header, part.size)
    except StreamError:
        raise InternalError from None


def _part(blobs: BlobStore, keys: ObjectKeys, part: Part, first: int, end: int) -> Iterator[bytes]:
    """The pieces of a range of a part; an empty part has one chunk, too, that is checked."""
    opener = _opener(keys, part)
    while True:
        until = min(end, first - first % CHUNK + PIECE_BYTES)
        offset, count = opener.sealed_range(first, until)
        try:
            if part.inline is None:
                sealed = blobs.read(part.blob_id, offset, count)
            else:
                sealed = part.inline[offset : offset + count]
            pieces = opener.open(sealed, first, until)
        except StoreUnavailable:
            raise ServiceUnavailable from None
        except (BlobMissing, StreamError):
            raise InternalError from None
        yield from pieces
        first = until
        if first >= end:
            return
