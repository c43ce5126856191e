"""Spans of a live server, as a collector gets them."""

import re
import resource
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from unittest.mock import patch

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.faults.planted import Planted
from tests.faults.test_audit_unwritable import fails
from tests.functional.command_line import refused, serve
from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import ServerProcess, StartServer
from tests.functional.span_collector import SpanCollector, span_collector

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
QUEUE = {"OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8"}


@pytest.fixture
def collector() -> Iterator[SpanCollector]:
    with span_collector() as made:
        yield made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, SpanCollector]]:
    with span_collector() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        server = ServerProcess(tmp_path_factory.mktemp("hostile"), "--traces", workers=1, env=env)
        yield server, collector
        assert server.stop() == 0


def traced(start_server: StartServer, collector: SpanCollector, **variables: str) -> ServerProcess:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    return start_server("--traces", workers=1, env=env | variables)


def sent_with(client: Any, operation: str, **headers: str) -> None:
    """Have a client send headers that it does not sign, as a library for traces does."""
    client.meta.events.register(
        f"before-send.kms.{operation}", lambda request, **_: request.headers.update(headers)
    )


@pytest.mark.embedded("a log whose files may not grow")
def test_a_span_tells_of_a_call_and_nothing_of_what_it_was_about(
    start_server: StartServer, collector: SpanCollector
) -> None:
    server = traced(start_server, collector)
    kms, s3 = server.client("kms"), s3_client(server.access)
    sent_with(kms, "Encrypt", traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="vendor=x")
    sent_with(kms, "ListKeys", traceparent="00-nonsense")
    key = kms.create_key(Description="described as planted")["KeyMetadata"]["Arn"]
    context = {"planted context name": "planted context value"}
    answer = kms.encrypt(KeyId=key, Plaintext=b"a plaintext that is planted", EncryptionContext=context)
    opened = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == b"a plaintext that is planted"
    kms.list_keys()
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId="alias/planted-alias-name")
    stranger = server.client("kms", aws_secret_access_key="another one than the server knows")
    with pytest.raises(stranger.exceptions.ClientError):
        stranger.list_aliases()
    bucket = new_bucket(s3)
    s3.put_object(
        Bucket=bucket, Key="planted-object-key", Body=b"a body that is planted", ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key,
    )  # fmt: skip
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="planted-object-key-2")
    (worker,) = server.worker_pids()
    unlimited = resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    fails(lambda: kms.generate_mac(KeyId=key, Message=b"x", MacAlgorithm="HMAC_SHA_256"))
    resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
    assert server.stop() == 0  # the last are sent before the end

    (encrypt,) = collector.named("kms/Encrypt")
    assert (encrypt.span.trace_id.hex(), encrypt.span.parent_span_id.hex()) == (TRACE, PARENT)
    assert (encrypt.span.kind, encrypt.span.trace_state) == (Span.SPAN_KIND_SERVER, "vendor=x")
    assert encrypt.span.start_time_unix_nano < encrypt.span.end_time_unix_nano
    assert encrypt.resource["service.name"] == "kms-server"
    assert encrypt.attributes == {
        "rpc.system": "aws-api", "rpc.service": "kms", "rpc.method": "Encrypt", "http.response.status_code": 200,
        "aws.request_id": answer["ResponseMetadata"]["RequestId"], "kms_server.key_arn": key,
    }  # fmt: skip
    (alone,) = collector.named("kms/ListKeys")
    assert alone.span.parent_span_id == b""
    assert alone.span.trace_id.hex() != TRACE
    (missing,) = collector.named("kms/DescribeKey")
    assert missing.attributes["error.type"] == "NotFoundException"
    assert missing.span.status.code == Status.STATUS_CODE_UNSET
    (unknown,) = collector.named("kms/ListAliases")
    assert unknown.attributes["error.type"] == "InvalidSignatureException"
    (unrecorded,) = collector.named("kms/GenerateMac")
    assert unrecorded.attributes["error.type"] == "KMSInternalException"
    assert unrecorded.span.status.code == Status.STATUS_CODE_ERROR
    (put,) = collector.named("s3/PutObject")
    assert put.attributes["kms_server.key_arn"] == key
    (get,) = collector.named("s3/GetObject")
    assert get.attributes["error.type"] == "NoSuchKey"

    secrets = {
        "plaintext": b"a plaintext that is planted", "name": b"planted context name", "value": b"planted context value",
        "description": b"described as planted", "alias": b"planted-alias-name", "object": b"planted-object-key",
        "body": b"a body that is planted", "secret": server.access.secret.encode(),
    }  # fmt: skip
    assert Planted(secrets).found_in(b"".join(collector.bodies)) == []


@pytest.mark.parametrize(
    "parent", [f"00-{TRACE}-{PARENT}-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "\xff", "x" * 4_000]
)
def test_headers_of_strangers(hostile: tuple[ServerProcess, SpanCollector], parent: str) -> None:
    """Their calls are answered as others are, and the log says nothing of what they sent."""
    server, collector = hostile
    host, port = server.url.removeprefix("http://").split(":")
    for state in (
        "planted=!,=,planted",
        "planted=1,planted=2",
        "a" * 4_000,
        ",".join(f"k{n}=v" for n in range(200)),
    ):
        client = HTTPConnection(host, int(port))
        target = {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"}
        client.request("POST", "/", b"{}", {**target, "traceparent": parent, "tracestate": state})
        answer = client.getresponse()
        assert (answer.status, answer.getheader("x-amzn-ErrorType")) == (
            400,
            "MissingAuthenticationTokenException",
        )
        client.close()
    server.wait_for(lambda: collector.named("kms/ListKeys") != [])
    assert {one.span.parent_span_id for one in collector.named("kms/ListKeys")} == {b""}
    warned = [line for line in server.log.read_text().splitlines() if "WARNING" in line]
    ordinary = re.compile("WARNING (refused a request from|[0-9]+ more requests were refused)")
    assert [line for line in warned if not ordinary.search(line)] == []


def test_a_collector_that_hangs_or_has_gone_holds_up_nobody(start_server: StartServer) -> None:
    with span_collector() as collector:
        collector.go.clear()
        server = traced(start_server, collector, **QUEUE)
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        for _ in range(60):  # more than may wait
            kms.encrypt(KeyId=key, Plaintext=b"x")
        assert collector.bodies == []
        collector.go.set()
        server.wait_for(lambda: collector.named("kms/Encrypt") != [])
        assert len(collector.named("kms/Encrypt")) < 60
    for _ in range(60):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    server.wait_for(lambda: "Connection refused" in server.log.read_text())
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def test_what_cannot_be_meant(tmp_path: Any) -> None:
    where = ("--traces", "--data-dir", str(tmp_path))
    refused(serve(*where, OTEL_BSP_MAX_QUEUE_SIZE="4", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="5"), "OTEL_")
    with patch.dict(sys.modules, {"opentelemetry.sdk.trace": None}):
        sys.modules.pop("kms_server.server.spans", None)
        refused(serve(*where), "pip install 'kms-server[otel]'")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Bearer s3cret"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b,authorization=s3cret%0Ax"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://user:s3cret@localhost/"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://user:s3cret@localhost:99999/"),
    ],
)
def test_credentials_of_the_collector_are_not_told(tmp_path: Any, name: str, value: str) -> None:
    done = serve("--traces", "--data-dir", str(tmp_path), **{name: value})
    refused(done, name)
    assert "s3cret" not in done.stderr
