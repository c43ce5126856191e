"""What must hold of a seed, whichever file it came from."""

from collections import Counter

from kms_server import arn
from kms_server.errors import OperatorError, ServiceError
from kms_server.keys import rotation, specs
from kms_server.keys import tags as tag_rules
from kms_server.keys.identifiers import check_new_alias_name, is_key_id
from kms_server.keys.key import AWS_KMS, EXTERNAL
from kms_server.keys.seeds.seed import Seed, SeedAlias, SeedKey

_LONGEST_DESCRIPTION = 8_192
_LONGEST_ALIAS = 256
_LONGEST_TAG_KEY, _LONGEST_TAG_VALUE = 128, 256


def check(seed: Seed) -> None:
    """Check every part of a seed, and that nothing is in it twice.

    Raises:
        OperatorError: with the place in the file and what is wrong there.
    """
    for key in seed.keys:
        _check_place(key)
        _check_material(key)
        _check_rotation(key)
        _check_attributes(key)
    for alias in seed.aliases:
        _check_alias(alias)
    _refuse_doubles([key.key_id for key in seed.keys], "the key")
    _refuse_doubles([arn.alias_arn(a.region, a.account, a.name) for a in seed.aliases], "the alias")


def _check_place(key: SeedKey | SeedAlias) -> None:
    if not is_key_id(key.key_id):
        raise OperatorError(
            f"{key.where}: a key id is a UUID in lower case, or mrk- and 32 hexadecimal digits"
        )
    if not arn.is_account(key.account):
        raise OperatorError(f"{key.where}: an account has twelve digits")
    if not arn.is_region(key.region):
        raise OperatorError(f"{key.where}: a Region is written as us-east-1 is")


def _check_material(key: SeedKey) -> None:
    spec = specs.find(key.spec)
    if key.usage not in spec.algorithms:
        raise OperatorError(f"{key.where}: KeyUsage of {spec.name} must be {' or '.join(spec.algorithms)}")
    if key.origin not in {AWS_KMS, EXTERNAL}:
        raise OperatorError(f"{key.where}: Origin must be {AWS_KMS} or {EXTERNAL}")
    if key.origin == AWS_KMS and not key.material:
        raise OperatorError(f"{key.where} has no material; only a key of Origin {EXTERNAL} can await it")
    if key.origin == EXTERNAL and not spec.wrapping:
        raise OperatorError(f"{key.where}: keys of {spec.name} cannot have the Origin {EXTERNAL}")
    if len(key.material) > 1 and not spec.is_symmetric:
        raise OperatorError(f"{key.where}: keys of {spec.name} do not rotate and have one material")
    if len(set(key.material)) != len(key.material):
        raise OperatorError(f"{key.where} has the same material twice")
    if not key.enabled and not key.material:
        raise OperatorError(f"{key.where} has no material and so cannot be disabled")


def _check_rotation(key: SeedKey) -> None:
    if key.rotation_period_days is None:
        return
    if key.spec != specs.SYMMETRIC_DEFAULT.name or key.origin != AWS_KMS:
        raise OperatorError(f"{key.where}: only keys of SYMMETRIC_DEFAULT and {AWS_KMS} rotate by themselves")
    try:
        rotation.validate_period(key.rotation_period_days)
    except ServiceError as error:
        raise OperatorError(f"{key.where}: {error}") from None


def _check_attributes(key: SeedKey) -> None:
    if len(key.description) > _LONGEST_DESCRIPTION:
        raise OperatorError(f"{key.where}: a description has at most {_LONGEST_DESCRIPTION} characters")
    for name, value in key.tags.items():
        if not 1 <= len(name) <= _LONGEST_TAG_KEY or len(value) > _LONGEST_TAG_VALUE:
            raise OperatorError(
                f"{key.where}: a tag has a key of 1 to {_LONGEST_TAG_KEY} characters "
                f"and a value of at most {_LONGEST_TAG_VALUE}"
            )
    try:
        tag_rules.checked_names(key.tags)
        tag_rules.require_room(key.tags)
    except ServiceError as error:
        raise OperatorError(f"{key.where}: {error}") from None


def _check_alias(alias: SeedAlias) -> None:
    _check_place(alias)
    if len(alias.name) > _LONGEST_ALIAS:
        raise OperatorError(f"{alias.where}: the name of an alias has at most {_LONGEST_ALIAS} characters")
    try:
        check_new_alias_name(alias.name)
    except ServiceError:
        raise OperatorError(
            f"{alias.where}: the name of an alias is alias/ and letters, digits and /_-; alias/aws is reserved"
        ) from None


def _refuse_doubles(names: list[str], what: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise OperatorError(f"{what} {name} is there twice")
