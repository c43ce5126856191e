"""Whose signature a request carries, and the keys to verify it with: for every service alike."""

from functools import lru_cache

from kms_server.arn import is_account
from kms_server.config import DEFAULT_ACCOUNT, Settings
from kms_server.crypto.kdf import Prf
from kms_server.errors import AccessDeniedException, UnrecognizedClientException
from kms_server.iam.principal import Principal
from kms_server.keyring.keyring import Identity, Keyring
from kms_server.keyring.session_token import is_temporary
from kms_server.protocol.message import Request
from kms_server.protocol.signed import Credential, signing_key

_CACHED_SIGNING_KEYS = 4_096
_LONGEST_KEY_ID = 128  # as IAM's are, and what records have room for
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Signers:
    """Finds who may have signed a request; with `dev` an access key id of twelve digits names an account.

    Hosts under `domain` are the server's own as well.
    """

    def __init__(self, keyring: Keyring, settings: Settings, domain: str | None = None) -> None:
        self._keyring = keyring
        self._dev = settings.dev
        # Other machines call by names that are not known here; None: any.
        self._own_hosts = None if settings.dev_allow_remote else _LOOPBACK | {settings.host}
        self._domain = domain
        self._signing_keys: dict[tuple[str, str, str, str], Prf] = {}

    def identity(self, access_key_id: str, token: str | None, *, may_block: bool) -> Identity | None:
        """Whose credentials these are; None, in `--dev` alone: nobody's, and anybody's will do.

        Raises:
            UnrecognizedClientException, ExpiredTokenException
        """
        if token is not None and is_temporary(access_key_id):
            try:
                return self._keyring.session(access_key_id, token, may_block=may_block)
            except UnrecognizedClientException:
                if self._dev:
                    return None
                raise
        identity = self._keyring.identity(access_key_id, may_block=may_block)
        if identity is None and self._dev:
            return None
        if identity is None or not identity.active or token is not None:
            raise UnrecognizedClientException
        return identity

    def signing_key(self, identity: Identity, credential: Credential) -> Prf:
        """The key of an identity for the scope of a signature."""
        place = (identity.secret, credential.date, credential.region, credential.service)
        key = self._signing_keys.get(place)
        if key is None:
            key = signing_key(*place)
            if len(self._signing_keys) >= _CACHED_SIGNING_KEYS:
                self._signing_keys.clear()
            self._signing_keys[place] = key
        return key

    def refuse_web_pages(self, request: Request) -> None:
        """In `--dev`, a page in a browser on this machine must not reach a server that checks no signature.

        Raises:
            AccessDeniedException
        """
        if self._dev and ("origin" in request.headers or not self._is_own(_host(request))):
            raise AccessDeniedException(
                "A server in --dev mode answers only to its own host name and no web page."
            )

    def _is_own(self, host: str) -> bool:
        if self._own_hosts is None or host in self._own_hosts:
            return True
        return self._domain is not None and (host == self._domain or host.endswith(f".{self._domain}"))


@lru_cache(maxsize=1_024)
def anyone(access_key_id: str) -> Principal:
    """Who calls in `--dev` with credentials that are nobody's."""
    account = access_key_id if is_account(access_key_id) else DEFAULT_ACCOUNT
    return Principal.root(account, access_key_id[:_LONGEST_KEY_ID])


def _host(request: Request) -> str:
    """The host name a request is sent to, without a port."""
    host = request.headers.get("host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.strip("[]")
