"""What the KMS records and counts of calls that S3 makes."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.functional.s3_client import lookers, new_bucket, read, refusal, s3_client, somebody
from tests.functional.s3_kinds import allow, new_key, under
from tests.functional.server_process import ServerProcess

BODY = b"an object"
PUTS = 100


def uses(server: ServerProcess, arn: str, *filters: str) -> list[dict[str, Any]]:
    return [
        record
        for record in server.audit_records("--context", f"aws:s3:arn={arn}", *filters)
        if record["eventSource"] == "kms.amazonaws.com"
    ]


def test_every_use_is_recorded(server: ServerProcess, s3: Any) -> None:
    key, bucket = new_key(server), new_bucket(s3)
    arn, access = somebody(server, allow())
    one = s3_client(access)
    one.put_object(Bucket=bucket, Key="a b/ü", Body=BODY, **under(key))
    for _ in range(3):
        read(one, bucket, "a b/ü")
    read(one, bucket, "a b/ü", Range="bytes=1-2")
    one.head_object(Bucket=bucket, Key="a b/ü")
    named = f"arn:aws:s3:::{bucket}/a b/ü"
    found = uses(server, named)
    assert [record["eventName"] for record in found] == ["GenerateDataKey", *["Decrypt"] * 4]
    for record in found:
        assert record["userIdentity"]["arn"] == arn
        assert record["userIdentity"]["invokedBy"] == record["sourceIPAddress"] == "fas.s3.amazonaws.com"
        assert record["requestParameters"]["encryptionContext"] == {"aws:s3:arn": named}
        assert [resource["ARN"] for resource in record["resources"]] == [key]
        assert record["readOnly"] is True
    assert found[0]["requestParameters"]["keySpec"] == "AES_256"
    calls = [
        record["eventName"]
        for record in server.audit_records("--category", "data", "--user", arn.rpartition("/")[2])
    ]
    assert calls == ["PutObject", *["GetObject"] * 4, "HeadObject"]


@pytest.mark.timeout(120)
def test_a_bucket_key_saves_calls(server: ServerProcess, s3: Any) -> None:
    key = new_key(server)
    for bucket_key in (False, True):
        bucket = new_bucket(s3)

        def put(
            number: int, *, bucket: str = bucket, asked: Mapping[str, Any] = under(key, bucket_key=bucket_key)
        ) -> None:
            s3.put_object(Bucket=bucket, Key=f"n/{number}", Body=BODY, **asked)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(put, range(PUTS)))
        found = [
            record["requestParameters"]["encryptionContext"]["aws:s3:arn"]
            for record in server.audit_records("--event", "GenerateDataKey", "--key", key)
        ]
        mine = [arn for arn in found if arn.startswith(f"arn:aws:s3:::{bucket}")]
        if bucket_key:
            assert 1 <= len(mine) <= 3
            assert set(mine) == {f"arn:aws:s3:::{bucket}"}
            # What one worker made, the other asks for once.
            for looker in lookers(server.access):
                assert [read(looker, bucket, f"n/{number}") for number in range(5)] == [BODY] * 5
            opened = uses(server, f"arn:aws:s3:::{bucket}", "--event", "Decrypt")
            assert len(opened) <= 2 * len(mine)
        else:
            assert len(set(mine)) == len(mine) == PUTS


def test_a_limit_of_the_kms_slows_down(server: ServerProcess, s3: Any) -> None:
    key, bucket = new_key(server), new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="kept", Body=BODY, **under(key))
    server.cli("quota", "set", "--key", key, "--rate", "0.1", "--burst", "3")
    refused = None
    for _ in range(5):
        try:
            s3.put_object(Bucket=bucket, Key="x", Body=BODY, **under(key))
        except s3.exceptions.ClientError as error:
            refused = error.response
    assert refused is not None
    assert refused["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert (refused["Error"]["Code"], refused["Error"]["Message"]) == (
        "SlowDown", "Please reduce your request rate for operations involving AWS KMS.",
    )  # fmt: skip
    assert refusal(s3.get_object, Bucket=bucket, Key="kept")[:2] == (503, "SlowDown")


def test_keys_that_do_not_fit(server: ServerProcess, s3: Any, bucket: str) -> None:
    signing = new_key(server, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    refused = refusal(s3.put_object, Bucket=bucket, Key="x", Body=BODY, **under(signing))
    assert (refused.status, refused.code) == (400, "KMS.InvalidKeyUsageException")
