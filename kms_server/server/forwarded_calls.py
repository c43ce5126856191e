"""Calls that the S3 layer of another server makes for its own callers.

Each process remembers the claims it has seen: a claim works once in each process, and within its 30 seconds only.
"""

import threading
import time
from hashlib import sha256

import orjson

from kms_server.clock import real_now
from kms_server.crypto.kdf import Prf
from kms_server.errors import AccessDeniedException, InvalidSignatureException, ThrottlingException
from kms_server.iam.principal import Principal
from kms_server.keyring import forwarded_callers
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.forwarded_callers import Described
from kms_server.keyring.keyring import Keyring
from kms_server.operations.call import Forwarded, Operation
from kms_server.protocol import forwarding
from kms_server.protocol.message import Request

# What S3 asks of a KMS.
_FORWARDED = frozenset({"kms:GenerateDataKey", "kms:Decrypt"})
_SERVICE = "s3"
_MOST_SEEN = 200_000


class ForwardedCalls:
    """Finds the principals of forwarded calls; with `dev` every account has a root."""

    def __init__(self, key: Prf, keyring: Keyring, *, dev: bool) -> None:
        self._key = key
        self._keyring = keyring
        self._dev = dev
        self._seen = _Seen()

    def caller(
        self, request: Request, operation: Operation, *, may_block: bool
    ) -> tuple[Principal, Forwarded]:
        """For whom which service makes a call.

        Raises:
            InvalidSignatureException: the claim is not in order, or was used before.
            AccessDeniedException: no such call is forwarded, or nobody here is the caller.
            ThrottlingException: there are more claims than can be remembered.
            WouldBlock: what is seen once cannot be begun anew, so it goes to a thread at once.
        """
        claim, nonce = forwarding.open_claim(request, self._key, now=real_now())
        if operation.action not in _FORWARDED or claim.service != _SERVICE:
            raise AccessDeniedException(f"{operation.action} is not for {claim.service} to forward")
        if not may_block:
            raise WouldBlock
        self._seen.first_time(nonce)
        try:
            described = Described(**claim.caller)
        except TypeError:
            raise forwarding.of_another_version() from None
        place = f"forwarded {sha256(orjson.dumps(claim.caller)).hexdigest()}"
        principal = self._keyring.of_account(
            described.account, place,
            lambda connection: forwarded_callers.load(described, connection, anyone=self._dev), may_block=may_block,
        )  # fmt: skip
        if principal is None:
            raise AccessDeniedException("The caller of the forwarded call is not known to this server.")
        return principal, Forwarded(claim.service, claim.region, claim.source_arn, claim.source_account)


class _Seen:
    """Remembers claims for as long as they are good: two sets take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._span = forwarding.LIFETIME + forwarding.SKEW
        self._since = time.monotonic()
        self._new: set[str] = set()
        self._old: set[str] = set()

    def first_time(self, nonce: str) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._since > self._span:
                self._old = self._new if now - self._since <= 2 * self._span else set()
                self._new, self._since = set(), now
            if nonce in self._new or nonce in self._old:
                raise InvalidSignatureException("The forwarded call was made before.")
            if len(self._new) >= _MOST_SEEN:
                raise ThrottlingException
            self._new.add(nonce)
