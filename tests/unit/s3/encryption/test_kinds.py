"""Every kind of encryption: what is wrapped opens for its own object, and for nothing and nobody else."""

from dataclasses import fields, replace
from typing import Any

import pytest

from kms_server.s3 import errors as e
from kms_server.s3.encryption import envelope as envelopes
from kms_server.s3.encryption.types import (
    DSSE_KMS,
    SSE_C,
    SSE_KMS,
    SSE_S3,
    Chosen,
    CustomerKey,
    Envelope,
    ObjectKeys,
)
from tests.unit.s3.encryption.kms_double import MANAGED, ONE, OTHER
from tests.unit.s3.encryption.scene import TARGET, Scene, call_of

CUSTOMER = CustomerKey(bytes(range(32)), "md5")
CHOSEN = [
    Chosen(SSE_S3),
    Chosen(SSE_KMS, ONE, {"project": "x"}),
    Chosen(SSE_KMS, ONE, bucket_key=True),
    Chosen(DSSE_KMS, ONE, bucket_key=True),
    Chosen(SSE_C, customer=CUSTOMER),
]
SECRETS = {"wrapped", "wrapped_outer", "check"}


def opened(scene: Scene, envelope: Envelope, **other: str) -> ObjectKeys:
    customer = CUSTOMER if envelope.kind == SSE_C else None
    return scene.encryption.open(call_of(), envelope, TARGET._replace(**other), customer)


def changed(envelope: Envelope, **values: Any) -> Envelope:
    return replace(envelope, **values)


@pytest.fixture(params=CHOSEN, ids=lambda chosen: f"{chosen.kind}{'-bucket-key' * chosen.bucket_key}")
def chosen(request: pytest.FixtureRequest) -> Chosen:
    made: Chosen = request.param
    return made


def test_what_is_wrapped_opens(scene: Scene, chosen: Chosen) -> None:
    keys, envelope = scene.encryption.create(call_of(), chosen, TARGET)
    kept = envelopes.decode(envelopes.encode(envelope))
    assert kept == envelope
    assert opened(scene, kept) == keys
    assert (keys.outer is not None) is (chosen.kind == DSSE_KMS)
    assert all(len(key) == 32 for key in keys if key is not None)
    assert keys != scene.encryption.create(call_of(), chosen, TARGET)[0]


def test_no_other_object_opens_it(scene: Scene, chosen: Chosen) -> None:
    _, envelope = scene.encryption.create(call_of(), chosen, TARGET)
    for other in ({"object_id": "f" * 32}, {"bucket_id": "b2"}):
        with pytest.raises(e.InternalError):
            opened(scene, envelope, **other)


def test_every_flipped_bit_is_refused(scene: Scene, chosen: Chosen) -> None:
    _, envelope = scene.encryption.create(call_of(), chosen, TARGET)
    for field in fields(envelope):
        value = getattr(envelope, field.name)
        if field.name not in SECRETS or not value:
            continue
        for at in range(len(value)):
            flipped = bytearray(value)
            flipped[at] ^= 1 << at % 8
            with pytest.raises((e.InternalError, e.AccessDenied)):
                opened(scene, changed(envelope, **{field.name: bytes(flipped)}))


@pytest.mark.parametrize("wrong", [b"", b"\x02", b"\x01", b"\x01\0\0\0\x05abc", b"\x01" + b"\0\0\0\1x" * 9])
def test_junk_is_no_envelope(wrong: bytes) -> None:
    with pytest.raises(e.InternalError):
        envelopes.decode(wrong)


def test_an_unknown_kind_is_refused(scene: Scene) -> None:
    with pytest.raises(e.InternalError):
        opened(scene, Envelope("aws:fsx", b"x"))


def test_nobody_else_s_keys_under_another_name(scene: Scene) -> None:
    for named in (SSE_S3, SSE_KMS, DSSE_KMS):
        _, envelope = scene.encryption.create(call_of(), Chosen(SSE_C, customer=CUSTOMER), TARGET)
        with pytest.raises(e.InternalError):
            opened(scene, replace(envelope, kind=named))


def test_the_kms_sees_the_object_and_the_user_s_pairs(scene: Scene) -> None:
    _, envelope = scene.encryption.create(call_of(), Chosen(SSE_KMS, ONE, {"project": "x"}), TARGET)
    opened(scene, envelope)
    context = {"project": "x", "aws:s3:arn": "arn:aws:s3:::pictures/a/cat.png"}
    arn = "arn:aws:s3:::pictures/a/cat.png"
    assert scene.kms.asked == [("GenerateDataKey", ONE, context, arn), ("Decrypt", ONE, context, arn)]
    assert envelope.context == {"project": "x"}


