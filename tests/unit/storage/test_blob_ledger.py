"""The ledger of blobs: which are doomed, and which nobody knows."""

import time

from kms_server.storage import blob_ledger, objects, uploads
from kms_server.storage.database import Database
from tests.unit.storage.object_rows import part, stored_bucket, upload, version


def test_doomed_blobs_are_told_until_they_are_forgotten(database: Database) -> None:
    held = stored_bucket(database)
    old, new = part(), part()
    for blob in (old, new, part()):
        with database.index() as connection:
            objects.add(connection, version(held), [blob])
        time.sleep(0.05)
    with database.read() as connection:
        assert blob_ledger.doomed(connection, 9) == [old.blob_id, new.blob_id]
        assert blob_ledger.doomed(connection, 1) == [old.blob_id]
        assert blob_ledger.doomed(connection, 9, older_than=60) == []
    with database.index() as connection:
        blob_ledger.forget(connection, [old.blob_id, "absent"])
        assert blob_ledger.doomed(connection, 9) == [new.blob_id]
        blob_ledger.forget(connection, [])


def test_unknown_is_what_belongs_to_nothing(database: Database) -> None:
    held = stored_bucket(database)
    of_version, of_upload, doomed = part(), part(), part(2)
    begun = upload(held)
    with database.index() as connection:
        objects.add(connection, version(held), [of_version])
        uploads.add(connection, begun)
        for one in (of_upload, doomed, part(2)):
            uploads.add_part(connection, begun, one)
        strangers = {f"{n:032x}" for n in range(1_100)}
        known = {of_version.blob_id, of_upload.blob_id, doomed.blob_id}
        assert blob_ledger.unknown(connection, strangers | known) == strangers
        assert blob_ledger.unknown(connection, known) == blob_ledger.unknown(connection, []) == set()
