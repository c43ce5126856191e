"""What every blob store does, wherever it keeps the bytes."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import obstore
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from obstore.store import MemoryStore, S3Store

from kms_server.s3.blobs.guarded import GuardedBlobs
from kms_server.s3.blobs.local import LocalBlobs
from kms_server.s3.blobs.remote import RemoteBlobs
from kms_server.s3.blobs.store import BlobMissing, BlobStore, StoreUnavailable
from kms_server.storage.reserve import Reserve
from kms_server.storage.waits import Waits
from tests.unit.side_by_side import side_by_side

if TYPE_CHECKING:
    from obstore.store import S3Config

BUCKET = "sealed"
SECRETS: "S3Config" = {
    "access_key_id": "upstream", "secret_access_key": "upstream", "region": "us-east-1"
}  # fmt: skip


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a server that plays S3, with a bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client(f"http://{host}:{port}").create_bucket(Bucket=BUCKET)
    yield f"http://{host}:{port}"
    server.stop()


def client(url: str) -> "boto3.client":
    """A plain client of the upstream store."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="upstream",
        aws_secret_access_key="upstream",
        region_name="us-east-1",
    )


def upstream(url: str) -> S3Store:
    """A prefix of the bucket that nobody else uses."""
    return S3Store(
        BUCKET, prefix=f"{uuid4().hex}/x", endpoint=url, client_options={"allow_http": True}, config=SECRETS
    )


@pytest.fixture(params=["local", "guarded", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    made: dict[str, Callable[[], BlobStore]] = {
        "local": lambda: LocalBlobs(tmp_path / "objects"),
        "guarded": lambda: GuardedBlobs(LocalBlobs(tmp_path / "objects"), Waits(), Reserve(tmp_path, 0)),
        "memory": lambda: RemoteBlobs(MemoryStore()),
        "s3": lambda: RemoteBlobs(upstream(request.getfixturevalue("moto"))),
    }
    return made[request.param]()


def write(blobs: BlobStore, *pieces: bytes | bytearray | memoryview) -> str:
    blob_id = uuid4().hex
    with blobs.create(blob_id) as writer:
        for piece in pieces:
            writer.write(piece)
        writer.finish()
    return blob_id


def test_a_blob_reads_as_it_was_written(blobs: BlobStore) -> None:
    blob_id = write(blobs, b"one", bytearray(b"two"), memoryview(b"three"), b"")
    for _ in ("before", "after"):
        assert blobs.size(blob_id) == 11
        assert blobs.read(blob_id, 0, 11) == b"onetwothree"
        assert blobs.read(blob_id, 3, 3) == b"two"
        assert blobs.read(blob_id, 10, 1) == b"e"
        blobs.settle(blob_id)
        blobs.settle(blob_id)


def test_an_empty_blob_is_one(blobs: BlobStore) -> None:
    blob_id = write(blobs)
    assert blobs.size(blob_id) == 0
    with pytest.raises(BlobMissing):
        blobs.read(blob_id, 0, 1)


@pytest.mark.parametrize("settled", [False, True])
def test_a_long_blob_reads_as_it_was_written(blobs: BlobStore, settled: bool) -> None:
    data = os.urandom(15_000_001)
    buffer = bytearray(65_552)
    blob_id = uuid4().hex
    with blobs.create(blob_id) as writer:
        for first in range(0, len(data), len(buffer)):
            piece = data[first : first + len(buffer)]
            buffer[: len(piece)] = piece
            writer.write(memoryview(buffer)[: len(piece)])
        buffer[:] = bytes(len(buffer))
        writer.finish()
    if settled:
        blobs.settle(blob_id)
    assert blobs.size(blob_id) == len(data)
    assert blobs.read(blob_id, 0, len(data)) == data
    for first, count in ((0, 1), (6 << 20, 65_552), (len(data) - 1, 1), (1_048_575, 2)):
        assert blobs.read(blob_id, first, count) == data[first : first + count]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=2_000_000), max_size=4), data=st.data())
