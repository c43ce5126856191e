"""What requests ask for, what is refused in S3's own words, and what answers tell."""

import json
from base64 import b64encode
from hashlib import md5
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kms_server.s3 import errors as e
from kms_server.s3.call import S3Call
from kms_server.s3.encryption import headers as sse
from kms_server.s3.encryption.default import BucketDefault
from kms_server.s3.encryption.types import DSSE_KMS, SSE_C, SSE_KMS, SSE_S3, Chosen, CustomerKey, Envelope
from tests.unit.s3.encryption.kms_double import ONE
from tests.unit.s3.encryption.scene import TARGET, Scene, call_of

SSE = "x-amz-server-side-encryption"
KEY = bytes(range(32))
TEXT, MD5 = b64encode(KEY).decode(), b64encode(md5(KEY).digest()).decode()
CUSTOMER = {
    f"{SSE}-customer-algorithm": "AES256",
    f"{SSE}-customer-key": TEXT,
    f"{SSE}-customer-key-md5": MD5,
}
GIVEN = "Requests specifying Server Side Encryption with Customer provided keys must"
NEEDS_KMS = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
BAD_CONTEXT = (
    "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON "
    "which represents a string-string map"
)


def b64(value: Any) -> str:
    return b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def asking(
    headers: dict[str, str], default: BucketDefault | None = None, *, secure: bool = True, block: bool = False,
) -> S3Call:  # fmt: skip
    def blocks(found: BucketDefault) -> bool:
        return block if found.blocks_sse_c is None else found.blocks_sse_c

    return cast("S3Call", SimpleNamespace(
        request=SimpleNamespace(headers=headers), is_secure=secure,
        bucket=SimpleNamespace(encryption=default and default.write()),
        services=SimpleNamespace(encryption=SimpleNamespace(blocks_sse_c=blocks)),
    ))  # fmt: skip


def chosen(headers: dict[str, str], default: BucketDefault | None = None, **more: bool) -> Chosen:
    return sse.chosen(asking(headers, default, **more), headers)


KMS_DEFAULT = BucketDefault(SSE_KMS, "default-key", bucket_key=True)


@pytest.mark.parametrize(
    ("headers", "default", "expected"),
    [
        ({}, None, Chosen(SSE_S3)),
        ({SSE: "AES256"}, KMS_DEFAULT, Chosen(SSE_S3)),
        ({}, KMS_DEFAULT, Chosen(SSE_KMS, "default-key", bucket_key=True)),
        ({}, BucketDefault(DSSE_KMS, "k", bucket_key=True), Chosen(DSSE_KMS, "k")),
        ({f"{SSE}-bucket-key-enabled": "false"}, KMS_DEFAULT, Chosen(SSE_KMS, "default-key")),
        ({SSE: "aws:kms"}, None, Chosen(SSE_KMS)),
        ({SSE: "aws:kms"}, KMS_DEFAULT, Chosen(SSE_KMS, bucket_key=True)),
        (
            {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": ONE, f"{SSE}-bucket-key-enabled": "True"},
            None,
            Chosen(SSE_KMS, ONE, bucket_key=True),
        ),
        ({SSE: "aws:kms", f"{SSE}-context": b64({"a": "b"})}, None, Chosen(SSE_KMS, context={"a": "b"})),
        ({SSE: "aws:kms:dsse", f"{SSE}-bucket-key-enabled": "true"}, None, Chosen(DSSE_KMS)),
        (CUSTOMER, KMS_DEFAULT, Chosen(SSE_C, customer=CustomerKey(KEY, MD5))),
    ],
)
def test_what_is_chosen(headers: dict[str, str], default: BucketDefault | None, expected: Chosen) -> None:
    assert chosen(headers, default) == expected


def without(member: str, **other: str) -> dict[str, str]:
    return {name: value for name, value in CUSTOMER.items() if not name.endswith(member)} | other


REFUSED: list[tuple[dict[str, str], type[e.S3Error], str]] = [
    (
        CUSTOMER | {SSE: "aws:kms"}, e.InvalidArgument,
        "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
    ),
    (
        CUSTOMER | {f"{SSE}-customer-algorithm": "AES192"}, e.InvalidEncryptionAlgorithm,
        "The Encryption request you specified is not valid. Supported value: AES256.",
    ),
    (without("algorithm"), e.InvalidArgument, f"{GIVEN} provide a valid encryption algorithm."),
    (without("key"), e.InvalidArgument, f"{GIVEN} provide an appropriate secret key."),
    (without("md5"), e.InvalidArgument, f"{GIVEN} provide the client calculated MD5 of the secret key."),
    *(
        (
            CUSTOMER | {f"{SSE}-customer-key": wrong}, e.InvalidArgument,
            "The secret key was invalid for the specified algorithm.",
        )
        for wrong in ("", "x", b64(b"short"), b64(TEXT.encode()), TEXT + "\n", "é" * 44)
    ),
    *(
        (
            CUSTOMER | {f"{SSE}-customer-key-md5": wrong}, e.InvalidArgument,
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        )
        for wrong in ("", "x", "é", b64(md5(b"other").digest()))
    ),
    *(
        ({SSE: wrong}, e.InvalidArgument, "The encryption method specified is not supported")
        for wrong in ("aes:kms", "NOT_SET", "", "aes256", "aws:fsx")
    ),
    ({SSE: "AES256", f"{SSE}-aws-kms-key-id": ONE}, e.InvalidArgument, NEEDS_KMS),
    ({f"{SSE}-aws-kms-key-id": ONE}, e.InvalidArgument, NEEDS_KMS),
    *(
        ({SSE: "aws:kms", f"{SSE}-context": wrong}, e.InvalidArgument, BAD_CONTEXT)
        for wrong in ("", "x", "{}", b64(b"\xff"), b64([1]), b64({"a": 1}), b64("s"), b64({"a": {}}), b64(b'{"a":"\\ud800"}'))
    ),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "error", "text"), REFUSED)
