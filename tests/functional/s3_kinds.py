"""The kinds of encryption as tests ask for them."""

import hashlib
from base64 import b64encode
from typing import Any

from tests.functional.s3_client import SSE
from tests.functional.server_process import ServerProcess

CUSTOMER = f"{SSE}-customer-"


def customer(seed: bytes = b"k") -> dict[str, str]:
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": (seed * 32).decode()}


def as_source(of: dict[str, str]) -> dict[str, str]:
    return {f"CopySource{name}": value for name, value in of.items()}


def customer_headers(prefix: str = CUSTOMER, **changes: str | None) -> dict[str, str]:
    raw = b"k" * 32
    headers = {
        "algorithm": "AES256", "key": b64encode(raw).decode(), "key-MD5": b64encode(hashlib.md5(raw).digest()).decode(),
    } | {name.replace("_", "-"): value for name, value in changes.items()}  # fmt: skip
    return {prefix + name: value for name, value in headers.items() if value is not None}


def kinds(key: str) -> dict[str, dict[str, Any]]:
    """What to ask for, by a name of the kind."""
    kms = {"SSEKMSKeyId": key}
    return {
        "s3": {"ServerSideEncryption": "AES256"},
        "kms": {"ServerSideEncryption": "aws:kms", **kms},
        "bucket-key": {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True, **kms},
        "dsse": {"ServerSideEncryption": "aws:kms:dsse", **kms},
        "c": customer(),
    }


def encoded(of: dict[str, str]) -> dict[str, str]:
    """A customer's key as it stands in headers, for the operation where botocore leaves that to its user."""
    if not of:
        return of
    raw = of["SSECustomerKey"].encode()
    md5 = b64encode(hashlib.md5(raw).digest()).decode()
    return of | {"SSECustomerKey": b64encode(raw).decode(), "SSECustomerKeyMD5": md5}


def new_key(server: ServerProcess, **more: Any) -> str:
    arn: str = server.client("kms").create_key(**more)["KeyMetadata"]["Arn"]
    return arn


def under(key: str, *, bucket_key: bool = False) -> dict[str, Any]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": bucket_key}


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*", **more}
