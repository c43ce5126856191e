"""The main job, by an unmodified boto3 client against a live server in strict mode."""

import json
import time
from collections import Counter

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_client_does_the_whole_job(server: ServerProcess) -> None:
    kms = server.client("kms")
    created = kms.create_key(Description="payroll", Tags=[{"TagKey": "team", "TagValue": "hr"}])[
        "KeyMetadata"
    ]
    key, arn = created["KeyId"], created["Arn"]
    assert created["KeyState"] == "Enabled"
    assert kms.describe_key(KeyId=arn)["KeyMetadata"] == created

    kms.create_alias(AliasName="alias/payroll", TargetKeyId=key)
    context = {"table": "salaries", "tenant": "t-19"}
    blob = kms.encrypt(KeyId="alias/payroll", Plaintext=b"secret", EncryptionContext=context)[
        "CiphertextBlob"
    ]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    assert opened["Plaintext"] == b"secret"
    assert opened["KeyId"] == arn
    assert opened["KeyMaterialId"] == created["CurrentKeyMaterialId"]

    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert len(data_key["Plaintext"]) == 32
    assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]

    for _ in range(3):
        kms.rotate_key_on_demand(KeyId=key)
    rotations = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [rotation["RotationType"] for rotation in rotations] == ["ON_DEMAND"] * 3
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"secret"
    assert (
        kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] != created["CurrentKeyMaterialId"]
    )

    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError) as refused:
        kms.encrypt(KeyId=key, Plaintext=b"x")
    assert code_of(refused) == "DisabledException"
    assert refused.value.response["Error"]["Message"] == f"{arn} is disabled."
    kms.enable_key(KeyId=key)

    scheduled = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert scheduled["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"

    trail = server.client("cloudtrail")
    found = [
        event["EventName"]
        for page in trail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": arn}]
        )
        for event in page["Events"]
    ]
    # Records of different workers within one millisecond have no order.
    assert Counter(found) == Counter(
        DescribeKey=3, CancelKeyDeletion=1, ScheduleKeyDeletion=1, EnableKey=1, DisableKey=1, Encrypt=2,
        Decrypt=3, ListKeyRotations=1, RotateKey=3, RotateKeyOnDemand=3, GenerateDataKey=1, CreateAlias=1,
        CreateKey=1,
    )  # fmt: skip
    assert found[-1] == "CreateKey"


def test_a_wrong_secret_is_refused(server: ServerProcess) -> None:
    kms = server.client("kms", aws_secret_access_key="not-the-secret")
    with pytest.raises(ClientError) as refused:
        kms.list_keys()
    assert code_of(refused) == "InvalidSignatureException"


def test_an_unknown_access_key_is_refused(server: ServerProcess) -> None:
    kms = server.client("kms", aws_access_key_id="AKIAAAAAAAAAAAAAAAAA")
    with pytest.raises(ClientError) as refused:
        kms.list_keys()
    assert code_of(refused) == "UnrecognizedClientException"


def test_every_changed_bit_and_context_is_refused(server: ServerProcess) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "bc"})["CiphertextBlob"]
    for position in range(0, len(blob) * 8, 3):
        flipped = bytearray(blob)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(ClientError) as refused:
            kms.decrypt(CiphertextBlob=bytes(flipped), EncryptionContext={"a": "bc"})
        assert code_of(refused) == "InvalidCiphertextException"
    for context in ({"ab": "c"}, {"a": "bc", "d": ""}, {"a": "BC"}, {}):
        with pytest.raises(ClientError) as refused:
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
        assert code_of(refused) == "InvalidCiphertextException"


def test_another_accounts_key_is_not_revealed(server: ServerProcess) -> None:
    kms = server.client("kms")
    created = kms.create_key()["KeyMetadata"]
    blob = kms.encrypt(KeyId=created["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    stranger = server.account_client("kms", "111122223333")
    with pytest.raises(ClientError) as refused:
        stranger.decrypt(CiphertextBlob=blob)
    assert code_of(refused) == "AccessDeniedException"
    with pytest.raises(ClientError) as refused:
        stranger.describe_key(KeyId=created["Arn"])
    assert code_of(refused) == "AccessDeniedException"
    with pytest.raises(ClientError) as refused:
        server.client("kms", region_name="eu-west-1").decrypt(CiphertextBlob=blob)
    assert code_of(refused) == "AccessDeniedException"


def test_cross_account_use_needs_both_sides(server: ServerProcess) -> None:
    kms = server.client("kms")
    friend = server.account_client("kms", "111122223333")
    created = kms.create_key()["KeyMetadata"]
    policy = json.loads(kms.get_key_policy(KeyId=created["KeyId"])["Policy"])
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "kms:Encrypt",
            "Resource": "*",
        }
    )
    kms.put_key_policy(KeyId=created["KeyId"], Policy=json.dumps(policy))
    assert friend.encrypt(KeyId=created["Arn"], Plaintext=b"x")["KeyId"] == created["Arn"]
    with pytest.raises(ClientError) as refused:
        friend.generate_data_key(KeyId=created["Arn"], KeySpec="AES_256")
    assert code_of(refused) == "AccessDeniedException"


def test_a_user_has_what_its_policy_allows(server: ServerProcess) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]
    statement = [
        {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key["Arn"]},
        {"Effect": "Deny", "Action": "kms:ListKeys", "Resource": "*"},
    ]
    user = server.user_client("kms", "mira", {"Version": "2012-10-17", "Statement": statement})
    user.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    for denied in (lambda: user.describe_key(KeyId=key["KeyId"]), user.list_keys):
        with pytest.raises(ClientError) as refused:
            denied()
        assert code_of(refused) == "AccessDeniedException"


def test_the_managed_key_is_made_on_first_use(server: ServerProcess) -> None:
    kms = server.client("kms", region_name="eu-central-1")
    metadata = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert metadata["KeyManager"] == "AWS"
    assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"] == metadata["KeyId"]
    with pytest.raises(ClientError) as refused:
        kms.disable_key(KeyId=metadata["KeyId"])
    assert code_of(refused) == "AccessDeniedException"


def test_a_dated_rotation_happens_by_itself(server: ServerProcess) -> None:
    kms = server.client("kms", data_path=True)
    key = kms.create_key()["KeyMetadata"]
    date = time.time() + 2
    answer = kms.schedule_key_rotation(KeyId=key["KeyId"], RotationDate=date)
    assert answer["KeyId"] == key["Arn"]
    assert "ScheduledRotationDate" in kms.get_key_rotation_status(KeyId=key["KeyId"])
    deadline = time.monotonic() + 30
    while not (rotations := kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"]):
        assert time.monotonic() < deadline, "the rotation did not happen"
        time.sleep(0.2)
    assert len(rotations) == 1
    assert rotations[0]["RotationDate"].timestamp() == pytest.approx(date, abs=0.01)
    assert "ScheduledRotationDate" not in kms.get_key_rotation_status(KeyId=key["KeyId"])


def test_dry_run_changes_nothing_and_says_so(server: ServerProcess) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError) as answered:
        kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True)
    assert code_of(answered) == "DryRunOperationException"


def test_pages_hold_every_key_once(server: ServerProcess) -> None:
    kms = server.client("kms", region_name="ap-south-1")
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(7)}
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3})
    listed = [entry["KeyId"] for page in pages for entry in page["Keys"]]
    assert sorted(listed) == sorted(made)
    with pytest.raises(ClientError) as refused:
        kms.list_keys(Marker="nonsense")
    assert code_of(refused) == "InvalidMarkerException"


def test_last_usage_comes_from_the_log(server: ServerProcess) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"] == {}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob)
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"] == "Decrypt"
