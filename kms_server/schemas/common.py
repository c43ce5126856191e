"""Members that many operations share, and the names AWS's model knows (botocore `kms` 2014-11-01).

Names stand in the order in which AWS's error texts list them, where that is known.
"""

from kms_server.schemas.base import Shape
from kms_server.schemas.fields import (
    Blob,
    Boolean,
    Choice,
    Integer,
    ListOf,
    MapOf,
    Structure,
    Text,
    Timestamp,
)

KEY_SPECS = (
    "RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2", "ML_DSA_44", "ML_DSA_65",
    "ML_DSA_87", "ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
)  # fmt: skip
CUSTOMER_MASTER_KEY_SPECS = KEY_SPECS[:13]
KEY_USAGES = (
    "SIGN_VERIFY",
    "ENCRYPT_DECRYPT",
    "GENERATE_VERIFY_MAC",
    "KEY_AGREEMENT",
    "ENCAPSULATE_DECAPSULATE",
)
ENCRYPTION_ALGORITHMS = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", "SYMMETRIC_DEFAULT")
SIGNING_ALGORITHMS = (
    "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "ECDSA_SHA_256", "ECDSA_SHA_384", "ECDSA_SHA_512",
    "SM2DSA", "ML_DSA_SHAKE_256", "ED25519_SHA_512", "ED25519_PH_SHA_512",
)  # fmt: skip
MAC_ALGORITHMS = ("HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512")
PAIR_SPECS = (
    "RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "SM2",
    "ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
)  # fmt: skip
ORIGINS = ("AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")


def key_id(*, required: bool = True) -> Text:
    """A key identifier."""
    return Text(1, 2048, required=required)


def alias_name() -> Text:
    """The name of an alias."""
    return Text(1, 256, r"^[a-zA-Z0-9:/_-]+$", required=True)


def key_material_id() -> Text:
    """The id of a version of a key."""
    return Text(64, 64, "^[a-f0-9]+$")


def region() -> Text:
    """A Region that an operation works with beside its own."""
    return Text(1, 32, r"^([a-z]+-){2,3}\d+$", required=True)


def policy() -> Text:
    """A key policy."""
    return Text(1, 131_072, "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+")


def limit() -> Integer:
    """The size of a page."""
    return Integer(1, 1000)


def marker() -> Text:
    """Where the next page begins."""
    return Text(1, 1024, "[\\u0020-\\u00FF]*")


def grant_tokens() -> ListOf:
    """Grant tokens."""
    return ListOf(Text(1, 8192, sensitive=True), 0, 10)


def encryption_algorithm() -> Choice:
    """An encryption algorithm."""
    return Choice(*ENCRYPTION_ALGORITHMS)


class Tag(Shape):
    """A tag of a key."""

    TagKey = Text(1, 128, required=True)
    TagValue = Text(0, 256, required=True)


class Recipient(Shape):
    """An enclave that the answer is encrypted for."""

    KeyEncryptionAlgorithm = Choice("RSAES_OAEP_SHA_256")
    AttestationDocument = Blob(1, 262_144)


class MultiRegionKey(Shape):
    """One member of a multi-Region key."""

    Arn = Text(20, 2048)
    Region = Text(1, 32, r"^([a-z]+-){2,3}\d+$")


class MultiRegionConfiguration(Shape):
    """The members of a multi-Region key."""

    MultiRegionKeyType = Choice("PRIMARY", "REPLICA")
    PrimaryKey = Structure(MultiRegionKey)
    ReplicaKeys = ListOf(Structure(MultiRegionKey))


class XksKeyConfiguration(Shape):
    """A key in an external key store."""

    Id = Text(1, 128, r"^[a-zA-Z0-9-_.]+$")


class KeyMetadata(Shape):
    """AWS's KeyMetadata."""

    AWSAccountId = Text()
    KeyId = Text(1, 2048, required=True)
    Arn = Text(20, 2048)
    CreationDate = Timestamp()
    Enabled = Boolean()
    Description = Text(0, 8192)
    KeyUsage = Choice(*KEY_USAGES)
    KeyState = Choice(
        "Creating", "Enabled", "Disabled", "PendingDeletion", "PendingImport", "PendingReplicaDeletion",
        "Unavailable", "Updating",
    )  # fmt: skip
    DeletionDate = Timestamp()
    ValidTo = Timestamp()
    Origin = Choice(*ORIGINS)
    CustomKeyStoreId = Text(1, 64)
    CloudHsmClusterId = Text(19, 24, "cluster-[2-7a-zA-Z]{11,16}")
    ExpirationModel = Choice("KEY_MATERIAL_DOES_NOT_EXPIRE", "KEY_MATERIAL_EXPIRES")
    KeyManager = Choice("AWS", "CUSTOMER")
    CustomerMasterKeySpec = Choice(*CUSTOMER_MASTER_KEY_SPECS)
    KeySpec = Choice(*KEY_SPECS)
    EncryptionAlgorithms = ListOf(encryption_algorithm())
    SigningAlgorithms = ListOf(Choice(*SIGNING_ALGORITHMS))
    KeyAgreementAlgorithms = ListOf(Choice("ECDH"))
    EncapsulationAlgorithms = ListOf(Choice("ML_KEM"))
    MultiRegion = Boolean()
    MultiRegionConfiguration = Structure(MultiRegionConfiguration)
    PendingDeletionWindowInDays = Integer(1, 365)
    MacAlgorithms = ListOf(Choice(*MAC_ALGORITHMS))
    XksKeyConfiguration = Structure(XksKeyConfiguration)
    CurrentKeyMaterialId = key_material_id()


def encryption_context() -> MapOf:
    """An encryption context."""
    return MapOf()
