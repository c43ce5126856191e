"""A bucket at another S3 endpoint as the destination of a trail.

Requests are made here rather than by obstore, which sends no signed x-amz-acl: AWS takes no other.
"""

import http.client
import os
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit
from xml.etree.ElementTree import Element

from kms_server.audit.trail.destination import Delivered, DestinationError, NoSuchFile
from kms_server.clock import real_now
from kms_server.config import EndpointBucket
from kms_server.connections import Endpoint
from kms_server.errors import OperatorError
from kms_server.files import read_private
from kms_server.protocol.canonical import UNRESERVED
from kms_server.protocol.message import Request
from kms_server.protocol.sigv4_signer import Credentials
from kms_server.s3.errors import MalformedXML
from kms_server.s3.wire import xml_reader
from kms_server.s3.wire.signing import sign
from kms_server.server.trail_headers import put_headers, user_metadata
from kms_server.storage.trails import Trail

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 30.0
_LONGEST_ANSWER = 256 * 2**20
_UNAVAILABLE = "ServiceUnavailable"


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class EndpointDestination:
    """A `Destination` of a trail; `bucket` is the one to write to."""

    def __init__(self, settings: EndpointBucket, bucket: str, trail: Trail) -> None:
        place = urlsplit(settings.endpoint)
        self._secure = place.scheme == "https"
        self._endpoint = Endpoint(
            self._secure, place.hostname or "", place.port or (443 if self._secure else 80)
        )
        self._settings = settings
        self._bucket = bucket
        self._trail = trail

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """See `Destination`."""
        self._ask("PUT", self._path(key), body, put_headers(self._trail, metadata))

    def get(self, key: str) -> Delivered:
        """See `Destination`."""
        try:
            answer = self._ask("GET", self._path(key))
        except DestinationError as error:
            if error.code == "NoSuchKey":
                raise NoSuchFile from None
            raise
        return Delivered(answer.body, user_metadata(answer.headers))

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Destination`."""
        after = ""
        while True:
            query = f"list-type=2&prefix={quote(prefix, safe='')}&start-after={quote(after, safe='')}"
            page = _page(self._ask("GET", f"/{self._bucket}?{query}"))
            for content in page.findall("Contents"):
                after = xml_reader.text_of(content, "Key") or ""
                yield after
            if xml_reader.text_of(page, "IsTruncated") != "true":
                return

    def _path(self, key: str) -> str:
        return f"/{self._bucket}/{quote(key, safe=f'/{UNRESERVED}')}"

    def _ask(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> _Answer:
        request = Request(method, target, {"host": self._endpoint.authority, **(headers or {})}, body, "")
        signed = sign(request, _credentials(self._settings), region=self._settings.region, now=real_now())
        try:
            answer = self._sent(signed)
        except (OSError, http.client.HTTPException) as error:
            raise DestinationError(
                _UNAVAILABLE, f"{self._settings.endpoint} does not answer: {error}"
            ) from None
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _failure(answer)
        return answer

    def _sent(self, request: Request) -> _Answer:
        host, port = self._endpoint.host, self._endpoint.port
        if self._secure:
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=_CONNECT_SECONDS, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        try:
            connection.connect()
            connection.sock.settimeout(_ANSWER_SECONDS)
            connection.request(request.method, request.target, request.body, dict(request.headers))
            response = connection.getresponse()
            content = response.read(_LONGEST_ANSWER + 1)
        finally:
            connection.close()
        if len(content) > _LONGEST_ANSWER:
            raise http.client.HTTPException("the answer is too long")
        return _Answer(
            response.status, {name.lower(): value for name, value in response.getheaders()}, content
        )


def _page(answer: _Answer) -> Element:
    try:
        return xml_reader.parse(answer.body, "ListBucketResult")
    except MalformedXML:
        raise DestinationError(_UNAVAILABLE, "the endpoint's list is not XML") from None


def _failure(answer: _Answer) -> DestinationError:
    """What an endpoint says of a failure, as far as it can be read."""
    try:
        told = xml_reader.parse(answer.body, "Error")
        code, message = xml_reader.text_of(told, "Code"), xml_reader.text_of(told, "Message")
    except MalformedXML:
        code, message = None, None
    return DestinationError(
        code or _UNAVAILABLE, message or f"the endpoint answers with status {answer.status}"
    )


def _credentials(settings: EndpointBucket) -> Credentials:
    """Read anew each time: keys are replaced while a server runs."""
    if settings.access_key_file is not None and settings.secret_key_file is not None:
        return Credentials(_line(settings.access_key_file), _line(settings.secret_key_file))
    try:
        return Credentials(os.environ[settings.access_key_variable], os.environ[settings.secret_key_variable])
    except KeyError as missing:
        raise DestinationError("CredentialsMissing", f"the variable {missing.args[0]} is not set") from None


def _line(path: Path) -> str:
    try:
        content = read_private(
            path, called="the credential", remedy="see [audit.buckets] of the configuration"
        )
        return content.decode().strip()
    except OperatorError as error:
        raise DestinationError("CredentialsMissing", str(error)) from None
    except UnicodeDecodeError:
        raise DestinationError("CredentialsMissing", f"{path} is not text") from None
