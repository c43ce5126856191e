"""Which grant allows the request at hand."""

from collections.abc import Iterator

from sqlalchemy import Connection

from kms_server.iam.context import Context
from kms_server.keys import grants as rules
from kms_server.keys.grant_index import CREATE_GRANT, Bounds, Use
from kms_server.keys.key import KmsKey
from kms_server.operations.call import Call
from kms_server.storage import grants

# ReEncrypt has an encryption context on each side, and each side is a grant operation of its own.
_CONTEXTS = {"ReEncryptFrom": "SourceEncryptionContext", "ReEncryptTo": "DestinationEncryptionContext"}
_SOURCE = "aws:sourcearn"


class GrantLookup:
    """From a grantee's name to a grant under which a call may use a key; nothing is done before it is asked.

    `connection` is for questions about calls that nobody makes; calls that make grants have a transaction.
    """

    __slots__ = ("_call", "_connection", "_context", "_key", "_operation")

    def __init__(
        self, call: Call, key: KmsKey, action: str, context: Context, connection: Connection | None = None
    ) -> None:
        self._call = call
        self._connection = connection
        self._key = key
        self._operation = action.rpartition(":")[2]
        self._context = context

    def __call__(self, grantee: str) -> str | None:
        """The id of the grant."""
        if self._operation not in rules.OPERATIONS:
            return None
        if self._operation == CREATE_GRANT:
            return next(self.makers(grantee), None)
        call, key = self._call, self._key
        held = call.services.keyring.grants(key.key_id, key.region, grantee, may_block=call.may_block)
        context = call.get(_CONTEXTS.get(self._operation, "EncryptionContext")) or {}
        return held.find(Use(self._operation, context, self._context.values(_SOURCE)))

    def makers(self, grantee: str) -> Iterator[str]:
        """The ids of the grants by which a grantee may make the one asked for, as the call's transaction sees them."""
        asked, sources = self._call.parameters, self._context.values(_SOURCE)
        operations, bounds = (
            frozenset(asked.get("Operations") or ()),
            Bounds.of(asked.get("Constraints") or {}),
        )
        connection, key = self._connection or self._call.connection, self._key
        held = grants.of_grantee(connection, key.key_id, key.region, grantee, operation=CREATE_GRANT)
        return (one.grant_id for one in held if one.allows_child(operations, bounds, sources))
