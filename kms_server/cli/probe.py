"""`kms-server probe`: ask a server whether it is ready."""

import http.client
import json
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import click

from kms_server.cli.options import option
from kms_server.config import DEFAULT_PORT
from kms_server.errors import OperatorError

_FILE = click.Path(path_type=Path, dir_okay=False)
_PAUSE = 0.5


@click.command()
@option("--url", default=f"http://127.0.0.1:{DEFAULT_PORT}", help="The server's URL.")
@option("--live", is_flag=True, help="Ask only whether it is alive, not whether it is ready for calls.")
@option("--timeout", type=click.FloatRange(0.1, 600), default=5.0, help="Seconds to wait for the answer.")
@option("--wait", type=click.FloatRange(0, 3_600), default=0.0, help="Seconds in which it may get ready.")
@option("--ca", type=_FILE, help="CA of the server's certificate, PEM. Default: the system's.")
@option("--server-name", help="Name that the certificate must have, where that is not the URL's host.")
@option(
    "--client-cert", type=_FILE, help="Certificate of this client, PEM, for a server with --tls-client-ca."
)
@option("--client-key", type=_FILE, help="Its private key, PEM.")
def probe(
    url: str, *, live: bool, timeout: float, wait: float, ca: Path | None, server_name: str | None,
    client_cert: Path | None, client_key: Path | None,
) -> None:  # fmt: skip
    """Ask a server whether it is ready.

    Exits with 0 when it is, and with 1 when it is not or does not answer: then what is wrong is told line by line.
    """
    parts = _parts(url)
    context = _context(ca, client_cert, client_key) if parts.scheme == "https" else None
    deadline = time.monotonic() + wait

    def ask() -> list[str]:
        return _problems(parts, "/_kms/health" if live else "/_kms/ready", timeout, context, server_name)

    problems = _patiently(ask, deadline)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(1)
    click.echo("alive" if live else "ready")


def _patiently(ask: Callable[[], list[str]], deadline: float) -> list[str]:
    while (problems := ask()) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return problems


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    try:
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise OperatorError(f"{url} is no URL of a server: write one such as https://kms.internal:4599")
    return parts


def _context(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(
            f"cannot use the files of --ca, --client-cert and --client-key: {error}"
        ) from None
    return context


def _problems(
    parts: SplitResult, path: str, timeout: float, context: ssl.SSLContext | None, name: str | None
) -> list[str]:
    host = str(parts.hostname)
    connection = http.client.HTTPConnection(host, parts.port or (443 if context else 80), timeout=timeout)
    with closing(connection):
        try:
            connection.sock = _connected(connection, context, name or host)
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return [f"{parts.geturl()} does not answer: {str(error) or type(error).__name__}"]
    if answer.status == http.client.OK:
        return []
    return _told(body) or [f"{parts.geturl()} answers with status {answer.status}"]


def _connected(
    connection: http.client.HTTPConnection, context: ssl.SSLContext | None, name: str
) -> socket.socket:
    plain = socket.create_connection((connection.host, connection.port), connection.timeout)
    if context is None:
        return plain
    with plain:  # wrapping takes it over
        return context.wrap_socket(plain, server_hostname=name)


def _told(body: bytes) -> list[str]:
    """The problems that the server lists; none where that was another server's answer."""
    try:
        told: Any = json.loads(body)
        return [str(problem) for problem in told["problems"]]
    except (ValueError, TypeError, KeyError):
        return []
