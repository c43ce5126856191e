"""What clients send to a live S3 that no client should: an S3 error for it, and no more than they are allowed."""

import http.client
import json
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import md5
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.functional.server_process import Access, ServerProcess

BUCKET = "hostile"
LONG = "000001" + "9" * 5_000
BROKEN = "b\r\nX-Evil: 1"
COPY = "x-amz-copy-source"


class Told(NamedTuple):
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return self.body.partition(b"<Code>")[2].partition(b"<")[0].decode()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("hostile"), "--tls-auto", workers=1)
    process.client("s3").create_bucket(Bucket=BUCKET)
    yield process
    assert process.stop() == 0
    log = process.log.read_text()
    assert "Traceback" not in log
    assert "internal failure" not in log
    assert "cannot be written" not in log


@pytest.fixture(scope="module")
def s3(live: ServerProcess) -> Any:
    return live.client("s3")


def ask(
    live: ServerProcess, method: str, path: str, query: str = "", *, headers: Mapping[str, str] | None = None,
    body: bytes = b"", presigned: bool = False, signed: bool = True, access: Access | None = None, region: str = "us-east-1",
) -> Told:  # fmt: skip
    """Send a request that no client would make."""
    access = access or live.access
    url = f"{live.url}{path}?{query}"
    request = AWSRequest(method, url, headers=dict(headers or {}), data=b"" if presigned else body)
    if signed:
        kind = S3SigV4QueryAuth if presigned else S3SigV4Auth
        kind(Credentials(access.access_key_id, access.secret), "s3", region).add_auth(request)
    prepared = request.prepare()
    context = ssl.create_default_context(cafile=access.verify)
    connection = http.client.HTTPSConnection(live.url.removeprefix("https://"), context=context, timeout=20)
    try:
        sent = {
            name: value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in prepared.headers.items()
        } | {"Content-Length": str(len(body))}
        connection.request(method, prepared.url.removeprefix(live.url), body, sent)
        answer = connection.getresponse()
        return Told(
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read(),
        )
    finally:
        connection.close()


def delete(live: ServerProcess, body: bytes) -> Told:
    digest = {"Content-MD5": b64encode(md5(body, usedforsecurity=False).digest()).decode()}
    return ask(live, "POST", f"/{BUCKET}", "delete", headers=digest, body=body)


