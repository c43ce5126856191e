"""Grants: who may do what with a key beside its policy (AWS "Grants in AWS KMS")."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kms_server.arn import root_arn
from kms_server.errors import InvalidArnException, InvalidGrantIdException, ValidationException
from kms_server.keys import specs
from kms_server.keys.key import KmsKey

_GRANT_ID = re.compile(r"[0-9a-f]{64}")
_PRINCIPAL = re.compile(
    r"arn:aws:(iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9+=,.@_/-]+)"
    r"|sts::[0-9]{12}:(assumed-role/[A-Za-z0-9+=,.@_-]+/|federated-user/)[A-Za-z0-9+=,.@_-]+)"
)
_MOST_PAIRS = 8
_LONGEST_VALUE = 384
_OF_EVERY_KEY = frozenset({"DescribeKey", "CreateGrant", "RetireGrant"})
_BY_USAGE = {
    specs.ENCRYPT: frozenset({"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"}),
    specs.SIGN: frozenset({"Sign", "Verify"}),
    specs.MAC: frozenset({"GenerateMac", "VerifyMac"}),
    specs.AGREE: frozenset({"DeriveSharedSecret"}),
    specs.ENCAPSULATE: frozenset({"Encapsulate", "Decapsulate"}),
}
_OF_SYMMETRIC_KEYS = frozenset({
    "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
})  # fmt: skip
# All that a grant can allow; whether to retire it is no matter of the key's policy and not asked this way.
OPERATIONS = _OF_EVERY_KEY.union(_OF_SYMMETRIC_KEYS, {"GetPublicKey"}, *_BY_USAGE.values())
# A key has several identifiers, and which one was sent makes no other request.
_NOT_ASKED_FOR = frozenset({"KeyId", "GrantTokens", "DryRun"})
_CONTEXTS = ("EncryptionContextEquals", "EncryptionContextSubset")


@dataclass(frozen=True, slots=True)
class Party:
    """Whom a grant is for, or who may retire it: a principal by its ARN, or a service by its name.

    `key` is by what a caller is matched: the unique id of a user, role or role's session, else the name itself.
    """

    name: str
    is_service: bool
    key: str

    def shown(self, role: str) -> dict[str, str]:
        """The member that names the party in AWS's lists; `role` is Grantee or Retiring."""
        return {self._member(role): self.name}

    def keyed(self, role: str) -> dict[str, str]:
        """The same member with the key."""
        return {self._member(role): self.key}

    def _member(self, role: str) -> str:
        return f"{role}ServicePrincipal" if self.is_service else f"{role}Principal"


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant on one key; `request` is the digest of what was asked for, where the grant has a name."""

    grant_id: str
    key_id: str
    region: str
    name: str | None
    grantee: Party
    retiring: Party | None
    operations: tuple[str, ...]
    constraints: Mapping[str, object]
    issuing_account: str
    created_at: float
    request: str | None

    def entry(self, key_arn: str) -> dict[str, object]:
        """AWS's GrantListEntry."""
        entry: dict[str, object] = {
            "KeyId": key_arn,
            "GrantId": self.grant_id,
            "Name": self.name or "",
            "CreationDate": self.created_at,
            "IssuingAccount": root_arn(self.issuing_account),
            "Operations": list(self.operations),
        }
        if self.constraints:
            entry["Constraints"] = self.constraints
        retiring = self.retiring.shown("Retiring") if self.retiring else {}
        return entry | self.grantee.shown("Grantee") | retiring


def party(principal: str | None, service: str | None, role: str) -> Party | None:
    """The principal or the service that a request names; whether it exists is not looked at.

    Raises:
        ValidationException: both are given.
        InvalidArnException: the principal's ARN is none that can hold a grant.
    """
    if principal is not None and service is not None:
        raise ValidationException(f"Only one of {role}Principal and {role}ServicePrincipal can be specified.")
    if principal is not None and _PRINCIPAL.fullmatch(principal) is None:
        raise InvalidArnException(f"ARN does not refer to a valid principal: {principal}")
    named = principal or service
    return None if named is None else Party(named, service is not None, named)


def check_operations(key: KmsKey, operations: Sequence[str]) -> tuple[str, ...]:
    """The operations of a grant, each once.

    Raises:
        ValidationException: there is none, or one that keys of this kind do not have.
    """
    if not operations:
        raise ValidationException("At least one operation must be specified.")
    allowed = _OF_EVERY_KEY | _BY_USAGE[key.usage]
    spec = specs.find(key.spec)
    if spec.is_symmetric:
        allowed |= _OF_SYMMETRIC_KEYS
    if spec.has_public_key:
        allowed |= {"GetPublicKey"}
    wrong = [operation for operation in operations if operation not in allowed]
    if wrong:
        raise ValidationException(
            f"Grant operations [{', '.join(wrong)}] are not supported for {key.arn}: its key spec is {key.spec} "
            f"and its key usage {key.usage}."
        )
    return tuple(dict.fromkeys(operations))


def check_constraints(
    key: KmsKey, constraints: Mapping[str, object], grantee: Party, retiring: Party | None
) -> None:
    """Check what binds the use of a grant.

    Raises:
        ValidationException
    """
    contexts = [constraints[name] for name in _CONTEXTS if name in constraints]
    if contexts and not specs.find(key.spec).is_symmetric:
        raise ValidationException(
            "Encryption context constraints are only supported for symmetric encryption keys."
        )
    for context in contexts:
        assert isinstance(context, Mapping)  # noqa: S101 - the schema says so
        if len(context) > _MOST_PAIRS or any(len(value) > _LONGEST_VALUE for value in context.values()):
            raise ValidationException(
                f"An encryption context constraint has at most {_MOST_PAIRS} pairs, "
                f"each value at most {_LONGEST_VALUE} characters."
            )
    if grantee.is_service and ("SourceArn" not in constraints or retiring is None):
        raise ValidationException(
            "A grant for a service principal requires a SourceArn constraint and a retiring principal."
        )


def check_id(grant_id: str) -> None:
    """Check the form of a grant id.

    Raises:
        InvalidGrantIdException: it is not 64 hexadecimal digits.
    """
    if _GRANT_ID.fullmatch(grant_id) is None:
        raise InvalidGrantIdException(f"Invalid grant id {grant_id}")


def request_digest(
    parameters: Mapping[str, object], issuing_account: str, grantee: Party, retiring: Party | None
) -> str:
    """What tells a repeated request for a named grant on a key from a different one.

    A principal counts by its key: who has the name of somebody deleted is another.
    """
    asked = {name: value for name, value in parameters.items() if name not in _NOT_ASKED_FOR}
    parties = grantee.keyed("Grantee") | (retiring.keyed("Retiring") if retiring else {})
    return hashlib.sha256(json.dumps([issuing_account, asked | parties], sort_keys=True).encode()).hexdigest()
