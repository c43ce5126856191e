"""Signs requests in bulk: SigV4 with the day's key derived once, in the shape boto3 sends."""

import hashlib
import hmac
import time
import uuid
from collections.abc import Iterator
from itertools import cycle, islice
from urllib.parse import urlsplit

REGION = "us-east-1"
_SIGNED = "content-type;host;x-amz-date;x-amz-target"
_CONTENT_TYPE = "application/x-amz-json-1.1"
_TARGETS = {"kms": "TrentService", "cloudtrail": "CloudTrail_20131101"}


class Signer:
    """Makes complete HTTP requests of one operation, each signed at its own time with an invocation id of its own."""

    def __init__(
        self, url: str, operation: str, access_key_id: str, secret: str, service: str = "kms"
    ) -> None:
        self._host = urlsplit(url).netloc
        self._service = service
        self._target = f"{_TARGETS[service]}.{operation}"
        self._access_key_id = access_key_id
        self._secret = secret

    def requests(self, bodies: list[str], count: int) -> Iterator[bytes]:
        """`count` requests; the bodies take turns."""
        day = time.strftime("%Y%m%d", time.gmtime())
        scope = f"{day}/{REGION}/{self._service}/aws4_request"
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        for body in islice(cycle(bodies), count):
            yield self._signed(body, key, scope)

    def _signed(self, body: str, key: bytes, scope: str) -> bytes:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        canonical = (
            f"POST\n/\n\ncontent-type:{_CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{stamp}\n"
            f"x-amz-target:{self._target}\n\n{_SIGNED}\n{hashlib.sha256(body.encode()).hexdigest()}"
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        return (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nAccept-Encoding: identity\r\nX-Amz-Target: {self._target}\r\n"
            f"Content-Type: {_CONTENT_TYPE}\r\nUser-Agent: Boto3/1.44 md/Botocore#1.44 os/linux lang/python\r\n"
            f"X-Amz-Date: {stamp}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={self._access_key_id}/{scope}, "
            f"SignedHeaders={_SIGNED}, Signature={signature}\r\namz-sdk-invocation-id: {uuid.uuid4()}\r\n"
            f"amz-sdk-request: attempt=1; max=3\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
