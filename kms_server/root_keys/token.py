"""A key in a PKCS#11 token: the sessions of this process, and the MACs that the token makes."""

import logging
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import (
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    UserAlreadyLoggedIn,
)

from kms_server.crypto.kdf import Prf
from kms_server.errors import KMSInternalException, OperatorError
from kms_server.root_keys.pkcs11_libraries import LIBRARIES
from kms_server.root_keys.pkcs11_uri import KeyUri

_LOG = logging.getLogger(__name__)
# What a key can do, python-pkcs11 finds out at run time; so its classes do not tell.
_Key: TypeAlias = Any
_KEY_BITS = 256
_PIN_REFUSED = (PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked)
Answer = TypeVar("Answer")
_PROBE = b"kms-server token key"
_TRIES = 12
_LONGEST_PAUSE_MS = 150
# After so many tries in vain a token counts as away, and for so long nobody waits for it.
_AWAY_SECONDS = 5.0
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


class TokenKey:
    """A secret key that stays in its token; sessions are opened when they are needed, and anew when they are lost."""

    def __init__(self, uri: KeyUri, pin: Callable[[], str]) -> None:
        self._uri = uri
        self._pin = pin
        self._pin_was_refused = False
        self._key: _Key | None = None
        self._generation = 0
        self._probed: bytes | None = None
        self._away_until = 0.0

    def exists(self) -> bool:
        """Whether the token has the key.

        Raises:
            OperatorError: the token cannot be used.
        """
        with LIBRARIES.lock, self._explained():
            return bool(self._patiently(self._found))

    def open(self) -> int:
        """Find the key; its version, which is its CKA_ID as a number.

        Raises:
            OperatorError: the token cannot be used, or the key is missing, ambiguous, or can leave the token.
        """
        with LIBRARIES.lock, self._explained():
            key = self._patiently(self._ready)
            return int.from_bytes(key[Attribute.ID])

    def create(self, version: int) -> None:
        """Have the token make the key.

        Raises:
            OperatorError: the token has such a key, or does not make one.
        """
        key_id = version.to_bytes((version.bit_length() + 7) // 8)
        if self._uri.id not in (None, key_id):
            raise OperatorError(f"id in --root-key is the key's version: write id=%{key_id.hex()}")
        with LIBRARIES.lock, self._explained():
            if self._patiently(self._found):
                raise OperatorError(f"the token has a key {self._uri.object!r} already")
            self._generate(key_id)

    def mac(self, message: bytes) -> bytes:
        """HMAC-SHA-256, by the token.

        Raises:
            KMSInternalException: the token does not answer, or has another key now.
        """
        with LIBRARIES.lock:
            try:
                return self._patiently(lambda: self._mac(message))
            except (RuntimeError, OperatorError) as error:
                LIBRARIES.finalise()  # whatever it is that the library holds, the next call begins anew
                _LOG.error("the token with the root key does not answer: %s", type(error).__name__)
                raise KMSInternalException from None

    def _mac(self, message: bytes) -> bytes:
        return bytes(self._ready().sign(message, mechanism=Mechanism.SHA256_HMAC))

    def _ready(self) -> _Key:
        if self._key is None or self._generation != LIBRARIES.generation:
            key = self._checked(self._found())
            probed = bytes(key.sign(_PROBE, mechanism=Mechanism.SHA256_HMAC))
            if not secrets.compare_digest(self._probed or probed, probed):
                raise OperatorError("the token has another key now")
            self._key, self._generation, self._probed = key, LIBRARIES.generation, probed
        return self._key

    def _checked(self, found: list[_Key]) -> _Key:
        if len(found) != 1:
            problem = "several keys" if found else "no key"
            raise OperatorError(
                f"the token has {problem} {self._uri.object!r}: name one that is there in --root-key, and its id"
            )
        (key,) = found
        if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
            raise OperatorError(f"the key {self._uri.object!r} can leave its token: make one that cannot")
        if key[Attribute.KEY_TYPE] not in (KeyType.GENERIC_SECRET, KeyType.SHA256_HMAC):
            raise OperatorError(f"the key {self._uri.object!r} is of another type: make a generic secret")
        if key[Attribute.VALUE_LEN] * 8 < _KEY_BITS or not 0 < int.from_bytes(key[Attribute.ID]) < 10**9:
            raise OperatorError(
                f"the key {self._uri.object!r} has less than {_KEY_BITS} bits, or its CKA_ID is no version such as 01"
            )
        return key

    def _found(self) -> list[_Key]:
        wanted: dict[Attribute, Any] = {
            Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: self._uri.object,
        }  # fmt: skip
        if self._uri.id is not None:
            wanted[Attribute.ID] = self._uri.id
        return list(self._session(writes=False).get_objects(wanted))

    def _generate(self, key_id: bytes) -> None:
        session = self._session(writes=True)
        with _unbroken():
            session.generate_key(
                KeyType.GENERIC_SECRET, _KEY_BITS, id=key_id, label=self._uri.object, store=True,
                capabilities=MechanismFlag.SIGN,
                template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True},
            )  # fmt: skip
        LIBRARIES.finalise()

    def _session(self, *, writes: bool) -> pkcs11.Session:
        """A new session, which lasts until the library is finalised."""
        if self._pin_was_refused:
            raise PinIncorrect
        library = LIBRARIES.load(str(self._uri.module))
        token = library.get_token(token_label=self._uri.token, token_serial=self._uri.serial)
        pin = self._pin()
        try:
            with _unbroken():
                session: pkcs11.Session = token.open(rw=writes, user_pin=pin)
        except UserAlreadyLoggedIn:
            # A login is the whole process's.
            session = token.open(rw=writes)
        except _PIN_REFUSED:
            # Never again: a token locks after a few wrong PINs.
            self._pin_was_refused = True
            raise
        return session

    def _patiently(self, action: Callable[[], Answer]) -> Answer:
        """What the library answers, which begins anew when it fails: a session is lost, or the device behind it.

        It may take several tries: SoftHSM up to 2.6 writes its token anew at each login, and gives the lock on it away before
        it has written; a process that waited for the lock finds a token without a label or a PIN (SoftHSMv2 #578).
        """
        for _ in range(1 if time.monotonic() < self._away_until else _TRIES - 1):
            try:
                return action()
            except _PIN_REFUSED:
                raise
            except RuntimeError:
                LIBRARIES.finalise()
            # Of processes that have failed together, no two try again together.
            time.sleep(secrets.randbelow(_LONGEST_PAUSE_MS) / 1000)
        try:
            return action()
        except RuntimeError:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What the library refuses is the operator's to mend."""
        try:
            yield
        except _PIN_REFUSED as error:
            raise OperatorError(
                f"the token refuses the PIN ({type(error).__name__}): give the right one; a token locks after a few wrong ones"
            ) from None
        except RuntimeError as error:  # PKCS11Error is one
            raise OperatorError(
                f"cannot use the token of --root-key by {self._uri.module}: {type(error).__name__} {error}".strip()
            ) from None


@contextmanager
def _unbroken() -> Iterator[None]:
    """Signals that end a process wait, as far as this thread is the only one they could come to.

    SoftHSM writes files of its token in place: of a process that ended meanwhile, an empty one would be left.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class TokenPrf(Prf):
    """HMAC-SHA-256 under a key in a token."""

    __slots__ = ("_token",)

    def __init__(self, token: TokenKey) -> None:
        self._token = token

    def digest(self, message: bytes) -> bytes:
        """The 32-byte tag of a message.

        Raises:
            KMSInternalException: the token does not answer.
        """
        return self._token.mac(message)
