"""The stream of a server."""

import secrets

from kms_server.audit.streams.stream import Stream
from kms_server.audit.streams.target import opener
from kms_server.server.audit_trail import journals
from kms_server.server.state import State

_THIS_HOST = "the host with the files"


def open_stream(state: State) -> Stream | None:
    """The stream that the settings ask for.

    Raises:
        OperatorError: they ask for something unknown.
    """
    if state.settings.audit_stream is None:
        return None
    # Of the workers of one host one at a time is let in here, so each goes on at once where a dead one stopped.
    holder = _THIS_HOST if state.settings.database_url is None else secrets.token_hex(8)
    stream = Stream(state.database, journals(state), opener(state.settings.audit_stream), holder)
    stream.begin()
    return stream
