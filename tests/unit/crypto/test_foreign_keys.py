"""Key material from outside that is of another kind, or none: no spec takes it."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, mlkem, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_server.crypto import asymmetric
from kms_server.crypto.asymmetric import private_der, public_der
from kms_server.crypto.capabilities import MaterialError
from kms_server.keys.specs import KEY_SPECS
from tests.unit.crypto import der, independent_rsa
from tests.unit.crypto.vectors import lines

ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
OWN: dict[str, Any] = {
    **{f"RSA_{bits}": independent_rsa.key(bits) for bits in (2048, 3072, 4096)},
    "ECC_NIST_P256": ec.derive_private_key(7, ec.SECP256R1()),
    "ECC_NIST_P384": ec.derive_private_key(7, ec.SECP384R1()),
    "ECC_NIST_P521": ec.derive_private_key(7, ec.SECP521R1()),
    "ECC_SECG_P256K1": ec.derive_private_key(7, ec.SECP256K1()),
    "ECC_NIST_EDWARDS25519": ED25519,
}
OTHERS: dict[str, Any] = {
    "P-224": ec.derive_private_key(7, ec.SECP224R1()),
    "brainpool": ec.derive_private_key(7, ec.BrainpoolP256R1()),
    "X25519": x25519.X25519PrivateKey.from_private_bytes(bytes(32)),
    "Ed448": ed448.Ed448PrivateKey.from_private_bytes(bytes(57)),
    "ML-DSA": mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32)),
    "ML-KEM": mlkem.MLKEM768PrivateKey.from_seed_bytes(bytes(64)),
}
every_spec = pytest.mark.parametrize("spec", OWN)


def refuse(spec: str, material: bytes) -> str:
    with pytest.raises(MaterialError) as refused:
        KEY_SPECS[spec].type.checked(material)
    return str(refused.value)


@every_spec
def test_each_spec_takes_its_own_kind_and_no_other(spec: str) -> None:
    for name, key in (OWN | OTHERS).items():
        if name == spec:
            assert KEY_SPECS[spec].type.checked(private_der(key)) == private_der(key)
        else:
            assert refuse(spec, private_der(key)).startswith("not a")


@every_spec
def test_what_is_no_private_key(spec: str) -> None:
    right = private_der(OWN[spec])
    encrypted = OWN[spec].private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    pem = OWN[spec].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for wrong in (
        b"", b"\0", b"\x30", b"\x30\0", b"\x30\x80", bytes(32), bytes(3_000), encrypted, pem,
        public_der(OWN[spec].public_key()), right + b"\0", right[1:],
        *(right[:length] for length in range(1, len(right), max(1, len(right) // 50))),
    ):  # fmt: skip
        assert refuse(spec, wrong) == "no PKCS#8 private key"


@pytest.mark.parametrize("spec", [spec for spec in OWN if spec not in {"RSA_3072", "RSA_4096"}])
@settings(max_examples=30)
@given(data=st.data())
def test_a_key_that_differs_in_a_byte_is_another_key_or_none(spec: str, data: st.DataObject) -> None:
    right = private_der(OWN[spec])
    position = data.draw(st.integers(0, len(right) - 1))
    changed = (
        right[:position] + bytes([right[position] ^ data.draw(st.integers(1, 255))]) + right[position + 1 :]
    )
    try:
        stored = KEY_SPECS[spec].type.checked(changed)
    except MaterialError:
        return
    assert KEY_SPECS[spec].type.checked(stored) == stored


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519"])
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_private_key(spec: str, material: bytes) -> None:
    refuse(spec, material)


@pytest.mark.parametrize(
    "name",
    ["ec-inconsistent-curve", "ec-inconsistent-curve2", "ec-invalid-private-scalar", "ec-invalid-version"],
)
def test_malformed_keys_of_the_library(name: str) -> None:
    refuse("ECC_NIST_P256", from_pem(f"asymmetric/PKCS8/{name}.pem"))


def from_pem(path: str) -> bytes:
    return base64.b64decode("".join(line for line in lines(path) if "-" not in line))


@pytest.mark.parametrize("name", ["secp256r1-explicit-seed", "secp256r1-explicit-no-seed"])
def test_explicit_parameters_of_a_named_curve_are_stored_as_its_name(name: str) -> None:
    sent = from_pem(f"asymmetric/EC/{name}.pem")
    stored = KEY_SPECS["ECC_NIST_P256"].type.checked(sent)
    key = asymmetric.load_own(stored)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    scalar = key.private_numbers().private_value
    assert scalar.to_bytes(32) in sent
    assert stored == private_der(ec.derive_private_key(scalar, ec.SECP256R1())) != sent


def test_a_public_key_beside_an_ed25519_key_is_not_taken() -> None:
    """The library reads version 1 of PKCS#8 only (RFC 8410 section 7 has both)."""
    inner = der.octets(der.octets(ED25519.private_bytes_raw()))
    beside = der.implicit(1, b"\0" + ED25519.public_key().public_bytes_raw())
    identifier = der.algorithm("06032b6570")
    assert der.sequence(der.small(0), identifier, inner) == private_der(ED25519)
    refuse("ECC_NIST_EDWARDS25519", der.sequence(der.small(1), identifier, inner, beside))


@pytest.mark.parametrize("name", OWN)
def test_a_stored_key_loads(name: str) -> None:
    loaded = asymmetric.load_own(private_der(OWN[name]))
    assert private_der(loaded) == private_der(OWN[name])
    public = asymmetric.load_peer(public_der(OWN[name].public_key()))
    assert public == OWN[name].public_key()
