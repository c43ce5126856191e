"""The condition keys of a call, worked out when a policy asks for them: those of the operation, then the global ones."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kms_server.operations.call import Condition, Conditions, Subject, by_lookup
from kms_server.operations.global_keys import GLOBAL

# The fixed part of a name that ends in one of the policy's choice: a tag's key, or the key of an encryption context.
_OPEN_ENDED = re.compile(r"[^:/]+:[^:/]+[:/]")


_GLOBAL = by_lookup(GLOBAL)


@dataclass(slots=True)
class CallContext(Subject):
    """What policies judge, with its condition keys.

    `conditions` are those of another operation than the call's, where that is what is judged.
    """

    conditions: Conditions | None = None

    def values(self, key: str) -> Sequence[str]:
        """The values of a condition key, by its name in lower case."""
        known = self.call.conditions
        if known is not None and (own := known.values(key)):
            return own
        condition = self._condition(key)
        if condition is not None:
            return condition(self, "")
        fixed = _OPEN_ENDED.match(key)
        condition = self._condition(fixed[0]) if fixed else None
        if fixed and condition is not None:
            return condition(self, key[fixed.end() :])
        return _of_web_identity(self, key)

    def _condition(self, key: str) -> Condition | None:
        own = self.call.operation.lookup if self.conditions is None else self.conditions
        return own.get(key) or _GLOBAL.get(key)


def _of_web_identity(subject: Subject, key: str) -> Sequence[str]:
    """What the token of an OpenID Connect provider said, under the provider's own names."""
    session = subject.call.principal.session
    if session is None or session.web_identity is None:
        return ()
    return tuple(value for name, value in session.web_identity.items() if name.lower() == key)
