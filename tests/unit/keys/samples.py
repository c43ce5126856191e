"""Keys and versions of material to begin with."""

import dataclasses
from typing import Any

from kms_server.keys.key import CURRENT, BackingKey, KmsKey
from kms_server.keys.states import KeyState

ACCOUNT, REGION, OTHER_REGION = "111122223333", "eu-central-1", "us-west-2"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
_KEY = KmsKey(
    key_id=KEY_ID, account=ACCOUNT, region=REGION, spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT",
    origin="AWS_KMS", manager="CUSTOMER", state=KeyState.ENABLED, description="", policy="{}", created_at=1.5,
)  # fmt: skip


def key(**changes: Any) -> KmsKey:
    return dataclasses.replace(_KEY, **changes)


def version(
    number: int = 1, status: str = CURRENT, wrapped: bytes | None = b"wrapped", **more: Any
) -> BackingKey:
    return BackingKey(f"{number:064x}", number, status, wrapped, 1.0, **more)
