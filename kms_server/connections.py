"""Connections to a KMS elsewhere, by the standard library: each is one thread's at a time, and used again while it lasts."""

import http.client
import os
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from kms_server.errors import OperatorError

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 30.0
_LONGEST_ANSWER = 1_048_576
_MOST_IDLE = 64


class Endpoint(NamedTuple):
    """Where a KMS is; `host` is a name or an address, IPv6 without brackets."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def endpoint_of(url: str, option: str) -> Endpoint:
    """The endpoint of a URL, which that option gives.

    Raises:
        OperatorError: it is no URL of a KMS.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if (
        not host
        or parts.scheme not in ("http", "https")
        or parts.path not in ("", "/")
        or parts.query
        or "@" in url
    ):
        raise OperatorError(f"{option} is not a URL such as https://kms.example.com:4599")
    secure = parts.scheme == "https"
    return Endpoint(secure, host, port or (443 if secure else 80))


def trusted() -> ssl.SSLContext:
    """Trusts what this machine trusts, or the CA that AWS's own programs are told of in the same way.

    Raises:
        OperatorError: there are no certificates.
    """
    bundle = os.environ.get("AWS_CA_BUNDLE")
    try:
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:
        raise OperatorError(f"cannot use the certificates in AWS_CA_BUNDLE, {bundle}: {error}") from None


class Answer(NamedTuple):
    """Status and body of a response."""

    status: int
    body: bytes


class Connections:
    """Sends requests to one endpoint."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None) -> None:
        self.endpoint = endpoint
        self._tls = tls
        self._idle: deque[http.client.HTTPConnection] = deque()

    def post(self, headers: Callable[[], Mapping[str, str]], body: bytes) -> Answer:
        """The answer to a POST of `/`; `headers` are made anew for each attempt.

        A connection that was used before may have been closed at the other end meanwhile: then, and only then, there is
        a second attempt, so what is asked for must bear being done twice.

        Raises:
            OSError, http.client.HTTPException: there is no answer.
        """
        kept = self._taken()
        if kept is not None:
            with suppress(ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return self._ask(kept, headers(), body)
        return self._ask(self._connect(), headers(), body)

    def close(self) -> None:
        """Close what nobody uses."""
        while (idle := self._taken()) is not None:
            idle.close()

    def _taken(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.endpoint.host, self.endpoint.port
        if self._tls is None:
            made = http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        else:
            made = http.client.HTTPSConnection(host, port, timeout=_CONNECT_SECONDS, context=self._tls)
        made.connect()
        made.sock.settimeout(_ANSWER_SECONDS)
        return made

    def _ask(self, connection: http.client.HTTPConnection, headers: Mapping[str, str], body: bytes) -> Answer:
        """Whatever is not a whole answer ends the connection."""
        try:
            connection.request("POST", "/", body, dict(headers))
            response = connection.getresponse()
            content = response.read(_LONGEST_ANSWER + 1)
        except BaseException:
            connection.close()
            raise
        if len(content) > _LONGEST_ANSWER:
            connection.close()
            raise http.client.HTTPException("the answer is too long")
        if response.will_close or len(self._idle) >= _MOST_IDLE:
            connection.close()
        else:
            self._idle.append(connection)
        return Answer(response.status, content)
