"""What `--audit-stream` may say."""

import sys
from collections.abc import Callable
from pathlib import Path

from kms_server.audit.streams.sink import DescriptorSink, Sink
from kms_server.audit.streams.syslog import SyslogSink, over_local, over_network
from kms_server.errors import OperatorError

_LOCAL = Path("/dev/log")
_PORT = 514


def opener(target: str) -> Callable[[], Sink]:
    """Opens `stdout`, `syslog` (the host's own), `syslog:/PATH`, `syslog+tcp://HOST:PORT` or `syslog+udp://HOST:PORT`.

    Raises:
        OperatorError: it is none of them.
    """
    if target == "stdout":
        descriptor = sys.__stdout__.fileno() if sys.__stdout__ else 1
        return lambda: DescriptorSink(descriptor)
    if target == "syslog":
        return lambda: SyslogSink(over_local(_LOCAL))
    kind, _, place = target.partition(":")
    if kind == "syslog" and place.startswith("/"):
        return lambda: SyslogSink(over_local(Path(place)))
    if kind in ("syslog+tcp", "syslog+udp") and place.startswith("//"):
        host, port = _address(place[2:])
        return lambda: SyslogSink(over_network(host, port, stream=kind == "syslog+tcp"))
    raise OperatorError(
        f"--audit-stream {target} is not known: say stdout, syslog, syslog:/PATH, syslog+tcp://HOST:PORT or "
        "syslog+udp://HOST:PORT"
    )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, str(_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise OperatorError(f"{text!r} is no address of a syslog collector: write HOST:PORT")
    return host, int(port)
