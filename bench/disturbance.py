"""Work for a server beside the calls that are measured; a process of its own, which reads a job as JSON.

It works until its standard input ends, then prints how often it has done the work. It runs on the servers' core, since the
other has the load generator, but only when the server itself has nothing to do.
"""

import json
import os
import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.signing import REGION

OBJECT_BYTES = 256 * 2**20
BUCKET = "isolation"
_PIECE = 2**20
_JSON = "application/x-amz-json-1.1"
_SERVICES = {"kms": "TrentService", "cloudtrail": "CloudTrail_20131101"}


@dataclass(frozen=True)
class Job:
    """What to do where; `number` tells processes that do the same apart."""

    kind: str
    url: str
    access_key_id: str
    secret: str = field(repr=False)
    number: int = 0


class _WithoutDigest(S3SigV4Auth):  # type: ignore[misc]  # botocore has no annotations
    """Signs the head of a request alone."""

    def payload(self, request: AWSRequest) -> str:
        del request
        return "UNSIGNED-PAYLOAD"


class Caller:
    """One connection of one signed client."""

    def __init__(self, job: Job) -> None:
        self.number = job.number
        self._url = job.url
        self._credentials = Credentials(job.access_key_id, job.secret)
        self._connection = HTTPConnection(urlsplit(job.url).netloc)
        self._buffer = bytearray(_PIECE)

    def call(self, service: str, operation: str, **members: object) -> Any:  # noqa: ANN401 - whatever JSON has
        """Call an operation; gives its answer, and exits when it failed."""
        body = json.dumps(members).encode()
        headers = {"Content-Type": _JSON, "X-Amz-Target": f"{_SERVICES[service]}.{operation}"}
        request = AWSRequest("POST", f"{self._url}/", headers=headers, data=body)
        SigV4Auth(self._credentials, service, REGION).add_auth(request)
        answer = self._sent(request, body, len(body))
        return json.loads(answer) if answer else None

    def transfer(self, method: str, path: str, length: int = 0) -> None:
        """Send so many bytes of an object, or get one."""
        request = AWSRequest(method, f"{self._url}{path}")
        _WithoutDigest(self._credentials, "s3", REGION).add_auth(request)
        self._sent(request, (self._piece for _ in range(length // _PIECE)), length)

    @property
    def _piece(self) -> bytes:
        return bytes(self._buffer)

    def _sent(self, request: AWSRequest, body: bytes | Iterator[bytes], length: int) -> bytes:
        fields = dict(request.headers.items()) | {"Content-Length": str(length)}
        self._connection.request(request.method, urlsplit(request.url).path, body=body, headers=fields)
        answer = self._connection.getresponse()
        if answer.status >= 300:
            sys.exit(f"{request.method} {request.url}: {answer.status} {answer.read(500)!r}")
        if request.method == "POST":
            return answer.read()
        while answer.readinto(self._buffer):
            pass
        return b""


def _listing(caller: Caller) -> Iterator[None]:
    marker: dict[str, str] = {}
    while True:
        page = caller.call("kms", "ListKeys", Limit=1_000, **marker)
        marker = {"Marker": page["NextMarker"]} if page["Truncated"] else {}
        yield


def _policies(caller: Caller) -> Iterator[None]:
    key = caller.call("kms", "CreateKey")["KeyMetadata"]["KeyId"]
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    for number in range(sys.maxsize):
        statements = [statement | {"Sid": f"S{number}n{each}"} for each in range(20)]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        caller.call("kms", "PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy)
        yield


def _lookups(caller: Caller) -> Iterator[None]:
    token: dict[str, str] = {}
    while True:
        page = caller.call("cloudtrail", "LookupEvents", MaxResults=50, **token)
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
        yield


def _rsa_keys(caller: Caller) -> Iterator[None]:
    while True:
        caller.call("kms", "CreateKey", KeySpec="RSA_4096", KeyUsage="SIGN_VERIFY")
        yield


def _rsa_pairs(caller: Caller) -> Iterator[None]:
    key = caller.call("kms", "CreateKey")["KeyMetadata"]["KeyId"]
    while True:
        caller.call("kms", "GenerateDataKeyPair", KeyId=key, KeyPairSpec="RSA_4096")
        yield


def _uploads(caller: Caller) -> Iterator[None]:
    while True:
        caller.transfer("PUT", f"/{BUCKET}/up-{caller.number}", OBJECT_BYTES)
        yield


def _downloads(caller: Caller) -> Iterator[None]:
    while True:
        caller.transfer("GET", f"/{BUCKET}/down")
        yield


KINDS: dict[str, Callable[[Caller], Iterator[None]]] = {
    "CreateKey RSA_4096": _rsa_keys, "GenerateDataKeyPair RSA_4096": _rsa_pairs, "ListKeys": _listing,
    "PutKeyPolicy": _policies, "LookupEvents": _lookups, "PUT of 256 MiB": _uploads, "GET of 256 MiB": _downloads,
}  # fmt: skip


def main() -> None:
    """Work until nobody wants it any more."""
    job = Job(**json.loads(sys.stdin.readline()))
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    done = 0
    for _ in KINDS[job.kind](Caller(job)):
        done += 1
        if done == 1:
            print("begun", flush=True)
        if select.select([sys.stdin], [], [], 0)[0]:
            break
    print(done)


if __name__ == "__main__":
    main()