def form(live: ServerProcess, fields: Mapping[str, str], filename: str = "f.txt") -> Told:
    names = ("key", "bucket", "x-amz-algorithm", "x-amz-credential", "x-amz-date", *fields)
    policy = {
        "expiration": "2999-01-01T00:00:00Z",
        "conditions": [["starts-with", f"${name}", ""] for name in dict.fromkeys(names)],
    }
    post = AWSRequest("POST", live.url)
    post.context |= {"s3-presign-post-fields": dict(fields), "s3-presign-post-policy": policy}
    credentials = Credentials(live.access.access_key_id, live.access.secret)
    S3SigV4PostAuth(credentials, "s3", "us-east-1").add_auth(post)
    lines = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in post.context["s3-presign-post-fields"].items()
    ]
    file = (
        f'--B\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\ndata\r\n--B--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    body = "".join([*lines, file]).encode()
    return ask(live, "POST", f"/{BUCKET}", headers=headers, body=body, signed=False)


def user(live: ServerProcess, *statements: Mapping[str, Any]) -> Access:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return live.user_access(f"u-{uuid4().hex[:8]}", document)


def allow(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


def deny(*actions: str, **conditions: Any) -> dict[str, Any]:
    return allow(*actions) | {"Effect": "Deny"} | ({"Condition": conditions} if conditions else {})


def code_of(call: Any, **members: Any) -> str | None:
    try:
        call(**members)
    except ClientError as error:
        code: str = error.response["Error"]["Code"]
        return code
    return None


def test_numbers_that_are_none(live: ServerProcess, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="cold", Body=b"x", StorageClass="GLACIER")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    part = f"<Part><PartNumber>{LONG}</PartNumber><ETag>a</ETag></Part>"
    complete = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    restore = f"<RestoreRequest><Days>{LONG}</Days></RestoreRequest>".encode()
    markers = "versions&key-marker=a&version-id-marker=x."
    assert ask(live, "POST", f"/{BUCKET}/parts", f"uploadId={upload}", body=complete).code == "MalformedXML"
    part_query = f"partNumber={LONG}&uploadId={upload}"
    assert ask(live, "PUT", f"/{BUCKET}/parts", part_query, body=b"x").code == "InvalidArgument"
    assert ask(live, "GET", f"/{BUCKET}/cold", f"partNumber={LONG}").status < 500
    assert ask(live, "POST", f"/{BUCKET}/cold", "restore", body=restore).code == "MalformedXML"
    assert ask(live, "GET", "/", f"max-buckets={LONG}").code == "InvalidArgument"
    for number in (LONG, "0" * 5_000, "0" * 20 + "9" * 20):
        assert ask(live, "GET", f"/{BUCKET}", markers + number).code == "InvalidArgument"


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize(
    "date", [f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", f"Mon, 01 Jan 2020 00:00:00 +{'9' * 14}"]
)
def test_dates_that_are_none_are_ignored(live: ServerProcess, s3: Any, name: str, date: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="dated", Body=b"x")
    assert ask(live, "GET", f"/{BUCKET}/dated", headers={name: date}).status == 200


def test_no_header_breaks_out_of_a_query(live: ServerProcess, s3: Any) -> None:
    ask(live, "PUT", f"/{BUCKET}/broken", "x-amz-meta-a%0d%0ab=1", body=b"x", presigned=True)
    assert not [one for one in ask(live, "GET", f"/{BUCKET}/broken").headers if one.startswith("x-amz-meta")]
    for query in ("x-amz-meta-a=b%0d%0aX-Evil:%201", "x-amz-meta-a=%00"):
        told = ask(live, "PUT", f"/{BUCKET}/broken", query, body=b"x", presigned=True)
        assert (told.status, told.code) == (400, "InvalidArgument")
    s3.put_object(Bucket=BUCKET, Key="shown", Body=b"x")
    for value in ("text%2Fx%0D%0AX-Evil%3A%201", "%E2%82%AC"):
        told = ask(live, "GET", f"/{BUCKET}/shown", f"response-content-type={value}")
        assert (told.status, told.code) == (400, "InvalidArgument")
        assert "x-evil" not in told.headers


def test_characters_beyond_headers_are_kept_as_their_bytes(live: ServerProcess) -> None:
    assert (
        ask(live, "PUT", f"/{BUCKET}/wide", "x-amz-meta-a=%E2%82%AC", body=b"x", presigned=True).status == 200
    )
    told = ask(live, "GET", f"/{BUCKET}/wide")
    assert told.headers["x-amz-meta-a"].encode("latin-1").decode() == "€"
    assert form(live, {"key": "wide-form", "x-amz-meta-a": "€"}).status == 204
    assert ask(live, "GET", f"/{BUCKET}/wide-form").headers["x-amz-meta-a"].encode("latin-1").decode() == "€"


def test_no_header_breaks_out_of_a_form(live: ServerProcess) -> None:
    assert form(live, {"key": "broken", "x-amz-meta-a": BROKEN}).code == "InvalidArgument"
    told = form(live, {"key": "moved", "success_action_redirect": f"https://there/€{BROKEN}"})
    assert told.status == 303
    assert "x-evil" not in told.headers
    assert told.headers["location"].startswith("https://there/%E2%82%ACb%0D%0AX-Evil:%201?bucket=")


def test_a_form_must_name_its_object(live: ServerProcess) -> None:
    assert form(live, {"key": "${filename}"}, filename="").code == "UserKeyMustBeSpecified"


def test_a_part_is_read_by_its_number(live: ServerProcess, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="numbered", Body=b"hello")
    assert s3.get_object(Bucket=BUCKET, Key="numbered", PartNumber=1)["Body"].read() == b"hello"
    assert s3.head_object(Bucket=BUCKET, Key="numbered", PartNumber=1)["ContentLength"] == 5
    assert ask(live, "PUT", f"/{BUCKET}/numbered", "partNumber=1", body=b"x").code == "MethodNotAllowed"


def test_documents_of_a_million_elements(live: ServerProcess) -> None:
    began = time.monotonic()
    assert delete(live, b"<Delete>" + b"<a/>" * 500_000 + b"</Delete>").code == "MalformedXML"
    assert time.monotonic() - began < 10
    told = delete(live, b"<Delete><Object><Key>" + b"k" * 1_025 + b"</Key></Object></Delete>")
    assert (told.status, told.code) == (200, "KeyTooLongError")


def test_locks_that_would_not_hold_are_refused(live: ServerProcess, s3: Any) -> None:
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": "2030-01-01T00:00:00Z"}
    for call in (s3.put_object, s3.create_multipart_upload):
        assert code_of(call, Bucket=BUCKET, Key="locked", **lock) == "InvalidRequest"
    assert code_of(s3.create_bucket, Bucket="locked", ObjectLockEnabledForBucket=True) == "NotImplemented"


def test_what_hides_an_object_by_its_tags_hides_it_from_copies_and_attributes(
    live: ServerProcess, s3: Any
) -> None:
    s3.put_object(Bucket=BUCKET, Key="secret", Body=b"hello", Tagging="level=secret")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/level": "secret"}}
    hidden = deny("s3:GetObject", "s3:GetObjectVersion", **tagged)
    theirs = user(live, allow("s3:*"), hidden).client("s3")
    upload = theirs.create_multipart_upload(Bucket=BUCKET, Key="mine")["UploadId"]
    there, source = (
        {"Bucket": BUCKET, "Key": "secret"},
        {"Bucket": BUCKET, "Key": "mine", "CopySource": f"{BUCKET}/secret"},
    )
    assert code_of(theirs.get_object, **there) == "AccessDenied"
    assert code_of(theirs.copy_object, **source) == "AccessDenied"
    assert code_of(theirs.upload_part_copy, **source, UploadId=upload, PartNumber=1) == "AccessDenied"
    assert code_of(theirs.get_object_attributes, **there, ObjectAttributes=["ETag"]) == "AccessDenied"


def test_versions_that_may_not_be_deleted_one_by_one_may_not_be_together(
    live: ServerProcess, s3: Any
) -> None:
    s3.put_object(Bucket=BUCKET, Key="versioned", Body=b"x")
    kept = deny("s3:DeleteObjectVersion", StringEquals={"s3:VersionId": "null"})
    theirs = user(live, allow("s3:*"), kept).client("s3")
    one = {"Key": "versioned", "VersionId": "null"}
    assert code_of(theirs.delete_object, Bucket=BUCKET, **one) == "AccessDenied"
    told = theirs.delete_objects(Bucket=BUCKET, Delete={"Objects": [one]})
    assert [error["Code"] for error in told["Errors"]] == ["AccessDenied"]


def test_tags_are_set_and_counted_by_those_who_may(live: ServerProcess, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="tagged", Body=b"x", Tagging="a=b")
    theirs = user(live, allow("s3:*"), deny("s3:PutObjectTagging", "s3:GetObjectTagging")).client("s3")
    new = {"Bucket": BUCKET, "Key": "theirs"}
    assert code_of(theirs.put_object, **new, Tagging="a=b") == "AccessDenied"
    assert code_of(theirs.create_multipart_upload, **new, Tagging="a=b") == "AccessDenied"
    assert code_of(theirs.copy_object, **new, CopySource=f"{BUCKET}/tagged") == "AccessDenied"
    assert (
        code_of(theirs.copy_object, **new, CopySource=f"{BUCKET}/tagged", TaggingDirective="REPLACE") is None
    )
    assert "TagCount" not in theirs.head_object(Bucket=BUCKET, Key="tagged")
    assert s3.head_object(Bucket=BUCKET, Key="tagged")["TagCount"] == 1


def test_the_owner_that_a_source_must_have(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="owned", Body=b"x")
    copy = {"Bucket": BUCKET, "Key": "copied", "CopySource": f"{BUCKET}/owned"}
    assert code_of(s3.copy_object, **copy, ExpectedSourceBucketOwner="111111111111") == "AccessDenied"
    assert code_of(s3.copy_object, **copy, ExpectedSourceBucketOwner="000000000000") is None


def test_another_upload_lends_a_new_one_nothing(live: ServerProcess, s3: Any) -> None:
    missing = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    theirs = user(live, allow("s3:*", "kms:*"), deny("s3:PutObject", **missing))
    begun = theirs.client("s3").create_multipart_upload(
        Bucket=BUCKET, Key="k", ServerSideEncryption="aws:kms"
    )
    told = ask(live, "POST", f"/{BUCKET}/k", f"uploadId={begun['UploadId']}&uploads", access=theirs)
    assert told.code == "AccessDenied"


def test_what_a_query_calls_a_copy_is_one(live: ServerProcess, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="original", Body=b"original")
    only = deny("s3:PutObject", StringNotEquals={"s3:x-amz-copy-source": f"{BUCKET}/original"})
    theirs = user(live, allow("s3:*"), only)
    query = f"{COPY}={BUCKET}%2Foriginal"
    ask(live, "PUT", f"/{BUCKET}/forged", query, body=b"forged", presigned=True, access=theirs)
    assert s3.get_object(Bucket=BUCKET, Key="forged")["Body"].read() == b"original"


def test_a_form_s_fields_are_no_conditions(live: ServerProcess, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"first")
    policy = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/once",
        "Condition": {"Null": {"s3:if-none-match": "true"}},
    }  # fmt: skip
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [policy]}))
    try:
        assert form(live, {"key": "once", "if-none-match": "*"}).code == "AccessDenied"
    finally:
        s3.delete_bucket_policy(Bucket=BUCKET)


