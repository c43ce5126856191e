"""The two requests that the S3 layer makes of a KMS, as JSON has them."""

import base64
from collections.abc import Mapping
from typing import Any

GENERATE, DECRYPT = "GenerateDataKey", "Decrypt"


def data_key(key_id: str, context: Mapping[str, str]) -> dict[str, Any]:
    """The members of GenerateDataKey."""
    return {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": dict(context)}


def opening(key_arn: str, context: Mapping[str, str], ciphertext: bytes) -> dict[str, Any]:
    """The members of Decrypt. The key is named, so that no ciphertext of another one opens."""
    blob = base64.b64encode(ciphertext).decode()
    return {"KeyId": key_arn, "EncryptionContext": dict(context), "CiphertextBlob": blob}
