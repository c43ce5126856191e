"""On a disk that is full but for its reserve, data is refused and keys can be changed; by both doors."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from kms_server.config import Limits
from tests.faults.both_doors import BothDoors, both_doors
from tests.faults.test_audit_unwritable import fails, told_of
from tests.functional.s3_client import new_bucket, s3_client
from tests.unit.server.door_server import eventually

# What the test takes of the disk; others may take or free half of it meanwhile.
TAKEN = 2**30
BODIES = (b"small", bytes(100_000))


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[BothDoors]:
    """A server whose disk has a little more free than its reserve."""
    found = os.statvfs(tmp_path)
    with both_doors(
        tmp_path / "data", Limits(disk_reserve=found.f_bavail * found.f_frsize - TAKEN // 2)
    ) as made:
        yield made


@contextmanager
def full(directory: Path) -> Iterator[None]:
    """Until the block ends the disk has less."""
    path = directory / "taken"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, TAKEN)
    try:
        yield
    finally:
        path.unlink()


def works(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError:
        return False
    return True


@pytest.mark.parametrize("door", ["fast", "wsgi"])
def test_keys_can_be_changed_on_a_full_disk(
    doors: BothDoors, door: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = getattr(doors, door)
    kms, s3 = access.client("kms"), s3_client(access)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    doomed = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=doomed)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="there", Body=BODIES[1])
    assert "MiB are free on the disk" in " ".join(told_of(doors.wsgi.url)["warnings"])
    with caplog.at_level(logging.ERROR), full(tmp_path):
        eventually(lambda: not works(lambda: kms.encrypt(KeyId=key, Plaintext=b"x")))
        for _ in range(3):
            fails(lambda: kms.encrypt(KeyId=key, Plaintext=b"x"))
            fails(lambda: kms.decrypt(CiphertextBlob=blob))
            for body in BODIES:
                with pytest.raises(ClientError) as refused:
                    s3.put_object(Bucket=bucket, Key="new", Body=body)
                assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
        kms.cancel_key_deletion(KeyId=doomed)
        kms.disable_key(KeyId=key)
        kms.enable_key(KeyId=key)
        s3.delete_object(Bucket=bucket, Key="there")
        assert "the disk is full but for its reserve" in " ".join(told_of(doors.wsgi.url)["problems"])
    # Nobody may send it calls before it is ready.
    eventually(lambda: told_of(doors.wsgi.url)["problems"] == [])
    # Once, unless somebody else frees space on this disk meanwhile.
    assert "free space on that disk" in caplog.text
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    for body in BODIES:
        s3.put_object(Bucket=bucket, Key="new", Body=body)
        assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == body
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["new"]
