"""Key specs: one row per kind of key (AWS "Key spec reference"). Nothing else switches on the type of a key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, mlkem

from kms_server.crypto import import_wrap
from kms_server.crypto.blob import SymmetricType
from kms_server.crypto.capabilities import KeyType, PublicKey
from kms_server.crypto.ecc import EccType
from kms_server.crypto.ed25519 import Ed25519Type
from kms_server.crypto.hmac_key import HmacType
from kms_server.crypto.ml_dsa import MlDsaType
from kms_server.crypto.ml_kem import MlKemType
from kms_server.crypto.rsa import RsaType
from kms_server.errors import InvalidKeyUsageException, UnsupportedOperationException

ENCRYPT, SIGN, MAC = "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"
AGREE, ENCAPSULATE = "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"
ALGORITHMS_MEMBER = {
    ENCRYPT: "EncryptionAlgorithms", SIGN: "SigningAlgorithms", MAC: "MacAlgorithms",
    AGREE: "KeyAgreementAlgorithms", ENCAPSULATE: "EncapsulationAlgorithms",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One kind of key.

    `algorithms` maps each usage a key can be created with to its algorithms; `quota` is the shared request quota
    of its cryptographic operations, `pair_quota` that of data key pairs; `wrapping` lists the algorithms
    under which its material can be imported. `is_slow` says that its private keys take so long to use, and
    `is_slow_to_make` to generate, that other calls must not wait for them.
    """

    name: str
    type: KeyType
    algorithms: Mapping[str, tuple[str, ...]]
    quota: str
    pair_quota: str | None = None
    wrapping: tuple[str, ...] = ()
    is_slow: bool = False
    is_slow_to_make: bool = False

    @property
    def is_symmetric(self) -> bool:
        """Whether its keys encrypt symmetrically: the ones that rotate, and that make data keys."""
        return self is SYMMETRIC_DEFAULT

    @property
    def has_public_key(self) -> bool:
        """Whether its keys are pairs."""
        return MAC not in self.algorithms and not self.is_symmetric

    @property
    def has_older_name(self) -> bool:
        """Whether AWS's deprecated CustomerMasterKeySpec knows the spec."""
        return not self.name.startswith(("ML_", "ECC_NIST_EDWARDS"))

    def public_der(self, material: bytes) -> bytes:
        """The public half of fresh material as DER SubjectPublicKeyInfo."""
        return cast("PublicKey", self.type.open(material, "", "")).public_der()

    def require(self, algorithm: str, usage: str) -> None:
        """Check an algorithm for keys of this spec and usage.

        Raises:
            InvalidKeyUsageException: it is another spec's.
        """
        if algorithm not in self.algorithms[usage]:
            raise InvalidKeyUsageException(
                f"Algorithm {algorithm} is incompatible with key spec {self.name}."
            )


_OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_RSA_SIGNATURES = (
    "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
)  # fmt: skip
_THROUGH_AES = tuple(name for name in import_wrap.ALGORITHMS if name.startswith("RSA_AES"))


def _rsa(bits: int) -> KeySpec:
    algorithms = {ENCRYPT: _OAEP, SIGN: _RSA_SIGNATURES}
    name = f"RSA_{bits}"
    quota = "CryptographicOperationsRsa"
    return KeySpec(
        name, RsaType(bits), algorithms, quota, f"GenerateDataKeyPair{name}", _THROUGH_AES,
        is_slow=True, is_slow_to_make=True,
    )  # fmt: skip


def _ecc(name: str, key_type: KeyType, algorithms: Mapping[str, tuple[str, ...]]) -> KeySpec:
    quota = "CryptographicOperationsEcc"
    return KeySpec(
        name, key_type, algorithms, quota, f"GenerateDataKeyPair{name}", import_wrap.ALGORITHMS,
        is_slow=name in {"ECC_NIST_P384", "ECC_NIST_P521"},
    )  # fmt: skip


def _nist(name: str, curve: ec.EllipticCurve, make_hash: type[hashes.HashAlgorithm], bits: int) -> KeySpec:
    return _ecc(name, EccType(curve, make_hash), {SIGN: (f"ECDSA_SHA_{bits}",), AGREE: ("ECDH",)})


def _hmac(bits: int) -> KeySpec:
    key_type = HmacType(f"sha{bits}", bits // 8)
    algorithms = {MAC: (f"HMAC_SHA_{bits}",)}
    return KeySpec(f"HMAC_{bits}", key_type, algorithms, _SYMMETRIC_QUOTA, wrapping=import_wrap.ALGORITHMS)


def _ml_dsa(name: str, key_type: MlDsaType) -> KeySpec:
    return KeySpec(
        name, key_type, {SIGN: ("ML_DSA_SHAKE_256",)}, "CryptographicOperationsMlDsa", is_slow=True
    )


def _ml_kem(name: str, key_type: MlKemType) -> KeySpec:
    quota = "CryptographicOperationsMlKem"
    return KeySpec(name, key_type, {ENCAPSULATE: ("ML_KEM",)}, quota, f"GenerateDataKeyPair{name}")


_SYMMETRIC_QUOTA = "CryptographicOperationsSymmetric"
SYMMETRIC_DEFAULT = KeySpec(
    "SYMMETRIC_DEFAULT", SymmetricType(), {ENCRYPT: ("SYMMETRIC_DEFAULT",)}, _SYMMETRIC_QUOTA,
    wrapping=import_wrap.ALGORITHMS,
)  # fmt: skip

KEY_SPECS = {
    spec.name: spec
    for spec in (
        SYMMETRIC_DEFAULT,
        *(_hmac(bits) for bits in (224, 256, 384, 512)),
        *(_rsa(bits) for bits in (2048, 3072, 4096)),
        _nist("ECC_NIST_P256", ec.SECP256R1(), hashes.SHA256, 256),
        _nist("ECC_NIST_P384", ec.SECP384R1(), hashes.SHA384, 384),
        _nist("ECC_NIST_P521", ec.SECP521R1(), hashes.SHA512, 512),
        _ecc("ECC_SECG_P256K1", EccType(ec.SECP256K1(), hashes.SHA256), {SIGN: ("ECDSA_SHA_256",)}),
        _ecc("ECC_NIST_EDWARDS25519", Ed25519Type(), {SIGN: ("ED25519_SHA_512", "ED25519_PH_SHA_512")}),
        _ml_dsa("ML_DSA_44", MlDsaType(mldsa.MLDSA44PrivateKey)),
        _ml_dsa("ML_DSA_65", MlDsaType(mldsa.MLDSA65PrivateKey)),
        _ml_dsa("ML_DSA_87", MlDsaType(mldsa.MLDSA87PrivateKey)),
        _ml_kem("ML_KEM_768", MlKemType(mlkem.MLKEM768PrivateKey)),
        _ml_kem("ML_KEM_1024", MlKemType(mlkem.MLKEM1024PrivateKey)),
    )
}


def find(name: str) -> KeySpec:
    """The row of a key spec.

    Raises:
        UnsupportedOperationException: AWS knows the spec, this service does not serve it.
    """
    spec = KEY_SPECS.get(name)
    if spec is None:
        raise UnsupportedOperationException(f"KeySpec {name} is not supported.")
    return spec
