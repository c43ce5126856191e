"""Objects: ranges, parts, conditions, keys of every kind, empty ones."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest

from tests.functional.s3_client import (
    LOOKS,
    MIB,
    lookers,
    new_bucket,
    read,
    refusal,
    send,
    upload,
)
from tests.functional.server_process import ServerProcess

BODY = bytes(range(256)) * 300  # more than one chunk
SIZE = len(BODY)
LONG_KEY = "é" * 512  # 1,024 bytes
KEYS = (
    "../x", "a//b", "/", "//", "..", ".", "a/../../b", "a\\b", "with blank", " lead and trail ", "plus+sign", "100%",
    "%2e%2e", "q?x=y&z", "#", "\N{PILE OF POO}", LONG_KEY, "tab\tnew\nline", "nul\0", "\x01", "<&>\"'", "a/", "a",
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
    for key in KEYS:
        s3.delete_object(Bucket=bucket, Key=key)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copied"]


def test_names_that_no_database_takes(server: ServerProcess, bucket: str) -> None:
    for path, status in (
        ("x?versionId=%00", 400), ("x?uploadId=%00", 400), ("?versions&key-marker=a&version-id-marker=%00", 400),
        ("?uploads&upload-id-marker=%00&key-marker=a", 400), ("?list-type=2&prefix=%00", 200),
    ):  # fmt: skip
        assert send(server.access, "GET", f"/{bucket}/{path}").status == status, path
    for name in ("%00", "b" * 7_000):
        for path in (f"/{name}", f"/{name}/x", f"/{name}?location"):
            answer = send(server.access, "GET", path)
            assert (answer.status, answer.error["Code"]) == (404, "NoSuchBucket")
        copy = {"x-amz-copy-source": f"{name}/x"}
        assert send(server.access, "PUT", f"/{bucket}/x", copy).status == 404
    with ThreadPoolExecutor(LOOKS) as threads:
        paths = [f"/{'b' * 7_000}", f"/{bucket}?location"] * 10
        answers = list(threads.map(lambda path: send(server.access, "GET", path).status, paths))
    assert answers == [404, 200] * 10


@pytest.mark.parametrize("kind", ["AES256", "aws:kms", "aws:kms:dsse"])
def test_nothing_at_all(s3: Any, bucket: str, kind: str) -> None:
    asked: dict[str, Any] = {"ServerSideEncryption": kind}
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
