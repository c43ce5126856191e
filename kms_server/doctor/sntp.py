"""The time of a server, by SNTP (RFC 4330)."""

import os
import socket
import struct
import time

_PORT = 123
_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_PACKET = struct.Struct(">BBBb11I")
_CLIENT, _SERVER = 3, 4
_VERSION = 4


def now(host: str, patience: float) -> float:
    """The time in epoch seconds; `host` may name a port, too: HOST:PORT.

    Raises:
        OSError: it does not answer in `patience` seconds, or not as a server does that knows the time.
    """
    name, _, port = host.rpartition(":") if host.count(":") == 1 else (host, "", str(_PORT))
    address = socket.getaddrinfo(name, int(port), type=socket.SOCK_DGRAM)[0]
    # A random transmit timestamp comes back in the answer: nobody who does not see the request can forge it.
    nonce = os.urandom(8)
    request = _PACKET.pack(_VERSION << 3 | _CLIENT, 0, 0, 0, *[0] * 9, *struct.unpack(">2I", nonce))
    with socket.socket(address[0], socket.SOCK_DGRAM) as client:
        client.settimeout(patience)
        client.connect(address[4])
        sent = time.monotonic()
        client.send(request)
        answer = client.recv(512)
        took = time.monotonic() - sent
    return _read(answer, nonce) + took / 2


def _read(answer: bytes, nonce: bytes) -> float:
    if len(answer) < _PACKET.size:
        raise OSError("it is no answer")
    first, stratum, *_, seconds, fraction = _PACKET.unpack_from(answer)
    unsynchronised = first >> 6 == 3 or not 1 <= stratum <= 15
    if first & 7 != _SERVER or answer[24:32] != nonce or unsynchronised or not seconds:
        raise OSError("it does not know the time, or answers somebody else")
    # RFC 4330 section 3: without the highest bit the time is after 2036.
    era = 0 if seconds & 0x8000_0000 else 2**32
    return float(seconds + era - _EPOCH + fraction / 2**32)
