"""Reading and authenticating objects without their clients, as far as that is possible.

What SSE-C protects opens for nobody but its customer, and what a KMS key protects that is not here for nobody here. Of
such objects the structure is checked: that all bytes are there, and headers, envelope and index fit together.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kms_server.operations.call import Call
from kms_server.s3 import content
from kms_server.s3.call import S3Services
from kms_server.s3.encryption import manifest
from kms_server.s3.encryption.types import SSE_C, ObjectKeys
from kms_server.s3.errors import InternalError, KmsInvalidCiphertext, KmsInvalidState, KmsNotFound
from kms_server.s3.ranges import Span
from kms_server.s3.reading import Found, opened_manifest
from kms_server.storage import buckets, object_upkeep
from kms_server.storage.buckets import Bucket
from kms_server.storage.object_upkeep import Scope
from kms_server.storage.objects import Version

_BATCH = 50


class Verdict(NamedTuple):
    """What is known of a version: whether its bytes were opened, and what is wrong with it, if anything is."""

    bucket: str
    version: Version
    opened: bool
    problem: str | None = None


class _Damage(Exception):
    """Something is not what was stored; says what."""


class Verifying:
    """Verifies versions; `call` is what keys are opened for, and `advance` is told how many bytes were read."""

    def __init__(self, services: S3Services, call: Call, advance: Callable[[int], object]) -> None:
        self._database = services.shared.database
        self._keyring = services.shared.keyring
        self._blobs = services.blobs
        self._encryption = services.encryption
        self._call = call
        self._advance = advance

    def run(self, scope: Scope, after: int) -> Iterator[Verdict]:
        """The verdicts on all versions with numbers higher than `after`, in the order of numbers.

        Raises:
            ServiceUnavailable, StoreUnavailable: the blob store does not answer.
        """
        while True:
            self._keyring.refresh(may_block=True)
            with self._database.read() as connection:
                batch = object_upkeep.each(connection, after, _BATCH, scope)
            if not batch:
                return
            for version in batch:
                verdict = None if version.is_marker else self._verdict(version)
                if verdict is not None:
                    yield verdict
            after = batch[-1].number

    def _verdict(self, version: Version) -> Verdict | None:
        """None: it was deleted meanwhile."""
        while True:
            with self._database.read() as connection:
                bucket = buckets.by_id(connection, version.bucket_id)
                current = object_upkeep.get(connection, version.number)
            if bucket is None or current is None:
                return None
            problem, opened = None, False
            try:
                opened = self._opened(bucket, current)
            except _Damage as damage:
                problem = str(damage)
            if problem is None or self._is_there(current):
                return Verdict(bucket.name, current, opened, problem)

    def _is_there(self, version: Version) -> bool:
        """Whether a version is still what it was: it may have been deleted, or rewrapped, while it was read."""
        with self._database.read() as connection:
            return object_upkeep.get(connection, version.number) == version

    def _opened(self, bucket: Bucket, version: Version) -> bool:
        """Whether a version could be opened; then all of it is right.

        Raises:
            _Damage
        """
        with _naming("its envelope is damaged, or the index tells of another one"):
            with self._database.read() as connection:
                found = Found.of(connection, bucket, version)
            self._encryption.open_etags(bucket.region, [version])
        with _naming("its keys do not open"):
            keys = self._keys(found)
        with _naming("its manifest is damaged, or the index tells of something else"):
            self._check_listed(found, keys)
        with _naming("some of its sealed bytes are missing, or too many"):
            content.check(self._blobs, found.parts, Span(0, version.size))
        if keys is None:
            return False
        with _naming("its sealed bytes are not those that were stored"):
            for piece in content.read(self._blobs, keys, found.parts, Span(0, version.size)):
                self._advance(len(piece))
        return True

    def _keys(self, found: Found) -> ObjectKeys | None:
        if found.version.kind == SSE_C:
            return None
        try:
            return self._encryption.open(self._call, found.envelope, found.target)
        except (KmsNotFound, KmsInvalidState):
            return None

    def _check_listed(self, found: Found, keys: ObjectKeys | None) -> None:
        if keys is not None or manifest.is_under_master(found.version):
            opened_manifest(self._encryption, keys, found)
        elif not found.parts or sum(part.size for part in found.parts) != found.version.size:
            raise InternalError


@contextmanager
def _naming(problem: str) -> Iterator[None]:
    try:
        yield
    except (InternalError, KmsInvalidCiphertext):
        raise _Damage(problem) from None
