"""Bytes on their way: chunked bodies, checksums, lies about them, presigned URLs, hosts that name a bucket."""

import hashlib
import hmac
import http.client
from base64 import b64encode
from collections.abc import Mapping
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from kms_server.s3.wire.checksums import CHECKSUMS
from tests.functional.s3_client import (
    Answer,
    connected,
    exchange,
    new_bucket,
    read,
    refusal,
    s3_client,
    send,
    signed,
    upload,
)
from tests.functional.server_process import Access, ServerProcess

BODY = bytes(range(256)) * 100
CHUNK = 8_192
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


def value(algorithm: str, body: bytes = BODY) -> str:
    hasher = CHECKSUMS[algorithm].hasher()
    hasher.update(body)
    return b64encode(hasher.digest()).decode()


def pieces() -> list[bytes]:
    return [BODY[place : place + CHUNK] for place in range(0, len(BODY), CHUNK)] + [b""]


def chunked(
    access: Access, path: str, mode: str, trailers: Mapping[str, str], *, forge: bytes = b"", length: int = len(BODY)
) -> Answer:  # fmt: skip
    """PUT in chunks; `forge` comes instead of the first bytes of the first chunk, after it was signed."""
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(length)}
    if trailers:
        headers["x-amz-trailer"] = next(iter(trailers))
    request = signed(access, "PUT", path, headers, payload=mode)
    body = _unsigned(trailers) if mode == UNSIGNED else _signed(access, request, trailers)
    if forge:
        body = body.replace(BODY[: len(forge)], forge, 1)
    request.data = body
    return exchange(access, request)


def _unsigned(trailers: Mapping[str, str]) -> bytes:
    body = b"".join(f"{len(one):x}\r\n".encode() + one + (b"\r\n" if one else b"") for one in pieces())
    return body + "".join(f"{name}:{told}\r\n" for name, told in trailers.items()).encode() + b"\r\n"


def _signed(access: Access, request: Any, trailers: Mapping[str, str]) -> bytes:
    """AWS "Transferring payload in multiple chunks", with the signature of the head as the seed."""
    told = request.headers["Authorization"]
    scope = told.partition("Credential=")[2].partition(",")[0].partition("/")[2]
    previous, stamp = told.rpartition("Signature=")[2], request.headers["X-Amz-Date"]
    key = f"AWS4{access.secret}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")

    def sign(kind: str, *digests: str) -> str:
        text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", stamp, scope, previous, *digests])
        return hmac.digest(key, text.encode(), "sha256").hex()

    body, empty = b"", hashlib.sha256(b"").hexdigest()
    for one in pieces():
        previous = sign("PAYLOAD", empty, hashlib.sha256(one).hexdigest())
        body += f"{len(one):x};chunk-signature={previous}\r\n".encode() + one + (b"\r\n" if one else b"")
    if trailers:
        lines = "".join(f"{name}:{told}\n" for name, told in trailers.items())
        previous = sign("TRAILER", hashlib.sha256(lines.encode()).hexdigest())
        body += lines.replace("\n", "\r\n").encode() + f"x-amz-trailer-signature:{previous}\r\n".encode()
    return body + b"\r\n"


@pytest.mark.parametrize("mode", [UNSIGNED, f"{SIGNED}-TRAILER"])
def test_chunks_with_trailers(server: ServerProcess, s3: Any, bucket: str, mode: str) -> None:
    for name, checksum in CHECKSUMS.items():
        path = f"/{bucket}/{mode}-{name}"
        wrong = chunked(server.access, path, mode, {checksum.header: value(name, b"other")})
        assert (wrong.status, wrong.error["Code"]) == (400, "BadDigest")
        forged = chunked(server.access, path, mode, {checksum.header: value(name)}, forge=b"forged")
        expected = (400, "BadDigest") if mode == UNSIGNED else (403, "SignatureDoesNotMatch")
        assert (forged.status, forged.error["Code"]) == expected
        assert send(server.access, "HEAD", path).status == 404
        answer = chunked(server.access, path, mode, {checksum.header: value(name)})
        assert answer.status == 200, answer.body
        assert answer.headers[checksum.header] == value(name)
        got = s3.get_object(Bucket=bucket, Key=f"{mode}-{name}", ChecksumMode="ENABLED")
        assert got["Body"].read() == BODY
        assert got[f"Checksum{name}"] == value(name)
        assert "ContentEncoding" not in got


