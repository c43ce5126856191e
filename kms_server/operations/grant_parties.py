"""The parties to grants: found by the ARNs that requests name, shown by those they have now."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from kms_server.errors import InvalidArnException
from kms_server.keys.grants import Grant, Party
from kms_server.operations import principals
from kms_server.storage import identities


def found(connection: Connection, party: Party) -> Party:
    """A party with the key by which it is matched.

    Raises:
        InvalidArnException: the principal does not exist.
    """
    if party.is_service:
        return party
    key = principals.key(connection, party.name)
    if key is None:
        raise InvalidArnException(f"ARN does not refer to a valid principal: {party.name}")
    return replace(party, key=key)


def keys(connection: Connection, party: Party) -> set[str]:
    """The keys under which grants of a party may stand; grants of old have the ARN for a key."""
    return {party.name, principals.key(connection, party.name) or party.name}


def shown(connection: Connection, grants: Sequence[Grant]) -> list[Grant]:
    """Grants with the ARNs that their parties have now; who no longer exists stands there by the unique id."""
    parties = [party for one in grants for party in (one.grantee, one.retiring) if party is not None]
    arns = identities.arns(connection, {party.key for party in parties if party.key != party.name})

    def named(party: Party) -> Party:
        return party if party.key == party.name else replace(party, name=arns.get(party.key, party.key))

    return [
        replace(one, grantee=named(one.grantee), retiring=one.retiring and named(one.retiring))
        for one in grants
    ]
