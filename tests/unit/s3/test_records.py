"""What the records of S3 say: what a bucket was configured with, what is not built, what upkeep has done."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kms_server.audit.log import AuditLog
from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter
from kms_server.audit.record import Row
from kms_server.audit.statistics import DIMENSIONS
from kms_server.config import Limits
from kms_server.protocol.message import Request, TlsDetails
from kms_server.s3.call import Level, S3Operation
from kms_server.s3.operations import table, unbuilt
from kms_server.server.audit_trail import audit_sources, data_sources
from tests.s3_in_process import S3InProcess
from tests.unit.operations.record_calls import violations

LIMITS = replace(Limits(), min_part_bytes=1, upkeep_interval=0.1)
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}],
}  # fmt: skip
# A form is signed by its fields.
SIGNED = [*(one for one in table.OPERATIONS if not one.by_form), *unbuilt.OPERATIONS]
AWAY = "222222222222"
SIGNED_AWAY = (
    f"AWS4-HMAC-SHA256 Credential={AWAY}/20261121/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"
)
HOST = {"bucketName": "photos", "Host": "127.0.0.1:1"}
SAID = {
    "versioning": ("PutBucketVersioning", "VersioningConfiguration", "<Status>Enabled</Status>", {"Status": "Enabled"}),
    "tagging": (
        "PutBucketTagging", "Tagging",
        "<TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value/></Tag></TagSet>",
        {"TagSet": {"Tag": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]}},
    ),
    "publicAccessBlock": (
        "PutPublicAccessBlock", "PublicAccessBlockConfiguration", "<BlockPublicPolicy>false</BlockPublicPolicy>",
        {"BlockPublicPolicy": "false"},
    ),
    "ownershipControls": (
        "PutBucketOwnershipControls", "OwnershipControls",
        "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>",
        {"Rule": {"ObjectOwnership": "BucketOwnerEnforced"}},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3InProcess]:
    made = S3InProcess(tmp_path_factory.mktemp("s3") / "data", LIMITS)
    made.ok("PUT", "/photos")
    yield made
    made.close()


def last(s3: S3InProcess, name: str, *, data: bool = False) -> dict[str, Any]:
    """The newest record of an operation, which keeps the rules."""
    places = (data_sources if data else audit_sources)(s3.state)
    *_, row = stream(places, Filter(event_names=(name,)))
    record: dict[str, Any] = json.loads(row.record)
    assert violations(record) == []
    return record


def test_a_bucket_policy_is_logged(s3: S3InProcess) -> None:
    s3.ok("DELETE", "/photos?publicAccessBlock")
    s3.ok("PUT", "/photos?policy", json.dumps(POLICY).encode())
    assert last(s3, "PutBucketPolicy")["requestParameters"] == HOST | {"policy": "", "bucketPolicy": POLICY}
    s3.ok("GET", "/photos?policy")
    assert last(s3, "GetBucketPolicy")["requestParameters"] == HOST | {"policy": ""}


def test_a_policy_that_is_refused_is_not(s3: S3InProcess) -> None:
    deep = b'{"Version":' + b"[" * 500 + b"]" * 500 + b"}"
    for body in (b"{", b'{"Statement": ' + str(10**40).encode() + b"}", deep):
        assert s3.ask("PUT", "/photos?policy", body).status == 400
        record = last(s3, "PutBucketPolicy")
        assert record["errorCode"] == "MalformedPolicy"
        assert record["requestParameters"] == HOST | {"policy": ""}


@pytest.mark.parametrize("query", SAID)
def test_a_document_is_logged(s3: S3InProcess, query: str) -> None:
    name, root, inner, said = SAID[query]
    s3.ok("PUT", f"/photos?{query}", f"<{root}>{inner}</{root}>".encode())
    assert last(s3, name)["requestParameters"] == HOST | {query: "", root: said}
    assert s3.ask("PUT", f"/photos?{query}", b"<no/>").status == 400
    assert last(s3, name)["requestParameters"] == HOST | {query: ""}


def test_the_default_encryption(s3: S3InProcess) -> None:
    default = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"
    body = f"<ServerSideEncryptionConfiguration><Rule>{default}</Rule></ServerSideEncryptionConfiguration>".encode()
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    s3.ok("PUT", "/photos?encryption", body, {"content-md5": digest})
    shown = last(s3, "PutBucketEncryption")["requestParameters"]["ServerSideEncryptionConfiguration"]
    assert shown == {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}


def test_where_a_bucket_is_made(s3: S3InProcess) -> None:
    where = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
    s3.ok("PUT", "/abroad", where.encode())
    assert last(s3, "CreateBucket")["requestParameters"] == {
        "bucketName": "abroad", "Host": "127.0.0.1:1", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
    }  # fmt: skip


def test_which_version_and_part(s3: S3InProcess) -> None:
    upload = s3.begin_upload("/photos/a", {})
    s3.ok("PUT", f"/photos/a?partNumber=1&uploadId={upload}", b"x")
    shown = last(s3, "UploadPart", data=True)["requestParameters"]
    assert shown == HOST | {"key": "a", "partNumber": "1", "uploadId": upload}
    assert s3.ask("GET", "/photos/a?versionId=none&X-Amz-Meta=secret").status in {400, 404}
    assert last(s3, "GetObject", data=True)["requestParameters"] == HOST | {"key": "a", "versionId": "none"}


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("PUT", "/photos?cors", "PutBucketCors"),
        ("DELETE", "/photos?lifecycle", "DeleteBucketLifecycle"),
        ("GET", "/photos?inventory&id=a", "GetBucketInventoryConfiguration"),
        ("PUT", "/nowhere?website", "PutBucketWebsite"),
    ],
)
def test_what_is_not_built_is_on_record(s3: S3InProcess, method: str, target: str, name: str) -> None:
    assert s3.ask(method, target).status == 501
    record = last(s3, name)
    assert record["errorCode"] == "NotImplemented"
    assert record["readOnly"] is (method == "GET")
    assert record["requestParameters"]["bucketName"] == target[1:].partition("?")[0]


@pytest.mark.parametrize("operation", SIGNED, ids=lambda one: one.name)
def test_every_operation_leaves_one_record(s3: S3InProcess, operation: S3Operation) -> None:
    places = {Level.SERVICE: "/", Level.BUCKET: "/photos", Level.OBJECT: "/photos/one"}
    query = "&".join(operation.queries)
    headers = {operation.header: "photos/one"} if operation.header else {}
    told = s3.ask(operation.method, f"{places[operation.level]}?{query}", b"", headers)
    wanted = Filter(request_id=told.headers["x-amz-request-id"])
    management, data = (list(stream(of(s3.state), wanted)) for of in (audit_sources, data_sources))
    [row] = data if operation.is_data else management
    assert not (management if operation.is_data else data)
    record = json.loads(row.record)
    assert violations(record) == []
    assert (record["eventName"], record["eventSource"]) == (operation.name, "s3.amazonaws.com")
    assert record["readOnly"] is not operation.writes
    assert ("errorCode" in record) is (told.status >= 300)
    assert record["requestParameters"].items() >= dict.fromkeys(operation.queries, "").items() or "=" in query


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_has_no_name_leaves_none(s3: S3InProcess, method: str) -> None:
    told = s3.ask(method, "/photos?acl")
    assert told.status == 405
    wanted = Filter(request_id=told.headers["x-amz-request-id"])
    assert [*stream(audit_sources(s3.state), wanted), *stream(data_sources(s3.state), wanted)] == []


def test_an_object_of_what_is_not_built(s3: S3InProcess) -> None:
    assert s3.ask("PUT", "/photos/a?legal-hold").status == 501
    record = last(s3, "PutObjectLegalHold", data=True)
    assert (record["errorCode"], record["managementEvent"]) == ("NotImplemented", False)
    assert record["resources"][0]["ARN"] == "arn:aws:s3:::photos/a"


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("PUT", "/open/k", "PutObject"),
        ("GET", "/open/k", "GetObject"),
        ("GET", "/open?policy", "GetBucketPolicy"),
        ("GET", "/open", "ListObjects"),
    ],
)
def test_the_owner_of_a_bucket_has_a_copy(s3: S3InProcess, method: str, target: str, name: str) -> None:
    s3.ok("PUT", "/open")
    s3.ok("PUT", "/open/k", b"x")
    theirs = {
        "Effect": "Allow", "Principal": {"AWS": AWAY}, "Action": "s3:*",
        "Resource": ["arn:aws:s3:::open", "arn:aws:s3:::open/*"],
    }  # fmt: skip
    s3.ok("PUT", "/open?policy", json.dumps({**POLICY, "Statement": [theirs]}).encode())
    told = s3.ask(method, target, b"", {"authorization": SIGNED_AWAY})
    wanted = Filter(request_id=told.headers["x-amz-request-id"])
    rows = [row for of in (audit_sources, data_sources) for row in stream(of(s3.state), wanted)]
    found = {row.account: json.loads(row.record) for row in rows}
    assert len(rows) == len(found)
    assert [violations(one) for one in found.values()] == [[]] * len(found)
    if name == "GetBucketPolicy":  # nobody else may
        assert told.status == 405
        assert found.keys() == {AWAY}
        return
    assert told.status == 200, told.body
    assert found.keys() == {AWAY, "000000000000"}
    assert {one["eventName"] for one in found.values()} == {name}
    assert found["000000000000"]["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": AWAY,
        "accountId": AWAY,
    }
    assert len({one["sharedEventID"] for one in found.values()}) == 1


def test_nobody_is_not_root(s3: S3InProcess) -> None:
    s3.ok("PUT", "/everybodys")
    s3.ok("PUT", "/everybodys/k", b"x")
    s3.ok("DELETE", "/everybodys?publicAccessBlock")
    public = json.dumps(POLICY).replace("photos", "everybodys").encode()
    s3.ok("PUT", "/everybodys?policy", public)
    assert s3.worker.streams is not None
    asked = Request("GET", "/everybodys/k", {"host": "127.0.0.1:1"}, b"", "192.0.2.9", TlsDetails("", ""))
    told = s3.worker.streams.answer(asked)
    assert told.status == 200
    wanted = Filter(request_id=dict(told.headers)["x-amz-request-id"])
    [row] = stream(data_sources(s3.state), wanted)
    record = json.loads(row.record)
    assert record["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": "",
        "accountId": "ANONYMOUS_PRINCIPAL",
    }
    assert (row.username, row.access_key_id, row.account) == (None, None, "000000000000")
    assert DIMENSIONS["principal"](row) == ("ANONYMOUS_PRINCIPAL",)


class Slow:
    """A log whose disk takes one batch each time that it is let."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self.turns = threading.Semaphore(0)

    def append(self, rows: Sequence[Row], decided_on: int | None = None) -> None:
        self.turns.acquire()
        self._log.append(rows, decided_on)

    def close(self) -> None:
        self._log.close()


