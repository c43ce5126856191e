"""Objects: ranges, conditions, versions, tags, archives, keys of every kind, listings."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest

from tests.functional.s3_client import (
    LOOKS,
    MIB,
    Refusal,
    lookers,
    new_bucket,
    read,
    refusal,
    s3_client,
    upload,
)
from tests.functional.server_process import ServerProcess, StartServer

BODY = bytes(range(256)) * 300  # more than one chunk
SIZE = len(BODY)
LONG_KEY = "é" * 512  # 1,024 bytes
KEYS = (
    "../x", "a//b", "/", "//", "..", ".", "a/../../b", "a\\b", "with blank", " lead and trail ", "plus+sign", "100%",
    "%2e%2e", "q?x=y&z", "#", "\N{PILE OF POO}", LONG_KEY, "tab\tnew\nline", "<&>\"'", "a/", "a",
)  # fmt: skip


def ranged(s3: Any, bucket: str, text: str) -> tuple[bytes, str]:
    got = s3.get_object(Bucket=bucket, Key="ranges", Range=text)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == (206 if "ContentRange" in got else 200)
    head = s3.head_object(Bucket=bucket, Key="ranges", Range=text)
    assert head["ContentLength"] == got["ContentLength"]
    return got["Body"].read(), got.get("ContentRange", "")


def test_ranges(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="ranges", Body=BODY)
    for text, first, end in (
        ("bytes=0-0", 0, 1), ("bytes=65535-65536", 65_535, 65_537), ("bytes=65536-", 65_536, SIZE),
        ("bytes=-1", SIZE - 1, SIZE), (f"bytes=-{SIZE + 9}", 0, SIZE), (f"bytes=10-{SIZE + 9}", 10, SIZE),
    ):  # fmt: skip
        assert ranged(s3, bucket, text) == (BODY[first:end], f"bytes {first}-{end - 1}/{SIZE}")
    for text in ("bytes=5-2", "bytes=x", "lines=1-2", "bytes=0-1,4-5", "bytes=-"):
        assert ranged(s3, bucket, text) == (BODY, "")
    for text in (f"bytes={SIZE}-", "bytes=-0", f"bytes={2**63}-"):
        refused = refusal(s3.get_object, Bucket=bucket, Key="ranges", Range=text)
        assert refused[:2] == (416, "InvalidRange")
        assert refused.details == {"RangeRequested": text, "ActualObjectSize": str(SIZE)}


def test_part_numbers(s3: Any, bucket: str) -> None:
    parts = [os.urandom(5 * MIB), b"last"]
    upload(s3, bucket, "parts", parts)
    place = {"Bucket": bucket, "Key": "parts"}
    for number, part in enumerate(parts, 1):
        got = s3.get_object(**place, PartNumber=number)
        assert (got["Body"].read(), got["PartsCount"]) == (part, 2)
    first = 5 * MIB
    assert got["ContentRange"] == f"bytes {first}-{first + 3}/{first + 4}"
    assert s3.head_object(**place, PartNumber=2)["ContentLength"] == 4
    refused = refusal(s3.get_object, **place, PartNumber=3)
    assert refused[:2] == (416, "InvalidPartNumber")
    assert refused.details == {"ActualPartCount": "2", "PartNumberRequested": "3"}
    assert read(s3, bucket, "parts", Range=f"bytes={first - 2}-{first + 1}") == parts[0][-2:] + b"la"
    again = s3.copy_object(**place, CopySource=f"{bucket}/parts", MetadataDirective="REPLACE")
    assert not again["CopyObjectResult"]["ETag"].endswith('-2"')
    assert read(s3, bucket, "parts") == b"".join(parts)


def test_conditions(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "if"}
    etag = s3.put_object(**place, Body=b"1")["ETag"]
    failed = (412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    assert refusal(s3.get_object, **place, IfMatch='"0"')[:3] == failed
    assert refusal(s3.get_object, **place, IfNoneMatch=etag).status == 304
    assert s3.get_object(**place, IfMatch=etag, IfNoneMatch='"0"')["ETag"] == etag
    assert refusal(s3.put_object, **place, Body=b"2", IfNoneMatch="*")[:3] == failed
    assert refusal(s3.put_object, **place, Body=b"2", IfMatch='"0"')[:3] == failed
    missing = refusal(s3.put_object, Bucket=bucket, Key="none", Body=b"", IfMatch=etag)
    assert missing[:2] == (404, "NoSuchKey")
    copy = {**place, "CopySource": f"{bucket}/if", "MetadataDirective": "REPLACE"}
    assert refusal(s3.copy_object, **copy, CopySourceIfMatch='"0"')[:3] == failed
    assert refusal(s3.copy_object, **copy, CopySourceIfNoneMatch=etag)[:3] == failed
    assert refusal(s3.copy_object, **copy, IfNoneMatch="*")[:3] == failed
    begun = s3.create_multipart_upload(**place)["UploadId"]
    part = s3.upload_part(**place, UploadId=begun, PartNumber=1, Body=b"3")["ETag"]
    done = {"UploadId": begun, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part}]}}
    assert refusal(s3.complete_multipart_upload, **place, **done, IfNoneMatch="*")[:3] == failed
    assert refusal(s3.complete_multipart_upload, **place, **done, IfMatch='"0"')[:3] == failed
    assert read(s3, bucket, "if") == b"1"
    s3.complete_multipart_upload(**place, **done, IfMatch=etag)
    assert refusal(s3.delete_object, **place, IfMatch=etag)[:3] == failed
    now = s3.put_object(**place, Body=b"4", IfMatch=s3.head_object(**place)["ETag"])["ETag"]
    s3.delete_object(**place, IfMatch=now)
    assert refusal(s3.head_object, **place).status == 404


def test_one_of_many_creates(server: ServerProcess, s3: Any, bucket: str) -> None:
    for round_number, size in product(range(3), (10, 40_000)):
        key = f"race/{round_number}/{size}"

        def create(numbered: tuple[int, Any], key: str = key, size: int = size) -> bytes | None:
            number, looker = numbered
            body = bytes([number]) * size
            try:
                looker.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
            except looker.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict")
                return None
            return body

        with ThreadPoolExecutor(LOOKS) as threads:
            told = [one for one in threads.map(create, enumerate(lookers(server.access))) if one is not None]
        assert told == [read(s3, bucket, key)]


def test_versions(s3: Any) -> None:
    place = {"Bucket": new_bucket(s3), "Key": "v"}
    bucket = place["Bucket"]
    assert "VersionId" not in s3.put_object(**place, Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = [s3.put_object(**place, Body=str(number).encode())["VersionId"] for number in range(2)]
    made.append(upload(s3, bucket, "v", [b"2"])["VersionId"])
    copied = s3.copy_object(**place, CopySource=f"{bucket}/v?versionId={made[0]}")
    assert copied["CopySourceVersionId"] == made[0]
    assert read(s3, bucket, "v") == b"0"
    for version, body in (("null", b"before"), (made[0], b"0"), (made[1], b"1"), (made[2], b"2")):
        assert read(s3, bucket, "v", VersionId=version) == body
    marker = s3.delete_object(**place)
    assert marker["DeleteMarker"] is True
    gone = refusal(s3.get_object, **place)
    assert gone[:2] == (404, "NoSuchKey")
    assert refusal(s3.get_object, **place, VersionId=marker["VersionId"])[:2] == (405, "MethodNotAllowed")
    listed = s3.list_object_versions(Bucket=bucket)
    assert [one["VersionId"] for one in listed["Versions"]] == [copied["VersionId"], *reversed(made), "null"]
    assert [one["VersionId"] for one in listed["DeleteMarkers"]] == [marker["VersionId"]]
    assert [one["IsLatest"] for one in listed["Versions"]] == [False] * 5
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.delete_object(**place, VersionId=marker["VersionId"])
    assert read(s3, bucket, "v") == b"0"
    s3.delete_object(**place, VersionId=copied["VersionId"])
    assert read(s3, bucket, "v") == b"2"
    assert refusal(s3.get_object, **place, VersionId=copied["VersionId"])[:2] == (404, "NoSuchVersion")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(**place, Body=b"null now")
    assert read(s3, bucket, "v", VersionId="null") == b"null now"
    assert s3.delete_object(**place)["VersionId"] == "null"
    assert refusal(s3.get_object, **place)[:2] == (404, "NoSuchKey")
    assert read(s3, bucket, "v", VersionId=made[1]) == b"1"
    assert refusal(s3.delete_bucket, Bucket=bucket).code == "BucketNotEmpty"
    found = s3.list_object_versions(Bucket=bucket)
    every = [
        {"Key": "v", "VersionId": one["VersionId"]} for one in found["Versions"] + found["DeleteMarkers"]
    ]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": every})["Deleted"]) == 4
    s3.delete_bucket(Bucket=bucket)


def test_tags(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "tags"}
    s3.put_object(**place, Body=b"", Tagging="a=1&b=%C3%BC")
    assert s3.get_object(**place)["TagCount"] == 2
    assert s3.get_object_tagging(**place)["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "ü"},
    ]
    s3.copy_object(
        Bucket=bucket, Key="tags-2", CopySource=f"{bucket}/tags", Tagging="c=3", TaggingDirective="REPLACE"
    )
    assert s3.get_object_tagging(Bucket=bucket, Key="tags-2")["TagSet"] == [{"Key": "c", "Value": "3"}]
    eleven = [{"Key": str(number), "Value": ""} for number in range(11)]
    doubled = [{"Key": "a", "Value": ""}] * 2
    for wrong in (eleven, doubled, [{"Key": "aws:x", "Value": ""}], [{"Key": "k" * 129, "Value": ""}]):
        refused = refusal(s3.put_object_tagging, **place, Tagging={"TagSet": wrong})
        assert refused[:2] == (400, "InvalidTag")
    s3.put_object_tagging(**place, Tagging={"TagSet": eleven[:10]})
    assert s3.head_object(**place)["TagCount"] == 10
    s3.delete_object_tagging(**place)
    assert s3.get_object_tagging(**place)["TagSet"] == []


def test_archives(start_server: StartServer) -> None:
    server = start_server(workers=1, env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    place = {"Bucket": bucket, "Key": "ice"}
    s3.put_object(Bucket=bucket, Key="instant", Body=BODY, StorageClass="GLACIER_IR")
    assert read(s3, bucket, "instant") == BODY
    for kind in ("GLACIER", "DEEP_ARCHIVE"):
        s3.put_object(**place, Body=BODY, StorageClass=kind)
        frozen = (403, "InvalidObjectState", "The operation is not valid for the object's storage class")
        copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/ice"}
        for call in (
            lambda: refusal(s3.get_object, **place),
            lambda copy=copy: refusal(s3.copy_object, **copy),
        ):
            refused: Refusal = call()
            assert refused[:3] == frozen
            assert refused.details["StorageClass"] == kind
        assert s3.head_object(**place)["StorageClass"] == kind
        asked = s3.restore_object(**place, RestoreRequest={"Days": 2})
        assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert s3.head_object(**place)["Restore"] == 'ongoing-request="true"'
        again = refusal(s3.restore_object, **place, RestoreRequest={"Days": 2})
        assert again[:2] == (409, "RestoreAlreadyInProgress")
        assert refusal(s3.get_object, **place)[:3] == frozen
        server.cli("clock", "advance", "1m")
        assert read(s3, bucket, "ice") == BODY
        assert s3.head_object(**place)["Restore"].startswith('ongoing-request="false", expiry-date="')
        again = s3.restore_object(**place, RestoreRequest={"Days": 2})
        assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
        server.cli("clock", "advance", "3d")
        assert refusal(s3.get_object, **place)[:3] == frozen
    refused = refusal(s3.put_object, **place, Body=b"", StorageClass="SNOW")
    assert refused[:2] == (400, "InvalidStorageClass")
    assert refused.details == {"StorageClassRequested": "SNOW"}


def test_keys_of_every_kind(s3: Any) -> None:
    bucket = new_bucket(s3)
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    listed = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(KEYS, key=str.encode)
    assert [one["Key"] for one in s3.list_objects(Bucket=bucket)["Contents"]] == listed
    for key in KEYS:
        assert read(s3, bucket, key) == key.encode()
        s3.copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": key})
        assert read(s3, bucket, "copied") == key.encode()
    prefixes = s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]
    assert [one["Prefix"] for one in prefixes] == ["../", "/", "a/"]
    assert refusal(s3.put_object, Bucket=bucket, Key=LONG_KEY + "x", Body=b"")[:2] == (400, "KeyTooLongError")
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in KEYS], "Quiet": True})
    assert "Errors" not in gone
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copied"]


@pytest.mark.parametrize("kind", ["AES256", "aws:kms", "aws:kms:dsse"])
def test_nothing_at_all(s3: Any, bucket: str, kind: str) -> None:
    asked = {"ServerSideEncryption": kind}
    place = {"Bucket": bucket, "Key": "nothing"}
    s3.put_object(**place, Body=b"", **asked)
    assert read(s3, bucket, "nothing") == b""
    assert refusal(s3.get_object, **place, Range="bytes=0-0")[:2] == (416, "InvalidRange")
    upload(s3, bucket, "nothing", [b""], **asked)
    got = s3.get_object(**place, PartNumber=1)
    assert (got["Body"].read(), got["PartsCount"], got["ContentLength"]) == (b"", 1, 0)
    upload(s3, bucket, "nothing", [b"f" * 5 * MIB, b""], **asked)
    assert read(s3, bucket, "nothing", PartNumber=2) == b""
    s3.copy_object(Bucket=bucket, Key="nothing-2", CopySource=f"{bucket}/nothing")
    assert s3.head_object(Bucket=bucket, Key="nothing-2")["ContentLength"] == 5 * MIB
    small = refusal(upload, s3=s3, bucket=bucket, key="small", parts=[b"", b"x"])
    assert small[:2] == (400, "EntityTooSmall")
