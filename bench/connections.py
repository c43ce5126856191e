"""The connections of a load generator: raw sockets and epoll, since it has to keep up with the bare loop."""

import select
import socket
from collections.abc import Iterator

STALL_SECONDS = 30.0
_RECEIVED = 65_536


class Connection:
    """An HTTP connection with at most one request under way; answers end by their Content-Length.

    `sent` and `free_since` are for its user: when the request under way counts as sent, and since when there is none.
    """

    good = b"HTTP/1.1 200"

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._buffer = b""
        self.socket = self._connected()
        self.sent = self.free_since = 0.0
        self.closes = False
        # Of the last answer: where its length stood, what it was, and the size of the whole.
        self._at, self._length, self._size = slice(0), b"", -1

    def _connected(self) -> socket.socket:
        made = socket.create_connection(self._address)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def reconnect(self) -> None:
        """Connect anew where the server closes after each answer."""
        self.socket.close()
        self.socket = self._connected()

    def send(self, request: bytes, since: float) -> None:
        """Send one request whose latency counts from `since`."""
        self.sent = since
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Read what came: the whole answer once it is complete, else None.

        Raises:
            ConnectionError: the server closed within an answer.
        """
        data = self.socket.recv(_RECEIVED)
        if not data:
            raise ConnectionError(f"closed after {len(self._buffer)} bytes of an answer")
        answer = self._buffer + data if self._buffer else data
        if self.is_whole(answer):
            self._buffer = b""
            return answer
        self._buffer = answer
        return None

    def is_whole(self, answer: bytes) -> bool:
        """Whether all of an answer is there; one of the last one's size and length is not taken apart again."""
        if len(answer) == self._size and answer[self._at] == self._length:
            return True
        end = answer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = answer[:end].lower()
        begin = head.find(b"\r\ncontent-length:")
        stop = head.find(b"\r\n", begin + 2) if begin >= 0 else -1
        self._at = slice(begin, stop if stop >= 0 else end)
        self._length = answer[self._at]
        self._size = end + 4 + int(self._length.partition(b":")[2] or 0)
        self.closes = b"\r\nconnection: close" in head
        return len(answer) >= self._size


class RedisConnection(Connection):
    """A connection to Redis: answers are single lines."""

    good = b"+OK"

    def is_whole(self, answer: bytes) -> bool:
        """Whether all of an answer is there."""
        return answer.endswith(b"\r\n")


class Connections:
    """So many connections to one server; `errors` are answers that were not good."""

    def __init__(self, kind: type[Connection], address: tuple[str, int], count: int) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Connection] = {}
        self._good = kind.good
        self.errors: list[str] = []
        for _ in range(count):
            self._watch(kind(address))

    def _watch(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        self._watched[descriptor] = connection
        self._epoll.register(descriptor, select.EPOLLIN)

    def all(self) -> list[Connection]:
        """All of them."""
        return list(self._watched.values())

    def answered(self) -> Iterator[Connection]:
        """The connections whose answers are complete by now, each ready for the next request."""
        for descriptor, _ in self._epoll.poll(0):
            connection = self._watched[descriptor]
            answer = connection.receive()
            if answer is None:
                continue
            if not answer.startswith(self._good):
                self.errors.append(answer[:600].decode("latin-1"))
            if connection.closes:
                del self._watched[descriptor]
                connection.reconnect()
                self._watch(connection)
            yield connection

    def close(self) -> None:
        """Close all of them."""
        for connection in self._watched.values():
            connection.socket.close()
        self._epoll.close()
