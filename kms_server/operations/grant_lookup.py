"""Which grant allows the request at hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from kms_server.iam.context import Context
from kms_server.keys import grants as rules
from kms_server.keys.grant_index import CREATE_GRANT, Bounds, GrantIndex, Use
from kms_server.keys.key import KmsKey
from kms_server.operations.call import Call
from kms_server.storage import grants

# ReEncrypt has an encryption context on each side, and each side is a grant operation of its own.
_CONTEXTS = {"ReEncryptFrom": "SourceEncryptionContext", "ReEncryptTo": "DestinationEncryptionContext"}
_SOURCE = "aws:sourcearn"


class GrantLookup:
    """From a grantee's name to a grant under which a call may use a key; nothing is done before it is asked."""

    __slots__ = ("_call", "_context", "_key", "_operation")

    def __init__(self, call: Call, key: KmsKey, action: str, context: Context) -> None:
        self._call = call
        self._key = key
        self._operation = action.rpartition(":")[2]
        self._context = context

    def __call__(self, grantee: str) -> str | None:
        """The id of the grant."""
        if self._operation not in rules.OPERATIONS:
            return None
        sources: Sequence[str] = self._context.values(_SOURCE)
        held = self._held(grantee)
        if self._operation != CREATE_GRANT:
            return held.find(Use(self._operation, self._encryption_context(), sources))
        asked = self._call.parameters
        return held.parent(frozenset(asked["Operations"]), Bounds.of(asked.get("Constraints") or {}), sources)

    def _held(self, grantee: str) -> GrantIndex:
        call, key = self._call, self._key
        if call.tx is None:
            return call.services.keyring.grants(key.key_id, key.region, grantee, may_block=call.may_block)
        # A grant that is gone when the transaction begins no longer allows anything in it.
        rows = grants.of_grantee(
            call.tx.connection, key.key_id, key.region, grantee, operation=self._operation
        )
        return GrantIndex(rows)

    def _encryption_context(self) -> Mapping[str, Any]:
        return self._call.get(_CONTEXTS.get(self._operation, "EncryptionContext")) or {}
