"""Clients of S3 for tests, stock ones and one that sends what it is told."""

import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4
from xml.etree import ElementTree as Xml

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.functional.server_process import Access, ServerProcess

SSE = "x-amz-server-side-encryption"
MIB = 2**20
S3_ONLY = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
LOOKS = 6  # connections of their own, so that every worker answers some
_session = botocore.session.Session()


def s3_client(access: Access, *, signed: bool = True, region: str = "us-east-1", **config: Any) -> Any:
    """A stock client of S3 with settings of its own; one that does not sign is anonymous."""
    settings = {"retries": {"total_max_attempts": 1}, "signature_version": "s3v4", "max_pool_connections": 32}
    if not signed:
        settings["signature_version"] = botocore.UNSIGNED
    return _session.create_client(
        "s3", region_name=region, endpoint_url=access.url, verify=access.verify, config=Config(**(settings | config)),
        aws_access_key_id=access.access_key_id, aws_secret_access_key=access.secret,
    )  # fmt: skip


def new_bucket(s3: Any) -> str:
    """A fresh bucket."""
    name = f"b-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


def read(s3: Any, bucket: str, key: str, **more: Any) -> bytes:
    """The bytes of an object."""
    body: bytes = s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()
    return body


class Refusal(NamedTuple):
    """What a client learns of a refused call."""

    status: int
    code: str
    message: str
    details: dict[str, Any]


def refusal(call: Callable[..., Any], **members: Any) -> Refusal:
    """The error that a call is answered with."""
    with pytest.raises(ClientError) as refused:
        call(**members)
    response = refused.value.response
    details = dict(response["Error"])
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return Refusal(status, details.pop("Code"), details.pop("Message"), details)


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, str]:
        """The elements of an error, but for the names of the request."""
        found = {child.tag: child.text or "" for child in Xml.fromstring(self.body)}
        return {name: text for name, text in found.items() if name not in ("RequestId", "HostId")}


def send(
    access: Access, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"",
    *, host: str | None = None,
) -> Answer:  # fmt: skip
    """Sign a request with just these headers and send it on a connection of its own."""
    return exchange(access, signed(access, method, path, headers, body, host=host))


def signed(
    access: Access, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"",
    *, host: str | None = None, payload: str | None = None,
) -> AWSRequest:  # fmt: skip
    """A signed request, not sent yet; `payload` is what it says of its body, by default the digest."""
    told = {"Host": host or urlsplit(access.url).netloc} | dict(headers or {})
    request = AWSRequest(method, access.url + path, headers=told, data=body)
    _Signer(access, payload).add_auth(request)
    return request


class _Signer(S3SigV4Auth):  # type: ignore[misc]
    def __init__(self, access: Access, payload: str | None) -> None:
        super().__init__(Credentials(access.access_key_id, access.secret), "s3", "us-east-1")
        self._told = payload

    def payload(self, request: AWSRequest) -> str:
        told: str = self._told or super().payload(request)
        return told


def exchange(access: Access, request: AWSRequest) -> Answer:
    """Send a request as it is."""
    connection = connected(access)
    path = request.url.removeprefix(access.url)
    connection.request(request.method, path, body=request.data, headers=dict(request.headers))
    response = connection.getresponse()
    answer = Answer(response.status, dict(response.headers), response.read())
    connection.close()
    return answer


def connected(access: Access) -> http.client.HTTPConnection:
    """A connection to the server."""
    place = urlsplit(access.url).netloc
    if not access.url.startswith("https"):
        return http.client.HTTPConnection(place, timeout=60)
    context = ssl.create_default_context(cafile=access.verify)
    return http.client.HTTPSConnection(place, timeout=60, context=context)


def upload(s3: Any, bucket: str, key: str, parts: list[bytes], customer: Mapping[str, Any] | None = None,
           **create: Any) -> dict[str, Any]:  # fmt: skip
    """A whole multipart upload; `customer` goes with every part."""
    begun = s3.create_multipart_upload(Bucket=bucket, Key=key, **(customer or {}), **create)["UploadId"]
    listed = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket=bucket, Key=key, UploadId=begun, PartNumber=number, Body=part, **(customer or {})
            )["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    done: dict[str, Any] = s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=begun, MultipartUpload={"Parts": listed}
    )
    return done


def somebody(server: ServerProcess, *statements: Mapping[str, Any]) -> tuple[str, Access]:
    """The ARN and access of a user who may do all of S3."""
    iam, name = server.client("iam"), f"u{uuid4().hex[:8]}"
    arn: str = iam.create_user(UserName=name)["User"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [S3_ONLY, *statements]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return arn, replace(server.access, access_key_id=made["AccessKeyId"], secret=made["SecretAccessKey"])


def on_every_worker(server: ServerProcess, look: Callable[[Any], None]) -> None:
    """Look with many connections at once: they are spread over the workers."""
    with ThreadPoolExecutor(LOOKS) as threads:
        list(threads.map(look, lookers(server.access)))


@cache
def lookers(access: Access) -> list[Any]:
    return [s3_client(access) for _ in range(LOOKS)]
