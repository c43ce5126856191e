"""Grant tokens: the id of a grant, wrapped under the token key."""

import base64
import re

from kms_server.crypto.wrap import WrapError
from kms_server.errors import InvalidGrantTokenException
from kms_server.keyring.token_key import TokenKey
from kms_server.root_keys.binding import grant_token_binding

_GRANT_ID = re.compile(rb"[0-9a-f]{64}")


def issue(grant_id: str, tokens: TokenKey) -> str:
    """A token of a grant; each differs."""
    wrapped = tokens.wrap(grant_id.encode(), grant_token_binding())
    return base64.b64encode(wrapped).decode()


def redeem(token: str, tokens: TokenKey) -> str:
    """The grant id of a token.

    Raises:
        InvalidGrantTokenException: this service did not issue it.
    """
    try:
        wrapped = base64.b64decode(token, validate=True)
        grant_id = tokens.unwrap(wrapped, grant_token_binding())
    except (ValueError, WrapError):
        raise InvalidGrantTokenException from None
    if _GRANT_ID.fullmatch(grant_id) is None:
        raise InvalidGrantTokenException
    return grant_id.decode()
