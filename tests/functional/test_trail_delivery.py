"""Trails of a running server: delivered by it and by the command line, into directories and into buckets of its own."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from kms_server.storage import trails
from kms_server.storage.trails import Trail
from tests.databases import new_url
from tests.functional.command_line import refused
from tests.functional.s3_client import new_bucket, read, s3_client
from tests.functional.server_process import ServerProcess, StartServer
from tests.trail_setup import (
    ACCOUNT,
    REGION,
    begin_trail,
    bucket_policy,
    directory_config,
    opened,
    records_of,
)

ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    if request.param == "sqlite":
        return []
    return ["--database-url", new_url(request.getfixturevalue("postgres"))]


def files(directory: Path) -> dict[str, bytes]:
    """The log files in a directory."""
    found = (directory / "AWSLogs" / ACCOUNT / "CloudTrail").rglob("*.json.gz")
    return {str(path): path.read_bytes() for path in found}


def calls(server: ServerProcess, count: int = 5) -> list[str]:
    """The request ids of some calls, most of which change nothing."""
    kms = server.client("kms")
    answers = [kms.create_key(), *(kms.generate_random(NumberOfBytes=8) for _ in range(count - 1))]
    return [one["ResponseMetadata"]["RequestId"] for one in answers]


def request_ids(bodies: dict[str, bytes]) -> list[str]:
    found = (json.loads(gzip.decompress(body))["Records"] for body in bodies.values())
    return [one["requestID"] for records in found for one in records if "requestID" in one]


def test_the_server_delivers_by_itself(
    start_server: StartServer, tmp_path: Path, database: list[str]
) -> None:
    config = directory_config(tmp_path, logs=tmp_path / "logs")
    server = start_server("--config", str(config), "--audit-delivery-interval", "1", *database)
    begin_trail(server, "logs")
    wanted = calls(server)
    server.wait_for(lambda: set(wanted) <= set(request_ids(files(tmp_path / "logs"))))
    assert set(records_of(files(tmp_path / "logs")).values()) == {1}


def test_the_command_line_delivers_beside_the_server_and_without_it(
    start_server: StartServer, tmp_path: Path, database: list[str]
) -> None:
    config = directory_config(tmp_path, logs=tmp_path / "logs")
    server = start_server("--audit-delivery-interval", "3600", *database)
    server.stop()
    begin_trail(server, "logs")
    server.options = ("--config", str(config), *server.options)
    server.restart()
    deliver = ("audit", "deliver", "--config", str(config))
    wanted = calls(server)
    said = server.cli(*deliver, "--now", "--digest").stdout.splitlines()
    assert any(line.startswith("digest    logs/AWSLogs/") for line in said)
    wanted += calls(server)
    server.stop()
    assert f"{ARN}: " in server.cli(*deliver).stdout
    said = server.cli(*deliver, "--now").stdout.splitlines()
    assert [line.split()[0] for line in said] == ["log"]
    delivered = files(tmp_path / "logs")
    assert sorted(set(request_ids(delivered)) & set(wanted)) == sorted(wanted)
    assert set(records_of(delivered).values()) == {1}
    assert {"DeliverTrails"} <= {one["eventName"] for one in server.audit_records()}


def test_a_bucket_of_its_own(start_server: StartServer, database: list[str]) -> None:
    server = start_server("--audit-delivery-interval", "3600", *database)
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    kms = server.client("kms")
    key = kms.create_key(Policy=key_policy())["KeyMetadata"]["Arn"]
    s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket, ARN))
    begin_trail(server, bucket, kms_key=key)
    wanted = calls(server)
    server.cli("audit", "deliver", "--now", "--digest")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    bodies = {one: read(s3, bucket, one) for one in keys if "/CloudTrail/" in one}
    assert set(wanted) <= set(request_ids(bodies))
    for one in keys:
        told = s3.head_object(Bucket=bucket, Key=one)
        assert (told["ServerSideEncryption"], told["SSEKMSKeyId"]) == ("aws:kms", key)
    [digest] = [one for one in keys if "/CloudTrail-Digest/" in one]
    metadata = s3.head_object(Bucket=bucket, Key=digest)["Metadata"]
    assert metadata["signature-algorithm"] == "SHA256withRSA"
    by_service = [
        one
        for one in server.audit_records()
        if one["userIdentity"] == {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}
    ]
    assert {one["eventName"] for one in by_service} == {"PutObject", "GenerateDataKey"}
    for one in by_service:
        assert one["sourceIPAddress"] == one["userAgent"] == "cloudtrail.amazonaws.com"
        if one["eventName"] == "GenerateDataKey":
            context = one["requestParameters"]["encryptionContext"]
            assert context["aws:cloudtrail:arn"] == ARN
            assert context["aws:s3:arn"].startswith(f"arn:aws:s3:::{bucket}/AWSLogs/")


def test_a_bucket_of_another_server(start_server: StartServer, tmp_path: Path) -> None:
    other = start_server(workers=1)
    s3 = s3_client(other.access)
    bucket, key = new_bucket(s3), other.client("kms").create_key()["KeyMetadata"]["Arn"]
    for name, value in (("id", other.access.access_key_id), ("secret", other.access.secret)):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(value)
    config = tmp_path / "trails.toml"
    config.write_text(
        f"[audit.buckets.logs]\nendpoint = {other.url!r}\nregion = 'us-east-1'\nbucket = {bucket!r}\n"
        f"access-key-file = {str(tmp_path / 'id')!r}\nsecret_key_file = {str(tmp_path / 'secret')!r}\n"
    )
    server = start_server("--config", str(config), "--audit-delivery-interval", "1")
    begin_trail(server, "logs", prefix="of all/servers", kms_key=key)
    wanted = calls(server)

    def delivered() -> dict[str, bytes]:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"of all/servers/AWSLogs/{ACCOUNT}/CloudTrail/")
        return {one["Key"]: read(s3, bucket, one["Key"]) for one in listed.get("Contents", ())}

    server.wait_for(lambda: set(wanted) <= set(request_ids(delivered())))
    told = s3.head_object(Bucket=bucket, Key=next(iter(delivered())))
    assert told["SSEKMSKeyId"] == key
    made = other.audit_records("--event", "GenerateDataKey")[0]
    assert made["requestParameters"]["encryptionContext"]["aws:cloudtrail:arn"] == ARN


def key_policy() -> str:
    """What AWS's manual lets CloudTrail do with a key."""
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"},
        {
            "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "kms:GenerateDataKey*",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:SourceArn": ARN},
                "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{ACCOUNT}:trail/*"},
            },
        },
    ]  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_what_cannot_be_delivered_is_told(start_server: StartServer) -> None:
    server = start_server("--audit-delivery-interval", "3600")
    bucket = new_bucket(s3_client(server.access))
    trail = begin_trail(server, bucket)
    calls(server)
    failed = server.cli("audit", "deliver", "--now", check=False)
    assert failed.returncode == 1
    assert f"{ARN}: AccessDenied" in failed.stderr
    assert " log files and 0 digests to write since " in failed.stdout
    assert "the last attempt failed: AccessDenied" in failed.stdout
    assert "1 log files" in server.cli("audit", "deliver").stdout
    assert status(server, trail).delivery_error == "AccessDenied"
    s3_client(server.access).put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket, ARN))
    # One for each five minutes in which there were calls, before and since.
    assert server.cli("audit", "deliver", "--now").stdout.count("log file") >= 2
    assert status(server, trail).delivery_error is None


