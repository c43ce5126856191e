"""What policies can ask of an S3 request."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kms_server.s3.call import S3Call
from kms_server.s3.condition_keys import NOTHING_MORE, Given, S3Context
from tests.unit.operations.service import ACCOUNT, REGION
from tests.unit.s3.world import World, operation

PUT = "s3:PutObject"
SSE = "x-amz-server-side-encryption"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def values(call: S3Call, key: str, action: str = PUT, given: Given = NOTHING_MORE) -> list[str]:
    return list(S3Context(call, action, ACCOUNT, given).values(key.lower()))


def put(world: World, headers: Mapping[str, str] | None = None, **more: Any) -> S3Call:
    return world.call(operation(PUT), world.root, key="k", headers=headers, **more)


def test_headers_are_there_when_they_were_sent(world: World) -> None:
    sent = {
        SSE: "AES256", f"{SSE}-customer-algorithm": "AES256", "x-amz-acl": "private", "x-amz-storage-class": "GLACIER",
        "x-amz-metadata-directive": "COPY", "if-match": '"e"', "if-none-match": "*", "x-amz-content-sha256": "00",
    }  # fmt: skip
    for name, value in sent.items():
        assert values(put(world, {name: value}), f"s3:{name}") == [value]
        assert values(put(world), f"s3:{name}") == []
        assert values(put(world, {name: value}), f"S3:{name.upper()}") == [value]


def test_a_key_exists_only_for_the_actions_that_have_it(world: World) -> None:
    headers = {SSE: "AES256", "x-amz-acl": "private", "if-match": "e", "x-amz-tagging": "a=b"}
    call = put(world, headers, query={"prefix": "p", "delimiter": "/", "max-keys": "7", "versionId": "v"})
    for key in (
        f"s3:{SSE}",
        "s3:x-amz-acl",
        "s3:if-match",
        "s3:prefix",
        "s3:VersionId",
        "s3:RequestObjectTag/a",
    ):
        assert values(call, key, "s3:GetObject") == []
    assert values(call, "s3:prefix", "s3:ListBucket") == ["p"]
    assert values(call, "s3:delimiter", "s3:ListBucketVersions") == ["/"]
    assert values(call, "s3:max-keys", "s3:ListBucket") == ["7"]
    assert values(call, "s3:if-match", "s3:DeleteObject") == ["e"]
    assert values(call, "s3:VersionId", "s3:GetObjectVersion") == ["v"]
    assert values(call, "s3:VersionId", "s3:GetObjectVersion", Given(version="other")) == ["other"]
    assert values(call, "s3:LocationConstraint", "s3:CreateBucket", Given(location=REGION)) == [REGION]


def test_the_kms_key_is_told_by_its_arn(world: World) -> None:
    name = f"{SSE}-aws-kms-key-id"
    key = world.service.key()
    world.service.ok("CreateAlias", AliasName="alias/pictures", TargetKeyId=key["KeyId"])
    named = {
        KEY_ID: f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}",
        f"arn:aws:kms:{REGION}:999999999999:key/{KEY_ID}": f"arn:aws:kms:{REGION}:999999999999:key/{KEY_ID}",
        "alias/pictures": key["Arn"],
        f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/pictures": key["Arn"],
        "alias/none": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/none",
        "nonsense": "nonsense",
    }
    for sent, seen in named.items():
        assert values(put(world, {name: sent}), f"s3:{name}") == [seen]
    assert values(put(world), f"s3:{name}") == []


def test_a_form_and_an_upload_speak_for_the_head(world: World) -> None:
    call = put(world, {SSE: "AES256", "x-amz-acl": "private"})
    form = Given(headers={"x-amz-acl": "public-read", "x-amz-algorithm": "AWS4-HMAC-SHA256"})
    assert values(call, "s3:x-amz-acl", given=form) == ["public-read"]
    assert values(call, f"s3:{SSE}", given=form) == []
    upload = Given(encryption=lambda: {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": KEY_ID})
    assert values(call, f"s3:{SSE}", given=upload) == ["aws:kms"]
    assert values(call, f"s3:{SSE}-aws-kms-key-id", given=upload)[0].endswith(f":key/{KEY_ID}")
    assert values(call, "s3:x-amz-acl", given=upload) == ["private"]


def test_tags(world: World) -> None:
    call = put(world, {"x-amz-tagging": "Team=blue&empty=&a%20b=c%2Bd"})
    assert values(call, "s3:RequestObjectTag/team") == ["blue"]
    assert values(call, "s3:RequestObjectTag/empty") == [""]
    assert values(call, "s3:RequestObjectTag/a b") == ["c+d"]
    assert values(call, "s3:RequestObjectTagKeys") == ["Team", "empty", "a b"]
    existing = Given(tags=lambda: {"Team": "red"})
    assert values(call, "s3:ExistingObjectTag/Team", "s3:GetObject", existing) == ["red"]
    assert values(call, "s3:ExistingObjectTag/Team", "s3:GetObject") == []
    assert values(call, "s3:ExistingObjectTag/Team", PUT, existing) == []


def test_the_source_of_a_copy(world: World) -> None:
    for sent in ("/pictures/a%2Fb%3Fc", "pictures/a/b%3Fc?versionId=7"):
        assert values(put(world, {"x-amz-copy-source": sent}), "s3:x-amz-copy-source") == ["pictures/a/b?c"]


def test_the_connection_and_the_owner(world: World) -> None:
    assert values(put(world), "s3:TlsVersion") == ["1.3"]
    assert values(put(world), "aws:SecureTransport") == ["true"]
    assert values(put(world, tls=None), "s3:TlsVersion") == []
    assert values(put(world, tls=None), "aws:SecureTransport") == ["false"]
    other = S3Context(put(world), PUT, "999999999999")
    for key in ("s3:resourceaccount", "aws:resourceaccount"):
        assert list(other.values(key)) == ["999999999999"]
    assert values(put(world), "aws:PrincipalAccount") == [ACCOUNT]


def test_signatures(world: World) -> None:
    # What a request says of itself without having signed it does not count.
    call, nobody = put(world, query={"X-Amz-Signature": "s"}), world.call(operation(PUT), key="k")
    nobody.call.sigv4 = False
    for one in (call, nobody):
        for key in ("s3:authType", "s3:signatureversion", "s3:signatureAge"):
            assert values(one, key) == []
    call.auth_type = "REST-QUERY-STRING"
    assert values(call, "s3:authType") == ["REST-QUERY-STRING"]
    assert values(call, "s3:signatureversion") == ["AWS4-HMAC-SHA256"]
    call.signature_age = 120_000
    assert values(call, "s3:signatureAge") == ["120000"]
    call.call.sigv4 = False
    given = Given(headers={"x-amz-algorithm": "AWS4-HMAC-SHA256"})
    assert values(call, "s3:signatureversion", given=given) == ["AWS"]