def test_a_call_signed_for_another_region_is_recorded(live: ServerProcess) -> None:
    told = ask(live, "GET", f"/{BUCKET}", "tagging", region="eu-west-1")
    assert told.code == "AuthorizationHeaderMalformed"
    records = [one for one in live.audit_records() if one["eventName"] == "GetBucketTagging"]
    assert [one["errorCode"] for one in records] == ["AuthorizationHeaderMalformed"]


@pytest.mark.parametrize(
    "kind", [{}, {"ServerSideEncryption": "aws:kms"}, {"SSECustomerAlgorithm": "AES256"}], ids=str
)
def test_a_completion_that_is_asked_for_again_is_answered_again(s3: Any, kind: dict[str, str]) -> None:
    customer = kind | {"SSECustomerKey": "k" * 32} if "SSECustomerAlgorithm" in kind else {}
    there = {"Bucket": BUCKET, "Key": "completed"}
    upload = s3.create_multipart_upload(**there, **(customer or kind))["UploadId"]
    part = s3.upload_part(**there, UploadId=upload, PartNumber=1, Body=b"part", **customer)["ETag"]
    complete = there | {"UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part}]}}
    first, second = (s3.complete_multipart_upload(**complete, IfNoneMatch="*") for _ in range(2))
    for answer in (first, second):
        del answer["ResponseMetadata"]
    assert first == second
    for parts in ([{"PartNumber": 1, "ETag": "0" * 32}], [{"PartNumber": 2, "ETag": part}]):
        assert code_of(s3.complete_multipart_upload, **complete | {"MultipartUpload": {"Parts": parts}}) in {
            "InvalidPart", "NoSuchUpload",
        }  # fmt: skip
    assert (
        code_of(s3.upload_part, **there, UploadId=upload, PartNumber=1, Body=b"x", **customer)
        == "NoSuchUpload"
    )
    s3.delete_object(**there)
    assert code_of(s3.complete_multipart_upload, **complete) == "NoSuchUpload"
