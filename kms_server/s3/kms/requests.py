"""The two requests that the S3 layer makes of a KMS, as JSON has them."""

import base64
from collections.abc import Mapping
from typing import Any

from kms_server.iam.principal import NOBODY
from kms_server.operations.call import Call
from kms_server.s3.errors import InvalidArgument

GENERATE, DECRYPT = "GenerateDataKey", "Decrypt"


def data_key(key_id: str, context: Mapping[str, str]) -> dict[str, Any]:
    """The members of GenerateDataKey."""
    return {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": dict(context)}


def opening(key_arn: str, context: Mapping[str, str], ciphertext: bytes) -> dict[str, Any]:
    """The members of Decrypt. The key is named, so that no ciphertext of another one opens."""
    blob = base64.b64encode(ciphertext).decode()
    return {"KeyId": key_arn, "EncryptionContext": dict(context), "CiphertextBlob": blob}


def require_signed(call: Call) -> None:
    """Refuse to ask the KMS for nobody.

    Raises:
        InvalidArgument: the S3 call is anonymous.
    """
    if call.principal is NOBODY:
        raise InvalidArgument(
            "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.",
            ArgumentName="Authorization", ArgumentValue="null",
        )  # fmt: skip
