"""Every refusal of headers about encryption, character by character."""

import json
from base64 import b64encode
from itertools import product
from typing import Any

import pytest

from tests.functional.s3_client import SSE, new_bucket, refusal, s3_client, send
from tests.functional.s3_kinds import CUSTOMER, as_source, customer, customer_headers, encoded, kinds
from tests.functional.server_process import ServerProcess, StartServer

BODY = b"hello world"
KEYS = "Requests specifying Server Side Encryption with Customer provided keys must"
MISSING = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
WRONG = f"{KEYS} provide the correct secret key."
NOT_APPLICABLE = "The encryption parameters are not applicable to this object."
INCOMPATIBLE = (
    "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
)
HTTPS_ONLY = f"{KEYS} be made over a secure connection."
WRITES = (
    ({SSE: "AES256", **customer_headers()}, "InvalidArgument", INCOMPATIBLE, SSE, "AES256"),
    ({SSE: "aws:kms", **customer_headers()}, "InvalidArgument", INCOMPATIBLE, SSE, "aws:kms"),
    (customer_headers(algorithm="AES192"), "InvalidEncryptionAlgorithmError", "The Encryption request you specified is not valid. Supported value: AES256.", f"{CUSTOMER}algorithm", "AES192"),
    (customer_headers(algorithm=None), "InvalidArgument", f"{KEYS} provide a valid encryption algorithm.", None, None),
    (customer_headers(key=None, key_MD5=None), "InvalidArgument", f"{KEYS} provide an appropriate secret key.", None, None),
    (customer_headers(key_MD5=None), "InvalidArgument", f"{KEYS} provide the client calculated MD5 of the secret key.", None, None),
    (customer_headers(key="c2hvcnQ="), "InvalidArgument", "The secret key was invalid for the specified algorithm.", None, None),
    (customer_headers(key="@@@"), "InvalidArgument", "The secret key was invalid for the specified algorithm.", None, None),
    (customer_headers(key_MD5="AAAAAAAAAAAAAAAAAAAAAA=="), "InvalidArgument", "The calculated MD5 hash of the key did not match the hash that was provided.", None, None),
    ({SSE: "aes:kms"}, "InvalidArgument", "The encryption method specified is not supported", SSE, "aes:kms"),
    ({SSE: "NOT_SET"}, "InvalidArgument", "The encryption method specified is not supported", SSE, "NOT_SET"),
    ({SSE: "AES256", f"{SSE}-aws-kms-key-id": "k"}, "InvalidArgument", "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms", None, None),
    ({f"{SSE}-aws-kms-key-id": "k"}, "InvalidArgument", "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms", None, None),
    ({SSE: "aws:kms", f"{SSE}-context": "bm8="}, "InvalidArgument", "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map", None, None),
    ({SSE: "aws:kms", f"{SSE}-context": b64encode(b'{"a": 1}').decode()}, "InvalidArgument", "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map", None, None),
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tls_server: ServerProcess) -> ServerProcess:
    return tls_server


def test_headers_that_no_write_takes(server: ServerProcess, bucket: str) -> None:
    copy = {"x-amz-copy-source": f"{bucket}/refused-source"}
    assert send(server.access, "PUT", f"/{bucket}/refused-source", body=BODY).status == 200
    put, begin = ("PUT", f"/{bucket}/refused"), ("POST", f"/{bucket}/refused?uploads")
    nothing: dict[str, str] = {}
    ways = ((*put, nothing), (*put, copy), (*begin, nothing))
    for (headers, code, message, name, value), (method, path, more) in product(WRITES, ways):
        answer = send(
            server.access, method, path, headers | more, BODY if method == "PUT" and not more else b""
        )
        assert (answer.status, answer.error["Code"], answer.error["Message"]) == (400, code, message), headers
        if name is not None:
            assert (answer.error["ArgumentName"], answer.error["ArgumentValue"]) == (name, value)
    assert send(server.access, "GET", f"/{bucket}/refused").status == 404


def test_kms_key_ids(server: ServerProcess, s3: Any, bucket: str, key: str) -> None:
    kms = server.client("kms")
    kms.create_alias(AliasName="alias/s3-test", TargetKeyId=key)
    key_id = key.rpartition("/")[2]
    for named in (key_id, "alias/s3-test", key.replace(f"key/{key_id}", "alias/s3-test"), key):
        put = s3.put_object(
            Bucket=bucket, Key="named", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=named
        )
        assert put["SSEKMSKeyId"] == key
    managed = s3.put_object(Bucket=bucket, Key="managed", Body=b"", ServerSideEncryption="aws:kms")[
        "SSEKMSKeyId"
    ]
    described = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (described["Arn"], described["KeyManager"]) == (managed, "AWS")
    assert described["Description"] == "Default key that protects my S3 objects when no other key is defined"
    nowhere = key.replace(key_id, "11111111-2222-3333-4444-555555555555")
    cases = (
        ("fake-key-id", "Invalid keyId 'fake-key-id'"),
        (nowhere.rpartition("/")[2], f"Key '{nowhere}' does not exist"),
        (nowhere, f"Key '{nowhere}' does not exist"),
        (key.replace("us-east-1", "eu-west-1"), "Invalid arn eu-west-1"),
    )
    for call, (named, message) in product((s3.put_object, s3.create_multipart_upload), cases):
        refused = refusal(call, Bucket=bucket, Key="x", ServerSideEncryption="aws:kms", SSEKMSKeyId=named)
        assert refused[:3] == (400, "KMS.NotFoundException", message)