def test_a_record_that_comes_too_late_comes_once(tmp_path: Path) -> None:
    """Two rows of one id would fail the batch that they are in, and with it the calls of others."""
    s3 = S3InProcess(tmp_path / "data", replace(LIMITS, audit_deadline=1.0))
    s3.ok("PUT", "/photos")
    s3.ok("PUT", "/photos/a", b"x")
    commit = s3.worker.data_commit
    slow = commit._log = Slow(commit._log)
    with ThreadPoolExecutor() as clients:
        first = clients.submit(s3.ask, "GET", "/photos/a")
        time.sleep(0.1)
        second = clients.submit(s3.ask, "GET", "/photos/a")
        time.sleep(0.7)
        slow.turns.release()  # the batch of the second begins late, and so does not look stuck at its deadline
        first.result()
        late = second.result()
        slow.turns.release(9)
    assert late.status == 500
    s3.close()
    wanted = Filter(request_id=late.headers["x-amz-request-id"])
    assert len(list(stream(data_sources(s3.state), wanted))) == 1
    assert commit.failed_at == 0.0


def test_upkeep_tells_what_it_aborts(tmp_path: Path) -> None:
    s3 = S3InProcess(tmp_path / "data", LIMITS)
    s3.ok("PUT", "/photos")
    upload = s3.begin_upload("/photos/a", {})
    s3.advance(7.1)
    deadline = time.monotonic() + 20
    while s3.ask("GET", f"/photos/a?uploadId={upload}").status != 404:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    record = last(s3, "AbortMultipartUpload", data=True)
    assert record["serviceEventDetails"] == {"bucketName": "photos", "key": "a", "uploadId": upload}
    assert [one["ARN"] for one in record["resources"]] == ["arn:aws:s3:::photos/a", "arn:aws:s3:::photos"]
    assert record["eventSource"] == "s3.amazonaws.com"
    s3.close()
