"""UpdateObjectEncryption: another envelope for the same keys, and nothing else changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kms_server.s3 import errors as e
from kms_server.s3.call import S3Call
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption.types import DSSE_KMS, SSE_C, SSE_KMS, SSE_S3, Chosen, CustomerKey
from kms_server.s3.operations import encryption
from kms_server.s3.wire import xml_reader
from kms_server.storage.objects import Version
from tests.databases import empty, migrated
from tests.unit.s3.encryption.kms_double import ONE, OTHER
from tests.unit.s3.encryption.scene import TARGET, Scene, call_of, version_of

CUSTOMER = CustomerKey(bytes(32), "md5")


class ObjectCall:
    """A call about one version, which `meanwhile` may change before it is locked."""

    def __init__(self, scene: Scene, chosen: Chosen, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scene = scene
        self.keys, envelope = scene.encryption.create(call_of(), chosen, TARGET)
        self.version = version_of(kind=chosen.kind, etag="e", envelope=envelopes.encode(envelope))
        self.meanwhile: Version | None = None
        monkeypatch.setattr(encryption, "versions", SimpleNamespace(find=lambda *_: self.version))
        stored = SimpleNamespace(lock=self._lock, change=self._change)
        monkeypatch.setattr(encryption, "objects", stored)

    def _lock(self, *_: object) -> None:
        self.version = self.meanwhile or self.version

    def _change(self, _connection: object, version: Version, **fields: Any) -> None:
        self.version = replace(version, **fields)

    def update(self, arn: str, *, bucket_key: bool = False) -> None:
        body = f"<KMSKeyArn>{arn}</KMSKeyArn><BucketKeyEnabled>{str(bucket_key).lower()}</BucketKeyEnabled>"
        body = f"<ObjectEncryption><SSE-KMS>{body}</SSE-KMS></ObjectEncryption>"

        @contextmanager
        def indexing() -> Iterator[None]:
            yield

        call = SimpleNamespace(
            payload=SimpleNamespace(is_checked=True),
            document=lambda root: xml_reader.parse(body.encode(), root),
            bucket=SimpleNamespace(
                name=TARGET.bucket, bucket_id=TARGET.bucket_id, region=TARGET.region, account="000000000000"
            ),
            services=SimpleNamespace(encryption=self.scene.encryption, shared=self.scene.services),
            call=call_of(), key=TARGET.key, query={}, indexing=indexing,
        )  # fmt: skip
        assert encryption.update_object_encryption(cast("S3Call", call)).status == 200


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    database = migrated(empty(tmp_path / "database", None))
    yield Scene(database)
    database.close()


def test_from_the_master_to_a_key_and_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ObjectCall(scene, Chosen(SSE_S3), monkeypatch)
    before = one.version
    for arn, bucket_key in ((ONE, False), (OTHER, True), (OTHER, False)):
        one.update(arn, bucket_key=bucket_key)
        envelope = envelopes.decode(one.version.envelope)
        assert (envelope.bucket_key, one.version.kind, one.version.key_arn) == (bucket_key, SSE_KMS, arn)
        assert scene.encryption.open(call_of(), envelope, TARGET) == one.keys
    changed = {"kind": before.kind, "key_arn": before.key_arn, "envelope": before.envelope}
    assert replace(one.version, **changed, material=before.material) == before  # type: ignore[arg-type]


def test_the_user_s_context_stays(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ObjectCall(scene, Chosen(SSE_KMS, ONE, {"a": "b", "aws:s3:arn": TARGET.arn}), monkeypatch)
    one.update(OTHER, bucket_key=True)
    assert envelopes.decode(one.version.envelope).context == {"a": "b"}


@pytest.mark.parametrize("chosen", [Chosen(DSSE_KMS, ONE), Chosen(SSE_C, customer=CUSTOMER)])
def test_kinds_that_stay(scene: Scene, monkeypatch: pytest.MonkeyPatch, chosen: Chosen) -> None:
    with pytest.raises(e.InvalidRequest):
        ObjectCall(scene, chosen, monkeypatch).update(OTHER)


def test_a_version_that_changes_meanwhile(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ObjectCall(scene, Chosen(SSE_S3), monkeypatch)
    one.meanwhile = replace(one.version, envelope=b"another")
    with pytest.raises(e.ConditionalRequestConflict):
        one.update(ONE)
    assert one.version == one.meanwhile


def test_a_key_that_the_kms_refuses(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ObjectCall(scene, Chosen(SSE_S3), monkeypatch)
    scene.kms.disabled.add(ONE)
    before = one.version
    with pytest.raises(e.KmsDisabled):
        one.update(ONE)
    assert one.version == before
