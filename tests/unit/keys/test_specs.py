"""The rows of the key specs against the "Key spec reference" of the KMS developer guide."""

from functools import cache
from typing import Any

import pytest

from kms_server.errors import InvalidKeyUsageException, UnsupportedOperationException
from kms_server.keys import specs
from kms_server.keys.specs import AGREE, ENCAPSULATE, ENCRYPT, KEY_SPECS, MAC, SIGN
from kms_server.schemas.common import CUSTOMER_MASTER_KEY_SPECS, KEY_USAGES, KeyMetadata
from kms_server.schemas.common import KEY_SPECS as AWS_KEY_SPECS

OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
RSA_SIGNATURES = tuple(
    f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)
)
THROUGH_AES = ("RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")
ANY = OAEP + THROUGH_AES
SYMMETRIC, RSA, ECC = (f"CryptographicOperations{kind}" for kind in ("Symmetric", "Rsa", "Ecc"))
ML_DSA, ML_KEM = "CryptographicOperationsMlDsa", "CryptographicOperationsMlKem"

# Algorithms by usage, quota, whether data key pairs of it are made, wrapping algorithms.
ROWS: dict[str, tuple[dict[str, tuple[str, ...]], str, bool, tuple[str, ...]]] = {
    "SYMMETRIC_DEFAULT": ({ENCRYPT: ("SYMMETRIC_DEFAULT",)}, SYMMETRIC, False, ANY),
    "HMAC_224": ({MAC: ("HMAC_SHA_224",)}, SYMMETRIC, False, ANY),
    "HMAC_256": ({MAC: ("HMAC_SHA_256",)}, SYMMETRIC, False, ANY),
    "HMAC_384": ({MAC: ("HMAC_SHA_384",)}, SYMMETRIC, False, ANY),
    "HMAC_512": ({MAC: ("HMAC_SHA_512",)}, SYMMETRIC, False, ANY),
    "RSA_2048": ({ENCRYPT: OAEP, SIGN: RSA_SIGNATURES}, RSA, True, THROUGH_AES),
    "RSA_3072": ({ENCRYPT: OAEP, SIGN: RSA_SIGNATURES}, RSA, True, THROUGH_AES),
    "RSA_4096": ({ENCRYPT: OAEP, SIGN: RSA_SIGNATURES}, RSA, True, THROUGH_AES),
    "ECC_NIST_P256": ({SIGN: ("ECDSA_SHA_256",), AGREE: ("ECDH",)}, ECC, True, ANY),
    "ECC_NIST_P384": ({SIGN: ("ECDSA_SHA_384",), AGREE: ("ECDH",)}, ECC, True, ANY),
    "ECC_NIST_P521": ({SIGN: ("ECDSA_SHA_512",), AGREE: ("ECDH",)}, ECC, True, ANY),
    "ECC_SECG_P256K1": ({SIGN: ("ECDSA_SHA_256",)}, ECC, True, ANY),
    "ECC_NIST_EDWARDS25519": ({SIGN: ("ED25519_SHA_512", "ED25519_PH_SHA_512")}, ECC, True, ANY),
    "ML_DSA_44": ({SIGN: ("ML_DSA_SHAKE_256",)}, ML_DSA, False, ()),
    "ML_DSA_65": ({SIGN: ("ML_DSA_SHAKE_256",)}, ML_DSA, False, ()),
    "ML_DSA_87": ({SIGN: ("ML_DSA_SHAKE_256",)}, ML_DSA, False, ()),
    "ML_KEM_768": ({ENCAPSULATE: ("ML_KEM",)}, ML_KEM, True, ()),
    "ML_KEM_1024": ({ENCAPSULATE: ("ML_KEM",)}, ML_KEM, True, ()),
}
every_spec = pytest.mark.parametrize("name", ROWS)
CASES = [
    (name, usage, algorithm)
    for name, spec in KEY_SPECS.items()
    for usage, algorithms in spec.algorithms.items()
    for algorithm in algorithms
]


@cache
def opened(name: str) -> object:
    """A fresh key, ready for use."""
    key_type = specs.find(name).type
    return key_type.open(key_type.generate(), "1234abcd-12ab-34cd-56ef-1234567890ab", "ab" * 32)


def test_there_is_a_row_for_each_spec_that_is_served() -> None:
    assert KEY_SPECS.keys() == ROWS.keys()
    assert set(AWS_KEY_SPECS) - KEY_SPECS.keys() == {"SM2", "ML_KEM_512"}


