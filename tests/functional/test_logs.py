"""The log of a live server as JSON, with a line for each answer."""

import json
import logging
import ssl
import sys
import urllib.request
from typing import Any

import pytest

from kms_server.server.logs import JsonFormatter
from tests.functional.s3_client import new_bucket, s3_client
from tests.functional.server_process import ServerProcess, StartServer


def lines(server: ServerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def test_every_line_is_an_object_and_every_answer_has_one(start_server: StartServer) -> None:
    server = start_server("--log-format", "json", "--access-log", "--tls-auto", workers=1)
    kms, s3 = server.client("kms"), s3_client(server.access)
    asked = kms.create_key()["ResponseMetadata"]["RequestId"]
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId="alias/none")
    bucket = new_bucket(s3)
    url = s3.generate_presigned_url("list_objects_v2", {"Bucket": bucket})
    urllib.request.urlopen(url, context=ssl.create_default_context(cafile=server.access.verify)).close()
    server.wait_for(lambda: "ListObjectsV2" in server.log.read_text())
    found = lines(server)
    assert all({"time", "level", "logger", "message", "pid"} <= line.keys() for line in found)
    (created,) = [line for line in found if line.get("operation") == "CreateKey"]
    assert (created["request_id"], created["status"], created["result"]) == (asked, 200, "ok")
    assert created["pid"] in server.worker_pids()
    assert 0 < created["duration_ms"] < 60_000
    (missing,) = [line for line in found if line.get("operation") == "DescribeKey"]
    assert (missing["status"], missing["result"]) == (400, "refused")
    text = server.log.read_text()
    assert server.access.secret not in text
    assert "Signature" not in text
    assert bucket not in text
    server.stop()
    lines(server)


def test_of_an_exception_the_log_has_its_place_and_not_its_text() -> None:
    try:
        int("the secret is x")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "", 1, "two\nlines %s", ("b",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["message"], told["exception"]) == ("two\nlines b", "ValueError")
    assert "test_of_an_exception" in told["frames"][0]
    assert "secret" not in line
