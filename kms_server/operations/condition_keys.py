"""Condition keys of operations: from request members and from keys (AWS "Condition keys for AWS KMS").

An operation declares the keys it has, by their AWS names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kms_server.errors import AccessDeniedException
from kms_server.iam.denial import not_visible
from kms_server.keys import specs
from kms_server.keys.identifiers import parse_key_identifier
from kms_server.keys.key import KmsKey
from kms_server.operations import limits
from kms_server.operations.call import Condition, Conditions, Subject
from kms_server.quotas.table import ALIASES

_NONE: tuple[str, ...] = ()


def texts(value: Any) -> Sequence[str]:  # noqa: ANN401 - request members have many types
    """A value as policies see it; nothing where it is None."""
    if value is None:
        return _NONE
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, list):
        return tuple(value)
    return (str(int(value)) if value == int(value) else repr(value),)


def named(pairs: Mapping[str, str], name: str) -> Sequence[str]:
    """The values of pairs whose name is `name`, which is in lower case, in any case."""
    return tuple(value for one, value in pairs.items() if one.lower() == name)


def tag(tags: Mapping[str, str], name: str) -> Sequence[str]:
    """The value of a tag; two whose keys differ only in case match neither (AWS "aws:ResourceTag")."""
    found = named(tags, name)
    return found if len(found) == 1 else _NONE


def sent(name: str, default: Any = None) -> Condition:  # noqa: ANN401 - request members have many types
    """The value of a request member, `default` when it was not sent."""
    return lambda subject, _: texts(subject.get(name, default))


def of_key(read: Callable[[KmsKey], Any]) -> Condition:
    """A property of the key that is asked for."""

    def values(subject: Subject, _: str) -> Sequence[str]:
        return _NONE if subject.key is None else texts(read(subject.key))

    return values


def request_tags(name: str = "TagKey", value: str = "TagValue", *, member: str = "Tags") -> Conditions:
    """The tags in a list of a request, each with its `name` and its `value`; one without a value has an empty one."""

    def pairs(subject: Subject) -> Mapping[str, str]:
        return {one[name]: one.get(value, "") for one in subject.call.get(member) or ()}

    return {
        "aws:RequestTag/": lambda subject, wanted: tag(pairs(subject), wanted),
        "aws:TagKeys": lambda subject, _: tuple(pairs(subject)),
    }


def encryption_context(read: Callable[[Subject], Mapping[str, str]]) -> Conditions:
    """The condition keys of an encryption context."""
    return {
        "kms:EncryptionContext:": lambda subject, wanted: named(read(subject), wanted),
        "kms:EncryptionContextKeys": lambda subject, _: tuple(read(subject)),
    }


def via_service(subject: Subject, _: str) -> Sequence[str]:
    """The service that forwards its caller's session."""
    forwarded = subject.call.forwarded
    return _NONE if forwarded is None else (f"{forwarded.service}.{forwarded.region}.amazonaws.com",)


def is_forwarded(subject: Subject, _: str) -> Sequence[str]:
    """Whether a service makes the call for its own caller."""
    return texts(subject.call.forwarded is not None)


def _multi_region_type(key: KmsKey) -> str | None:
    if key.primary_region is None:
        return None
    return "REPLICA" if key.is_replica else "PRIMARY"


def _aliases(subject: Subject, _: str) -> Sequence[str]:
    """The aliases of a key; who has to be judged by them is denied when there are more than the quota."""
    usable, call = subject.usable, subject.call
    if usable is None:
        return _NONE
    most = limits.most(call, usable.key.account, usable.key.region, ALIASES)
    aliases = usable.labels().aliases
    if len(aliases) <= most:
        return aliases
    if usable.key.account != call.account:
        raise not_visible(call.principal, subject.action)
    raise AccessDeniedException(
        f"User: {call.principal.arn} is not authorized to perform: {subject.action} on resource: {usable.key.arn} "
        f"because it has more than {most} aliases"
    )


def _request_alias(subject: Subject, _: str) -> Sequence[str]:
    """The alias by which the request names its key."""
    identifier = subject.get("KeyId")
    if identifier is None:
        return _NONE
    call = subject.call
    named_by = parse_key_identifier(
        identifier, region=call.region, account=call.account, aliases_allowed=True
    )
    return texts(named_by.alias_name)


_CALLER: Conditions = {
    "kms:CallerAccount": lambda subject, _: (subject.call.account,),
}
PROPERTIES: Conditions = {
    "kms:CustomerMasterKeySpec": of_key(lambda key: key.spec),
    "kms:CustomerMasterKeyUsage": of_key(lambda key: key.usage),
    "kms:KeySpec": of_key(lambda key: key.spec),
    "kms:KeyUsage": of_key(lambda key: key.usage),
    "kms:KeyOrigin": of_key(lambda key: key.origin),
    "kms:MultiRegion": of_key(lambda key: key.primary_region is not None),
    "kms:MultiRegionKeyType": of_key(_multi_region_type),
}
# What RetireGrant knows of the key of its grant.
RETIRED: Conditions = {
    **_CALLER,
    "kms:ResourceAliases": _aliases,
    "kms:ViaService": via_service,
    "aws:ResourceTag/": lambda subject, wanted: tag(subject.resource_tags, wanted),
}
# Of every other operation on a key.
KEY: Conditions = {**PROPERTIES, **RETIRED}
# Of those that take an alias for the key.
KEY_BY_ALIAS: Conditions = {**KEY, "kms:RequestAlias": _request_alias}
# Of those that encrypt and decrypt.
ENCRYPTION: Conditions = {
    **KEY_BY_ALIAS,
    "kms:EncryptionAlgorithm": sent("EncryptionAlgorithm", specs.SYMMETRIC_DEFAULT.name),
    **encryption_context(lambda subject: subject.get("EncryptionContext") or {}),
}
KEY_STORE: Conditions = _CALLER
BYPASS: Conditions = {
    "kms:BypassPolicyLockoutSafetyCheck": sent("BypassPolicyLockoutSafetyCheck", default=False)
}
