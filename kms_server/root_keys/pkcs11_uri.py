"""PKCS#11 URIs (RFC 7512), as far as they name one key in one token: `pkcs11:token=T;object=O;id=%01?module-path=P&pin-source=F`."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from kms_server.errors import OperatorError

_EXAMPLE = "pkcs11:token=TOKEN;object=NAME?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/run/pin"
# RFC 7512, section 2.3: pk11-path-res-avail, and what it allows more in a query.
_PATH_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})*")
_QUERY_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=/?|;]|%[0-9A-Fa-f]{2})*")
_PATH_NAMES = frozenset({"token", "serial", "object", "id", "type"})
_QUERY_NAMES = frozenset({"module-path", "pin-source"})


class KeyUri(NamedTuple):
    """The key's label in the token of that label or serial number; `id` tells keys of one label apart."""

    module: Path
    object: str
    token: str | None
    serial: bytes | None
    id: bytes | None
    pin_source: Path | None


def parse(uri: str) -> KeyUri:
    """Read such a URI.

    Raises:
        OperatorError: it is none, holds a PIN, or does not say which key.
    """
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    if "pin-value" in query:
        raise OperatorError(
            "a PIN in --root-key could be read by others: give pin-source=FILE in its place, or --root-passphrase-file"
        )
    found = _attributes(path, ";", _PATH_VALUE, _PATH_NAMES) | _attributes(
        query, "&", _QUERY_VALUE, _QUERY_NAMES
    )
    if not found.get("object") or "module-path" not in found or not ("token" in found or "serial" in found):
        raise OperatorError(f"--root-key needs token (or serial), object and module-path, such as {_EXAMPLE}")
    if found.get("type", b"secret-key") != b"secret-key":
        raise OperatorError("--root-key names a secret key: leave out its type")
    return KeyUri(
        module=_file(found["module-path"], "module-path"),
        object=_text(found["object"], "object"),
        token=_text(found["token"], "token") if "token" in found else None,
        serial=found.get("serial"),
        id=found.get("id"),
        pin_source=_file(found["pin-source"], "pin-source") if "pin-source" in found else None,
    )


def _attributes(text: str, separator: str, value: re.Pattern[str], names: frozenset[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for attribute in filter(None, text.split(separator)):
        name, equals, raw = attribute.partition("=")
        if name not in names or name in found or not equals or value.fullmatch(raw) is None:
            raise OperatorError(f"--root-key has {name!r}, which it cannot: write {_EXAMPLE}")
        found[name] = unquote_to_bytes(raw)
    return found


def _text(value: bytes, name: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise OperatorError(f"{name} in --root-key is not UTF-8") from None


def _file(value: bytes, name: str) -> Path:
    text = _text(value, name)
    path = Path(text.removeprefix("file://").removeprefix("file:"))
    if not path.is_absolute() or "\0" in text:
        raise OperatorError(f"{name} in --root-key is not the absolute path of a file")
    return path
