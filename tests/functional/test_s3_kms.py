"""The KMS decides over objects: states of keys, permissions, grants and aliases hold at once."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.functional.s3_client import (
    lookers,
    new_bucket,
    on_every_worker,
    read,
    refusal,
    s3_client,
    somebody,
    upload,
)
from tests.functional.s3_kinds import allow, new_key, under
from tests.functional.server_process import ServerProcess

BODY = b"an object"
LARGE = b"z" * 20_000  # too large to stand in the index
ROOT = "arn:aws:iam::000000000000:root"


def store(s3: Any, bucket: str, key: str) -> dict[str, bytes]:
    """Objects of every shape under a key."""
    for name, body, bucket_key in (
        ("small", BODY, False), ("large", LARGE, False), ("small-b", BODY, True), ("large-b", LARGE, True),
    ):  # fmt: skip
        s3.put_object(Bucket=bucket, Key=name, Body=body, **under(key, bucket_key=bucket_key))
    upload(s3, bucket, "parts", [LARGE], **under(key))
    dsse = {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": key}
    s3.put_object(Bucket=bucket, Key="dsse", Body=BODY, **dsse)
    return {"small": BODY, "large": LARGE, "small-b": BODY, "large-b": LARGE, "parts": LARGE, "dsse": BODY}


def all_readable(server: ServerProcess, bucket: str, stored: Mapping[str, bytes]) -> None:
    def look(s3: Any) -> None:
        assert {name: read(s3, bucket, name) for name in stored} == stored

    on_every_worker(server, look)


def all_refused(
    server: ServerProcess, bucket: str, stored: Mapping[str, bytes], code: str, text: str
) -> None:
    def look(s3: Any) -> None:
        for name in stored:
            assert refusal(s3.get_object, Bucket=bucket, Key=name)[:3] == (400, code, text), name

    on_every_worker(server, look)


def test_the_state_of_a_key_holds_at_once(server: ServerProcess, s3: Any) -> None:
    kms, key, bucket = server.client("kms"), new_key(server), new_bucket(s3)
    stored = store(s3, bucket, key)
    begun = s3.create_multipart_upload(Bucket=bucket, Key="m", **under(key))["UploadId"]
    part = {"Bucket": bucket, "Key": "m", "UploadId": begun, "PartNumber": 1, "Body": BODY}
    all_readable(server, bucket, stored)
    for _ in range(2):
        kms.disable_key(KeyId=key)
        all_refused(server, bucket, stored, "KMS.DisabledException", f"{key} is disabled.")
        for bucket_key in (False, True):
            refused = refusal(
                s3.put_object, Bucket=bucket, Key="new", Body=BODY, **under(key, bucket_key=bucket_key)
            )
            assert refused[:3] == (400, "KMS.DisabledException", f"{key} is disabled.")
        assert refusal(s3.upload_part, **part).code == "KMS.DisabledException"
        copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/small"}
        assert refusal(s3.copy_object, **copy).code == "KMS.DisabledException"
        assert s3.head_object(Bucket=bucket, Key="small")["SSEKMSKeyId"] == key
        kms.enable_key(KeyId=key)
        all_readable(server, bucket, stored)
    kms.rotate_key_on_demand(KeyId=key)
    all_readable(server, bucket, stored)
    s3.put_object(Bucket=bucket, Key="small", Body=BODY, **under(key))
    all_readable(server, bucket, stored)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    all_refused(server, bucket, stored, "KMS.KMSInvalidStateException", f"{key} is pending deletion.")
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    all_readable(server, bucket, stored)


def may(s3: Any, bucket: str, key: str) -> bool:
    """Whether the caller may write and read under a key; with a bucket key it must be the same."""
    answers = set()
    for bucket_key in (False, True):
        try:
            s3.put_object(Bucket=bucket, Key="may", Body=BODY, **under(key, bucket_key=bucket_key))
            assert read(s3, bucket, "may") == BODY
            answers.add(True)
        except s3.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"
            answers.add(False)
    assert len(answers) == 1
    return answers.pop()


def test_the_caller_needs_permission(server: ServerProcess, s3: Any) -> None:
    key, bucket = new_key(server), new_bucket(s3)
    arn, access = somebody(server)
    nobody = s3_client(access)
    refused = refusal(nobody.put_object, Bucket=bucket, Key="x", Body=BODY, **under(key))
    assert refused[:2] == (403, "AccessDenied")
    assert refused.message.startswith(f"User: {arn} is not authorized to perform: kms:GenerateDataKey on ")
    s3.put_object(Bucket=bucket, Key="x", Body=BODY, **under(key))
    refused = refusal(nobody.get_object, Bucket=bucket, Key="x")
    assert refused[:2] == (403, "AccessDenied")
    assert "kms:Decrypt" in refused.message
    # What needs no key can be had, and the KMS key of AWS lets in whoever comes by S3.
    assert nobody.head_object(Bucket=bucket, Key="x")["SSEKMSKeyId"] == key
    nobody.put_object(Bucket=bucket, Key="managed", Body=BODY, ServerSideEncryption="aws:kms")
    assert read(nobody, bucket, "managed") == BODY


def test_conditions_of_the_forwarded_call(server: ServerProcess, s3: Any) -> None:
    key, bucket = new_key(server), new_bucket(s3)
    via = "kms:ViaService"
    for service, allowed in (("s3.us-east-1.amazonaws.com", True), ("ec2.us-east-1.amazonaws.com", False)):
        _, access = somebody(server, allow(Condition={"StringEquals": {via: service}}))
        assert may(s3_client(access), bucket, key) is allowed
    arn, within = "kms:EncryptionContext:aws:s3:arn", f"arn:aws:s3:::{bucket}"
    _, access = somebody(server, allow(Condition={"StringLike": {arn: f"{within}/may*"}}))
    one = s3_client(access)
    one.put_object(Bucket=bucket, Key="may-1", Body=BODY, **under(key))
    for name, bucket_key in (("other", False), ("may-2", True)):
        refused = refusal(
            one.put_object, Bucket=bucket, Key=name, Body=BODY, **under(key, bucket_key=bucket_key)
        )
        assert refused.code == "AccessDenied"
    direct = {"StringEquals": {via: "s3.us-east-1.amazonaws.com"}}
    _, access = somebody(server, allow(Condition=direct))
    refused = refusal(access.client("kms").generate_data_key, KeyId=key, KeySpec="AES_256")
    assert refused.code == "AccessDeniedException"


def test_grants_policies_and_aliases_hold_at_once(server: ServerProcess, s3: Any) -> None:
    kms, key, bucket = server.client("kms"), new_key(server), new_bucket(s3)
    arn, access = somebody(server)
    one = s3_client(access)
    assert not may(one, bucket, key)
    grant = kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["GenerateDataKey", "Decrypt"])
    assert may(one, bucket, key)
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    assert not may(one, bucket, key)
    entrusted = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    allows = allow(Principal={"AWS": arn})
    denies = {"Effect": "Deny", "Principal": {"AWS": arn}, "Action": "kms:*", "Resource": "*"}
    for statements, allowed in (([allows], True), ([allows, denies], False), ([allows], True), ([], False)):
        policy = json.dumps({"Statement": [entrusted, *statements]})
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
        assert may(one, bucket, key) is allowed
    alias, another = f"alias/{uuid4().hex[:8]}", new_key(server)
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    for target in (key, another, key):
        kms.update_alias(AliasName=alias, TargetKeyId=target)
        wanted = under(alias, bucket_key=True)
        for looker in lookers(server.access):
            assert looker.put_object(Bucket=bucket, Key="a", Body=b"", **wanted)["SSEKMSKeyId"] == target
