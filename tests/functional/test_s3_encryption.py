"""The four kinds of encryption as clients see them: headers, ETags, defaults, copies."""

import hashlib
import json
import os
from base64 import b64encode
from itertools import product
from typing import Any

import pytest

from tests.functional.s3_client import MIB, new_bucket, read, refusal, upload
from tests.functional.s3_kinds import as_source, customer, encoded, kinds
from tests.functional.server_process import ServerProcess

BODY = b"hello world"
MD5 = "5eb63bbbe01eeed093cb22bb8f5acdc3"
CONTEXT = {"purpose": "test"}


@pytest.fixture(scope="module")
def server(tls_server: ServerProcess) -> ServerProcess:
    return tls_server


def told(answer: dict[str, Any]) -> dict[str, Any]:
    names = (
        "ServerSideEncryption",
        "SSEKMSKeyId",
        "BucketKeyEnabled",
        "SSECustomerAlgorithm",
        "SSECustomerKeyMD5",
    )
    return {name: answer[name] for name in names if name in answer}


def expected(kind: str, key: str) -> dict[str, Any]:
    asked = kinds(key)[kind]
    if kind != "c":
        return asked
    md5 = b64encode(hashlib.md5(b"k" * 32).digest()).decode()
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKeyMD5": md5}


def test_every_answer_tells_the_kind(s3: Any, bucket: str, key: str) -> None:
    for kind, asked in kinds(key).items():
        need = asked if kind == "c" else {}
        place = {"Bucket": bucket, "Key": f"told/{kind}"}
        put = s3.put_object(Body=BODY, **place, **asked)
        head, got = s3.head_object(**place, **need), s3.get_object(**place, **need)
        assert got["Body"].read() == BODY
        for answer in (put, head, got):
            assert told(answer) == expected(kind, key)
            assert answer["ETag"] == put["ETag"]
        assert head["ContentLength"] == len(BODY)
        facts = s3.get_object_attributes(
            **place, **encoded(need), ObjectAttributes=["ETag", "ObjectSize", "Checksum"]
        )
        assert (facts["ETag"], facts["ObjectSize"]) == (put["ETag"].strip('"'), len(BODY))
        assert facts["Checksum"]["ChecksumCRC32"] == put["ChecksumCRC32"]
        checked = s3.head_object(**place, **need, ChecksumMode="ENABLED")
        assert checked["ChecksumCRC32"] == put["ChecksumCRC32"]
    listed = {
        one["Key"]: one["Size"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="told/")["Contents"]
    }
    assert listed == {f"told/{kind}": len(BODY) for kind in kinds(key)}


def test_etags(s3: Any, bucket: str, key: str) -> None:
    parts = [b"p" * 5 * MIB, b"q"]
    joined = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    for kind, asked in kinds(key).items():
        place = {"Bucket": bucket, "Key": f"etag/{kind}"}
        tags = [s3.put_object(Body=BODY, **place, **asked)["ETag"].strip('"') for _ in range(2)]
        if kind == "s3":
            assert tags == [MD5, MD5]
        else:
            assert len({MD5, *tags}) == 3
            assert all(len(tag) == 32 and int(tag, 16) for tag in tags)
        if kind == "bucket-key":
            continue
        need = asked if kind == "c" else {}
        create = {} if kind == "c" else asked
        done = upload(s3, bucket, f"etag/{kind}", parts, need, **create)
        tag = done["ETag"].strip('"')
        assert tag.endswith("-2")
        assert (tag == f"{joined}-2") is (kind == "s3")
        assert told(done) == ({} if kind == "c" else expected(kind, key))
        got = s3.get_object(**place, **need, IfMatch=done["ETag"], Range="bytes=5242870-5242880")
        assert got["Body"].read() == b"p" * 10 + b"q"


def test_copies_between_all_kinds(s3: Any, bucket: str, key: str) -> None:
    other = kinds(key) | {"c": customer(b"other-32")}
    other["c"]["SSECustomerKey"] = "z" * 32
    for source, asked in kinds(key).items():
        s3.put_object(Bucket=bucket, Key=f"from/{source}", Body=BODY, **asked)
    for source, target in product(kinds(key), other):
        known = as_source(customer()) if source == "c" else {}
        copied = s3.copy_object(
            Bucket=bucket, Key="to", CopySource=f"{bucket}/from/{source}", **other[target], **known
        )
        assert copied.get("ServerSideEncryption") == other[target].get("ServerSideEncryption")
        need = other["c"] if target == "c" else {}
        assert read(s3, bucket, "to", **need) == BODY
        assert (copied["CopyObjectResult"]["ETag"] == f'"{MD5}"') is (target == "s3")


