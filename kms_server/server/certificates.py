"""The certificate that is served, and how a running server gets another one."""

import logging
import ssl
import time
from pathlib import Path
from typing import TypeAlias

from cryptography import x509

from kms_server.config import Settings
from kms_server.errors import OperatorError
from kms_server.server import tls

_LOG = logging.getLogger(__name__)
# How often a server looks by itself whether the files have changed, or its own certificate must be renewed.
_LOOK_SECONDS = 30.0
_Stamps: TypeAlias = tuple[tuple[int, int, int] | None, ...]


class Certificates:
    """The newest certificate that could be used, with its key and the CA of clients.

    The master has one, which its workers inherit: one that starts while the files are broken serves what the others do.

    Raises:
        OperatorError: what is there at the beginning cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen = self._stamps()
        self.context = self._made()
        self._next_look = time.monotonic() + _LOOK_SECONDS

    def load(self) -> bool:
        """Read the files again: whether there is something new. What cannot be used is logged, and the old one stays."""
        self._seen = self._stamps()
        try:
            self.context = self._made()
        except OperatorError as error:
            _LOG.error("the new certificate is refused and the old one stays: %s", error)
            return False
        return True

    def load_if_changed(self) -> bool:
        """The same where the files are not those that were read last."""
        return self._stamps() != self._seen and self.load()

    def renew(self) -> bool:
        """What SIGHUP asks of a master: renew a certificate of `--tls-auto` that is about to expire, and read the files."""
        self._ensure()
        return self.load() and self._announce()

    def is_due(self) -> bool:
        """What a master does by itself now and then; whether its workers should read the files again."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + _LOOK_SECONDS
        self._ensure()
        return self.load_if_changed() and self._announce()

    def _announce(self) -> bool:
        _LOG.info("a new certificate is served, which expires at %s", _moment(expires_at(self._settings)))
        return True

    def _ensure(self) -> None:
        if not self._settings.tls_auto:
            return
        try:
            tls.ensure_auto(self._settings)
        except (OSError, OperatorError) as error:
            _LOG.error("the certificate of --tls-auto cannot be looked after: %s", error)

    def _made(self) -> ssl.SSLContext:
        made = tls.context(self._settings)
        if made is None:
            raise OperatorError("there is no certificate: give --tls-cert and --tls-key, or --tls-auto")
        return made

    def _stamps(self) -> _Stamps:
        return tuple(_stamp(path) for path in tls.files(self._settings))


def expires_at(settings: Settings) -> float | None:
    """When the certificate expires that is in the file now (epoch seconds); None where there is none that can be read."""
    found = tls.files(settings)
    if not found:
        return None
    try:
        return x509.load_pem_x509_certificate(found[0].read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None


def _moment(at: float | None) -> str:
    return "an unknown time" if at is None else time.strftime("%FT%TZ", time.gmtime(at))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Tells a file from the one that was there before."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
