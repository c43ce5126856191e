"""Handlers that read the database: within the call's transaction where it has one."""

from collections.abc import Callable
from typing import TypeAlias

from sqlalchemy import Connection

from kms_server.operations.call import Answer, Call

Handler: TypeAlias = Callable[[Call, Connection], Answer]


def connected(handler: Handler) -> Callable[[Call], Answer]:
    """A handler with the connection of the call's transaction, else with one of its own."""

    def run(call: Call) -> Answer:
        if call.tx is not None:
            return handler(call, call.connection)
        with call.services.database.read() as connection:
            return handler(call, connection)

    return run
