"""Which key an identifier of a request names."""

from kms_server.errors import InvalidArnException, NotFoundException, ServiceError
from kms_server.keys.identifiers import KeyReference, parse_key_identifier
from kms_server.operations.call import Call
from kms_server.storage import aliases


def parse(call: Call, identifier: str) -> KeyReference:
    """What an identifier names, there or not.

    Raises:
        NotFoundException, InvalidArnException: it is none that the operation takes.
    """
    try:
        return parse_key_identifier(
            identifier,
            region=call.region,
            account=call.account,
            aliases_allowed=call.operation.aliases_allowed,
        )
    except InvalidArnException as error:
        # AWS's model has no InvalidArnException for the operations that use keys.
        if InvalidArnException in call.operation.errors:
            raise
        raise NotFoundException(error.message) from None


def key_id_of(call: Call, identifier: str) -> str | None:
    """The id of the key that an identifier names, whether there is one or not; None where nothing tells it."""
    try:
        reference = parse(call, identifier)
    except ServiceError:
        return None
    if reference.alias_name is None:
        return reference.key_id
    alias = find_alias(call, reference.account, reference.region, reference.alias_name)
    return alias.key_id if alias else None


def find_alias(call: Call, account: str, region: str, name: str) -> aliases.Alias | None:
    """An alias by name, as the call's transaction or the keyring sees it."""
    if call.tx is not None:
        return aliases.get(call.tx.connection, account, region, name)
    return call.services.keyring.alias(account, region, name, may_block=call.may_block)
