"""The default encryption of buckets, as clients set and see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast
from xml.etree.ElementTree import Element

import pytest

from kms_server.s3 import errors as e
from kms_server.s3.call import S3Call
from kms_server.s3.encryption.default import BucketDefault
from kms_server.s3.encryption.types import DSSE_KMS, SSE_KMS, SSE_S3
from kms_server.s3.operations import encryption
from kms_server.s3.wire import xml_reader

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROOT = "ServerSideEncryptionConfiguration"
BY = "ApplyServerSideEncryptionByDefault"


class BucketCall:
    """A call about one bucket, of which only the setting changes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, block: bool = False) -> None:
        self.setting: str | None = None
        self.block = block
        monkeypatch.setattr(encryption, "buckets", SimpleNamespace(change=self._change))

    def _change(self, _tx: object, _bucket: object, *, encryption: str | None) -> None:
        self.setting = encryption

    def __call__(self, body: str = "", *, checked: bool = True) -> S3Call:
        @contextmanager
        def configuring() -> Iterator[None]:
            yield

        def blocks(found: BucketDefault) -> bool:
            return self.block if found.blocks_sse_c is None else found.blocks_sse_c

        def document(root: str) -> Element:
            return xml_reader.parse(body.encode(), root)

        payload = SimpleNamespace(is_checked=checked)
        bucket = SimpleNamespace(encryption=self.setting, account="000000000000")
        services = SimpleNamespace(encryption=SimpleNamespace(blocks_sse_c=blocks))
        made = {
            "payload": payload, "bucket": bucket, "services": services, "configuring": configuring,
            "document": document,
        }  # fmt: skip
        return cast("S3Call", SimpleNamespace(**made))

    def put(self, inner: str) -> BucketDefault:
        answer = encryption.put_bucket_encryption(self(f"<{ROOT} {NAMESPACE}>{inner}</{ROOT}>"))
        assert (answer.status, answer.body) == (200, b"")
        return BucketDefault.read(self.setting)

    def get(self) -> str:
        body = encryption.get_bucket_encryption(self()).body.decode()
        start = f"<{ROOT} {NAMESPACE}>"
        return body[body.index(start) + len(start) : -len(f"</{ROOT}>")]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> BucketCall:
    return BucketCall(monkeypatch)


def rule(algorithm: str = "", key: str = "", more: str = "") -> str:
    named = f"<SSEAlgorithm>{algorithm}</SSEAlgorithm>" if algorithm else ""
    named += f"<KMSMasterKeyID>{key}</KMSMasterKeyID>" if key else ""
    return f"<Rule><{BY}>{named}</{BY}>{more}</Rule>"


def blocked(*types: str) -> str:
    inner = "".join(f"<EncryptionType>{one}</EncryptionType>" for one in types)
    return f"<BlockedEncryptionTypes>{inner}</BlockedEncryptionTypes>"


def test_a_bucket_begins_with_sse_s3(bucket: BucketCall) -> None:
    assert bucket.get() == rule("AES256", more="<BucketKeyEnabled>false</BucketKeyEnabled>")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (rule("AES256"), BucketDefault()),
        (rule("aws:kms"), BucketDefault(SSE_KMS)),
        (rule("aws:kms", KEY, "<BucketKeyEnabled>true</BucketKeyEnabled>"), BucketDefault(SSE_KMS, KEY, bucket_key=True)),
        (rule("aws:kms", "no key at all"), BucketDefault(SSE_KMS, "no key at all")),
        (rule("aws:kms:dsse", KEY), BucketDefault(DSSE_KMS, KEY)),
        (rule("AES256", more=blocked("SSE-C")), BucketDefault(blocks_sse_c=True)),
        (f"<Rule>{blocked('NONE')}</Rule>", BucketDefault(blocks_sse_c=False)),
    ],
)  # fmt: skip
def test_what_is_put_is_got(bucket: BucketCall, sent: str, kept: BucketDefault) -> None:
    assert bucket.put(sent) == kept
    shown = bucket.get()
    assert f"<SSEAlgorithm>{kept.kind}</SSEAlgorithm>" in shown
    assert (f"<KMSMasterKeyID>{kept.key_id}</KMSMasterKeyID>" in shown) is (kept.key_id is not None)
    assert f"<BucketKeyEnabled>{str(kept.bucket_key).lower()}</BucketKeyEnabled>" in shown
    told = {None: "", True: blocked("SSE-C"), False: blocked("NONE")}[kept.blocks_sse_c]
    assert shown.endswith(f"</BucketKeyEnabled>{told}</Rule>")


