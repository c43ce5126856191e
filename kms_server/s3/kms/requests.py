"""The two requests that the S3 layer makes of a KMS, as JSON has them."""

import base64
from typing import Any

from kms_server.s3.kms.client import KeyUse

GENERATE, DECRYPT = "GenerateDataKey", "Decrypt"


def data_key(use: KeyUse) -> dict[str, Any]:
    """The members of GenerateDataKey."""
    return {"KeyId": use.key_id, "KeySpec": "AES_256", "EncryptionContext": dict(use.context)}


def opening(use: KeyUse, ciphertext: bytes) -> dict[str, Any]:
    """The members of Decrypt. The key is named, so that no ciphertext of another one opens."""
    blob = base64.b64encode(ciphertext).decode()
    return {"KeyId": use.key_id, "EncryptionContext": dict(use.context), "CiphertextBlob": blob}
