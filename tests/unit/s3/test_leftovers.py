"""What requests and crashes leave is deleted or settled, by any number of processes."""

from functools import reduce
from pathlib import Path
from uuid import uuid4

import pytest

from kms_server.s3.blobs.local import LocalBlobs
from kms_server.s3.blobs.store import BlobMissing
from kms_server.s3.leftovers import Leftovers, Swept
from kms_server.storage import objects, uploads
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Database
from kms_server.storage.objects import Version
from tests.unit.side_by_side import side_by_side
from tests.unit.storage.object_rows import part, stored_bucket, upload, version


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "objects")


@pytest.fixture
def held(database: Database) -> Bucket:
    return stored_bucket(database)


def sweep(database: Database, blobs: LocalBlobs, older_than: float, doomed_for: float = 0.0) -> Swept:
    return reduce(Swept.plus, Leftovers(database, blobs).sweep(older_than, doomed_for=doomed_for), Swept())


def blob(blobs: LocalBlobs, *, settled: bool = False) -> str:
    blob_id = uuid4().hex
    with blobs.create(blob_id) as writer:
        writer.write(b"x")
        writer.finish()
    if settled:
        blobs.settle(blob_id)
    return blob_id


def put(database: Database, held: Bucket, blob_id: str, key: str = "a") -> Version:
    with database.index() as connection:
        return objects.add(connection, version(held, key), [part(blob_id=blob_id)])


def there(blobs: LocalBlobs, blob_id: str) -> bool:
    try:
        return blobs.read(blob_id, 0, 1) == b"x"
    except BlobMissing:
        return False


def test_what_belongs_to_nothing_goes_and_what_does_is_settled(
    database: Database, held: Bucket, blobs: LocalBlobs
) -> None:
    stranger, young = blob(blobs), blob(blobs)
    overwritten = blob(blobs, settled=True)
    late, of_upload = blob(blobs), blob(blobs)
    put(database, held, overwritten)
    put(database, held, late)
    begun = upload(held)
    with database.index() as connection:
        uploads.add(connection, begun)
        uploads.add_part(connection, begun, part(blob_id=of_upload))
    assert sweep(database, blobs, 3_600, doomed_for=3_600) == Swept(0, 0, 0)
    assert sweep(database, blobs, 3_600) == Swept(doomed=1, unknown=0, settled=0)
    assert there(blobs, young)
    assert sweep(database, blobs, -5) == Swept(doomed=0, unknown=2, settled=2)
    assert sweep(database, blobs, -5) == Swept(0, 0, 0)
    assert [there(blobs, one) for one in (stranger, young, overwritten, late, of_upload)] == [
        False, False, False, True, True,
    ]  # fmt: skip


def test_a_doomed_blob_that_was_never_settled_stays_for_its_readers(
    database: Database, held: Bucket, blobs: LocalBlobs
) -> None:
    read = blob(blobs)
    put(database, held, read)
    put(database, held, blob(blobs))
    sweep(database, blobs, -5, doomed_for=3_600)
    assert there(blobs, read)
    sweep(database, blobs, -5)
    assert not there(blobs, read)


def test_a_crash_after_deleting_is_made_good(database: Database, held: Bucket, blobs: LocalBlobs) -> None:
    gone = blob(blobs)
    put(database, held, gone)
    put(database, held, blob(blobs))
    blobs.delete(gone)
    assert sweep(database, blobs, 3_600).doomed == 1


def test_several_may_sweep_while_others_write(database: Database, held: Bucket, blobs: LocalBlobs) -> None:
    strangers = [blob(blobs) for _ in range(600)]

    def work(number: int) -> None:
        if number < 3:
            for _ in range(3):
                sweep(database, blobs, 3_600)
            return
        for _ in range(20):
            new = blob(blobs)
            put(database, held, new, f"k{number}")
            blobs.settle(new)

    side_by_side(6, work)
    sweep(database, blobs, -5)
    assert not any(there(blobs, one) for one in strangers)
    with database.read() as connection:
        for key in ("k3", "k4", "k5"):
            living = objects.current(connection, held.bucket_id, key)
            assert living is not None
            (only,) = objects.parts(connection, living.number)
            assert there(blobs, only.blob_id)
    assert len([path for path in blobs_of(blobs) if path.is_file()]) == 3


def blobs_of(blobs: LocalBlobs) -> list[Path]:
    return list(Path(blobs._directory).rglob("*"))
