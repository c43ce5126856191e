"""The condition keys of a call, worked out when a policy asks for them."""

from collections.abc import Callable, Sequence

from kms_server.clock import iso_seconds
from kms_server.keyring.usable_key import UsableKey
from kms_server.operations.call import Call


class CallContext:
    """What a call, its caller and its key say of themselves; `usable` is None where no key is asked for."""

    def __init__(self, call: Call, usable: UsableKey | None = None) -> None:
        self._call = call
        self._usable = usable

    def values(self, key: str) -> Sequence[str]:
        """The values of a condition key, by its name in lower case."""
        found = _GLOBAL.get(key)
        if found is not None:
            return found(self._call)
        own = self._call.conditions
        return () if own is None else own.values(key)


_GLOBAL: dict[str, Callable[[Call], Sequence[str]]] = {
    "aws:sourceip": lambda call: (call.request.source_ip,),
    "aws:securetransport": lambda call: ("true" if call.request.tls else "false",),
    "aws:currenttime": lambda call: (iso_seconds(call.time),),
    "aws:epochtime": lambda call: (str(int(call.time)),),
    "aws:principalaccount": lambda call: (call.account,),
}
