"""A root key in a PKCS#11 token.

The token makes it and never gives it away. For each secret it derives a wrapping key (SP 800-108 with HMAC-SHA-256 in
the token, over a fresh salt), and the secret is sealed here under that: so any number of secrets may be wrapped, all
tokens will do that have HMAC, also those that choose AES-GCM's nonces themselves, and the token does one small step.
"""

from pathlib import Path

from kms_server.errors import OperatorError
from kms_server.root_keys import pkcs11_uri
from kms_server.root_keys.memory import DerivingRootKey
from kms_server.root_keys.one_version import OneVersionPlace
from kms_server.root_keys.operator_secret import OperatorSecret, read_secret_file
from kms_server.root_keys.token import TokenKey, TokenPrf


class Pkcs11Place(OneVersionPlace):
    """`--root-key pkcs11:token=TOKEN;object=NAME?module-path=LIBRARY`, a PKCS#11 URI (RFC 7512)."""

    def __init__(self, uri: str, secret: OperatorSecret) -> None:
        self._uri = pkcs11_uri.parse(uri)
        self._secret = secret
        self._asked: str | None = None
        self._token = TokenKey(self._uri, self._pin)
        self.spec = uri
        self.name = f"the token {self._uri.token or (self._uri.serial or b'').decode(errors='replace')}"
        if not self._uri.module.is_file():
            raise OperatorError(
                f"there is no PKCS#11 library {self._uri.module}: install it, or correct module-path"
            )

    def exists(self) -> bool:
        """Whether the token has the key."""
        return self._token.exists()

    def check(self) -> None:
        """Find the key, or see that the token can be asked to make one."""
        if self._token.exists():
            self._token.open()

    def create(self, version: int = 1) -> DerivingRootKey:
        """Have the token make the key."""
        self._token.create(version)
        return self.load()

    def load(self) -> DerivingRootKey:
        """The root key; its sessions are this process's."""
        return DerivingRootKey(TokenPrf(self._token), self._token.open())

    def _pin(self) -> str:
        """From its file each time; what was typed is kept, since processes that follow need it, too."""
        source: Path | None = self._uri.pin_source
        if source is not None:
            return read_secret_file(source, "PIN")
        if self._asked is None:
            self._asked = self._secret.ask("PIN of the token with the root key")
        return self._asked
