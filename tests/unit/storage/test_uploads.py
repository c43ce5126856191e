"""Multipart uploads: parts come and are replaced, then become a version, or go."""

import dataclasses

import pytest
from sqlalchemy.exc import IntegrityError

from kms_server.storage import blob_ledger, objects, uploads
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Database
from kms_server.storage.objects import Part, Version
from kms_server.storage.uploads import PartGone, Upload, UploadGone
from tests.unit.side_by_side import side_by_side
from tests.unit.storage.object_rows import part, stored_bucket, upload, version


@pytest.fixture
def held(database: Database) -> Bucket:
    return stored_bucket(database)


def begin(database: Database, held: Bucket, key: str = "a", **changes: object) -> Upload:
    made = upload(held, key, **changes)
    with database.index() as connection:
        uploads.add(connection, made)
    return made


def send(database: Database, to: Upload, *parts: Part) -> None:
    with database.index() as connection:
        for one in parts:
            uploads.add_part(connection, to, one)


def uploaded(database: Database, of: Upload) -> list[Part]:
    with database.read() as connection:
        return uploads.parts(connection, of.upload_id, 0, 99_999)


def doomed(database: Database) -> set[str]:
    with database.read() as connection:
        return set(blob_ledger.doomed(connection, 99))


def test_an_upload_is_found_for_its_key_alone(database: Database, held: Bucket) -> None:
    made = begin(database, held, "Ω", material="m", tags="{}", checksum="CRC32/COMPOSITE", key_arn=None)
    with database.index() as connection:
        for find in (uploads.get, uploads.lock):
            assert find(connection, held.bucket_id, "Ω", made.upload_id) == made
            assert find(connection, held.bucket_id, "a", made.upload_id) is None
            assert find(connection, "other", "Ω", made.upload_id) is None


def test_parts_come_in_order_and_without_their_inline_bytes(database: Database, held: Bucket) -> None:
    made = begin(database, held)
    sent = [part(3, inline=b"i"), part(1, etag="e", details=b"d"), part(10_000)]
    send(database, made, *sent)
    ordered = [sent[1], dataclasses.replace(sent[0], inline=None), sent[2]]
    assert uploaded(database, made) == ordered
    with database.read() as connection:
        assert uploads.parts(connection, made.upload_id, 1, 1) == [ordered[1]]


def test_a_part_takes_the_place_of_the_former_one(database: Database, held: Bucket) -> None:
    made = begin(database, held)
    first, inline, last = part(2), part(2, inline=b"i"), part(2)
    send(database, made, first, inline, last)
    assert uploaded(database, made) == [last]
    assert doomed(database) == {first.blob_id}


def test_completing_makes_a_version_of_the_chosen_parts(database: Database, held: Bucket) -> None:
    made = begin(database, held)
    sent = [part(number) for number in (1, 4, 7)]
    send(database, made, *sent)
    with database.index() as connection:
        former = objects.add(connection, version(held), [part(blob_id="former")])
        chosen = [sent[0], sent[2]]
        stored = uploads.complete(
            connection, made, version(held, object_id=made.object_id, part_count=2), chosen
        )
    with database.read() as connection:
        assert objects.current(connection, held.bucket_id, "a") == stored
        assert objects.parts(connection, stored.number) == chosen
        assert objects.parts(connection, former.number) == []
        assert uploads.get(connection, held.bucket_id, "a", made.upload_id) is None
    assert doomed(database) == {sent[1].blob_id, "former"}


def test_as_many_parts_as_there_may_be(database: Database, held: Bucket) -> None:
    made = begin(database, held)
    send(database, made, *[part(number) for number in range(1, 1_203)])
    with database.index() as connection:
        chosen = uploads.parts(connection, made.upload_id, 0, 1_201)[1:]
        stored = uploads.complete(connection, made, version(held), chosen)
    with database.read() as connection:
        assert objects.parts(connection, stored.number) == chosen
    assert len(doomed(database)) == 2


def test_an_aborted_upload_leaves_doomed_blobs_alone(database: Database, held: Bucket) -> None:
    made, other = begin(database, held), begin(database, held)
    gone, stays = part(), part()
    send(database, made, gone)
    send(database, other, stays)
    with database.index() as connection:
        uploads.abort(connection, made)
    assert (uploaded(database, made), uploaded(database, other)) == ([], [stays])
    assert doomed(database) == {gone.blob_id}


