"""Names for keys: CreateAlias, UpdateAlias, DeleteAlias, ListAliases."""

from kms_server import errors as e
from kms_server.arn import alias_arn
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys import states
from kms_server.keys.identifiers import PREDEFINED_ALIASES, check_alias_name, check_new_alias_name
from kms_server.operations import access, limits
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY
from kms_server.operations.paging import page
from kms_server.quotas.table import ALIASES
from kms_server.schemas import aliases as schemas
from kms_server.storage import aliases
from kms_server.storage.aliases import Alias


def create_alias(call: Call) -> Answer:
    """Give a key another name (AWS CreateAlias)."""
    name = call.parameters["AliasName"]
    check_new_alias_name(name)
    arn = _allow_alias(call, name)
    target = access.use_key(call, _target(call)).key
    call.touches(access.ALIAS, arn)
    if aliases.get(call.connection, call.account, call.region, name) is not None:
        raise e.AlreadyExistsException(f"An alias with the name {arn} already exists")
    _require_room(call, target.key_id)
    aliases.add(call.writing, Alias(call.account, call.region, name, target.key_id, call.time, call.time))
    call.answered_extra = {"keyId": target.arn}
    return None


def update_alias(call: Call) -> Answer:
    """Let an alias name another key of the same kind (AWS UpdateAlias)."""
    name = call.parameters["AliasName"]
    check_alias_name(name)
    call.touches(access.ALIAS, _allow_alias(call, name))
    alias = _existing(call, name)
    usable = access.use_key(call, _target(call))
    target = usable.key
    former = access.load(call, alias.key_id, call.region)
    if former is not None:
        access.allow(call, former)
        # What changes is the alias and the key that it names from now on.
        call.resources = call.resources[:2]
        _require_same_kind(name, former, usable)
    if target.key_id != alias.key_id:
        _require_room(call, target.key_id)
    aliases.point(call.writing, alias, target.key_id, call.time)
    call.answered_extra = {"keyId": target.arn}
    return None


def delete_alias(call: Call) -> Answer:
    """Take a name away; the key stays (AWS DeleteAlias)."""
    name = call.parameters["AliasName"]
    check_alias_name(name)
    call.touches(access.ALIAS, _allow_alias(call, name))
    alias = _existing(call, name)
    usable = access.load(call, alias.key_id, call.region)
    if usable is not None:
        access.allow(call, usable)
        call.answered_extra = {"keyId": usable.key.arn}
    aliases.remove(call.writing, alias)
    return None


def list_aliases(call: Call) -> Answer:
    """The aliases of a key, or of the account and Region (AWS ListAliases)."""
    access.allow_without_key(call)
    key_id = call.get("KeyId")
    key = None if key_id is None else access.find_key(call, key_id).key
    with call.services.database.read() as connection:

        def fetch(after: str, count: int) -> list[Alias]:
            if key is not None:
                return aliases.page_of_key(connection, key.key_id, call.region, after, count)
            stored = aliases.page(connection, call.account, call.region, after, count)
            return _with_predefined(call, stored, after, count)

        found, rest = page(call, fetch, lambda alias: alias.name, default=50, maximum=100)
    return {"Aliases": [_entry(alias) for alias in found], **rest}


def _with_predefined(call: Call, stored: list[Alias], after: str, count: int) -> list[Alias]:
    """Add the AWS aliases that have no key yet, as AWS lists them."""
    last = stored[-1].name if len(stored) == count else None
    names = {alias.name for alias in stored}
    missing = [
        Alias(call.account, call.region, name, "", 0.0, 0.0)
        for name in PREDEFINED_ALIASES
        if name > after and name not in names and (last is None or name < last)
    ]
    return sorted(stored + missing, key=lambda alias: alias.name)[:count]


def _entry(alias: Alias) -> dict[str, object]:
    entry: dict[str, object] = {"AliasName": alias.name, "AliasArn": alias.arn}
    if alias.key_id:
        entry |= {
            "TargetKeyId": alias.key_id,
            "CreationDate": alias.created_at,
            "LastUpdatedDate": alias.updated_at,
        }
    return entry


def _target(call: Call) -> str:
    target: str = call.parameters["TargetKeyId"]
    if target.startswith("alias/") or ":alias/" in target:
        raise e.ValidationException("Aliases must refer to keys. Not aliases")
    return target


def _require_same_kind(name: str, former: UsableKey, target: UsableKey) -> None:
    if former.key.usage != target.key.usage:
        raise _unlike(name, "key usage", former.key.usage, target.key.usage)
    if former.spec.has_public_key != target.spec.has_public_key:
        raise _unlike(name, "key type", former.spec.name, target.spec.name)


def _unlike(name: str, what: str, former: str, target: str) -> e.ValidationException:
    return e.ValidationException(
        f"Alias {name} cannot be changed from a CMK with {what} {former} to a CMK with {what} {target}. "
        f"The {what} of the current CMK and the new CMK must be the same."
    )


def _existing(call: Call, name: str) -> Alias:
    alias = aliases.get(call.connection, call.account, call.region, name)
    if alias is None:
        raise e.NotFoundException(f"Alias {alias_arn(call.region, call.account, name)} is not found.")
    return alias


def _require_room(call: Call, key_id: str) -> None:
    limit = limits.most(call, call.account, call.region, ALIASES)
    if aliases.count_of_key(call.connection, key_id, call.region) >= limit:
        raise e.LimitExceededException(f"A KMS key can have at most {limit} aliases.")


def _allow_alias(call: Call, name: str) -> str:
    arn = alias_arn(call.region, call.account, name)
    access.allow_without_key(call, arn)
    return arn


_ERRORS = (
    e.DependencyTimeoutException, e.NotFoundException, e.KMSInternalException, e.KMSInvalidStateException,
)  # fmt: skip

OPERATIONS = (
    Operation(
        "CreateAlias", create_alias, schemas.CreateAliasRequest, None, Plane.WRITE,
        "Creates an alias for a KMS key.", logged=("AliasName", "TargetKeyId"), rule=states.CHANGE,
        conditions=KEY,
        errors=(*_ERRORS, e.AlreadyExistsException, e.InvalidAliasNameException, e.LimitExceededException),
    ),
    Operation(
        "UpdateAlias", update_alias, schemas.UpdateAliasRequest, None, Plane.WRITE,
        "Associates an alias with another KMS key.", logged=("AliasName", "TargetKeyId"),
        rule=states.CHANGE, conditions=KEY, errors=(*_ERRORS, e.LimitExceededException),
    ),
    Operation(
        "DeleteAlias", delete_alias, schemas.DeleteAliasRequest, None, Plane.WRITE,
        "Deletes an alias.", logged=("AliasName",), conditions=KEY, errors=_ERRORS,
    ),
    Operation(
        "ListAliases", list_aliases, schemas.ListAliasesRequest, schemas.ListAliasesResponse, Plane.READ,
        "Lists aliases.", logged=("KeyId", "Limit", "Marker"),
        errors=(e.DependencyTimeoutException, e.InvalidMarkerException, e.KMSInternalException,
                e.InvalidArnException, e.NotFoundException),
    ),
)  # fmt: skip
