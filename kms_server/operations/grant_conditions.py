"""Condition keys of the operations on grants (AWS "Condition keys for AWS KMS")."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kms_server.operations.call import Conditions, Subject
from kms_server.operations.condition_keys import (
    KEY,
    RETIRED,
    encryption_context,
    is_forwarded,
    sent,
    texts,
)

_EQUALS, _SUBSET = "EncryptionContextEquals", "EncryptionContextSubset"
_Constraints = Callable[[Subject], Mapping[str, Any]]


def _of_constraints(read: _Constraints) -> Conditions:
    """What binds the use of a grant; a constraint by its source is of no type."""

    def context(subject: Subject) -> Mapping[str, str]:
        constraints = read(subject)
        return {key: value for name in (_EQUALS, _SUBSET) for key, value in constraints.get(name, {}).items()}

    def kind(subject: Subject, _: str) -> Sequence[str]:
        constraints = read(subject)
        # A subset without pairs binds nothing; a whole context without pairs does.
        binding = {_EQUALS: _EQUALS in constraints, _SUBSET: bool(constraints.get(_SUBSET))}
        return tuple(name for name, binds in binding.items() if binds)

    return {**encryption_context(context), "kms:GrantConstraintType": kind}


def _asked_for(subject: Subject) -> Mapping[str, Any]:
    constraints: Mapping[str, Any] = subject.get("Constraints") or {}
    return constraints


def _of_grant(subject: Subject) -> Mapping[str, Any]:
    return subject.grant.constraints if subject.grant else {}


LISTED_GRANT: Conditions = {**KEY, "kms:GrantIsForAWSResource": is_forwarded}
CREATED_GRANT: Conditions = {
    **LISTED_GRANT,
    **_of_constraints(_asked_for),
    "kms:GrantConstraintSourceArn": lambda subject, _: texts(_asked_for(subject).get("SourceArn")),
    "kms:GrantOperations": sent("Operations"),
    "kms:GranteePrincipal": sent("GranteePrincipal"),
    "kms:GranteeServicePrincipal": sent("GranteeServicePrincipal"),
    "kms:RetiringPrincipal": sent("RetiringPrincipal"),
    "kms:RetiringServicePrincipal": sent("RetiringServicePrincipal"),
}
RETIRED_GRANT: Conditions = {**RETIRED, **_of_constraints(_of_grant)}
