"""What an RSA key takes and refuses, with AWS's texts."""

import hashlib
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from kms_server.crypto.asymmetric import private_der, public_der
from kms_server.crypto.capabilities import MaterialError
from kms_server.crypto.rsa import RsaKey, RsaType
from kms_server.errors import InvalidCiphertextException, KMSInvalidSignatureException, ValidationException
from tests.unit.crypto import independent_rsa

SIZES = (2048, 3072, 4096)
OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
# AWS "Encrypt": the longest plaintext by key and algorithm.
LONGEST = {
    (2048, 1): 214,
    (2048, 256): 190,
    (3072, 1): 342,
    (3072, 256): 318,
    (4096, 1): 470,
    (4096, 256): 446,
}
SIGNATURES = {
    f"RSASSA_{scheme}_SHA_{bits}": bits // 8 for scheme in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)
}
CONTEXT_REFUSED = "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs."


def opened(bits: int = 2048) -> RsaKey:
    return RsaType(bits).open(private_der(independent_rsa.key(bits)), "", "")


@pytest.mark.parametrize(("bits", "hash_bits"), LONGEST)
def test_the_longest_plaintext(bits: int, hash_bits: int) -> None:
    key, algorithm, longest = opened(bits), f"RSAES_OAEP_SHA_{hash_bits}", LONGEST[bits, hash_bits]
    for size in (1, longest):
        ciphertext = key.encrypt(algorithm, bytes(size), {})
        assert len(ciphertext) == bits // 8
        assert key.decrypt(algorithm, ciphertext, {}) == bytes(size)
    for size in (longest + 1, 4_096):
        with pytest.raises(ValidationException) as refused:
            key.encrypt(algorithm, bytes(size), {})
        assert refused.value.message == (
            f"Algorithm {algorithm} and key spec RSA_{bits} cannot encrypt data larger than {longest} bytes."
        )


@pytest.mark.parametrize("algorithm", OAEP)
def test_there_is_no_encryption_context(algorithm: str) -> None:
    key = opened()
    ciphertext = key.encrypt(algorithm, b"x", {})
    with pytest.raises(ValidationException) as refused:
        key.encrypt(algorithm, b"x", {"a": "b"})
    assert refused.value.message == CONTEXT_REFUSED
    with pytest.raises(ValidationException) as refused:
        key.decrypt(algorithm, ciphertext, {"a": "b"})
    assert refused.value.message == CONTEXT_REFUSED


@settings(max_examples=30)
@given(st.sampled_from(OAEP), st.binary(max_size=190))
def test_what_is_encrypted_decrypts(algorithm: str, plaintext: bytes) -> None:
    key = opened()
    ciphertext = key.encrypt(algorithm, plaintext, {})
    assert key.decrypt(algorithm, ciphertext, {}) == plaintext
    assert ciphertext != key.encrypt(algorithm, plaintext, {})


@pytest.mark.parametrize("algorithm", OAEP)
@pytest.mark.parametrize("length", [0, 1, 255, 257, 384])
def test_a_ciphertext_of_another_length_is_refused(algorithm: str, length: int) -> None:
    with pytest.raises(InvalidCiphertextException):
        opened().decrypt(algorithm, bytes(length), {})


def test_a_ciphertext_that_differs_is_refused() -> None:
    key = opened()
    ciphertext = key.encrypt("RSAES_OAEP_SHA_256", b"secret", {})
    flipped = [ciphertext[:i] + bytes([ciphertext[i] ^ 1]) + ciphertext[i + 1 :] for i in range(0, 256, 5)]
    for wrong in (*flipped, bytes(256), b"\xff" * 256):
        with pytest.raises(InvalidCiphertextException) as refused:
            key.decrypt("RSAES_OAEP_SHA_256", wrong, {})
        assert refused.value.message == ""
    with pytest.raises(InvalidCiphertextException):
        key.decrypt("RSAES_OAEP_SHA_1", ciphertext, {})


@pytest.mark.parametrize("algorithm", SIGNATURES)
def test_a_digest_stands_for_its_message(algorithm: str) -> None:
    key = opened()
    digest = hashlib.new(f"sha{SIGNATURES[algorithm] * 8}", b"message").digest()
    for message, message_type in ((b"message", "RAW"), (digest, "DIGEST")):
        signature = key.sign(algorithm, message, message_type)
        assert len(signature) == 256
        key.verify(algorithm, b"message", "RAW", signature)
        key.verify(algorithm, digest, "DIGEST", signature)
        with pytest.raises(KMSInvalidSignatureException):
            key.verify(algorithm, digest, "RAW", signature)