def test_headers_that_only_new_objects_take(server: ServerProcess, bucket: str) -> None:
    assert send(server.access, "PUT", f"/{bucket}/there", body=BODY).status == 200
    begun = send(server.access, "POST", f"/{bucket}/m?uploads")
    upload_id = begun.body.decode().partition("<UploadId>")[2].partition("<")[0]
    part = f"/{bucket}/m?partNumber=1&uploadId={upload_id}"
    places = (
        ("GET", f"/{bucket}/there"), ("HEAD", f"/{bucket}/there"), ("GET", f"/{bucket}"), ("PUT", part),
        ("POST", f"/{bucket}/m?uploadId={upload_id}"), ("DELETE", f"/{bucket}/there"),
    )  # fmt: skip
    for (method, path), (name, value) in product(places, ((SSE, "AES256"), (f"{SSE}-context", "e30="))):
        answer = send(server.access, method, path, {name: value})
        assert answer.status == 400, (method, path)
        if method != "HEAD":
            assert answer.error == {
                "Code": "InvalidArgument", "Message": f"{name} header is not supported for this operation.",
                "ArgumentName": name, "ArgumentValue": value,
            }  # fmt: skip


def test_reading_needs_the_customers_key(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "customers"}
    s3.put_object(**place, Body=BODY, **customer())
    source = {"Bucket": bucket, "Key": "copied", "CopySource": f"{bucket}/customers"}
    attributes = {"ObjectAttributes": ["ETag"]}
    for need, answer in (
        ({}, (400, "InvalidRequest", MISSING)),
        (customer(b"w"), (403, "AccessDenied", WRONG)),
    ):
        assert refusal(s3.get_object, **place, **need)[:3] == answer
        assert refusal(s3.copy_object, **source, **as_source(need))[:3] == answer
        assert refusal(s3.get_object_attributes, **place, **attributes, **encoded(need))[:3] == answer
        assert refusal(s3.head_object, **place, **need).status == answer[0]
    algorithm = customer() | {"SSECustomerAlgorithm": "AES192"}
    refused = refusal(s3.get_object, **place, **algorithm)
    assert refused[:2] == (400, "InvalidEncryptionAlgorithmError")
    assert refused.details["ArgumentValue"] == "AES192"
    s3.put_object(**place | {"Key": "others"}, Body=BODY)
    refused = refusal(s3.get_object, **place | {"Key": "others"}, **customer())
    assert refused[:3] == (400, "InvalidRequest", NOT_APPLICABLE)
    assert "customers" in [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert s3.delete_object(**place)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_parts_need_the_key_of_their_upload(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "parts", "PartNumber": 1, "Body": b"x"}
    with_key = s3.create_multipart_upload(Bucket=bucket, Key="parts", **customer())["UploadId"]
    without = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    asked = (
        "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
        "encryption parameters."
    )
    for upload_id, need in ((with_key, {}), (without, customer())):
        assert refusal(s3.upload_part, **place, UploadId=upload_id, **need)[:3] == (
            400,
            "InvalidRequest",
            asked,
        )
    other = "The provided encryption parameters did not match the ones used originally."
    refused = refusal(s3.upload_part, **place, UploadId=with_key, **customer(b"w"))
    assert refused[:3] == (400, "InvalidRequest", other)


def test_a_checked_upload_is_completed_with_its_key(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "checked"}
    begun = s3.create_multipart_upload(
        **place, **customer(), ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )
    place["UploadId"] = begun["UploadId"]
    sent = s3.upload_part(**place, PartNumber=1, Body=BODY, **customer(), ChecksumAlgorithm="CRC32")
    parts = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]}]}
    refused = refusal(s3.complete_multipart_upload, **place, MultipartUpload=parts)
    assert refused[:3] == (400, "InvalidRequest", MISSING)
    done = s3.complete_multipart_upload(**place, MultipartUpload=parts, **encoded(customer()))
    assert done["ChecksumCRC32"] == sent["ChecksumCRC32"]


def test_nobody_uses_kms_unsigned(s3: Any, server: ServerProcess, bucket: str, key: str) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": allow}))
    anyone = s3_client(server.access, signed=False)
    refused = refusal(anyone.put_object, Bucket=bucket, Key="public", Body=BODY, **kinds(key)["kms"])
    text = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4."
    assert refused[:3] == (400, "InvalidArgument", text)
    assert refused.details == {"ArgumentName": "Authorization", "ArgumentValue": "null"}
    s3.put_object(Bucket=bucket, Key="kms", Body=BODY, **kinds(key)["kms"])
    assert refusal(anyone.get_object, Bucket=bucket, Key="kms")[:3] == (400, "InvalidArgument", text)
    anyone.put_object(Bucket=bucket, Key="public", Body=BODY)
    s3.delete_bucket_policy(Bucket=bucket)


def test_customer_keys_need_tls(start_server: StartServer) -> None:
    server = start_server("--block-sse-c", workers=1)
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="x", Body=BODY)
    begun = s3.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
    copy_source = customer_headers("x-amz-copy-source-server-side-encryption-customer-")
    for method, path, headers in (
        ("PUT", f"/{bucket}/x", customer_headers()),
        ("POST", f"/{bucket}/x?uploads", customer_headers()),
        ("PUT", f"/{bucket}/x?partNumber=1&uploadId={begun}", customer_headers()),
        ("GET", f"/{bucket}/x", customer_headers()),
        ("PUT", f"/{bucket}/y", copy_source | {"x-amz-copy-source": f"{bucket}/x"}),
    ):
        answer = send(server.access, method, path, headers)
        assert (answer.status, answer.error["Code"]) == (400, "InvalidRequest")
        assert answer.error["Message"] == f"{KEYS} be made over a secure connection."
    assert send(server.access, "HEAD", f"/{bucket}/x", customer_headers()).status == 400
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
