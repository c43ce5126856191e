"""Which grant allows the request at hand."""

from collections.abc import Sequence

from kms_server.keys import grants as rules
from kms_server.keys.grant_index import CREATE_GRANT, Bounds, Use
from kms_server.keys.key import KmsKey
from kms_server.operations.context import CallContext
from kms_server.storage import grants

_SOURCE = "aws:sourcearn"


class GrantLookup:
    """From a grantee's name to a grant under which a call may use a key; nothing is done before it is asked."""

    __slots__ = ("_context", "_key")

    def __init__(self, key: KmsKey, context: CallContext) -> None:
        self._key = key
        self._context = context

    def __call__(self, grantee: str) -> str | None:
        """The id of the grant."""
        context, key = self._context, self._key
        operation = context.action.rpartition(":")[2]
        if operation not in rules.OPERATIONS:
            return None
        sources = context.values(_SOURCE)
        if operation == CREATE_GRANT:
            return self._parent(grantee, sources)
        call = context.call
        held = call.services.keyring.grants(key.key_id, key.region, grantee, may_block=call.may_block)
        return held.find(Use(operation, context.get("EncryptionContext") or {}, sources))

    def _parent(self, grantee: str, sources: Sequence[str]) -> str | None:
        """The grant by which a grantee may make the one asked for, as the call's transaction sees it."""
        call, key = self._context.call, self._key
        operations = frozenset(call.parameters["Operations"])
        bounds = Bounds.of(call.get("Constraints") or {})
        held = grants.of_grantee(call.connection, key.key_id, key.region, grantee, operation=CREATE_GRANT)
        return next((one.grant_id for one in held if one.allows_child(operations, bounds, sources)), None)