def status(server: ServerProcess, trail: Trail) -> Trail:
    with opened(server) as state, state.database.read() as connection:
        found = trails.get(connection, trail.trail_id)
    assert found is not None
    return found


def test_a_new_signing_key(start_server: StartServer) -> None:
    server = start_server()
    first, second = (server.cli("audit", "rotate-key").stdout.split()[0] for _ in range(2))
    assert first != second
    told = [one["requestParameters"] for one in server.audit_records("--event", "RotateSigningKey")]
    assert told == [{"fingerprint": first}, {"fingerprint": second}]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[audit.buckets.logs]\n", "either directory or endpoint"),
        ("[audit.buckets.logs]\ndirectory = 'x'\nregion = 'y'\n", "no member of it: region"),
        ("[audit.buckets.logs]\nendpoint = 'http://x'\ncolour = 'y'\n", "no member of it: colour"),
        ("[audit.buckets.logs]\nendpoint = 'x'\n", "must be a URL"),
        ("[audit.buckets.logs]\nendpoint = 'http://x'\naccess-key-file = 'y'\n", "or neither"),
        ("[audit.buckets]\nlogs = 'x'\n", "must be a table"),
        ("[audit]\nbucket = 'x'\n", "no member of it: bucket"),
        ("[audit.buckets.logs]\ndirectory = 5\n", "must be a string"),
    ],
    ids=["neither", "both", "unknown", "no-url", "one-file", "no-table", "no-buckets", "number"],
)
def test_a_configuration_that_is_wrong(
    start_server: StartServer, tmp_path: Path, text: str, word: str
) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(text)
    server = start_server()
    refused(server.cli("audit", "deliver", "--config", str(config), check=False), word)