def test_signed_chunks(server: ServerProcess, s3: Any, bucket: str) -> None:
    path = f"/{bucket}/signed"
    forged = chunked(server.access, path, SIGNED, {}, forge=b"forged")
    assert (forged.status, forged.error["Code"]) == (403, "SignatureDoesNotMatch")
    for length in (len(BODY) - 1, len(BODY) + 1):
        assert chunked(server.access, path, SIGNED, {}, length=length).status == 400
    assert send(server.access, "HEAD", path).status == 404
    assert chunked(server.access, path, SIGNED, {}).status == 200
    assert read(s3, bucket, "signed") == BODY


def test_checksums_of_whole_bodies(server: ServerProcess, s3: Any, bucket: str) -> None:
    path = f"/{bucket}/checked"
    wrong = [(one.header, value(name, b"other"), 400, "BadDigest") for name, one in CHECKSUMS.items()]
    wrong += [
        ("content-md5", value("MD5", b"other"), 400, "BadDigest"),
        ("content-md5", "x", 400, "InvalidDigest"),
        ("x-amz-checksum-crc32", "x", 400, "InvalidRequest"),
    ]
    for header, told, status, code in wrong:
        answer = send(server.access, "PUT", path, {header: told}, BODY)
        assert (answer.status, answer.error["Code"]) == (status, code), header
    request = signed(server.access, "PUT", path, payload=hashlib.sha256(b"other").hexdigest())
    request.data = BODY
    answer = exchange(server.access, request)
    assert (answer.status, answer.error["Code"]) == (400, "XAmzContentSHA256Mismatch")
    assert send(server.access, "HEAD", path).status == 404
    for name, one in CHECKSUMS.items():
        assert send(server.access, "PUT", path, {one.header: value(name)}, BODY).headers[one.header] == value(
            name
        )
    s3.put_object(Bucket=bucket, Key="unchecked", Body=BODY)
    bare = send(server.access, "PUT", path, body=BODY)
    assert bare.headers["x-amz-checksum-crc64nvme"] == value("CRC64NVME")


@pytest.mark.parametrize(("algorithm", "kind"), [("CRC32C", "FULL_OBJECT"), ("SHA256", "COMPOSITE")])
def test_checksums_of_parts(s3: Any, bucket: str, algorithm: str, kind: str) -> None:
    place = {"Bucket": bucket, "Key": f"parts-{algorithm}"}
    begun = s3.create_multipart_upload(**place, ChecksumAlgorithm=algorithm, ChecksumType=kind)["UploadId"]
    sent = s3.upload_part(**place, UploadId=begun, PartNumber=1, Body=BODY, ChecksumAlgorithm=algorithm)
    member = f"Checksum{algorithm}"
    assert sent[member] == value(algorithm)
    wrong = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"], member: value(algorithm, b"other")}]}
    refused = refusal(s3.complete_multipart_upload, **place, UploadId=begun, MultipartUpload=wrong)
    assert refused[:2] == (400, "InvalidPart")
    right = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"], member: sent[member]}]}
    done = s3.complete_multipart_upload(**place, UploadId=begun, MultipartUpload=right)
    assert done["ChecksumType"] == kind
    assert done[member] == (value(algorithm) if kind == "FULL_OBJECT" else done[member])
    facts = s3.get_object_attributes(**place, ObjectAttributes=["ObjectParts", "Checksum"])
    assert facts["ObjectParts"]["TotalPartsCount"] == 1


