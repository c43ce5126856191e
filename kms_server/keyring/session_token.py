"""Session tokens: temporary credentials and all that they stand for, kept by nobody but their holder.

A token is JSON, compressed, maybe followed by zeros, and wrapped under the token key, in base64 that needs no escapes in
a URL. What a role or a user may do is not in it: that is looked up at each call.
"""

import base64
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import orjson

from kms_server.crypto.wrap import WrapError
from kms_server.errors import PackedPolicyTooLargeException, UnrecognizedClientException
from kms_server.keyring.token_key import TokenKey
from kms_server.root_keys.binding import session_token_binding

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ACCOUNT_CHARACTERS = 8
_MOST_PACKED = 3_584
# Beside what is packed a token holds credentials and names. All of it fits a presigned URL.
LONGEST = 7_168


class Kind(StrEnum):
    """Whose session it is."""

    ROLE = "role"
    SELF = "self"
    FEDERATED = "federated"


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """Temporary credentials; times are epoch seconds.

    `owner` is the unique id of the role or user behind the session, None for the account's root. `name` is that of the
    session or the federated user. `policy` and `policy_arns` are the session policies, `tags` all session tags,
    `transitive` the keys of those that go on, `web_identity` the condition keys of an identity provider's token.
    """

    access_key_id: str
    secret: str = field(repr=False)
    kind: Kind
    account: str
    owner: str | None
    created_at: float
    expires_at: float
    name: str = ""
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    source_identity: str | None = None
    web_identity: Mapping[str, str] | None = None

    def packed_percent(self) -> int | None:
        """How much of the room for session policies and tags is taken (PackedPolicySize); None when it is unused.

        Raises:
            PackedPolicyTooLargeException: more than there is.
        """
        if self.policy is None and not self.policy_arns and not self.tags:
            return None
        packed = len(zlib.compress(orjson.dumps([self.policy, self.policy_arns, dict(self.tags)]), 9))
        percent = -(-100 * packed // _MOST_PACKED)
        if percent > 100:
            raise _too_large(percent)
        return percent


def new_access_key_id(account: str) -> str:
    """An access key id that says, as AWS's do, whose it is."""
    rest, digits = int(account), ""
    for _ in range(_ACCOUNT_CHARACTERS):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return f"ASIA{digits}" + "".join(secrets.choice(_ALPHABET) for _ in range(16 - _ACCOUNT_CHARACTERS))


def account_of(access_key_id: str) -> str | None:
    """The account of a temporary access key id; None when it is none."""
    if len(access_key_id) != 20 or not access_key_id.startswith("ASIA"):
        return None
    number = 0
    for character in access_key_id[4 : 4 + _ACCOUNT_CHARACTERS]:
        place = _ALPHABET.find(character)
        if place < 0:
            return None
        number = number * len(_ALPHABET) + place
    return f"{number:012}" if number < 10**12 else None


def is_temporary(access_key_id: str) -> bool:
    """Whether an access key id is of temporary credentials."""
    return access_key_id.startswith("ASIA")


def seal(credentials: SessionCredentials, tokens: TokenKey, *, at_least: int = 0) -> str:
    """The token of temporary credentials; `at_least` characters long, should somebody want to try long ones.

    Raises:
        PackedPolicyTooLargeException: a token has no room for all of it.
    """
    content = zlib.compress(orjson.dumps(asdict(credentials)), 9)
    binding = session_token_binding()
    token = _encoded(tokens.wrap(content, binding))
    missing = at_least - len(token)
    if missing > 0:
        token = _encoded(tokens.wrap(content + bytes(-(-missing * 3 // 4)), binding))
    if len(token) > LONGEST:
        raise _too_large(-(-100 * len(token) // LONGEST))
    return token


def opened(token: str, tokens: TokenKey) -> SessionCredentials:
    """The credentials of a token.

    Raises:
        UnrecognizedClientException: this service did not issue it.
    """
    if len(token) > LONGEST:
        raise UnrecognizedClientException
    try:
        wrapped = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        content = tokens.unwrap(wrapped, session_token_binding())
    except (ValueError, WrapError):
        raise UnrecognizedClientException from None
    if _encoded(wrapped) != token:  # the bits behind the last byte must be zero
        raise UnrecognizedClientException
    members = orjson.loads(zlib.decompressobj().decompress(content))
    members["kind"] = Kind(members["kind"])
    for name in ("policy_arns", "transitive"):
        members[name] = tuple(members[name])
    return SessionCredentials(**members)


def _encoded(wrapped: bytes) -> str:
    return base64.urlsafe_b64encode(wrapped).decode().rstrip("=")


def _too_large(percent: int) -> PackedPolicyTooLargeException:
    return PackedPolicyTooLargeException(
        f"Session policies and tags take {percent}% of the room there is: pass fewer or shorter ones"
    )
