"""Import tokens: what GetParametersForImport hands out, kept by nobody but its holder.

    8   expiry, epoch milliseconds, big-endian
    1   length of the wrapping algorithm's name
    n   the name
    m   the RSA private key, PKCS#8

All of it is wrapped under the token key, bound to the KMS key.
"""

from typing import NamedTuple

from kms_server.crypto.wrap import WrapError
from kms_server.errors import InvalidImportTokenException
from kms_server.keyring.token_key import TokenKey
from kms_server.keys.key import KmsKey
from kms_server.root_keys.binding import import_token_binding


class ImportParameters(NamedTuple):
    """How the material is wrapped for its way in; `expires` is in epoch seconds."""

    expires: float
    algorithm: str
    private_der: bytes


def issue(key: KmsKey, tokens: TokenKey, parameters: ImportParameters) -> bytes:
    """The token of import parameters."""
    name = parameters.algorithm.encode()
    head = int(parameters.expires * 1000).to_bytes(8) + bytes([len(name)]) + name
    return tokens.wrap(head + parameters.private_der, _binding(key))


def redeem(key: KmsKey, tokens: TokenKey, token: bytes) -> ImportParameters:
    """The parameters of a token.

    Raises:
        InvalidImportTokenException: it is damaged, or of another key.
    """
    try:
        opened = tokens.unwrap(token, _binding(key))
    except WrapError:
        raise InvalidImportTokenException from None
    end = 9 + opened[8]
    return ImportParameters(int.from_bytes(opened[:8]) / 1000, opened[9:end].decode(), opened[end:])


def _binding(key: KmsKey) -> bytes:
    return import_token_binding(account=key.account, region=key.region, key_id=key.key_id)
