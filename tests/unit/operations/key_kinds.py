"""One key of each kind, as CreateKey takes it."""

from collections.abc import Mapping
from typing import Any

from tests.unit.operations.service import Service


def _kind(spec: str, usage: str) -> Mapping[str, Any]:
    return {"KeySpec": spec, "KeyUsage": usage}


KINDS: Mapping[str, Mapping[str, Any]] = {
    "symmetric": {},
    "other": {},
    "rsa": _kind("RSA_2048", "ENCRYPT_DECRYPT"),
    "rsa-signing": _kind("RSA_2048", "SIGN_VERIFY"),
    "signing": _kind("ECC_NIST_P256", "SIGN_VERIFY"),
    "p384": _kind("ECC_NIST_P384", "SIGN_VERIFY"),
    "p521": _kind("ECC_NIST_P521", "SIGN_VERIFY"),
    "k1": _kind("ECC_SECG_P256K1", "SIGN_VERIFY"),
    "edwards": _kind("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
    "ml-dsa": _kind("ML_DSA_44", "SIGN_VERIFY"),
    "mac": _kind("HMAC_224", "GENERATE_VERIFY_MAC"),
    "agreement": _kind("ECC_NIST_P256", "KEY_AGREEMENT"),
    "ml-kem": _kind("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
    "external": {"Origin": "EXTERNAL"},
    "external-mac": {"Origin": "EXTERNAL", **_kind("HMAC_256", "GENERATE_VERIFY_MAC")},
    "external-rsa": {"Origin": "EXTERNAL", **_kind("RSA_2048", "SIGN_VERIFY")},
    "external-p256": {"Origin": "EXTERNAL", **_kind("ECC_NIST_P256", "SIGN_VERIFY")},
    "external-p521": {"Origin": "EXTERNAL", **_kind("ECC_NIST_P521", "SIGN_VERIFY")},
    "primary": {"MultiRegion": True},
}


class Keys:
    """Keys made when first asked for, by the names of their kinds."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made: dict[str, dict[str, Any]] = {}

    def arn(self, kind: str) -> str:
        """The ARN of the key of a kind; every kind has one."""
        if kind not in self._made:
            self._made[kind] = self._service.key(**KINDS[kind])
        arn: str = self._made[kind]["Arn"]
        return arn

    def new(self, kind: str) -> str:
        """The ARN of a key that nobody else has."""
        arn: str = self._service.key(**KINDS[kind])["Arn"]
        return arn

    def disabled(self, kind: str) -> str:
        """The ARN of a disabled key."""
        arn = self.new(kind)
        self._service.ok("DisableKey", KeyId=arn)
        return arn
