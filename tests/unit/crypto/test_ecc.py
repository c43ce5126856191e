"""What a key on a curve takes and refuses."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from hypothesis import given
from hypothesis import strategies as st

from kms_server.crypto.asymmetric import private_der
from kms_server.crypto.capabilities import MaterialError
from kms_server.crypto.ecc import EccKey, EccType
from kms_server.errors import KMSInvalidSignatureException, ValidationException
from kms_server.keys.specs import KEY_SPECS
from tests.unit.crypto import der

# Spec: algorithm, curve, bytes of a coordinate, order.
CURVES: dict[str, tuple[str, ec.EllipticCurve, int, int]] = {
    "ECC_NIST_P256": ("ECDSA_SHA_256", ec.SECP256R1(), 32, ec.SECP256R1.group_order),
    "ECC_NIST_P384": ("ECDSA_SHA_384", ec.SECP384R1(), 48, ec.SECP384R1.group_order),
    "ECC_NIST_P521": ("ECDSA_SHA_512", ec.SECP521R1(), 66, ec.SECP521R1.group_order),
    "ECC_SECG_P256K1": ("ECDSA_SHA_256", ec.SECP256K1(), 32, ec.SECP256K1.group_order),
}
every_curve = pytest.mark.parametrize("spec", CURVES)


def type_of(spec: str) -> EccType:
    key_type = KEY_SPECS[spec].type
    assert isinstance(key_type, EccType)
    return key_type


def private(spec: str, scalar: int = 12_345) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, CURVES[spec][1])


def opened(spec: str, scalar: int = 12_345) -> EccKey:
    return type_of(spec).open(private_der(private(spec, scalar)), "", "")


@every_curve
def test_a_digest_stands_for_its_message(spec: str) -> None:
    key, algorithm = opened(spec), CURVES[spec][0]
    digest = hashlib.new(f"sha{algorithm[-3:]}", b"message").digest()
    for message, message_type in ((b"message", "RAW"), (digest, "DIGEST")):
        signature = key.sign(algorithm, message, message_type)
        assert signature != key.sign(algorithm, message, message_type)
        key.verify(algorithm, b"message", "RAW", signature)
        key.verify(algorithm, digest, "DIGEST", signature)
        with pytest.raises(KMSInvalidSignatureException):
            key.verify(algorithm, digest, "RAW", signature)


@every_curve
@pytest.mark.parametrize("length", [0, 1, 20, 31, 33, 47, 49, 63, 65, 66])
def test_a_digest_has_the_length_of_its_hash(spec: str, length: int) -> None:
    key, algorithm = opened(spec), CURVES[spec][0]
    for call in (
        lambda: key.sign(algorithm, bytes(length), "DIGEST"),
        lambda: key.verify(algorithm, bytes(length), "DIGEST", b""),
    ):
        with pytest.raises(ValidationException) as refused:
            call()
        assert refused.value.message == f"Digest is invalid length for algorithm {algorithm}."


@every_curve
def test_there_is_no_external_mu(spec: str) -> None:
    key, algorithm = opened(spec), CURVES[spec][0]
    for call in (
        lambda: key.sign(algorithm, bytes(64), "EXTERNAL_MU"),
        lambda: key.verify(algorithm, bytes(64), "EXTERNAL_MU", b""),
    ):
        with pytest.raises(ValidationException) as refused:
            call()
        assert refused.value.message == f"MessageType EXTERNAL_MU is not valid for algorithm {algorithm}."


def wrong_signatures(spec: str, right: bytes) -> list[bytes]:
    order, size = CURVES[spec][3], CURVES[spec][2]
    r, s = decode_dss_signature(right)
    numbers = [
        (0, s),
        (r, 0),
        (0, 0),
        (r + order, s),
        (r, s + order),
        (r, 1),
        (1, 1),
        (s, r),
        (order, s),
        (r, order),
    ]
    raw = r.to_bytes(size) + s.to_bytes(size)
    malformed = [
        b"",
        b"\0",
        b"\x30\0",
        b"\x30\x80",
        right[:-1],
        right + b"\0",
        right + right,
        raw,
        b"\x31" + right[1:],
    ]
    return [*(encode_dss_signature(*pair) for pair in numbers), *malformed]


@every_curve
def test_a_signature_that_differs_is_refused(spec: str) -> None:
    key, algorithm = opened(spec), CURVES[spec][0]
    right = key.sign(algorithm, b"message", "RAW")
    flipped = [right[:i] + bytes([right[i] ^ 1]) + right[i + 1 :] for i in range(len(right))]
    for wrong in (*wrong_signatures(spec, right), *flipped):
        with pytest.raises(KMSInvalidSignatureException) as refused:
            key.verify(algorithm, b"message", "RAW", wrong)
        assert refused.value.message == ""
    for other in (b"another", b"message\0", b""):
        with pytest.raises(KMSInvalidSignatureException):
            key.verify(algorithm, other, "RAW", right)
    with pytest.raises(KMSInvalidSignatureException):
        opened(spec, 12_346).verify(algorithm, b"message", "RAW", right)


@given(st.binary(max_size=150))
def test_arbitrary_bytes_are_no_signature(signature: bytes) -> None:
    with pytest.raises(KMSInvalidSignatureException):
        opened("ECC_NIST_P256").verify("ECDSA_SHA_256", b"message", "RAW", signature)


@every_curve
def test_a_fresh_key(spec: str) -> None:
    stored = type_of(spec).generate()
    assert type_of(spec).checked(stored) == stored
    assert stored != type_of(spec).generate()
    public = load_der_public_key(type_of(spec).open(stored, "", "").public_der())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == CURVES[spec][1].name


@every_curve
def test_the_public_key_is_named_and_uncompressed(spec: str) -> None:
    numbers = private(spec).public_key().public_numbers()
    curve, size = CURVES[spec][1], CURVES[spec][2]
    point = b"\4" + numbers.x.to_bytes(size) + numbers.y.to_bytes(size)
    assert opened(spec).public_der() == der.ec_public(curve.name, point)


@every_curve
@pytest.mark.parametrize("sent", CURVES)
def test_a_key_from_outside_is_on_the_curve(spec: str, sent: str) -> None:
    material = private_der(private(sent))
    if sent == spec:
        assert type_of(spec).checked(material) == material
        return
    with pytest.raises(MaterialError, match=f"^not a key on {CURVES[spec][1].name}$"):
        type_of(spec).checked(material)


@every_curve
def test_a_key_from_outside_may_leave_its_point_out(spec: str) -> None:
    _, curve, size, _ = CURVES[spec]
    sent = der.ec_private(curve.name, (12_345).to_bytes(size), None)
    assert type_of(spec).checked(sent) == private_der(private(spec))


@every_curve
def test_a_key_from_outside_has_a_scalar_below_the_order(spec: str) -> None:
    _, curve, size, order = CURVES[spec]
    highest = der.ec_private(curve.name, (order - 1).to_bytes(size), None)
    assert type_of(spec).checked(highest) == private_der(private(spec, order - 1))
    for scalar in (0, order, order + 1):
        with pytest.raises(MaterialError):
            type_of(spec).checked(der.ec_private(curve.name, scalar.to_bytes(size), None))


@every_curve
def test_a_key_from_outside_is_pkcs8(spec: str) -> None:
    sec1 = private(spec).private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    with pytest.raises(MaterialError, match=r"^no PKCS#8 private key$"):
        type_of(spec).checked(sec1)