@pytest.mark.parametrize(
    "sent",
    [
        "", rule("AES256") * 2, "<Rule></Rule>", rule(), rule("AES192"), rule("SSE-C"), rule("AES256", more=blocked("x")),
        rule("AES256", more="<BucketKeyEnabled>yes</BucketKeyEnabled>"), rule("AES256", more=blocked()),
        rule("AES256", more=blocked("SSE-C", "NONE")), rule("AES256", more="<BucketKeyEnabled>true</BucketKeyEnabled>" * 2),
    ],
)  # fmt: skip
def test_what_is_no_setting(bucket: BucketCall, sent: str) -> None:
    with pytest.raises(e.MalformedXML):
        bucket.put(sent)
    assert bucket.setting is None


def test_a_key_without_kms(bucket: BucketCall) -> None:
    with pytest.raises(e.InvalidArgument) as refused:
        bucket.put(rule("AES256", KEY))
    assert refused.value.message == (
        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
    )
    assert refused.value.details == {"ArgumentName": BY}


def test_a_body_that_nothing_vouches_for(bucket: BucketCall) -> None:
    with pytest.raises(e.InvalidRequest):
        encryption.put_bucket_encryption(bucket("<x/>", checked=False))


def test_deleting_goes_back(bucket: BucketCall) -> None:
    bucket.put(rule("aws:kms", more=blocked("SSE-C")))
    assert encryption.delete_bucket_encryption(bucket()).status == 204
    assert encryption.delete_bucket_encryption(bucket()).status == 204
    assert bucket.setting is None


def test_what_is_not_mentioned_of_sse_c_stays(bucket: BucketCall) -> None:
    bucket.put(rule("AES256", more=blocked("SSE-C")))
    assert bucket.put(rule("aws:kms")) == BucketDefault(SSE_KMS, blocks_sse_c=True)


def test_the_setting_of_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = BucketCall(monkeypatch, block=True)
    assert bucket.get().endswith(f"{blocked('SSE-C')}</Rule>")
    bucket.put(rule("AES256", more=blocked("NONE")))
    assert bucket.get().endswith(f"{blocked('NONE')}</Rule>")


def update(bucket: BucketCall, body: str) -> Any:
    return encryption.update_object_encryption(bucket(f"<ObjectEncryption>{body}</ObjectEncryption>"))


@pytest.mark.parametrize(
    "body",
    ["", "<SSE-S3/>", "<DSSE-KMS/>", "<SSE-KMS/>", "<SSE-KMS><KMSKeyArn>alias/a</KMSKeyArn></SSE-KMS>",
     f"<SSE-KMS><KMSKeyArn>{KEY.replace('key/', 'alias/')}</KMSKeyArn></SSE-KMS>",
     f"<SSE-KMS><KMSKeyArn>{KEY}</KMSKeyArn></SSE-KMS><SSE-S3/>"],
)  # fmt: skip
def test_an_object_takes_a_kms_key_only(bucket: BucketCall, body: str) -> None:
    with pytest.raises(e.InvalidRequest):
        update(bucket, body)


def test_an_object_takes_no_stranger_s_key(bucket: BucketCall) -> None:
    with pytest.raises(e.AccessDenied):
        update(bucket, f"<SSE-KMS><KMSKeyArn>{KEY.replace('000000000000', '1' * 12)}</KMSKeyArn></SSE-KMS>")


def test_a_setting_is_written_and_read() -> None:
    made = BucketDefault(SSE_KMS, KEY, bucket_key=True, blocks_sse_c=False)
    assert BucketDefault.read(made.write()) == made
    assert BucketDefault.read(None) == BucketDefault(SSE_S3)