def test_a_context_may_name_the_object_but_no_other(scene: Scene) -> None:
    own = Chosen(SSE_KMS, ONE, {"aws:s3:arn": TARGET.arn})
    opened(scene, scene.encryption.create(call_of(), own, TARGET)[1])
    for pairs, bucket_key in ((TARGET.bucket_arn, False), (TARGET.arn, True)):
        wrong = Chosen(SSE_KMS, ONE, {"aws:s3:arn": pairs}, bucket_key=bucket_key)
        with pytest.raises(e.InvalidArgument):
            scene.encryption.create(call_of(), wrong, TARGET)


def test_without_a_key_it_is_the_managed_one(scene: Scene) -> None:
    for kind in (SSE_KMS, DSSE_KMS):
        assert scene.encryption.create(call_of(), Chosen(kind), TARGET)[1].key_arn == MANAGED


def test_dsse_takes_no_bucket_key(scene: Scene) -> None:
    _, envelope = scene.encryption.create(call_of(), Chosen(DSSE_KMS, ONE, bucket_key=True), TARGET)
    assert not envelope.bucket_key
    assert scene.kms.asked[0][3] == TARGET.arn


def test_sse_c_without_the_key_or_with_another(scene: Scene) -> None:
    _, envelope = scene.encryption.create(call_of(), Chosen(SSE_C, customer=CUSTOMER), TARGET)
    assert CUSTOMER.key not in envelopes.encode(envelope)
    with pytest.raises(e.InvalidRequest) as missing:
        scene.encryption.check(envelope, None)
    assert missing.value.message == (
        "The object was stored using a form of Server Side Encryption. "
        "The correct parameters must be provided to retrieve the object."
    )
    with pytest.raises(e.AccessDenied) as wrong:
        scene.encryption.open(call_of(), envelope, TARGET, CustomerKey(bytes(32), "md5"))
    assert wrong.value.message == (
        "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key."
    )


def test_a_customer_s_key_where_none_belongs(scene: Scene) -> None:
    for kind in (SSE_S3, SSE_KMS, DSSE_KMS):
        _, envelope = scene.encryption.create(call_of(), Chosen(kind), TARGET)
        with pytest.raises(e.InvalidRequest) as refused:
            scene.encryption.open(call_of(), envelope, TARGET, CUSTOMER)
        assert refused.value.message == "The encryption parameters are not applicable to this object."


def test_another_envelope_for_the_same_keys(scene: Scene) -> None:
    keys, envelope = scene.encryption.create(call_of(), Chosen(SSE_S3), TARGET)
    for chosen in (Chosen(SSE_KMS, ONE), Chosen(SSE_KMS, OTHER, bucket_key=True)):
        envelope = scene.encryption.rewrap(call_of(), envelope, chosen, TARGET)
        assert (envelope.kind, envelope.key_arn, envelope.material) == (SSE_KMS, chosen.key_id, None)
        assert opened(scene, envelope) == keys


@pytest.mark.parametrize("kind", [SSE_S3, DSSE_KMS])
def test_the_master_s_rotation(scene: Scene, kind: str) -> None:
    keys, envelope = scene.encryption.create(
        call_of(), Chosen(kind, ONE if kind == DSSE_KMS else None), TARGET
    )
    scene.advance(days=31)
    assert opened(scene, envelope) == keys
    fresh = scene.encryption.rewrap_master(envelope, TARGET)
    assert fresh.material == scene.encryption.master.material(TARGET.region) != envelope.material
    assert opened(scene, fresh) == keys
    assert fresh.data_key == envelope.data_key


def test_what_the_master_has_no_part_in_stays(scene: Scene) -> None:
    for chosen in (Chosen(SSE_KMS, ONE), Chosen(SSE_C, customer=CUSTOMER)):
        _, envelope = scene.encryption.create(call_of(), chosen, TARGET)
        assert scene.encryption.rewrap_master(envelope, TARGET) == envelope


def test_secrets_do_not_show() -> None:
    assert repr(CUSTOMER.key)[2:-1] not in repr(CUSTOMER) + repr(ObjectKeys(CUSTOMER.key))


@pytest.mark.parametrize(
    "kind", [Chosen(SSE_KMS, ONE), Chosen(SSE_KMS, ONE, bucket_key=True), Chosen(DSSE_KMS, ONE)]
)
def test_the_kms_serves_nobody_who_signs_otherwise(scene: Scene, kind: Chosen) -> None:
    """Not even with a data key of the bucket that is there already."""
    old = call_of(sigv4=False)
    _, envelope = scene.encryption.create(call_of(), kind, TARGET)
    opened(scene, envelope)
    asked = len(scene.kms.asked)
    for refused in (
        lambda: scene.encryption.create(old, kind, TARGET), lambda: scene.encryption.open(old, envelope, TARGET),
    ):  # fmt: skip
        with pytest.raises(e.InvalidArgument) as caught:
            refused()
        assert caught.value.message == (
            "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
        )
        assert caught.value.details == {"ArgumentName": "Authorization", "ArgumentValue": "null"}
    assert len(scene.kms.asked) == asked
    scene.encryption.create(old, Chosen(SSE_S3), TARGET)