def test_a_copy_takes_the_default_of_its_bucket(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=BODY, **kinds(key)["kms"])
    copied = s3.copy_object(Bucket=bucket, Key="plain-copy", CopySource=f"{bucket}/source")
    assert told(copied) == {"ServerSideEncryption": "AES256"}
    code = refusal(s3.copy_object, Bucket=bucket, Key="plain-copy", CopySource=f"{bucket}/plain-copy")
    assert code[:2] == (400, "InvalidRequest")
    assert code.message.startswith(
        "This copy request is illegal because it is trying to copy an object to itself without changing"
    )
    again = s3.copy_object(
        Bucket=bucket, Key="plain-copy", CopySource=f"{bucket}/plain-copy", **kinds(key)["dsse"]
    )
    assert told(again) == expected("dsse", key)
    assert read(s3, bucket, "plain-copy") == BODY


def test_parts_are_copied_between_kinds(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="part-source", Body=b"s" * 5 * MIB, **customer())
    begun = s3.create_multipart_upload(Bucket=bucket, Key="whole", **kinds(key)["dsse"])["UploadId"]
    place = {"Bucket": bucket, "Key": "whole", "UploadId": begun}
    source = {"CopySource": f"{bucket}/part-source", **as_source(customer())}
    first = s3.upload_part_copy(**place, **source, PartNumber=1)
    last = s3.upload_part_copy(**place, **source, PartNumber=2, CopySourceRange="bytes=0-9")
    parts = [
        {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}
        for number, answer in enumerate((first, last), 1)
    ]
    assert told(first) == expected("dsse", key)
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert read(s3, bucket, "whole") == b"s" * (5 * MIB + 10)


def test_context_is_told_once(s3: Any, bucket: str, key: str) -> None:
    sent = b64encode(json.dumps(CONTEXT).encode()).decode()
    asked = kinds(key)["kms"] | {"SSEKMSEncryptionContext": sent}
    put = s3.put_object(Bucket=bucket, Key="context", Body=BODY, **asked)
    assert put["SSEKMSEncryptionContext"] == sent
    got = s3.get_object(Bucket=bucket, Key="context")
    assert got["Body"].read() == BODY
    assert "SSEKMSEncryptionContext" not in got
    copied = s3.copy_object(Bucket=bucket, Key="copied", CopySource=f"{bucket}/context", **kinds(key)["kms"])
    assert "SSEKMSEncryptionContext" not in copied


def test_update_object_encryption(s3: Any, server: ServerProcess, bucket: str, key: str) -> None:
    another = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    data = os.urandom(70_000)
    before = s3.put_object(Bucket=bucket, Key="updated", Body=data)
    for arn, bucket_key in ((key, False), (another, False), (another, True)):
        wanted = {"SSEKMS": {"KMSKeyArn": arn, "BucketKeyEnabled": bucket_key}}
        s3.update_object_encryption(Bucket=bucket, Key="updated", ObjectEncryption=wanted)
        after = s3.get_object(Bucket=bucket, Key="updated", ChecksumMode="ENABLED")
        assert after["Body"].read() == data
        assert (after["SSEKMSKeyId"], after.get("BucketKeyEnabled", False)) == (arn, bucket_key)
        assert (after["ETag"], after["ChecksumCRC32"]) == (before["ETag"], before["ChecksumCRC32"])
    wanted = {"SSEKMS": {"KMSKeyArn": key}}
    for kind in ("dsse", "c"):
        s3.put_object(Bucket=bucket, Key="fixed", Body=BODY, **kinds(key)[kind])
        refused = refusal(s3.update_object_encryption, Bucket=bucket, Key="fixed", ObjectEncryption=wanted)
        assert refused[:2] == (400, "InvalidRequest")
    for named in (key.rpartition("/")[2], f"{key.rpartition(':')[0]}:alias/aws/s3"):
        wrong = {"SSEKMS": {"KMSKeyArn": named}}
        refused = refusal(s3.update_object_encryption, Bucket=bucket, Key="updated", ObjectEncryption=wrong)
        assert refused[:2] == (400, "InvalidRequest")
    foreign = {"SSEKMS": {"KMSKeyArn": key.replace("000000000000", "111122223333")}}
    refused = refusal(s3.update_object_encryption, Bucket=bucket, Key="updated", ObjectEncryption=foreign)
    assert refused[:2] == (403, "AccessDenied")


