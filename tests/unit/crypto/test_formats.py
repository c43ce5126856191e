"""The formats do not change unnoticed: old bytes open, and an independent implementation agrees both ways.

`vectors/formats.json` was made by `independent.py`, not by the server.
"""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto import wrap
from kms_server.crypto.blob import CiphertextBlob, MessageCipher
from kms_server.crypto.kdf import Prf
from tests.unit.crypto import independent

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "formats.json").read_text()
)
KEYS = st.binary(min_size=32, max_size=32)
MATERIAL_IDS = st.binary(min_size=32, max_size=32).map(bytes.hex)
KEY_IDS = st.one_of(
    st.uuids().map(str), st.binary(min_size=16, max_size=16).map(lambda raw: f"mrk-{raw.hex()}")
)
CONTEXTS = st.dictionaries(st.text(), st.text(), max_size=4)


@pytest.mark.parametrize("vector", VECTORS["ciphertexts"], ids=range(len(VECTORS["ciphertexts"])))
def test_a_ciphertext_of_old_opens(vector: dict[str, Any]) -> None:
    cipher = MessageCipher(bytes.fromhex(vector["material"]), vector["key_id"], vector["material_id"])
    parsed = CiphertextBlob.parse(bytes.fromhex(vector["ciphertext"]))
    assert (parsed.key_id, parsed.material_id) == (vector["key_id"], vector["material_id"])
    assert cipher.decrypt("", bytes.fromhex(vector["ciphertext"]), vector["context"]) == bytes.fromhex(
        vector["plaintext"]
    )


@pytest.mark.parametrize("vector", VECTORS["wrapped"], ids=range(len(VECTORS["wrapped"])))
def test_a_wrapped_secret_of_old_unwraps(vector: dict[str, str]) -> None:
    key, wrapped, binding = (bytes.fromhex(vector[name]) for name in ("key", "wrapped", "binding"))
    assert wrap.unwrap(key, wrapped, binding) == bytes.fromhex(vector["secret"])


def test_the_bytes_of_old_are_what_the_descriptions_give() -> None:
    for vector in VECTORS["ciphertexts"]:
        raw, material, plaintext = (
            bytes.fromhex(vector[name]) for name in ("ciphertext", "material", "plaintext")
        )
        fields = vector["key_id"], vector["material_id"], plaintext, vector["context"]
        assert independent.seal(material, *fields, salt=raw[50:66]) == raw
    for vector in VECTORS["wrapped"]:
        key, wrapped, binding, secret = (
            bytes.fromhex(vector[name]) for name in ("key", "wrapped", "binding", "secret")
        )
        assert independent.wrap(key, secret, binding, wrapped[1:17]) == wrapped


@given(KEYS, KEY_IDS, MATERIAL_IDS, st.binary(min_size=1, max_size=100), CONTEXTS)
def test_ciphertexts_cross_over(
    material: bytes, key_id: str, material_id: str, plaintext: bytes, context: dict[str, str]
) -> None:
    cipher = MessageCipher(material, key_id, material_id)
    assert independent.open_(material, cipher.encrypt("", plaintext, context), context) == plaintext
    theirs = independent.seal(material, key_id, material_id, plaintext, context)
    assert cipher.decrypt("", theirs, context) == plaintext


@given(KEYS, st.binary(max_size=100), st.binary(max_size=100))
def test_wrapped_secrets_cross_over(key: bytes, secret: bytes, binding: bytes) -> None:
    assert independent.unwrap(key, wrap.wrap(key, secret, binding), binding) == secret
    assert wrap.unwrap(key, independent.wrap(key, secret, binding, bytes(16)), binding) == secret


def test_hmac_of_rfc_4231_case_5() -> None:
    tag = Prf(b"\x0c" * 20).digest(b"Test With Truncation")
    assert tag[:16].hex() == "a3b6167473100ee06e0c796c2955552b"


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_hmac_is_the_standard_librarys(key: bytes, message: bytes) -> None:
    assert Prf(key).digest(message) == hmac.digest(key, message, "sha256")


@pytest.mark.parametrize(
    ("key", "message", "tag"),
    [
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (
            b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            b"\xaa" * 131,
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ],
    ids=["1", "2", "3", "4", "6", "7"],
)  # fmt: skip
def test_hmac_is_that_of_rfc_4231(key: bytes, message: bytes, tag: str) -> None:
    assert Prf(key).digest(message).hex() == tag