def test_any_range_of_any_pieces(blobs: BlobStore, pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    blob_id = write(blobs, *pieces)
    assert blobs.size(blob_id) == len(whole)
    if whole:
        first = data.draw(st.integers(0, len(whole) - 1))
        count = data.draw(st.integers(1, len(whole) - first))
        assert blobs.read(blob_id, first, count) == whole[first : first + count]


@pytest.mark.parametrize(("first", "count"), [(0, 6), (4, 2), (5, 1), (99, 1)])
def test_a_range_that_is_not_there_is_missing(blobs: BlobStore, first: int, count: int) -> None:
    blob_id = write(blobs, b"12345")
    with pytest.raises(BlobMissing):
        blobs.read(blob_id, first, count)


def test_a_blob_that_is_not_there_is_missing(blobs: BlobStore) -> None:
    absent = uuid4().hex
    with pytest.raises(BlobMissing):
        blobs.read(absent, 0, 1)
    with pytest.raises(BlobMissing):
        blobs.size(absent)
    blobs.delete(absent)
    blobs.settle(absent)
    with pytest.raises(BlobMissing):
        blobs.size(absent)


@pytest.mark.parametrize("settled", [False, True])
def test_a_deleted_blob_is_missing(blobs: BlobStore, settled: bool) -> None:
    blob_id, other = write(blobs, b"x"), write(blobs, b"y")
    if settled:
        blobs.settle(blob_id)
    blobs.delete(blob_id)
    blobs.delete(blob_id)
    with pytest.raises(BlobMissing):
        blobs.read(blob_id, 0, 1)
    assert blobs.read(other, 0, 1) == b"y"
    assert set(blobs.unsettled(-5)) == {other}


@pytest.mark.parametrize("length", [0, 5, 15_000_000])
def test_nobody_sees_what_was_not_finished(blobs: BlobStore, length: int) -> None:
    blob_id = uuid4().hex

    def fail() -> None:
        with blobs.create(blob_id) as writer:
            writer.write(bytes(length))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with pytest.raises(BlobMissing):
        blobs.size(blob_id)
    assert list(blobs.unsettled(-5)) == []
    assert not [thread for thread in threading.enumerate() if blob_id in thread.name]


def test_nothing_of_an_abandoned_blob_stays_upstream(moto: str) -> None:
    blobs = RemoteBlobs(upstream(moto))

    def fail() -> None:
        with blobs.create(uuid4().hex) as writer:
            writer.write(bytes(15_000_000))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert "Uploads" not in client(moto).list_multipart_uploads(Bucket=BUCKET)


def test_other_objects_of_the_bucket_are_no_blobs(moto: str) -> None:
    store = upstream(moto)
    obstore.put(store, "readme", b"not ours")
    obstore.put(store, f"{uuid4().hex}/x", b"not ours")
    assert list(RemoteBlobs(store).unsettled(-5)) == []


@pytest.mark.parametrize("bucket", ["absent", "unreachable"])
def test_a_store_that_cannot_be_used_is_unavailable(moto: str, bucket: str) -> None:
    endpoint = moto if bucket == "absent" else "http://127.0.0.1:9"
    store = S3Store(
        bucket, endpoint=endpoint, client_options={"allow_http": True}, retry_config={"max_retries": 0}, config=SECRETS
    )  # fmt: skip
    blobs = RemoteBlobs(store)
    for length in (1, 15_000_000):
        with pytest.raises(StoreUnavailable):
            write(blobs, *[bytes(1_000_000)] * (length // 1_000_000), b"x")
    with pytest.raises(StoreUnavailable):
        list(blobs.unsettled(0))
    if bucket == "unreachable":
        for use in (lambda: blobs.read("a", 0, 1), lambda: blobs.size("a"), lambda: blobs.delete("a")):
            with pytest.raises(StoreUnavailable):
                use()


def test_all_are_listed_settled_or_not(blobs: BlobStore) -> None:
    settled, unsettled = write(blobs, b"x"), write(blobs, b"x")
    blobs.settle(settled)
    assert sorted(blobs.listed(-5)) == sorted([settled, unsettled])
    assert list(blobs.listed(3_600)) == []


def test_unsettled_are_the_old_ones(blobs: BlobStore) -> None:
    written = {write(blobs, b"x") for _ in range(3)}
    assert set(blobs.unsettled(-5)) == written
    assert list(blobs.unsettled(3_600)) == []


def test_many_at_once_do_not_disturb_each_other(blobs: BlobStore) -> None:
    shared = write(blobs, b"shared")

    def work(number: int) -> None:
        for turn in range(5):
            data = bytes([number]) * (turn * 3_000_000 + 1)
            blob_id = write(blobs, *[data[first : first + 700_000] for first in range(0, len(data), 700_000)])
            blobs.settle(blob_id)
            assert blobs.read(blob_id, 0, len(data)) == data
            assert blobs.read(shared, 0, 6) == b"shared"
            blobs.delete(blob_id)

    side_by_side(4, work)


def test_readers_find_a_blob_while_it_is_settled(blobs: BlobStore) -> None:
    names = [write(blobs, b"x") for _ in range(30)]

    def work(number: int) -> None:
        for name in names:
            if number == 0:
                blobs.settle(name)
            assert blobs.read(name, 0, 1) == b"x"

    side_by_side(4, work)
