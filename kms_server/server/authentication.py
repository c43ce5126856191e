"""From a signed request to the principal behind it."""

import logging
import threading
import time
from functools import lru_cache
from typing import NamedTuple

from kms_server.arn import is_account
from kms_server.clock import real_now
from kms_server.config import DEFAULT_ACCOUNT, DEFAULT_REGION, Settings
from kms_server.crypto.kdf import Prf
from kms_server.errors import AccessDeniedException, ServiceError, UnrecognizedClientException
from kms_server.iam.principal import NOBODY, Principal
from kms_server.keyring.keyring import Identity, Keyring
from kms_server.keyring.session_token import is_temporary
from kms_server.operations.call import Forwarded, Operation
from kms_server.protocol import forwarding, sigv4
from kms_server.protocol.message import Request
from kms_server.server.forward_secret import load_key
from kms_server.server.forwarded_calls import ForwardedCalls

_LOG = logging.getLogger(__name__)
_CACHED_SIGNING_KEYS = 4_096
_LOGGED_PER_SECOND = 5
# A service that is in one Region only, whatever Region a request is signed for.
_GLOBAL = "iam"
# Seconds that STS takes a presigned request for, however long it says: what hands such requests on relies on it.
_PRESIGNED_FOR_STS = 900.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Caller(NamedTuple):
    """Who signed a request and for which Region; or for whom which service makes it."""

    principal: Principal
    region: str
    forwarded: Forwarded | None = None


class Authenticator:
    """Verifies SigV4; with `dev` any signature passes and an access key id of twelve digits names an account."""

    def __init__(self, keyring: Keyring, settings: Settings) -> None:
        self._keyring = keyring
        self._limits = settings.limits
        self._dev = settings.dev
        # Other machines call by names that are not known here; None: any.
        self._own_hosts = None if settings.dev_allow_remote else _LOOPBACK | {settings.host}
        self._signing_keys: dict[tuple[str, str, str, str], Prf] = {}
        self._refusals = _RefusalLog()
        secret = settings.forward_secret
        self._forwarded = (
            None if secret is None else ForwardedCalls(load_key(secret), keyring, dev=settings.dev)
        )

    def authenticate(self, request: Request, operation: Operation, *, may_block: bool) -> Caller:
        """The caller of a request.

        Raises:
            MissingAuthenticationTokenException, IncompleteSignatureException, InvalidSignatureException,
            UnrecognizedClientException, ExpiredTokenException
            AccessDeniedException: nobody here is the caller whom a service names.
        """
        if self._dev:
            self._refuse_web_pages(request)
        if self._forwarded is not None and forwarding.HEADER in request.headers:
            principal, forwarded = self._forwarded.caller(request, operation, may_block=may_block)
            return Caller(principal, forwarded.region, forwarded)
        if operation.unsigned:
            return Caller(NOBODY, DEFAULT_REGION)
        signed = sigv4.parse(request)
        credential = signed.claim.credential
        sigv4.check_scope(credential, operation.service)
        region = DEFAULT_REGION if operation.service == _GLOBAL else credential.region
        identity = self._identity(credential.access_key_id, signed.session_token, may_block=may_block)
        if identity is None:
            return Caller(_anyone(credential.access_key_id), region)
        if not self._dev:
            sigv4.verify(
                request, signed, self._signing_key(identity, credential), now=real_now(),
                window=self._limits.clock_window, presigned_lifetime=self._presigned_lifetime(operation),
            )  # fmt: skip
        return Caller(identity.principal, region)

    def _identity(self, access_key_id: str, token: str | None, *, may_block: bool) -> Identity | None:
        """Whose credentials these are; None: nobody's, and anybody's will do."""
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

    def _presigned_lifetime(self, operation: Operation) -> float:
        """How long a presigned request lives at most, whatever it says."""
        return _PRESIGNED_FOR_STS if operation.service == "sts" else self._limits.presigned_lifetime

    def _refuse_web_pages(self, request: Request) -> None:
        """A page in a browser on this machine must not reach a server that checks no signature."""
        foreign = self._own_hosts is not None and _host(request) not in self._own_hosts
        if foreign or "origin" in request.headers:
            raise AccessDeniedException(
                "A server in --dev mode answers only to its own host name and no web page."
            )

    def note_refusal(self, request: Request, error: ServiceError) -> None:
        """Count a request that was not authenticated; it writes no audit record."""
        self._refusals.note(request.source_ip, error.code)

    def _signing_key(self, identity: Identity, credential: sigv4.Credential) -> Prf:
        place = (identity.secret, credential.date, credential.region, credential.service)
        key = self._signing_keys.get(place)
        if key is None:
            key = sigv4.signing_key(*place)
            if len(self._signing_keys) >= _CACHED_SIGNING_KEYS:
                self._signing_keys.clear()
            self._signing_keys[place] = key
        return key


def _host(request: Request) -> str:
    """The host name a request is sent to, without a port."""
    host = request.headers.get("host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.strip("[]")


@lru_cache(maxsize=1_024)
def _anyone(access_key_id: str) -> Principal:
    account = access_key_id if is_account(access_key_id) else DEFAULT_ACCOUNT
    return Principal.root(account, access_key_id)


class _RefusalLog:
    """Logs a few refusals each second and counts the rest, so that a stranger cannot fill the disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second = 0
        self._count = 0

    def note(self, source: str, code: str) -> None:
        with self._lock:
            second = int(time.monotonic())
            if second != self._second:
                if self._count > _LOGGED_PER_SECOND:
                    _LOG.warning(
                        "%d more requests were refused unauthenticated", self._count - _LOGGED_PER_SECOND
                    )
                self._second, self._count = second, 0
            self._count += 1
            logged = self._count <= _LOGGED_PER_SECOND
        if logged:
            _LOG.warning("refused a request from %s: %s", source, code)
