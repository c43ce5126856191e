"""The key policies that AWS writes itself, and how it prints any."""

import json

from kms_server.iam.key_policies import aws_managed_policy, default_key_policy, pretty
from tests.unit.iam.policy_documents import A


def test_the_default_policy_lets_the_account_decide() -> None:
    assert json.loads(default_key_policy(A)) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{A}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


def test_the_policy_of_an_aws_managed_key_binds_use_to_its_service() -> None:
    content = json.loads(aws_managed_policy("s3", A, "eu-west-1"))
    use, metadata = content["Statement"]
    assert content["Id"] == "auto-s3-2"
    assert use == {
        "Sid": "Allow access through S3 for all principals in the account that are authorized to use S3",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {"kms:CallerAccount": A, "kms:ViaService": "s3.eu-west-1.amazonaws.com"}
        },
    }
    assert metadata == {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{A}:root"},
        "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
        "Resource": "*",
    }


def test_policies_are_printed_as_aws_prints_them() -> None:
    text = json.dumps({"Id": "\u00e9", "Statement": [{"Action": ["a", "b"], "Condition": {}, "Sid": []}, 1]})
    assert pretty(text) == (
        '{\n  "Id" : "\u00e9",\n  "Statement" : [ {\n    "Action" : [ "a", "b" ],\n    "Condition" : { },\n'
        '    "Sid" : [ ]\n  }, 1 ]\n}'
    )
