"""The two calls that open and close a root key at another KMS, signed with the operator's credentials."""

import base64
import binascii
import configparser
import http.client
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from kms_server.clock import real_now
from kms_server.connections import Answer, Connections
from kms_server.errors import OperatorError
from kms_server.files import read_private
from kms_server.protocol.faults import CONTENT_TYPE
from kms_server.protocol.message import Request
from kms_server.protocol.sigv4_signer import Credentials, sign

_ATTEMPTS = 2
_TRY_AGAIN = frozenset({"ThrottlingException", "KMSInternalException", "DependencyTimeoutException"})


class RootKmsClient:
    """Calls a KMS at start-up; what goes wrong is the operator's to mend."""

    def __init__(self, connections: Connections, region: str) -> None:
        self._connections = connections
        self._region = region
        self._credentials = _credentials()

    def encrypt(self, key_arn: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """The ciphertext blob.

        Raises:
            OperatorError: there is no answer, or the KMS refuses.
        """
        told = self._ask("Encrypt", {
            "KeyId": key_arn, "Plaintext": base64.b64encode(plaintext).decode(), "EncryptionContext": dict(context),
        })  # fmt: skip
        return _bytes(told, "CiphertextBlob")

    def decrypt(self, key_arn: str, blob: bytes, context: Mapping[str, str]) -> bytes:
        """The plaintext. The key is named, so that no ciphertext of another one opens.

        Raises:
            OperatorError: as above.
        """
        told = self._ask("Decrypt", {
            "KeyId": key_arn, "CiphertextBlob": base64.b64encode(blob).decode(), "EncryptionContext": dict(context),
        })  # fmt: skip
        return _bytes(told, "Plaintext")

    def _ask(self, operation: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {
            "host": self._connections.endpoint.authority, "content-type": CONTENT_TYPE,
            "x-amz-target": f"TrentService.{operation}",
        }  # fmt: skip
        request = Request("POST", "/", headers, orjson.dumps(document), "")
        problem = ""
        for _ in range(_ATTEMPTS):
            try:
                answer = self._connections.post(lambda: self._signed(request), request.body)
            except (OSError, http.client.HTTPException) as error:
                problem = f"does not answer: {str(error) or type(error).__name__}"
                continue
            told = _object(answer)
            if answer.status == http.client.OK:
                return told
            code = str(told.get("__type", answer.status)).rpartition("#")[2]
            problem = (
                f"refuses {operation}: {code} {told.get('message') or told.get('Message') or ''}".rstrip()
            )
            if code not in _TRY_AGAIN:
                break
        raise OperatorError(
            f"the KMS of the root key, {self._connections.endpoint.authority}, {problem}; "
            "check --root-kms-endpoint, the credentials and the key"
        )

    def _signed(self, request: Request) -> Mapping[str, str]:
        return sign(request, self._credentials, region=self._region, service="kms", now=real_now()).headers


def _object(answer: Answer) -> Mapping[str, Any]:
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _bytes(told: Mapping[str, Any], member: str) -> bytes:
    try:
        return base64.b64decode(told[member], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise OperatorError(
            f"the KMS of the root key answers without {member}: check --root-kms-endpoint"
        ) from None


def _credentials() -> Credentials:
    """From the environment, or the file that AWS_SHARED_CREDENTIALS_FILE names, as AWS's own programs take them."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN"))
    named = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    if not named:
        raise OperatorError(
            "--root-key kms: needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or "
            "AWS_SHARED_CREDENTIALS_FILE"
        )
    profile = os.environ.get("AWS_PROFILE", "default")
    content = read_private(Path(named), called="the credentials in", remedy="write them there with mode 0600")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(content.decode())
        found = parser[profile]
        return Credentials(
            found["aws_access_key_id"], found["aws_secret_access_key"], found.get("aws_session_token")
        )
    except (configparser.Error, KeyError, UnicodeDecodeError):
        raise OperatorError(
            f"{named} has no access key of the profile {profile}: add it, or set AWS_PROFILE"
        ) from None
