"""RSA: the answers of NIST and PKCS#1, and an implementation from RFC 8017."""

import hashlib
import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kms_server.crypto.asymmetric import private_der
from kms_server.crypto.rsa import RsaKey, RsaType
from kms_server.errors import InvalidCiphertextException, KMSInvalidSignatureException
from tests.unit.crypto import independent_rsa as independent
from tests.unit.crypto.vectors import Record, records, titled

HASHES = {"SHA256": "SHA_256", "SHA384": "SHA_384", "SHA512": "SHA_512"}
NIST = "asymmetric/RSA/FIPS_186-2/"
PKCS1 = "asymmetric/RSA/pkcs-1v2-1d2-vec/"
SIZES = (2048, 3072, 4096)


def opened(key: rsa.RSAPrivateKey) -> RsaKey:
    return RsaType(key.key_size).open(private_der(key), "", "")


def public_only(n: int, e: int) -> RsaKey:
    """A key that verifies, from an answer that has no private half."""
    key = RsaKey.__new__(RsaKey)
    key._public = rsa.RSAPublicNumbers(e, n).public_key()
    return key


def verifies(key: RsaKey, algorithm: str, message: bytes, signature: bytes) -> bool:
    digest = hashlib.new(f"sha{algorithm[-3:]}", message).digest()
    answers = set()
    for sent, message_type in ((message, "RAW"), (digest, "DIGEST")):
        try:
            key.verify(algorithm, sent, message_type, signature)
            answers.add(True)
        except KMSInvalidSignatureException:
            answers.add(False)
    (answer,) = answers
    return answer


def served(path: str, last: str) -> list[Record]:
    return [case for case in records(NIST + path, last) if case["SHAAlg"] in HASHES]


def test_pkcs1_signatures_of_nist() -> None:
    cases = served("SigGen15_186-3.rsp", "S")
    assert len(cases) == 150
    for case in cases:
        key = public_only(case.number("n"), case.number("e"))
        assert verifies(key, f"RSASSA_PKCS1_V1_5_{HASHES[case['SHAAlg']]}", case.raw("Msg"), case.raw("S"))


def test_pkcs1_signatures_of_nist_right_and_wrong() -> None:
    cases = served("SigVer15_186-3.rsp", "Result")
    assert len(cases) == 270
    for case in cases:
        algorithm = f"RSASSA_PKCS1_V1_5_{HASHES[case['SHAAlg']]}"
        right = case["Result"].startswith("P")
        key = public_only(case.number("n"), case.number("e"))
        assert verifies(key, algorithm, case.raw("Msg"), case.raw("S")) == right
        if right:
            own = opened(independent.from_primes(case.number("p"), case.number("q"), case.number("e")))
            assert own.sign(algorithm, case.raw("Msg"), "RAW") == case.raw("S")


@pytest.mark.parametrize(("path", "last"), [("SigGenPSS_186-3.rsp", "S"), ("SigVerPSS_186-3.rsp", "Result")])
def test_pss_signatures_of_nist_have_salts_that_kms_does_not_take(path: str, last: str) -> None:
    cases = served(path, last)
    assert len(cases) in {150, 270}
    for case in cases:
        key = public_only(case.number("n"), case.number("e"))
        algorithm = f"RSASSA_PSS_{HASHES[case['SHAAlg']]}"
        assert not verifies(key, algorithm, case.raw("Msg"), case.raw("S"))


def pss_of_pkcs1() -> Iterator[tuple[rsa.RSAPublicNumbers, dict[str, bytes]]]:
    found: dict[str, bytes] = {}
    for title, value in titled(PKCS1 + "pss-vect.txt"):
        found[title] = value
        if title == "Signature":
            n, e = (int.from_bytes(found[name]) for name in ("Modulus", "Public exponent"))
            yield rsa.RSAPublicNumbers(e, n), found


def test_the_independent_pss_agrees_with_pkcs1() -> None:
    cases = 0
    for public, case in pss_of_pkcs1():
        digest = hashlib.sha1(case["Message to be signed"]).digest()
        assert independent.pss_salt(public, case["Signature"], digest, "sha1") == case["Salt"]
        cases += 1
    assert cases == 60


