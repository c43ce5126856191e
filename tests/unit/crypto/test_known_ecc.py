"""ECDSA and ECDH: the answers of NIST (CAVP), right and wrong."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from kms_server.crypto.capabilities import MaterialError
from kms_server.crypto.ecc import EccKey, EccType
from kms_server.errors import KMSInvalidSignatureException, ValidationException
from kms_server.keys.specs import KEY_SPECS
from tests.unit.crypto import der
from tests.unit.crypto.vectors import Record, records

CURVES = {
    "P-256,SHA-256": ("ECC_NIST_P256", "ECDSA_SHA_256", "secp256r1", 32),
    "P-384,SHA-384": ("ECC_NIST_P384", "ECDSA_SHA_384", "secp384r1", 48),
    "P-521,SHA-512": ("ECC_NIST_P521", "ECDSA_SHA_512", "secp521r1", 66),
    "K-256,SHA-256": ("ECC_SECG_P256K1", "ECDSA_SHA_256", "secp256k1", 32),
}
AGREEMENT = {"EC - SHA256": "P-256,SHA-256", "ED - SHA384": "P-384,SHA-384", "EE - SHA512": "P-521,SHA-512"}


def type_of(spec: str) -> EccType:
    key_type = KEY_SPECS[spec].type
    assert isinstance(key_type, EccType)
    return key_type


def point(case: Record, x: str, y: str, size: int) -> bytes:
    return b"\4" + case.number(x).to_bytes(size) + case.number(y).to_bytes(size)


def verifies(key: EccKey, algorithm: str, case: Record) -> bool:
    signature = encode_dss_signature(case.number("R"), case.number("S"))
    digest = hashlib.new(f"sha{algorithm[-3:]}", case.raw("Msg")).digest()
    answers = set()
    for message, message_type in ((case.raw("Msg"), "RAW"), (digest, "DIGEST")):
        try:
            key.verify(algorithm, message, message_type, signature)
            answers.add(True)
        except KMSInvalidSignatureException:
            answers.add(False)
    (answer,) = answers
    return answer


@pytest.mark.parametrize("heading", CURVES)
def test_signatures_of_nist(heading: str) -> None:
    spec, algorithm, curve, size = CURVES[heading]
    path = "SECP256K1" if heading.startswith("K") else "FIPS_186-3"
    cases = [case for case in records(f"asymmetric/ECDSA/{path}/SigGen.txt", "S") if case[""] == heading]
    assert len(cases) >= 15
    for case in cases:
        public = point(case, "Qx", "Qy", size)
        stored = type_of(spec).checked(der.ec_private(curve, case.number("d").to_bytes(size), public))
        key = type_of(spec).open(stored, "", "")
        assert key.public_der() == der.ec_public(curve, public)
        assert verifies(key, algorithm, case)


@pytest.mark.parametrize("heading", [heading for heading in CURVES if heading.startswith("P")])
def test_signatures_of_nist_right_and_wrong(heading: str) -> None:
    spec, algorithm, _, _ = CURVES[heading]
    cases = [
        case for case in records("asymmetric/ECDSA/FIPS_186-3/SigVer.rsp", "Result") if case[""] == heading
    ]
    assert len(cases) == 15
    for case in cases:
        key = EccKey.__new__(EccKey)
        key._make_hash = type_of(spec).make_hash
        key._public = ec.EllipticCurvePublicNumbers(
            case.number("Qx"), case.number("Qy"), type_of(spec).curve
        ).public_key()
        assert verifies(key, algorithm, case) == case["Result"].startswith("P")


@pytest.mark.parametrize("heading", AGREEMENT)
@pytest.mark.parametrize("role", ["init", "resp"])
def test_shared_secrets_of_nist(heading: str, role: str) -> None:
    spec, _, curve, size = CURVES[AGREEMENT[heading]]
    path = f"asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{role}.fax"
    cases = [case for case in records(path, "Result") if case[""] == heading]
    assert len(cases) == 30
    for case in cases:
        own = der.ec_private(
            curve, case.number("dsIUT").to_bytes(size), point(case, "QsIUTx", "QsIUTy", size)
        )
        peer = der.ec_public(curve, point(case, "QsCAVSx", "QsCAVSy", size))
        reason = case["Result"][3:].lstrip("(").split(" ")[0]
        if reason in {"5", "6", "7"}:
            with pytest.raises(MaterialError):
                type_of(spec).checked(own)
            continue
        key = type_of(spec).open(type_of(spec).checked(own), "", "")
        if reason in {"1", "2"}:
            with pytest.raises(ValidationException):
                key.derive(peer)
            continue
        assert reason in {"0", "8", "13"}
        assert (key.derive(peer) == case.raw("Z")) == (reason != "8")
