"""Where the lines of a stream go, and standard output as such a place."""

import os
import select
from typing import NamedTuple, Protocol

# What a pipe that can be written to takes at once (PIPE_BUF), and takes whole.
_WHOLE = 4096


class SinkError(Exception):
    """The collector does not take lines now."""


class Line(NamedTuple):
    """A record as one line of JSON, without its end; `urgent` marks failures and what is flagged."""

    text: str
    event_id: str
    urgent: bool


class Sink(Protocol):
    """A place that takes lines; nothing in it waits longer than a few seconds."""

    def write(self, line: Line) -> None:
        """Hand a line over.

        Raises:
            SinkError: it was not taken, or nobody knows.
        """

    def close(self) -> None:
        """Release what is open."""


class DescriptorSink:
    """An open file, pipe or terminal; it stays blocking, since others may share it, so it is asked before each write."""

    def __init__(self, descriptor: int, patience: float = 2.0) -> None:
        self._descriptor = descriptor
        self._patience = patience
        self._begun = ""
        self._rest = b""

    def write(self, line: Line) -> None:
        """Hand a line over; a second attempt at the same one goes on where the first has stopped.

        Raises:
            SinkError: nobody reads.
        """
        if line.event_id != self._begun:
            self._rest += line.text.encode() + b"\n"
            self._begun = line.event_id
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        while self._rest:
            if not poller.poll(self._patience * 1000):
                raise SinkError("nobody reads")
            try:
                written = os.write(self._descriptor, self._rest[:_WHOLE])
            except OSError as error:
                raise SinkError(error.strerror) from None
            self._rest = self._rest[written:]

    def close(self) -> None:
        """Nothing: the descriptor is the process's."""
