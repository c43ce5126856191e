"""A server that does something before it answers, such as moving the clock of a load generator."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

REQUEST = b"a request of known length"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(before_answer: Callable[[], None]) -> Iterator[tuple[str, int]]:
    """Answers each request, after it has called something; its address."""

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(len(REQUEST), socket.MSG_WAITALL):
                before_answer()
                connection.sendall(ANSWER)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,)).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
