"""Accounts, permissions and Regions: what a call may reach, and what its answer and its record tell."""

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.functional.server_process import ServerProcess

ACCOUNT, OTHER = "000000000000", "111122223333"
SHARED = {
    "Statement": {
        "Effect": "Allow",
        "Principal": {"AWS": [ACCOUNT, OTHER]},
        "Action": "kms:*",
        "Resource": "*",
    }
}


def refusal(call: Any, **arguments: Any) -> str:
    """The code of the error that a call gets."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


def text(call: Any, **arguments: Any) -> str:
    """The text of the error that a call gets."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Message"])


def shared_key(kms: Any) -> str:
    """A key whose policy lets another account do everything."""
    arn: str = kms.create_key(Policy=json.dumps(SHARED))["KeyMetadata"]["Arn"]
    return arn


def test_another_account_uses_a_key_but_never_manages_it(server: ServerProcess) -> None:
    kms, stranger = server.client("kms"), server.account_client("kms", OTHER)
    arn = shared_key(kms)
    blob = stranger.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    assert stranger.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert stranger.describe_key(KeyId=arn)["KeyMetadata"]["Arn"] == arn
    before = kms.describe_key(KeyId=arn)["KeyMetadata"], kms.get_key_policy(KeyId=arn)["Policy"]
    managing: list[tuple[str, dict[str, Any]]] = [
        ("disable_key", {}), ("enable_key", {}), ("schedule_key_deletion", {}), ("cancel_key_deletion", {}),
        ("update_key_description", {"Description": "x"}), ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("untag_resource", {"TagKeys": ["a"]}), ("list_resource_tags", {}), ("get_key_policy", {}),
        ("put_key_policy", {"Policy": json.dumps(SHARED)}), ("list_key_policies", {}), ("list_aliases", {}),
        ("enable_key_rotation", {}), ("disable_key_rotation", {}), ("rotate_key_on_demand", {}),
        ("list_key_rotations", {}), ("get_key_last_usage", {}), ("replicate_key", {"ReplicaRegion": "eu-west-1"}),
    ]  # fmt: skip
    for method, arguments in managing:
        assert refusal(getattr(stranger, method), KeyId=arn, **arguments) == "AccessDeniedException", method
    assert (
        refusal(stranger.create_alias, AliasName="alias/foreign", TargetKeyId=arn) == "AccessDeniedException"
    )
    assert (kms.describe_key(KeyId=arn)["KeyMetadata"], kms.get_key_policy(KeyId=arn)["Policy"]) == before
    assert kms.list_aliases(KeyId=arn)["Aliases"] == []


def test_a_stranger_cannot_tell_which_keys_exist(server: ServerProcess) -> None:
    kms, stranger = server.client("kms"), server.account_client("kms", OTHER)
    arn: str = kms.create_key()["KeyMetadata"]["Arn"]
    alias = f"alias/{uuid4()}"
    kms.create_alias(AliasName=alias, TargetKeyId=arn)
    blob = kms.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    missing = arn[:-1] + ("0" if arn[-1] != "0" else "1")
    assert text(stranger.list_aliases, KeyId=arn) == text(stranger.list_aliases, KeyId=missing)
    assert text(stranger.encrypt, KeyId=arn, Plaintext=b"x") == text(
        stranger.encrypt, KeyId=missing, Plaintext=b"x"
    )
    foreign = f"arn:aws:kms:us-east-1:{ACCOUNT}:{alias}"
    assert refusal(stranger.encrypt, KeyId=foreign, Plaintext=b"x") == "AccessDeniedException"
    assert refusal(stranger.decrypt, CiphertextBlob=blob) == "AccessDeniedException"
    records = server.audit_records("--account", OTHER)
    assert records
    assert not [one for one in records if arn in json.dumps(one.get("resources", []))]


def test_managed_keys_are_made_for_calls_that_go_through(server: ServerProcess) -> None:
    region = "eu-north-1"
    nobody = server.user_client(
        "kms", f"nobody{uuid4().hex[:8]}", {"Statement": {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}},
        region_name=region,
    )  # fmt: skip
    kms = server.client("kms", region_name=region)
    assert refusal(nobody.describe_key, KeyId="alias/aws/rds") == "AccessDeniedException"
    assert refusal(kms.encrypt, KeyId="alias/aws/rds", Plaintext=b"x") == "AccessDeniedException"
    assert refusal(kms.encrypt, KeyId="alias/aws/sqs", Plaintext=b"x", DryRun=True) == "AccessDeniedException"
    assert kms.list_keys()["Keys"] == []
    made = kms.describe_key(KeyId="alias/aws/rds")["KeyMetadata"]
    assert [one["KeyId"] for one in kms.list_keys()["Keys"]] == [made["KeyId"]]
    assert kms.describe_key(KeyId="alias/aws/rds")["KeyMetadata"] == made


def test_tags_of_a_new_key_need_a_permission_of_their_own(server: ServerProcess) -> None:
    maker = server.user_client(
        "kms", f"maker{uuid4().hex[:8]}",
        {"Statement": {"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"}},
    )  # fmt: skip
    maker.create_key()
    tags = [{"TagKey": "a", "TagValue": "b"}]
    assert "kms:TagResource" in text(maker.create_key, Tags=tags)


def test_the_key_of_a_ciphertext_is_compared_before_permissions(server: ServerProcess) -> None:
    kms = server.client("kms")
    one, two = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    alice = server.user_client(
        "kms",
        f"alice{uuid4().hex[:8]}",
        {"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": one}},
    )
    blob = alice.encrypt(KeyId=one, Plaintext=b"x")["CiphertextBlob"]
    assert refusal(alice.decrypt, CiphertextBlob=blob, KeyId=two) == "IncorrectKeyException"


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_an_arn_of_another_partition_names_nothing(server: ServerProcess, partition: str) -> None:
    kms = server.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"].replace("arn:aws:", f"arn:{partition}:")
    assert refusal(kms.describe_key, KeyId=arn) == "InvalidArnException"


def test_a_marker_belongs_to_one_list(server: ServerProcess) -> None:
    kms = server.client("kms", region_name="ap-south-1")
    for _ in range(2):
        kms.create_key()
    marker = kms.list_keys(Limit=1)["NextMarker"]
    others = {"ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM"]}
    assert refusal(kms.list_keys, Marker=marker, **others) == "InvalidMarkerException"
    assert refusal(kms.list_keys, Marker=f"{marker}=") == "InvalidMarkerException"
