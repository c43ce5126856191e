"""The master of SSE-S3: made once, rotated every 30 days, bound to what it seals."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from kms_server.keyring.keyring import Keyring
from kms_server.s3.encryption.master import ACCOUNT, Master
from kms_server.s3.errors import InternalError
from kms_server.storage import audit_tables, tables
from kms_server.storage.database import Database
from tests.unit.s3.encryption.kms_double import REGION
from tests.unit.s3.encryption.scene import TARGET, Scene, version_of


def test_it_is_made_once(database: Database) -> None:
    scene = Scene(database)
    masters = [Master(scene.services) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        sealed = list(threads.map(lambda master: master.seal(REGION, b"secret", b"bound"), masters))
    assert all(masters[0].open(REGION, one.data, b"bound") == b"secret" for one in sealed)
    with database.read() as connection:
        [key] = connection.execute(select(tables.keys)).all()
        [event] = connection.execute(select(audit_tables.audit_events)).all()
    assert (key.account, key.manager, key.rotation_period_days) == (ACCOUNT, "AWS", 30)
    assert (event.account, event.event_name) == (ACCOUNT, "CreateKey")


def test_each_region_has_its_own(scene: Scene) -> None:
    master = scene.encryption.master
    assert master.materials() == frozenset()
    sealed = master.seal(REGION, b"secret", b"bound").data
    assert master.material(REGION) != master.material("eu-west-1")
    assert master.materials() == {master.material(REGION), master.material("eu-west-1")}
    with pytest.raises(InternalError):
        master.open("eu-west-1", sealed, b"bound")


def test_it_rotates_every_30_days(database: Database) -> None:
    scene = Scene(database)
    master = scene.encryption.master
    first = master.seal(REGION, b"secret", b"bound")
    scene.advance(days=29)
    assert master.material(REGION) == first.material
    scene.advance(days=2)
    second = master.seal(REGION, b"secret", b"bound")
    assert second.material != first.material
    scene.advance(days=61)
    assert all(master.open(REGION, one.data, b"bound") == b"secret" for one in (first, second))
    with database.read() as connection:
        found = connection.execute(
            select(audit_tables.audit_events).order_by(audit_tables.audit_events.c.event_id)
        ).all()
    assert [event.event_name for event in found] == ["CreateKey", *["RotateKey"] * 3]
    assert {event.account for event in found} == {ACCOUNT}


def test_a_keyring_that_has_not_heard_of_a_rotation(scene: Scene) -> None:
    stale = Keyring(scene.database, scene.root, scene.tokens, scene.clock, 100)
    stale.refresh(may_block=True)
    late = Master(scene.services)
    late._keyring = stale
    late.seal(REGION, b"secret", b"bound")
    scene.advance(days=31)
    sealed = scene.encryption.master.seal(REGION, b"secret", b"bound")
    assert late.open(REGION, sealed.data, b"bound") == b"secret"


def test_every_flipped_bit_is_refused(scene: Scene) -> None:
    master = scene.encryption.master
    sealed = master.seal(REGION, b"secret", b"bound").data
    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InternalError):
            master.open(REGION, bytes(flipped), b"bound")
    for wrong in (b"", sealed[:-1], sealed + b"x"):
        with pytest.raises(InternalError):
            master.open(REGION, wrong, b"bound")
    with pytest.raises(InternalError):
        master.open(REGION, sealed, b"other")


def test_etags_are_sealed_for_their_own_version(scene: Scene) -> None:
    encryption, etag = scene.encryption, "5eb63bbbe01eeed093cb22bb8f5acdc3"
    sealed = encryption.seal_etag(REGION, TARGET.bucket_id, TARGET.object_id, etag)
    versions = [version_of(sealed_etag=sealed), version_of(etag="clear-2")]
    assert encryption.open_etags(REGION, versions) == [etag, "clear-2"]
    for wrong in (version_of(sealed_etag=sealed, object_id="f" * 32), version_of(sealed_etag=None)):
        with pytest.raises(InternalError):
            encryption.open_etags(REGION, [wrong])