def test_who_vanishes_leaves_nothing(server: ServerProcess, s3: Any) -> None:
    bucket = new_bucket(s3)
    begun = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    for path in ("gone", f"m?partNumber=1&uploadId={begun}"):
        request = signed(server.access, "PUT", f"/{bucket}/{path}", payload="UNSIGNED-PAYLOAD")
        connection = connected(server.access)
        headers = dict(request.headers) | {"Content-Length": str(10 * len(BODY))}
        connection.request("PUT", f"/{bucket}/{path}", headers=headers)
        connection.send(BODY * 5)
        connection.close()
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="m", UploadId=begun)
    incoming = server.data_dir / "objects" / "incoming"
    server.wait_for(lambda: not list(incoming.iterdir()))


def test_presigned_urls(server: ServerProcess, bucket: str) -> None:
    for style in ("auto", "path"):
        s3 = s3_client(server.access, s3={"addressing_style": style})
        place = {"Bucket": bucket, "Key": "pre signed/ü+"}
        kms = {"ServerSideEncryption": "aws:kms"}
        put = s3.generate_presigned_url("put_object", Params=place | kms)
        assert fetch("PUT", put, BODY, {"x-amz-server-side-encryption": "aws:kms"}).status == 200
        get = s3.generate_presigned_url("get_object", Params=place | {"ResponseContentType": "text/x"})
        answer = fetch("GET", get)
        assert (answer.body, answer.headers["Content-Type"]) == (BODY, "text/x")
        assert fetch("GET", get, headers={"Range": "bytes=1-2"}).body == BODY[1:3]
        assert fetch("PUT", get, b"").error["Code"] == "SignatureDoesNotMatch"
        assert fetch("GET", get.replace("pre", "pro")).error["Code"] == "SignatureDoesNotMatch"
        changed = get.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200")
        assert fetch("GET", changed).error["Code"] == "SignatureDoesNotMatch"


def fetch(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=60)
    connection.request(method, f"{place.path}?{place.query}", body=body, headers=dict(headers or {}))
    response = connection.getresponse()
    answer = Answer(response.status, dict(response.headers), response.read())
    connection.close()
    return answer


def test_hosts_that_name_a_bucket(server: ServerProcess, s3: Any, bucket: str) -> None:
    port = urlsplit(server.access.url).port
    host = f"{bucket}.localhost:{port}"
    assert send(server.access, "PUT", "/virtual/x", body=BODY, host=host).status == 200
    assert read(s3, bucket, "virtual/x") == BODY
    assert send(server.access, "GET", "/virtual/x", host=host).body == BODY
    assert b"<Key>virtual/x</Key>" in send(server.access, "GET", "/?prefix=virtual", host=host).body
    missing = send(server.access, "GET", "/x", host=f"no-such-bucket.localhost:{port}")
    assert (missing.status, missing.error["Code"]) == (404, "NoSuchBucket")
    # The key's first part is no bucket here.
    answer = send(server.access, "GET", f"/{bucket}/virtual/x", host=host)
    assert (answer.status, answer.error["Code"]) == (404, "NoSuchKey")


def test_lists_in_pages(s3: Any) -> None:
    bucket = new_bucket(s3)
    names = [f"{one}/{two}" for one, two in product("abc", "xyz")] + ["top"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    for kind, size in product(("list_objects", "list_objects_v2", "list_object_versions"), (1, 4)):
        pages = s3.get_paginator(kind).paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        member = "Versions" if "versions" in kind else "Contents"
        assert [one["Key"] for page in pages for one in page.get(member, [])] == names
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
        )
    )
    assert [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])] == ["a/", "b/", "c/"]
    assert [one["Key"] for page in pages for one in page.get("Contents", [])] == ["top"]
    assert [
        one["Key"] for one in s3.list_objects_v2(Bucket=bucket, StartAfter="b/y", Prefix="b/")["Contents"]
    ] == ["b/z"]
    upload(s3, bucket, "m", [b""])
    begun = [s3.create_multipart_upload(Bucket=bucket, Key=f"u{number}")["UploadId"] for number in range(3)]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 2}
    )
    assert [one["UploadId"] for page in pages for one in page["Uploads"]] == begun
