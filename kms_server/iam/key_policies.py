"""The key policies that AWS writes itself, and how GetKeyPolicy prints any (AWS "Key policies in AWS KMS")."""

import json
from typing import Any

from kms_server.arn import root_arn


def default_key_policy(account: str) -> str:
    """The key policy AWS gives a key that is created without one."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": root_arn(account)},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]})


def aws_managed_policy(service: str, account: str, region: str) -> str:
    """The key policy of an AWS managed key: use through the service only, metadata for the account."""
    title = "S3" if service == "s3" else service
    use = {
        "Sid": f"Allow access through {title} for all principals in the account that are authorized to use {title}",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:CallerAccount": account,
                "kms:ViaService": f"{service}.{region}.amazonaws.com",
            }
        },
    }
    metadata = {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": root_arn(account)},
        "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": f"auto-{service}-2", "Statement": [use, metadata]})


def pretty(text: str) -> str:
    """A policy as GetKeyPolicy prints it: members on lines of their own, lists on one."""
    return _printed(json.loads(text), "\n")


def _printed(value: Any, line: str) -> str:  # noqa: ANN401 - JSON from outside
    if isinstance(value, dict):
        inner = f"{line}  "
        members = (f"{inner}{_printed(name, inner)} : {_printed(one, inner)}" for name, one in value.items())
        return "{" + ",".join(members) + (line if value else " ") + "}"
    if isinstance(value, list):
        return "[ " + ", ".join(_printed(one, line) for one in value) + (" ]" if value else "]")
    return json.dumps(value, ensure_ascii=False)