@pytest.mark.parametrize("algorithm", SIGNATURES)
@pytest.mark.parametrize("more", [-64, -32, -1, 1, 16])
def test_a_digest_has_the_length_of_its_hash(algorithm: str, more: int) -> None:
    key, digest = opened(), bytes(max(0, SIGNATURES[algorithm] + more))
    for call in (
        lambda: key.sign(algorithm, digest, "DIGEST"),
        lambda: key.verify(algorithm, digest, "DIGEST", bytes(256)),
    ):
        with pytest.raises(ValidationException) as refused:
            call()
        assert refused.value.message == f"Digest is invalid length for algorithm {algorithm}."


@pytest.mark.parametrize("algorithm", SIGNATURES)
def test_there_is_no_external_mu(algorithm: str) -> None:
    key = opened()
    for call in (
        lambda: key.sign(algorithm, bytes(64), "EXTERNAL_MU"),
        lambda: key.verify(algorithm, bytes(64), "EXTERNAL_MU", bytes(256)),
    ):
        with pytest.raises(ValidationException) as refused:
            call()
        assert refused.value.message == f"MessageType EXTERNAL_MU is not valid for algorithm {algorithm}."


@pytest.mark.parametrize("algorithm", SIGNATURES)
def test_a_signature_without_its_leading_zero_is_refused(algorithm: str) -> None:
    key = opened()
    signatures = ((text, key.sign(algorithm, text, "RAW")) for text in (b"%d" % number for number in count()))
    message, signature = next(made for made in signatures if made[1][0] == 0)
    key.verify(algorithm, message, "RAW", signature)
    with pytest.raises(KMSInvalidSignatureException):
        key.verify(algorithm, message, "RAW", signature[1:])


@pytest.mark.parametrize("algorithm", SIGNATURES)
def test_a_signature_that_differs_is_refused(algorithm: str) -> None:
    key = opened()
    signature = key.sign(algorithm, b"message", "RAW")
    flipped = [signature[:i] + bytes([signature[i] ^ 1]) + signature[i + 1 :] for i in range(0, 256, 17)]
    lengths = (b"", signature[:-1], signature + b"\0", b"\0" + signature, signature[1:])
    for wrong in (*flipped, *lengths, bytes(256), b"\xff" * 256):
        with pytest.raises(KMSInvalidSignatureException) as refused:
            key.verify(algorithm, b"message", "RAW", wrong)
        assert refused.value.message == ""
    for other in SIGNATURES.keys() - {algorithm}:
        with pytest.raises(KMSInvalidSignatureException):
            key.verify(other, b"message", "RAW", signature)
    with pytest.raises(KMSInvalidSignatureException):
        key.verify(algorithm, b"another", "RAW", signature)


@pytest.mark.parametrize("bits", SIZES)
def test_a_fresh_key(bits: int) -> None:
    stored = RsaType(bits).generate()
    assert RsaType(bits).checked(stored) == stored
    public = load_der_public_key(RsaType(bits).open(stored, "", "").public_der())
    assert isinstance(public, rsa.RSAPublicKey)
    assert (public.key_size, public.public_numbers().e) == (bits, 65_537)


def test_the_public_key() -> None:
    assert opened().public_der() == public_der(independent_rsa.key(2048).public_key())


@pytest.mark.parametrize("bits", SIZES)
@pytest.mark.parametrize("sent", SIZES)
def test_a_key_from_outside_has_its_size(bits: int, sent: int) -> None:
    material = private_der(independent_rsa.key(sent))
    if sent == bits:
        assert RsaType(bits).checked(material) == material
        return
    with pytest.raises(MaterialError, match=f"^not an RSA key of {bits} bits$"):
        RsaType(bits).checked(material)


@pytest.mark.parametrize(
    ("e", "right"),
    [(3, False), (257, False), (65_533, False), (65_537, True), (2**255 + 95, True), (2**256 + 297, False)],
)
def test_a_key_from_outside_has_an_exponent_of_fips_186(e: int, *, right: bool) -> None:
    material = private_der(independent_rsa.key(2048, e))
    if right:
        assert RsaType(2048).checked(material) == material
        return
    with pytest.raises(MaterialError, match=r"^the public exponent is not between"):
        RsaType(2048).checked(material)


def test_a_key_from_outside_is_pkcs8() -> None:
    pkcs1 = independent_rsa.key(2048).private_bytes(
        Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    with pytest.raises(MaterialError, match=r"^no PKCS#8 private key$"):
        RsaType(2048).checked(pkcs1)


@pytest.mark.parametrize("changed", ["p", "d", "dmp1", "dmq1", "iqmp"])
def test_a_key_from_outside_is_consistent(changed: str) -> None:
    numbers = independent_rsa.key(2048).private_numbers()
    parts = {name: getattr(numbers, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    parts[changed] += 2
    whole = private_der(independent_rsa.key(2048))
    size = (getattr(numbers, changed).bit_length() + 7) // 8
    broken = whole.replace(getattr(numbers, changed).to_bytes(size), parts[changed].to_bytes(size))
    assert broken != whole
    with pytest.raises(MaterialError):
        RsaType(2048).checked(broken)