def test_what_is_refused(headers: dict[str, str], error: type[e.S3Error], text: str) -> None:
    with pytest.raises(error) as refused:
        chosen(headers)
    assert refused.value.message == text
    assert refused.value.details["ArgumentName"].startswith(SSE)


def test_the_argument_that_is_refused() -> None:
    with pytest.raises(e.InvalidEncryptionAlgorithm) as refused:
        chosen(CUSTOMER | {f"{SSE}-customer-algorithm": "AES192"})
    assert refused.value.details["ArgumentValue"] == "AES192"


def test_a_customer_s_key_over_plain_http() -> None:
    with pytest.raises(e.InvalidRequest) as refused:
        chosen({f"{SSE}-customer-algorithm": "x"}, secure=False)
    assert refused.value.message == f"{GIVEN} be made over a secure connection."
    for read in (sse.customer_key, sse.source_key):
        copied = {name.replace("x-amz", "x-amz-copy-source"): value for name, value in CUSTOMER.items()}
        with pytest.raises(e.InvalidRequest):
            read(asking(CUSTOMER | copied, secure=False))


def test_keys_of_either_side_of_a_copy() -> None:
    copied = {name.replace("x-amz", "x-amz-copy-source"): value for name, value in CUSTOMER.items()}
    assert sse.source_key(asking(copied)) == CustomerKey(KEY, MD5)
    assert sse.customer_key(asking(copied)) is None
    assert sse.source_key(asking(CUSTOMER)) is None
    assert sse.customer_key(asking({})) is None


@pytest.mark.parametrize(
    ("blocks", "setting", "blocked"),
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_sse_c_where_it_is_blocked(blocks: bool | None, setting: bool, blocked: bool) -> None:
    default = BucketDefault(blocks_sse_c=blocks)
    if blocked:
        with pytest.raises(e.AccessDenied):
            chosen(CUSTOMER, default, block=setting)
    else:
        assert chosen(CUSTOMER, default, block=setting).kind == SSE_C


def test_headers_where_nothing_is_made() -> None:
    sse.refuse(CUSTOMER)
    with pytest.raises(e.InvalidArgument) as refused:
        sse.refuse({SSE: "AES256"})
    assert refused.value.message == "x-amz-server-side-encryption header is not supported for this operation."
    assert refused.value.details == {"ArgumentName": SSE, "ArgumentValue": "AES256"}


def test_the_key_of_a_part(scene: Scene) -> None:
    own = Chosen(SSE_C, customer=CustomerKey(KEY, MD5))
    _, with_key = scene.encryption.create(call_of(), own, TARGET)
    _, without_key = scene.encryption.create(call_of(), Chosen(SSE_S3), TARGET)
    assert sse.part_key(asking(CUSTOMER), with_key) == own.customer
    assert sse.part_key(asking({}), without_key) is None
    for headers, envelope in (({}, with_key), (CUSTOMER, without_key)):
        with pytest.raises(e.InvalidRequest) as missing:
            sse.part_key(asking(headers), envelope)
        assert missing.value.message == (
            "The multipart upload initiate requested encryption. "
            "Subsequent part requests must include the appropriate encryption parameters."
        )
    another = {f"{SSE}-customer-key": b64(bytes(32)), f"{SSE}-customer-key-md5": b64(md5(bytes(32)).digest())}
    with pytest.raises(e.InvalidRequest) as wrong:
        sse.part_key(asking(CUSTOMER | another), with_key)
    assert wrong.value.message == "The provided encryption parameters did not match the ones used originally."


def test_what_answers_tell() -> None:
    kms = Envelope(SSE_KMS, b"", ONE, {"a": "b"}, bucket_key=True)
    told = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": ONE, f"{SSE}-bucket-key-enabled": "true"}
    assert sse.answer(kms, None) == told
    assert sse.answer(kms, None, with_context=True) == told | {f"{SSE}-context": b64({"a": "b"})}
    assert sse.answer(Envelope(SSE_S3, b""), None, with_context=True) == {SSE: "AES256"}
    assert sse.answer(Envelope(SSE_C, b""), CustomerKey(KEY, MD5)) == {
        f"{SSE}-customer-algorithm": "AES256", f"{SSE}-customer-key-MD5": MD5
    }  # fmt: skip
    assert sse.answer(Envelope(SSE_C, b""), None) == {f"{SSE}-customer-algorithm": "AES256"}


def test_what_asks_for_an_encryption() -> None:
    assert sse.is_asked_for({SSE: "AES256"})
    assert sse.is_asked_for(CUSTOMER)
    assert not sse.is_asked_for({"content-type": "a/b"})