def setting(kind: str, key: str | None = None, *, bucket_key: bool = False, **more: Any) -> dict[str, Any]:
    default = {"SSEAlgorithm": kind} | ({"KMSMasterKeyID": key} if key else {})
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key, **more}
    return {"Rules": [rule]}


def test_default_encryption(s3: Any, key: str) -> None:
    place = {"Bucket": new_bucket(s3)}

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = s3.get_bucket_encryption(**place)["ServerSideEncryptionConfiguration"]
        return found

    def made(**asked: Any) -> dict[str, Any]:
        return told(s3.put_object(**place, Key="x", Body=BODY, **asked))

    assert shown() == setting("AES256")
    assert made() == {"ServerSideEncryption": "AES256"}
    key_id = key.rpartition("/")[2]
    wanted = setting("aws:kms", key_id, bucket_key=True)
    s3.put_bucket_encryption(**place, ServerSideEncryptionConfiguration=wanted)
    assert shown() == wanted
    assert made() == expected("bucket-key", key)
    assert made(BucketKeyEnabled=False) == expected("kms", key)
    assert made(ServerSideEncryption="AES256") == {"ServerSideEncryption": "AES256"}
    assert made(**kinds(key)["dsse"]) == expected("dsse", key)
    assert made(**customer()) == expected("c", key)
    begun = s3.create_multipart_upload(**place, Key="m")
    assert told(begun) == expected("bucket-key", key)
    s3.put_bucket_encryption(**place, ServerSideEncryptionConfiguration=setting("aws:kms:dsse", key))
    assert made() == expected("dsse", key)
    for _ in range(2):
        assert s3.delete_bucket_encryption(**place)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert shown() == setting("AES256")
    wrong = refusal(
        s3.put_bucket_encryption, **place, ServerSideEncryptionConfiguration=setting("AES256", key)
    )
    assert wrong[:3] == (
        400, "InvalidArgument",
        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
    )  # fmt: skip
    assert wrong.details["ArgumentName"] == "ApplyServerSideEncryptionByDefault"
    rules = setting("AES256")["Rules"]
    for count in (0, 2):
        refused = refusal(
            s3.put_bucket_encryption, **place, ServerSideEncryptionConfiguration={"Rules": rules * count}
        )
        assert refused[:2] == (400, "MalformedXML")
    unknown = setting("aws:kms", "no-such-key")
    s3.put_bucket_encryption(**place, ServerSideEncryptionConfiguration=unknown)
    assert shown() == unknown
    assert refusal(made)[:3] == (400, "KMS.NotFoundException", "Invalid keyId 'no-such-key'")


def test_blocked_customer_keys(s3: Any) -> None:
    place = {"Bucket": new_bucket(s3)}
    s3.put_object(**place, Key="old", Body=BODY, **customer())
    for blocked, allowed in (("SSE-C", False), ("NONE", True)):
        wanted = setting("AES256", BlockedEncryptionTypes={"EncryptionType": [blocked]})
        s3.put_bucket_encryption(**place, ServerSideEncryptionConfiguration=wanted)
        assert s3.get_bucket_encryption(**place)["ServerSideEncryptionConfiguration"] == wanted
        assert read(s3, place["Bucket"], "old", **customer()) == BODY
        if allowed:
            s3.put_object(**place, Key="new", Body=BODY, **customer())
            continue
        for call in (s3.put_object, s3.create_multipart_upload):
            assert refusal(call, **place, Key="new", **customer())[:2] == (403, "AccessDenied")
        copy = {"CopySource": f"{place['Bucket']}/old", **as_source(customer())}
        assert refusal(s3.copy_object, **place, Key="new", **copy, **customer())[:2] == (403, "AccessDenied")
        s3.copy_object(**place, Key="changed", **copy)
        assert read(s3, place["Bucket"], "changed") == BODY
