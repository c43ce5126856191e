"""Given key material, from text to the form in which it is stored."""

import base64
import binascii
import re
from collections.abc import Iterable

from kms_server.crypto.asymmetric import der_from_pem
from kms_server.crypto.capabilities import MaterialError
from kms_server.errors import OperatorError
from kms_server.keys import specs
from kms_server.keys.seeds.members import Item, as_text
from kms_server.keys.specs import KeySpec

_HEX = re.compile(r"([0-9A-Fa-f]{2})+")


def from_hex(spec: KeySpec, item: Item) -> bytes:
    """Material of a symmetric or HMAC key.

    Raises:
        OperatorError: it is not hexadecimal, or of another length than the spec's.
    """
    text = as_text(item).strip()
    if _HEX.fullmatch(text) is None:
        raise OperatorError(f"{item.where} must be hexadecimal")
    return _checked(spec, bytes.fromhex(text), item.where)


def from_base64(spec: KeySpec, item: Item) -> bytes:
    """Material of a symmetric or HMAC key.

    Raises:
        OperatorError: it is not base64, or of another length than the spec's.
    """
    text = "".join(as_text(item).split())
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if base64.b64encode(raw).decode() != text:
        raise OperatorError(f"{item.where} must be base64")
    return _checked(spec, raw, item.where)


def from_pem(spec: KeySpec, item: Item) -> bytes:
    """Material of a key pair.

    Raises:
        OperatorError: it is no private key in PEM, or one of another spec.
    """
    return _checked(spec, _der(item), item.where)


def recognised(names: Iterable[str], item: Item) -> tuple[KeySpec, bytes]:
    """The key spec, among some, to which a private key in PEM belongs, and its material.

    Raises:
        OperatorError: it belongs to none of them.
    """
    der = _der(item)
    for name in names:
        spec = specs.find(name)
        try:
            return spec, spec.type.checked(der)
        except MaterialError:
            continue
    raise OperatorError(f"{item.where} is a private key of none of {', '.join(names)}")


def _der(item: Item) -> bytes:
    try:
        return der_from_pem(as_text(item))
    except MaterialError as error:
        raise OperatorError(f"{item.where} is {error}") from None


def _checked(spec: KeySpec, raw: bytes, where: str) -> bytes:
    try:
        return spec.type.checked(raw)
    except MaterialError as error:
        raise OperatorError(f"{where} is no material of {spec.name}: {error}") from None
