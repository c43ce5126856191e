"""Presigned URLs and forms as programs make them with boto3, by default (SigV2) and with SigV4."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests
from botocore.config import Config

from tests.functional.server_process import ServerProcess, StartServer

DEFAULT, SIGV4 = Config(), Config(signature_version="s3v4")
KMS: dict[str, Any] = {"ServerSideEncryption": "aws:kms"}
CONFIGS = pytest.mark.parametrize("config", [DEFAULT, SIGV4], ids=["default", "s3v4"])


@pytest.fixture
def bucket(server: ServerProcess) -> Iterator[str]:
    s3, name = server.client("s3"), f"presigned-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    yield name
    for found in s3.list_objects_v2(Bucket=name).get("Contents", ()):
        s3.delete_object(Bucket=name, Key=found["Key"])
    s3.delete_bucket(Bucket=name)


def session_of(server: ServerProcess, config: Config) -> Any:
    """A client with temporary credentials."""
    given = server.client("sts").get_session_token()["Credentials"]
    return server.client(
        "s3", config=config, aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )  # fmt: skip


def url(s3: Any, method: str, seconds: int = 60, **params: Any) -> str:
    made: str = s3.generate_presigned_url(method, Params=params, ExpiresIn=seconds)
    return made


def post(s3: Any, bucket: str, key: str, data: bytes, **more: Any) -> requests.Response:
    form = s3.generate_presigned_post(bucket, key, **more)
    return requests.post(form["url"], data=form["fields"], files={"file": data}, timeout=30)


@CONFIGS
@pytest.mark.parametrize("temporary", [False, True], ids=["key", "session"])
def test_urls(server: ServerProcess, bucket: str, config: Config, *, temporary: bool) -> None:
    s3 = session_of(server, config) if temporary else server.client("s3", config=config)
    key = "a b/ü+?&=.txt"
    made = url(s3, "put_object", Bucket=bucket, Key=key, ContentType="text/plain", Metadata={"a": "b"})
    assert ("AWSAccessKeyId=" in made) is (config is DEFAULT)
    headers = {"Content-Type": "text/plain", "x-amz-meta-a": "b"}
    assert requests.put(made, data=b"hello", headers=headers, timeout=30).status_code == 200
    made = url(
        s3, "get_object", Bucket=bucket, Key=key, ResponseContentDisposition='attachment; filename="x"'
    )
    got = requests.get(made, timeout=30)
    assert (got.status_code, got.content) == (200, b"hello")
    assert got.headers["Content-Disposition"] == 'attachment; filename="x"'
    assert (got.headers["Content-Type"], got.headers["x-amz-meta-a"]) == ("text/plain", "b")
    assert requests.get(made, headers={"Range": "bytes=1-2"}, timeout=30).content == b"el"
    assert (
        requests.get(url(s3, "list_objects_v2", Bucket=bucket, Prefix="a"), timeout=30).text.count("<Key>")
        == 1
    )
    assert f"<Name>{bucket}</Name>" in requests.get(url(s3, "list_buckets"), timeout=30).text
    assert requests.delete(url(s3, "delete_object", Bucket=bucket, Key=key), timeout=30).status_code == 204


@CONFIGS
def test_urls_that_are_refused(server: ServerProcess, bucket: str, config: Config) -> None:
    s3 = server.client("s3", config=config)
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    made = url(s3, "get_object", Bucket=bucket, Key="k")
    for refused in (requests.put(made, data=b"", timeout=30), requests.get(f"{made}&acl", timeout=30)):
        assert (refused.status_code, "<Code>SignatureDoesNotMatch</Code>" in refused.text) == (403, True)
    made = url(s3, "get_object", 1, Bucket=bucket, Key="k")
    time.sleep(2.1)
    refused = requests.get(made, timeout=30)
    assert refused.status_code == 403
    for part in ("<Code>AccessDenied</Code>", "Request has expired", "<Expires>", "<ServerTime>"):
        assert part in refused.text
    made = url(
        server.client("s3", config=config, aws_secret_access_key="wrong"),
        "get_object",
        Bucket=bucket,
        Key="k",
    )
    assert "<Code>SignatureDoesNotMatch</Code>" in requests.get(made, timeout=30).text


@CONFIGS
@pytest.mark.parametrize("temporary", [False, True], ids=["key", "session"])
def test_forms(server: ServerProcess, bucket: str, config: Config, *, temporary: bool) -> None:
    s3 = session_of(server, config) if temporary else server.client("s3", config=config)
    assert post(s3, bucket, "form", b"hello").status_code == 204
    assert s3.get_object(Bucket=bucket, Key="form")["Body"].read() == b"hello"
    refused = post(s3, bucket, "form", b"hello", Conditions=[["content-length-range", 0, 2]])
    assert "<Code>EntityTooLarge</Code>" in refused.text
    form = s3.generate_presigned_post(bucket, "form")
    fields = form["fields"] | {"policy": "e30="}
    refused = requests.post(form["url"], data=fields, files={"file": b"x"}, timeout=30)
    assert "<Code>SignatureDoesNotMatch</Code>" in refused.text


def test_the_kms_wants_sigv4(server: ServerProcess, bucket: str) -> None:
    for config, allowed in ((DEFAULT, False), (SIGV4, True)):
        s3 = server.client("s3", config=config)
        made = url(s3, "put_object", Bucket=bucket, Key="put", **KMS)
        headers = {"x-amz-server-side-encryption": "aws:kms"}
        fields = {"Fields": dict(headers), "Conditions": [headers]}
        s3.put_object(Bucket=bucket, Key="k", Body=b"hello", **KMS)
        for answer in (
            requests.put(made, data=b"hello", headers=headers, timeout=30),
            requests.get(url(s3, "get_object", Bucket=bucket, Key="k"), timeout=30),
            post(s3, bucket, "posted", b"hello", **fields),
        ):
            assert (answer.status_code < 300) is allowed
            if not allowed:
                assert answer.status_code == 400
                assert "<Code>InvalidArgument</Code>" in answer.text
                assert "require AWS Signature Version 4." in answer.text
                assert "<ArgumentName>Authorization</ArgumentName>" in answer.text


def test_the_callers_region_is_the_buckets(server: ServerProcess) -> None:
    """A signature of version 2 names none."""
    name = f"presigned-{uuid4().hex[:8]}"
    s3 = server.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=name, Key="k", Body=b"hello")
    assert (
        requests.get(url(server.client("s3"), "get_object", Bucket=name, Key="k"), timeout=30).content
        == b"hello"
    )
    record = next(one for one in reversed(server.audit_records()) if one["eventName"] == "GetObject")
    assert record["awsRegion"] == "eu-west-1"
    assert record["userIdentity"]["type"] == "Root"


def test_a_policy_can_ask_for_sigv4(start_server: StartServer) -> None:
    server = start_server(workers=1)
    server.client("s3").create_bucket(Bucket="pictures")
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {
            "Effect": "Deny", "Action": "s3:*", "Resource": "*",
            "Condition": {"StringEquals": {"s3:signatureversion": "AWS", "s3:authType": "REST-QUERY-STRING"}},
        },
    ]  # fmt: skip
    access = server.user_access("zoe", {"Version": "2012-10-17", "Statement": statements})
    for config, status in ((DEFAULT, 403), (SIGV4, 200)):
        made = url(access.client("s3", config=config), "put_object", Bucket="pictures", Key="k")
        assert requests.put(made, data=b"hello", timeout=30).status_code == status
        assert requests.get(f"{made}&X-Amz-Signature=x", timeout=30).status_code in (400, 403)
    form = access.client("s3").generate_presigned_post("pictures", "k")
    assert (
        requests.post(form["url"], data=form["fields"], files={"file": b"x"}, timeout=30).status_code == 204
    )