def test_what_is_gone_takes_nothing_more(database: Database, held: Bucket) -> None:
    made = begin(database, held)
    replaced = part()
    send(database, made, replaced, part())
    with pytest.raises(PartGone), database.index() as connection:
        uploads.complete(connection, made, version(held), [replaced])
    assert len(uploaded(database, made)) == 1
    with database.index() as connection:
        uploads.abort(connection, made)
    with pytest.raises(UploadGone), database.index() as connection:
        uploads.abort(connection, made)
    with pytest.raises(UploadGone), database.index() as connection:
        uploads.add_part(connection, made, part())
    with pytest.raises(UploadGone), database.index() as connection:
        uploads.complete(connection, made, version(held), [])


def test_a_blob_is_of_one_part(database: Database, held: Bucket) -> None:
    used = part()
    send(database, begin(database, held), used)
    with pytest.raises(IntegrityError):
        send(database, begin(database, held), used)


def test_uploads_come_by_key_and_id(database: Database, held: Bucket) -> None:
    made = [begin(database, held, key, upload_id=name) for key, name in
            (("b", "4"), ("a", "2"), ("a", "1"), ("a", "3"), ("ab", "0"))]  # fmt: skip
    begin(database, stored_bucket(database, "other"))
    ordered = sorted(made, key=lambda one: (one.key, one.upload_id))

    def listed(prefix: bytes, key: bytes | None, name: str | None, limit: int = 9) -> list[Upload]:
        with database.read() as connection:
            return uploads.of_bucket(connection, held.bucket_id, prefix, key, name, limit)

    assert listed(b"", None, None) == ordered
    assert listed(b"", None, None, 2) == ordered[:2]
    assert listed(b"", b"a", "1", 3) == ordered[1:4]
    assert listed(b"", b"a", "1", 1) == ordered[1:2]
    assert listed(b"", b"a", None) == ordered[3:]
    assert listed(b"ab", b"a", "1") == ordered[3:4]
    assert listed(b"c", None, None) == []


def test_stale_uploads_come_oldest_first(database: Database, held: Bucket) -> None:
    made = [begin(database, held, started_at=float(at)) for at in (5, 3, 4, 9)]
    with database.read() as connection:
        assert uploads.stale(connection, 9.0, 9) == [made[1], made[2], made[0]]
        assert uploads.stale(connection, 9.0, 1) == [made[1]]


def test_uploads_under_old_masters_are_found_and_wrapped_anew(database: Database, held: Bucket) -> None:
    made = [begin(database, held, material=material) for material in ("m1", "m2", "m1", None)]
    with database.index() as connection:
        found = uploads.under_old_master(connection, ["m2"], 9)
        assert sorted(one.upload_id for one in found) == sorted([made[0].upload_id, made[2].upload_id])
        assert len(uploads.under_old_master(connection, ["m2"], 1)) == 1
        assert uploads.replace_envelope(connection, made[0], envelope=b"new", material="m2")
        assert not uploads.replace_envelope(connection, made[0], envelope=b"late")
        assert uploads.under_old_master(connection, ["m2"], 9) == [made[2]]


def test_of_those_who_end_an_upload_one_does_and_no_blob_is_lost(database: Database, held: Bucket) -> None:
    for _ in range(5):
        made = begin(database, held)
        before = doomed(database)
        sent: list[str] = []
        ended: list[Version | None] = []

        def work(
            number: int, made: Upload = made, sent: list[str] = sent, ended: list[Version | None] = ended
        ) -> None:
            try:
                for turn in range(4):
                    new = part(turn + 1)
                    send(database, made, new)
                    sent.append(new.blob_id)
                with database.index() as connection:
                    if number % 2:
                        uploads.abort(connection, made)
                        ended.append(None)
                    elif found := uploads.lock(connection, held.bucket_id, "a", made.upload_id):
                        chosen = uploads.parts(connection, made.upload_id, 1, 99)
                        ended.append(uploads.complete(connection, found, version(held), chosen))
            except (UploadGone, PartGone):
                pass

        side_by_side(4, work)
        (outcome,) = ended
        living: set[str] = set()
        if outcome:
            with database.read() as connection:
                living = {one.blob_id for one in objects.parts(connection, outcome.number)}
            with database.index() as connection:
                objects.remove(connection, outcome)
            assert len(living) == 3
        assert doomed(database) - before == set(sent)
