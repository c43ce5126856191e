"""Bucket keys: few calls of the KMS, and none that a caller may not make any more goes unasked."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from kms_server.iam.principal import Principal
from kms_server.s3 import errors as e
from kms_server.s3.encryption import bucket_keys
from kms_server.s3.encryption.types import SSE_KMS, Chosen, Envelope
from tests.unit.s3.encryption.kms_double import ONE, OTHER
from tests.unit.s3.encryption.scene import ROOT, TARGET, Scene, call_of

CHOSEN = Chosen(SSE_KMS, ONE, bucket_key=True)
SOMEBODY = Principal("IAMUser", "000000000000", "arn:aws:iam::000000000000:user/a", "AIDAA", "AKIAA", "a")


def put(
    scene: Scene, number: int = 0, by: Principal = ROOT, chosen: Chosen = CHOSEN, bucket: str = "b1"
) -> Envelope:
    target = TARGET._replace(object_id=f"{number:032x}", bucket_id=bucket)
    return scene.encryption.create(call_of(by), chosen, target)[1]


def get(scene: Scene, envelope: Envelope, number: int = 0, by: Principal = ROOT) -> None:
    scene.encryption.open(call_of(by), envelope, TARGET._replace(object_id=f"{number:032x}"))


def calls(scene: Scene) -> list[str]:
    return [name for name, *_ in scene.kms.asked]


def test_a_thousand_objects_of_one_caller(scene: Scene) -> None:
    made = [put(scene, number) for number in range(1_000)]
    for number, envelope in enumerate(made):
        get(scene, envelope, number)
    assert calls(scene) == ["GenerateDataKey", "Decrypt"]
    assert len({envelope.wrapped for envelope in made}) == 1_000
    assert scene.kms.asked[0][2:] == ({"aws:s3:arn": TARGET.bucket_arn}, TARGET.bucket_arn)


def test_many_threads_at_once(scene: Scene) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: put(scene, number), range(200)))
    assert calls(scene) == ["GenerateDataKey"]


def test_each_caller_bucket_key_and_context_asks_for_itself(scene: Scene) -> None:
    session = replace(SOMEBODY, access_key_id="ASIAB")
    for by in (ROOT, SOMEBODY, session):
        put(scene, by=by)
    put(scene, chosen=replace(CHOSEN, key_id=OTHER))
    put(scene, chosen=replace(CHOSEN, context={"a": "b"}))
    put(scene, bucket="b2")
    assert len(scene.kms.asked) == 6


def test_a_disabled_key_stops_at_once(scene: Scene) -> None:
    envelope = put(scene)
    get(scene, envelope)
    scene.kms.disabled.add(ONE)
    with pytest.raises(e.KmsDisabled):
        put(scene)
    with pytest.raises(e.KmsDisabled):
        get(scene, envelope)
    scene.kms.disabled.clear()
    get(scene, envelope)


def test_one_caller_s_data_key_is_no_other_s(scene: Scene) -> None:
    envelope = put(scene)
    scene.kms.denied.add(SOMEBODY.arn)
    with pytest.raises(e.AccessDenied):
        get(scene, envelope, by=SOMEBODY)
    with pytest.raises(e.AccessDenied):
        put(scene, by=SOMEBODY)


def test_an_alias_that_names_another_key(scene: Scene) -> None:
    scene.kms.aliases["alias/mine"] = ONE
    by_alias = replace(CHOSEN, key_id="alias/mine")
    assert put(scene, chosen=by_alias).key_arn == ONE
    scene.kms.aliases["alias/mine"] = OTHER
    assert put(scene, chosen=by_alias).key_arn == OTHER


def test_a_data_key_is_kept_for_an_hour(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    put(scene)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3_601)
    put(scene)
    assert calls(scene) == ["GenerateDataKey"] * 2


def test_the_cache_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_keys, "_MOST", 3)
    for bucket in ("b1", "b2", "b3", "b1", "b4", "b1"):
        put(scene, bucket=bucket)
    assert len(scene.kms.asked) == 4
    put(scene, bucket="b2")
    assert len(scene.kms.asked) == 5
