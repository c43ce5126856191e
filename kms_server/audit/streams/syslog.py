"""Lines as messages of syslog: RFC 5424, over UDP (RFC 5426), TCP with octet counting (RFC 6587), or a local socket."""

import json
import os
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kms_server.audit.streams.sink import Line, SinkError
from kms_server.clock import iso_seconds, real_now

_LOG_AUDIT = 13 << 3
_WARNING, _INFORMATIONAL = 4, 6
# A datagram of UDP carries no more (RFC 768); what is longer must not be cut without saying so.
_LONGEST_DATAGRAM = 65_507
_PATIENCE = 2.0


class SyslogSink:
    """A collector that is connected when there is something to say, and again after a failure."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._socket: socket.socket | None = None

    def write(self, line: Line) -> None:
        """Send a message of facility 13 (log audit), a warning where the line is urgent.

        Raises:
            SinkError: the collector does not answer.
        """
        message = _message(line)
        try:
            if self._socket is None or _has_ended(self._socket):
                self.close()
                self._socket = self._connect()
            if self._socket.type == socket.SOCK_STREAM:
                message = b"%d %s" % (len(message), message)
            elif self._socket.family != socket.AF_UNIX and len(message) > _LONGEST_DATAGRAM:
                message = _message(_shortened(line))
            self._socket.sendall(message)
        except OSError as error:
            self.close()
            raise SinkError(error.strerror or type(error).__name__) from None

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def over_network(host: str, port: int, *, stream: bool) -> Callable[[], socket.socket]:
    """Connects to a collector by TCP, or by UDP."""
    kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM

    def connect() -> socket.socket:
        family, _, protocol, _, address = socket.getaddrinfo(host, port, type=kind)[0]
        return _connected(socket.socket(family, kind, protocol), address)

    return connect


def over_local(path: Path) -> Callable[[], socket.socket]:
    """Connects to a collector's socket on this host, which may be of datagrams or a stream."""

    def connect() -> socket.socket:
        try:
            return _connected(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), str(path))
        except OSError:
            return _connected(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), str(path))

    return connect


def _connected(made: socket.socket, address: Any) -> socket.socket:  # noqa: ANN401 - each family has addresses of its own
    made.settimeout(_PATIENCE)
    try:
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made


def _has_ended(connection: socket.socket) -> bool:
    """Whether the collector has closed a connection: what is sent then is lost, and the first time nobody says so."""
    if connection.type != socket.SOCK_STREAM or not select.select([connection], [], [], 0)[0]:
        return False
    return not connection.recv(4096)  # collectors have nothing to say


def _message(line: Line) -> bytes:
    priority = _LOG_AUDIT | (_WARNING if line.urgent else _INFORMATIONAL)
    host = socket.gethostname() or "-"
    return f"<{priority}>1 {iso_seconds(real_now())} {host} kms-server {os.getpid()} audit - {line.text}".encode()


def _shortened(line: Line) -> Line:
    """What is said in place of a line that has no room: where the whole record is."""
    return line._replace(text=json.dumps({"eventID": line.event_id, "truncated": True}))
