"""A time server that is off by so many seconds, for as long as a block takes."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def time_server(off: float = 0.0, *, first: int = 0x24, stratum: int = 2, echo: bool = True) -> Iterator[str]:
    """Its HOST:PORT."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)

        def answer() -> None:
            while True:
                request, client = server.recvfrom(512)
                if not request:
                    return
                origin = request[40:48] if echo else bytes(8)
                whole, part = divmod(time.time() + off + 2_208_988_800, 1)
                moment = struct.pack(">II", int(whole), int(part * 2**32))
                server.sendto(bytes([first, stratum, 0, 0]) + bytes(20) + origin + moment + moment, client)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        place = server.getsockname()
        yield f"{place[0]}:{place[1]}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", place)
        thread.join()