@every_spec
def test_rows(name: str) -> None:
    spec = specs.find(name)
    algorithms, quota, pairs, wrapping = ROWS[name]
    assert spec.name == name
    assert {usage: set(of) for usage, of in spec.algorithms.items()} == {
        usage: set(of) for usage, of in algorithms.items()
    }
    assert (spec.quota, spec.wrapping) == (quota, wrapping)
    assert spec.pair_quota == (f"GenerateDataKeyPair{name}" if pairs else None)


@every_spec
def test_what_is_symmetric_and_what_is_a_pair(name: str) -> None:
    spec = specs.find(name)
    assert spec.is_symmetric == (name == "SYMMETRIC_DEFAULT")
    assert spec.has_public_key == (not name.startswith(("SYMMETRIC", "HMAC")))
    assert hasattr(opened(name), "public_der") == spec.has_public_key


@every_spec
def test_the_older_name(name: str) -> None:
    assert specs.find(name).has_older_name == (name in CUSTOMER_MASTER_KEY_SPECS)


def test_the_public_half_of_fresh_material() -> None:
    spec = specs.find("ECC_NIST_P256")
    material = spec.type.generate()
    opened_again: Any = spec.type.open(material, "", "")
    assert spec.public_der(material) == opened_again.public_der()


def test_what_other_calls_do_not_wait_for() -> None:
    slow = {name for name in ROWS if specs.find(name).is_slow}
    assert slow == {name for name in ROWS if name.startswith(("RSA", "ML_DSA"))} | {
        "ECC_NIST_P384",
        "ECC_NIST_P521",
    }
    assert {name for name in ROWS if specs.find(name).is_slow_to_make} == {
        name for name in ROWS if name.startswith("RSA")
    }


@pytest.mark.parametrize("name", ["SM2", "ML_KEM_512", "", "RSA_1024", "symmetric_default"])
def test_what_is_not_served(name: str) -> None:
    with pytest.raises(UnsupportedOperationException) as refused:
        specs.find(name)
    assert refused.value.message == f"KeySpec {name} is not supported."


@pytest.mark.parametrize(("name", "usage"), dict.fromkeys(case[:2] for case in CASES))
def test_each_usage_has_its_algorithms_and_no_other(name: str, usage: str) -> None:
    spec = specs.find(name)
    for algorithm in {algorithm for _, _, algorithm in CASES} | {"SM2DSA", ""}:
        if algorithm in ROWS[name][0][usage]:
            spec.require(algorithm, usage)
            continue
        with pytest.raises(InvalidKeyUsageException) as refused:
            spec.require(algorithm, usage)
        assert refused.value.message == f"Algorithm {algorithm} is incompatible with key spec {name}."


def test_usages_and_algorithms_are_names_of_the_model() -> None:
    assert set(specs.ALGORITHMS_MEMBER) == set(KEY_USAGES)
    members: dict[str, Any] = KeyMetadata().fields
    for _, usage, algorithm in CASES:
        assert algorithm in members[specs.ALGORITHMS_MEMBER[usage]].inner.values


@pytest.mark.parametrize(("name", "usage", "algorithm"), CASES)
def test_a_fresh_key_does_what_its_row_says(name: str, usage: str, algorithm: str) -> None:
    spec = specs.find(name)
    key: Any = opened(name)
    match usage:
        case specs.ENCRYPT:
            context = {"a": "b"} if spec.is_symmetric else {}
            assert key.decrypt(algorithm, key.encrypt(algorithm, b"secret", context), context) == b"secret"
        case specs.SIGN if algorithm == "ED25519_PH_SHA_512":
            key.verify(algorithm, bytes(64), "DIGEST", key.sign(algorithm, bytes(64), "DIGEST"))
        case specs.SIGN:
            key.verify(algorithm, b"message", "RAW", key.sign(algorithm, b"message", "RAW"))
        case specs.MAC:
            bits = int(algorithm[-3:])
            assert len(key.mac(b"message")) * 8 == bits
        case specs.AGREE:
            other: Any = spec.type.open(spec.type.generate(), "", "")
            assert key.derive(other.public_der()) == other.derive(key.public_der())
        case _:
            secret, ciphertext = key.encapsulate()
            assert key.decapsulate(ciphertext) == secret
