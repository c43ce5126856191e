"""Another process on a database: `python -m tests.unit.storage.storage_process <what> <directory> <url> <how often>`."""

import os
import sys
import time
from contextlib import suppress

from kms_server.storage import injected_faults
from kms_server.storage.database import changed_since, latest_change
from kms_server.storage.writer_lock import WriterLock
from tests.databases import Place


def say(text: object) -> None:
    os.write(1, f"{text}\n".encode())


def mark(place: Place, count: int) -> None:
    """Transactions of which each third is taken back; tells the stamps of the others once they are committed."""
    database = place.open()
    for number in range(count):
        scope = f"{os.getpid()}:{number}"
        with suppress(ZeroDivisionError):
            with database.write() as tx:
                tx.mark(scope)
                1 // (2 - number % 3)
            say(f"{tx.stamp} {scope}")
    database.close()


def hold(place: Place, seconds: int) -> None:
    """The writer lock, until somebody kills the process."""
    with WriterLock(place.directory / "writer.lock").held():
        say("held")
        time.sleep(seconds)


def half(place: Place, seconds: int) -> None:
    """A transaction that does not get to its end."""
    with place.open().write() as tx:
        tx.mark("half")
        say(tx.stamp)
        time.sleep(seconds)


def announce(place: Place, count: int) -> None:
    """Generations."""
    generation = place.open().generation
    for _ in range(count):
        generation.raise_()


def count(place: Place, _: int) -> None:
    """Places in the schedule of the oldest fault, from the scope `go` on until it is used up."""
    database = place.open()
    with database.read() as connection:
        (fault,) = injected_faults.every(connection)
        begin = latest_change(connection)
    say("ready")
    while True:
        with database.read() as connection:
            if "go" in changed_since(connection, begin):
                break
        time.sleep(0.01)
    while (position := injected_faults.take(database, fault)) is not None:
        say(position)
    database.close()


if __name__ == "__main__":
    _, what, *where, often = sys.argv
    {"mark": mark, "hold": hold, "half": half, "announce": announce, "count": count}[what](
        Place.of(where), int(often)
    )
