"""Which grant allows the request at hand."""

from collections.abc import Iterator

from sqlalchemy import Connection

from kms_server.keys import grants as rules
from kms_server.keys.grant_index import CREATE_GRANT, Bounds, Use
from kms_server.keys.key import KmsKey
from kms_server.operations.context import CallContext
from kms_server.storage import grants

_SOURCE = "aws:sourcearn"


class GrantLookup:
    """From a grantee's name to a grant under which a call may use a key; nothing is done before it is asked.

    `connection` is for questions about calls that nobody makes; calls that make grants have a transaction.
    """

    __slots__ = ("_connection", "_context", "_key")

    def __init__(self, key: KmsKey, context: CallContext, connection: Connection | None = None) -> None:
        self._key = key
        self._context = context
        self._connection = connection

    def __call__(self, grantee: str) -> str | None:
        """The id of the grant."""
        context, key = self._context, self._key
        operation = context.action.rpartition(":")[2]
        if operation not in rules.OPERATIONS:
            return None
        if operation == CREATE_GRANT:
            return next(self.makers(grantee), None)
        call = context.call
        held = call.services.keyring.grants(key.key_id, key.region, grantee, may_block=call.may_block)
        return held.find(Use(operation, context.get("EncryptionContext") or {}, context.values(_SOURCE)))

    def makers(self, grantee: str) -> Iterator[str]:
        """The ids of the grants by which a grantee may make the one asked for, as the call's transaction sees them."""
        call, key, sources = self._context.call, self._key, self._context.values(_SOURCE)
        operations = frozenset(call.get("Operations") or ())
        bounds = Bounds.of(call.get("Constraints") or {})
        connection = self._connection or call.connection
        held = grants.of_grantee(connection, key.key_id, key.region, grantee, operation=CREATE_GRANT)
        return (one.grant_id for one in held if one.allows_child(operations, bounds, sources))
