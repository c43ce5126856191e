"""Signed calls as bytes, for clients that do with them what no stock client does."""

import json
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.functional.server_process import Access


def signed(access: Access, operation: str, document: object, *, user_agent: str | None = None) -> bytes:
    """A call of the KMS; the server takes it as often as it comes within five minutes."""
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
    request = AWSRequest("POST", f"{access.url}/", data=body, headers=headers)
    SigV4Auth(Credentials(access.access_key_id, access.secret), "kms", "us-east-1").add_auth(request)
    host = urlsplit(access.url).netloc
    agent = [] if user_agent is None else [f"User-Agent: {user_agent}"]
    head = [
        "POST / HTTP/1.1",
        f"Host: {host}",
        f"Content-Length: {len(body)}",
        *agent,
        *map(": ".join, request.headers.items()),
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
