"""Bucket policies about encryption, transport, other accounts and everybody."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.functional.s3_client import (
    SSE,
    Refusal,
    lookers,
    new_bucket,
    on_every_worker,
    read,
    refusal,
    s3_client,
    send,
    somebody,
    upload,
)
from tests.functional.s3_kinds import allow, customer, under
from tests.functional.server_process import ServerProcess, StartServer

BODY = b"an object"
ROOT = "arn:aws:iam::000000000000:root"
OTHER = "111122223333"
ENCRYPTION = f"s3:{SSE}"
KEY_ID = f"s3:{SSE}-aws-kms-key-id"


@contextmanager
def policy(s3: Any, bucket: str, *statements: dict[str, Any]) -> Iterator[None]:
    """A bucket policy for as long as the block lasts; statements are about all objects unless they say otherwise."""
    common = {"Principal": "*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    document = {"Version": "2012-10-17", "Statement": [common | statement for statement in statements]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    try:
        yield
    finally:
        s3.delete_bucket_policy(Bucket=bucket)


def deny(operator: str, name: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": "s3:PutObject", "Condition": {operator: {name: value}}, **more}


def denied(refused: Refusal, arn: str, action: str, resource: str) -> None:
    reason = "with an explicit deny in a resource-based policy"
    text = f'User: {arn} is not authorized to perform: {action} on resource: "{resource}" {reason}'
    assert refused[:3] == (403, "AccessDenied", text)


@pytest.mark.parametrize(
    "statement", [deny("Null", ENCRYPTION, "true"), deny("StringNotEquals", ENCRYPTION, "aws:kms")]
)
def test_unencrypted_uploads_are_denied(s3: Any, bucket: str, key: str, statement: dict[str, Any]) -> None:
    place = {"Bucket": bucket, "Key": "x"}
    arn = f"arn:aws:s3:::{bucket}/x"
    # What the bucket would do by itself is not what the request says.
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]})
    with policy(s3, bucket, statement):
        denied(refusal(s3.put_object, **place, Body=BODY), ROOT, "s3:PutObject", arn)
        denied(refusal(s3.create_multipart_upload, **place), ROOT, "s3:PutObject", arn)
        s3.put_object(**place, Body=BODY, **under(key))
        denied(refusal(s3.copy_object, **place, CopySource=f"{bucket}/x"), ROOT, "s3:PutObject", arn)
        s3.copy_object(**place, CopySource=f"{bucket}/x", **under(key))
        upload(s3, bucket, "x", [BODY], **under(key))
        begun = s3.create_multipart_upload(**place, **under(key))["UploadId"]
        s3.upload_part_copy(**place, CopySource=f"{bucket}/x", UploadId=begun, PartNumber=1)
        assert read(s3, bucket, "x") == BODY
    s3.delete_bucket_encryption(Bucket=bucket)


def test_policies_come_before_the_rules_of_headers(server: ServerProcess, s3: Any, bucket: str) -> None:
    statements = deny("StringNotEquals", ENCRYPTION, "aws:kms")
    with policy(s3, bucket, statements):
        for value, status in (("AES192", 403), ("aws:kms:dsse", 403), ("AES256", 403)):
            assert send(server.access, "PUT", f"/{bucket}/h", {SSE: value}, BODY).status == status
    assert send(server.access, "PUT", f"/{bucket}/h", {SSE: "AES192"}, BODY).status == 400
    algorithm = deny("Null", f"{ENCRYPTION}-customer-algorithm", "false")
    with policy(s3, bucket, algorithm):
        headers = {f"{SSE}-customer-algorithm": "AES256"}
        assert send(server.access, "PUT", f"/{bucket}/h", headers, BODY).status == 403


def test_wrong_keys_are_denied(server: ServerProcess, s3: Any, bucket: str, key: str) -> None:
    kms = server.client("kms")
    another = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/of-policies", TargetKeyId=key)
    place = {"Bucket": bucket, "Key": "x"}
    wrong = {"StringNotEquals": {KEY_ID: key}, "Null": {KEY_ID: "false"}}
    with policy(s3, bucket, {"Effect": "Deny", "Action": "s3:PutObject", "Condition": wrong}):
        for named in (key, key.rpartition("/")[2], "alias/of-policies"):
            s3.put_object(**place, Body=BODY, **under(named))
        denied(
            refusal(s3.put_object, **place, Body=BODY, **under(another)),
            ROOT,
            "s3:PutObject",
            f"arn:aws:s3:::{bucket}/x",
        )
        upload(s3, bucket, "x", [BODY], **under(key))
        assert refusal(s3.create_multipart_upload, **place, **under(another)).code == "AccessDenied"
        s3.put_object(**place, Body=BODY)


def test_plain_http_is_denied(start_server: StartServer) -> None:
    server = start_server(workers=1)
    bucket = new_bucket(s3_client(server.access))
    place = {"Bucket": bucket, "Key": "x"}
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    insecure = deny("Bool", "aws:SecureTransport", "false", Action="s3:*", Resource=resources)
    old = deny("NumericLessThan", "s3:TlsVersion", 1.2, Action="s3:*", Resource=resources)
    document = {"Statement": [insecure | {"Principal": "*"}, old | {"Principal": "*"}]}
    plain = s3_client(server.access)
    plain.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    for call in (plain.put_object, plain.get_object, plain.delete_object):
        assert refusal(call, **place).code == "AccessDenied"
    assert refusal(plain.list_objects_v2, Bucket=bucket).code == "AccessDenied"
    assert refusal(plain.head_object, **place).status == 403
    server.stop()
    server.options += ("--tls-auto",)
    server.restart()
    secure = s3_client(server.access)
    secure.put_object(**place, Body=BODY, **customer())
    assert read(secure, bucket, "x", **customer()) == BODY


def test_other_accounts_need_both_sides(server: ServerProcess, s3: Any, bucket: str) -> None:
    root = s3_client(server.new_access_key(OTHER))
    s3.put_object(Bucket=bucket, Key="x", Body=BODY)
    refused = refusal(root.get_object, Bucket=bucket, Key="x")
    assert refused[:3] == (403, "AccessDenied", "Access Denied")
    reading = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
    }
    with policy(s3, bucket, reading):
        assert read(root, bucket, "x") == BODY
        assert refusal(root.put_object, Bucket=bucket, Key="x").code == "AccessDenied"
        iam = server.account_client("iam", OTHER)
        iam.create_user(UserName="weak")
        made = iam.create_access_key(UserName="weak")["AccessKey"]
        access = replace(server.access, access_key_id=made["AccessKeyId"], secret=made["SecretAccessKey"])
        weak = s3_client(access)
        assert refusal(weak.get_object, Bucket=bucket, Key="x").code == "AccessDenied"
        may = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
        }
        iam.put_user_policy(UserName="weak", PolicyName="p", PolicyDocument=json.dumps(may))
        assert read(weak, bucket, "x") == BODY
    assert refusal(weak.get_object, Bucket=bucket, Key="x").code == "AccessDenied"
    # Its own KMS key does not let the other account read what it may fetch.
    own = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="kms", Body=BODY, **under(own))
    with policy(s3, bucket, reading):
        refused = refusal(root.get_object, Bucket=bucket, Key="kms")
        assert refused[:2] == (403, "AccessDenied")


def test_users_of_the_account_need_one_side(server: ServerProcess, s3: Any, bucket: str, key: str) -> None:
    arn, access = somebody(server, allow(), {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"})
    one = s3_client(access)
    one.put_object(Bucket=bucket, Key="own", Body=BODY, **under(key))
    refused = refusal(one.delete_object, Bucket=bucket, Key="own")
    assert refused.code == "AccessDenied"
    assert refused.message.endswith("with an explicit deny in an identity-based policy")
    named = {"Effect": "Deny", "Action": "s3:GetObject", "Principal": {"AWS": arn}}
    with policy(s3, bucket, named):
        denied(
            refusal(one.get_object, Bucket=bucket, Key="own"),
            arn,
            "s3:GetObject",
            f"arn:aws:s3:::{bucket}/own",
        )
        assert read(s3, bucket, "own") == BODY
    assert read(one, bucket, "own") == BODY


def test_everybody_reads_what_a_public_policy_allows(server: ServerProcess, s3: Any) -> None:
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="public/x", Body=BODY)
    s3.put_object(Bucket=bucket, Key="private/x", Body=BODY)
    anyone = s3_client(server.access, signed=False)
    reading = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Principal": "*",
        "Resource": f"arn:aws:s3:::{bucket}/public/*",
    }
    document = json.dumps({"Statement": reading})
    assert refusal(s3.put_bucket_policy, Bucket=bucket, Policy=document).code == "AccessDenied"
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=document)
    assert read(anyone, bucket, "public/x") == BODY
    assert refusal(anyone.get_object, Bucket=bucket, Key="private/x")[:3] == (
        403,
        "AccessDenied",
        "Access Denied",
    )
    assert refusal(anyone.put_object, Bucket=bucket, Key="public/x").code == "AccessDenied"
    assert refusal(anyone.list_objects_v2, Bucket=bucket).code == "AccessDenied"
    restricted = {"RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=restricted)
    assert refusal(anyone.get_object, Bucket=bucket, Key="public/x").code == "AccessDenied"
    assert read(s3, bucket, "public/x") == BODY


def test_a_policy_holds_at_once_on_every_worker(server: ServerProcess, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="x", Body=BODY)

    def open_to(looker: Any) -> None:
        assert read(looker, bucket, "x") == BODY

    def closed_to(looker: Any) -> None:
        assert refusal(looker.get_object, Bucket=bucket, Key="x").code == "AccessDenied"

    assert lookers(server.access)
    for _ in range(5):
        on_every_worker(server, open_to)
        with policy(s3, bucket, {"Effect": "Deny", "Action": "s3:GetObject"}):
            on_every_worker(server, closed_to)
