"""Secret access keys: made, kept wrapped, opened."""

import secrets

from kms_server.crypto.wrap import WrapError
from kms_server.errors import KeyUnavailableException
from kms_server.root_keys.binding import access_key_binding
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import access_keys, identities
from kms_server.storage.access_keys import AccessKey
from kms_server.storage.database import Transaction
from kms_server.storage.identities import Identity

MOST_OF_USER = 2  # AWS's quota


def create(
    tx: Transaction, root: RootKeys, account: str, user: Identity | None, now: float
) -> tuple[AccessKey, str]:
    """Make an access key for a user, or for the account's root; returns it and the secret, which is kept wrapped."""
    access_key_id = identities.random_id("AKIA", 16)
    secret = secrets.token_urlsafe(30)
    identities.add_account(tx, account)
    user_id, user_name = (user.unique_id, user.name) if user else (None, None)
    wrapped = root.wrap(secret.encode(), _binding(account, access_key_id, user_name))
    key = AccessKey(access_key_id, account, user_id, user_name, wrapped, now)
    access_keys.add(tx, key)
    return key, secret


def opened(root: RootKeys, key: AccessKey) -> str:
    """The secret in clear.

    Raises:
        KeyUnavailableException: it does not open under the root key.
    """
    try:
        return root.unwrap(key.wrapped_secret, _binding_of(key)).decode()
    except WrapError:
        raise KeyUnavailableException(f"The access key {key.access_key_id} cannot be opened.") from None


def rename_user(tx: Transaction, root: RootKeys, user: Identity, name: str) -> None:
    """Give a user another name, and bind its secrets to it.

    Raises:
        KeyUnavailableException: a secret does not open under the root key.
    """
    for key in access_keys.of_owner(tx.connection, user.account, user.unique_id):
        binding = _binding(key.account, key.access_key_id, name)
        access_keys.set_secret(tx, key, root.wrap(opened(root, key).encode(), binding))
    identities.change(tx, user, name=name)


def _binding_of(key: AccessKey) -> bytes:
    return _binding(key.account, key.access_key_id, key.user_name)


def _binding(account: str, access_key_id: str, user_name: str | None) -> bytes:
    return access_key_binding(account=account, access_key_id=access_key_id, user_name=user_name)
