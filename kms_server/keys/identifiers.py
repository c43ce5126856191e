"""Key identifiers in their four forms, ids, and alias names (AWS: "Key identifiers", CreateAlias)."""

import re
import secrets
import uuid
from functools import lru_cache
from typing import NamedTuple

from kms_server.arn import PARTITION, Arn
from kms_server.errors import (
    InvalidAliasNameException,
    InvalidArnException,
    NotAuthorizedException,
    NotFoundException,
    ValidationException,
)

_KEY_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
_ALIAS_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]+")
_ALIASES_REFUSED = "Key Aliases are not supported for this operation."
_PREFIX_TEXT = (
    'Alias must start with the prefix "alias/". '
    "Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)

PREDEFINED_ALIASES = tuple(
    f"alias/aws/{service}"
    for service in (
        "acm", "backup", "dynamodb", "ebs", "elasticfilesystem", "es", "glue", "kinesis", "lambda", "rds",
        "redshift", "s3", "secretsmanager", "sns", "sqs", "ssm",
    )
)  # fmt: skip


class KeyReference(NamedTuple):
    """What an identifier names: a key by id, or an alias; exactly one of the two is set."""

    account: str
    region: str
    key_id: str | None = None
    alias_name: str | None = None


def new_key_id(*, multi_region: bool = False) -> str:
    """A fresh key id: a lower-case UUID, or `mrk-` and its digits."""
    fresh = uuid.uuid4()
    return f"mrk-{fresh.hex}" if multi_region else str(fresh)


def is_key_id(text: str) -> bool:
    """Whether `text` has the form of a key id."""
    return _KEY_ID.fullmatch(text) is not None


def is_multi_region(key_id: str) -> bool:
    """Whether a key id is that of a multi-Region key."""
    return key_id.startswith("mrk-")


def new_material_id() -> str:
    """A fresh KeyMaterialId: 64 random hexadecimal digits, so that it tells nothing about the material."""
    return secrets.token_hex(32)


@lru_cache(maxsize=4_096)
def parse_key_identifier(text: str, *, region: str, account: str, aliases_allowed: bool) -> KeyReference:
    """Parse a key id, key ARN, alias name or alias ARN, as sent by a caller of `account` in `region`.

    Raises:
        NotFoundException: the id is malformed, or the ARN names another Region.
        InvalidArnException: the ARN is malformed, or names an alias where none is taken.
    """
    if text.startswith("arn:"):
        return _parse_arn(text, region, aliases_allowed=aliases_allowed)
    if text.startswith("alias/"):
        if not aliases_allowed:
            raise InvalidArnException(_ALIASES_REFUSED)
        return KeyReference(account, region, alias_name=text)
    if _KEY_ID.fullmatch(text) is None:
        raise NotFoundException(f"Invalid keyId '{text}'")
    return KeyReference(account, region, key_id=text)


def _parse_arn(text: str, region: str, *, aliases_allowed: bool) -> KeyReference:
    arn = Arn.parse(text)
    if arn is None or arn.service != "kms" or arn.partition != PARTITION:
        raise InvalidArnException(f"Invalid arn {text}")
    if arn.region != region:
        raise NotFoundException(f"Invalid arn {arn.region}")
    if arn.resource.startswith("alias/"):
        if not aliases_allowed:
            raise InvalidArnException(_ALIASES_REFUSED)
        return KeyReference(arn.account, arn.region, alias_name=arn.resource)
    kind, _, key_id = arn.resource.partition("/")
    if kind != "key":
        raise InvalidArnException(f"Invalid arn {text}")
    if _KEY_ID.fullmatch(key_id) is None:
        raise NotFoundException(f"Invalid keyId {key_id}")
    return KeyReference(arn.account, arn.region, key_id=key_id)


def check_alias_name(name: str) -> None:
    """Check the name of an alias that a customer creates, moves or deletes.

    Raises:
        ValidationException, NotAuthorizedException: with AWS's texts.
    """
    if not name.startswith("alias/"):
        raise ValidationException(_PREFIX_TEXT)
    if ":" in name:
        raise ValidationException(f"{name} contains invalid characters for an alias")
    if name.startswith("alias/aws"):
        raise NotAuthorizedException


def check_new_alias_name(name: str) -> None:
    """Check the name that an alias is to have.

    Raises:
        ValidationException, NotAuthorizedException: as for any alias.
        InvalidAliasNameException: it is malformed; no alias to move or delete has such a name.
    """
    check_alias_name(name)
    if _ALIAS_NAME.fullmatch(name) is None:
        raise InvalidAliasNameException(f"{name} is not a valid alias name")
