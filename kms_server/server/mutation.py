"""The one transaction of a mutation, its service events and its record; begun anew where nothing of it has happened."""

from typing import Any

from sqlalchemy.exc import DBAPIError

from kms_server.keyring.material_pool import NoneReady
from kms_server.operations.call import Call
from kms_server.operations.recording import recording
from kms_server.storage.conflicts import was_undone

_TRIES = 3
# What a handler notes for the record: a handler that runs again notes it again.
_NOTES = ("resources", "additional", "logged_extra", "answered_extra", "echoes")


def carry_out(call: Call) -> None:
    """Run the handler of a call that writes, and commit what it did with its record; the call has its answer then.

    It is run again as a whole, a few times at most, when the database has undone the transaction because others were
    in its way. A commit that nobody has heard the end of is not repeated: its outcome is unknown.
    """
    if call.operation.prepare is not None:
        call.operation.prepare(call)
    notes: dict[str, Any] = {name: getattr(call, name) for name in _NOTES}
    undone = 0
    while True:
        try:
            _attempt(call)
        except NoneReady as missing:
            # Nothing was written yet; no transaction waits while key material is made.
            call.services.material.make(missing.spec)
        except DBAPIError as error:
            undone += 1
            if not was_undone(error) or undone == _TRIES:
                raise
            for name, note in notes.items():
                setattr(call, name, note)
        else:
            return


def _attempt(call: Call) -> None:
    with recording(call, call.services.database.write()) as tx:
        call.tx = tx
        call.answer = call.operation.handler(call)
