"""Grant tokens: the id of a grant, wrapped under the root key."""

import base64
import re

from kms_server.crypto.wrap import WrapError
from kms_server.errors import InvalidGrantTokenException
from kms_server.root_keys.binding import grant_token_binding
from kms_server.root_keys.provider import RootKey

_GRANT_ID = re.compile(rb"[0-9a-f]{64}")


def issue(grant_id: str, root: RootKey) -> str:
    """A token of a grant; each differs."""
    wrapped = root.wrap(grant_id.encode(), grant_token_binding(root_version=root.version))
    return base64.b64encode(wrapped).decode()


def redeem(token: str, root: RootKey) -> str:
    """The grant id of a token.

    Raises:
        InvalidGrantTokenException: this service did not issue it.
    """
    try:
        wrapped = base64.b64decode(token, validate=True)
        grant_id = root.unwrap(wrapped, grant_token_binding(root_version=root.version))
    except (ValueError, WrapError):
        raise InvalidGrantTokenException from None
    if _GRANT_ID.fullmatch(grant_id) is None:
        raise InvalidGrantTokenException
    return grant_id.decode()