@pytest.mark.parametrize("bits", SIZES)
@pytest.mark.parametrize("name", ["256", "384", "512"])
def test_pss_salts_are_as_long_as_the_digest(bits: int, name: str) -> None:
    private = independent.key(bits)
    key, algorithm, size = opened(private), f"RSASSA_PSS_SHA_{name}", int(name) // 8
    digest = hashlib.new(f"sha{name}", b"message").digest()
    public = private.public_key().public_numbers()
    ours = [key.sign(algorithm, b"message", "RAW"), key.sign(algorithm, digest, "DIGEST")]
    salts = [independent.pss_salt(public, signature, digest, f"sha{name}") for signature in ours]
    assert [len(salt) for salt in salts] == [size, size]
    assert salts[0] != salts[1]
    for length in (0, 1, 20, size - 1, size, size + 1, bits // 8 - size - 2):
        theirs = independent.pss_sign(private, digest, os.urandom(length), f"sha{name}")
        assert verifies(key, algorithm, b"message", theirs) == (length == size)


@pytest.mark.parametrize(
    ("path", "algorithm"),
    [
        (PKCS1 + "oaep-vect.txt", "RSAES_OAEP_SHA_1"),
        ("asymmetric/RSA/oaep-custom/oaep-sha256-sha256.txt", "RSAES_OAEP_SHA_256"),
    ],
)
def test_ciphertexts_of_pkcs1_open(path: str, algorithm: str) -> None:
    found: dict[str, bytes] = {}
    cases = 0
    for title, value in titled(path):
        found[title] = value
        if title == "Encryption":
            p, q, e = (int.from_bytes(found[name]) for name in ("Prime 1", "Prime 2", "Public exponent"))
            key = opened(independent.from_primes(p, q, e))
            assert key.decrypt(algorithm, value, {}) == found["Message"]
            cases += 1
    assert cases == 60


@pytest.mark.parametrize(
    ("algorithm", "name"), [("RSAES_OAEP_SHA_1", "sha1"), ("RSAES_OAEP_SHA_256", "sha256")]
)
def test_oaep_has_an_empty_label_and_mgf1_over_the_same_hash(algorithm: str, name: str) -> None:
    private = independent.key(2048)
    key, public = opened(private), private.public_key().public_numbers()
    seed = os.urandom(hashlib.new(name).digest_size)

    def opens(block: bytes) -> bytes | None:
        try:
            return key.decrypt(algorithm, independent.power(public, block), {})
        except InvalidCiphertextException:
            return None

    right = independent.oaep_encode(b"message", 256, seed, name)
    assert opens(right) == b"message"
    assert opens(independent.oaep_encode(b"", 256, seed, name)) == b""
    assert opens(independent.oaep_encode(b"message", 256, seed, name, b"label")) is None
    assert opens(b"\1" + right[1:]) is None
    ours = independent.root(private, key.encrypt(algorithm, b"message", {}))
    block = ours[1 + len(seed) :]
    their_seed = bytes(
        a ^ b for a, b in zip(ours[1:], independent.mgf1(block, len(seed), name), strict=False)
    )[: len(seed)]
    assert independent.oaep_encode(b"message", 256, their_seed, name) == ours


SHA256_INFO = "3031300d060960864801650304020105000420"


@pytest.mark.parametrize(
    ("info", "right"),
    [
        (SHA256_INFO, True),
        ("302f300b0609608648016503040201" + "0420", False),  # no NULL
        ("3051300d060960864801650304020305000440", False),  # SHA-512's name
        ("3021300906052b0e03021a05000414", False),  # SHA-1's name
        ("", False),
    ],
    ids=["right", "without parameters", "another hash", "SHA-1", "bare digest"],
)
def test_pkcs1_takes_one_encoding_of_the_digest(info: str, *, right: bool) -> None:
    private = independent.key(2048)
    digest = hashlib.sha256(b"message").digest()
    block = independent.pkcs1_encode(bytes.fromhex(info) + digest, 256)
    signature = independent.root(private, block)
    assert verifies(opened(private), "RSASSA_PKCS1_V1_5_SHA_256", b"message", signature) == right


@pytest.mark.parametrize("e", [3, 65_537])
def test_pkcs1_refuses_what_stands_behind_a_short_padding(e: int) -> None:
    """Bleichenbacher's forgery of 2006: the padding is cut and the rest of the block is free."""
    private = independent.key(3072, e)
    info = bytes.fromhex(SHA256_INFO) + hashlib.sha256(b"message").digest()
    size = private.key_size // 8
    for block in (
        b"\0\1" + b"\xff" * 8 + b"\0" + info + os.urandom(size - len(info) - 11),
        b"\0\1" + b"\xff" * (size - len(info) - 11) + b"\0" + info + os.urandom(8),
        b"\0\2" + b"\xff" * (size - len(info) - 3) + b"\0" + info,
        b"\0\1" + b"\xff" * (size - len(info) - 4) + b"\xfe\0" + info,
    ):
        signature = independent.root(private, block)
        assert not verifies(opened(private), "RSASSA_PKCS1_V1_5_SHA_256", b"message", signature)
