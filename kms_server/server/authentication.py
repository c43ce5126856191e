"""From a signed request to the principal behind it."""

import logging
import threading
import time
from typing import NamedTuple

from kms_server.clock import real_now
from kms_server.config import DEFAULT_REGION, Settings
from kms_server.crypto.kdf import Prf
from kms_server.errors import ServiceError
from kms_server.iam.principal import NOBODY, Principal
from kms_server.keyring.keyring import Keyring
from kms_server.operations.call import Forwarded, Operation
from kms_server.protocol import forwarding, sigv4
from kms_server.protocol.message import Request
from kms_server.protocol.signed import Signed
from kms_server.server.forward_secret import load_key
from kms_server.server.forwarded_calls import ForwardedCalls
from kms_server.server.signers import Signers, anyone

_LOG = logging.getLogger(__name__)
_LOGGED_PER_SECOND = 5
# A service that is in one Region only, whatever Region a request is signed for.
_GLOBAL = "iam"
# Characters of a list of signed headers that is worth remembering.
_LONGEST_KEPT = 512
# Seconds that STS takes a presigned request for, however long it says: what hands such requests on relies on it.
_PRESIGNED_FOR_STS = 900.0


class Caller(NamedTuple):
    """Who signed a request and for which Region; or for whom which service makes it."""

    principal: Principal
    region: str
    forwarded: Forwarded | None = None


class Authenticator:
    """Verifies SigV4; with `dev` any signature passes and an access key id of twelve digits names an account."""

    def __init__(self, keyring: Keyring, settings: Settings) -> None:
        self._keyring = keyring
        self._signers = Signers(keyring, settings)
        self._limits = settings.limits
        self._dev = settings.dev
        self._refusals = RefusalLog()
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
            self._signers.refuse_web_pages(request)
        if self._forwarded is not None and forwarding.HEADER in request.headers:
            principal, forwarded = self._forwarded.caller(request, operation, may_block=may_block)
            return Caller(principal, forwarded.region, forwarded)
        if operation.unsigned:
            return Caller(NOBODY, DEFAULT_REGION)
        signed, service = sigv4.parse(request), operation.service
        claim, findings = signed.claim, self._keyring.findings
        known: tuple[Caller, Prf | None] | None = None
        if signed.session_token is None:  # what a token says ends with time, too
            known = findings.get((claim, service))
        caller, key = known or self._signer(signed, service, may_block=may_block)
        if key is not None:
            sigv4.verify(
                request, signed, key, now=real_now(), window=self._limits.clock_window,
                presigned_lifetime=_PRESIGNED_FOR_STS if service == "sts" else self._limits.presigned_lifetime,
            )  # fmt: skip
        # Whoever signs nothing does not choose what is remembered.
        if known is None and signed.is_plain and len(claim.signed_headers) <= _LONGEST_KEPT:
            findings.keep((claim, service), (caller, key))
        return caller

    def _signer(self, signed: Signed, service: str, *, may_block: bool) -> tuple[Caller, Prf | None]:
        """Who claims to have signed a request, and the key to verify it with; None where any signature will do."""
        credential = signed.claim.credential
        sigv4.check_scope(credential, service)
        region = DEFAULT_REGION if service == _GLOBAL else credential.region
        identity = self._signers.identity(credential.access_key_id, signed.session_token, may_block=may_block)
        if identity is None:
            return Caller(anyone(credential.access_key_id), region), None
        key = None if self._dev else self._signers.signing_key(identity, credential)
        return Caller(identity.principal, region), key

    def note_refusal(self, request: Request, error: ServiceError) -> None:
        """Count a request that was not authenticated; it writes no audit record."""
        self._refusals.note(request.source_ip, error.code)


class RefusalLog:
    """Logs a few refusals each second and counts the rest, so that a stranger cannot fill the disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second = 0
        self._count = 0

    def note(self, source: str, code: str) -> None:
        """Count a refusal; `source` is the address it came from, `code` that of the error."""
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
