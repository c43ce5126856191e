"""Material that is none of the key's, and imports that contradict themselves: refused, and nothing changes."""

import time
from typing import Any

import pytest

from tests.unit.operations import imported
from tests.unit.operations.key_kinds import Keys
from tests.unit.operations.service import Service

VALIDATION = "ValidationException"
DAY = 86_400


@pytest.mark.parametrize(
    ("kind", "material"),
    [
        ("external", bytes(31)), ("external", bytes(33)), ("external", imported.PRIVATE_KEY),
        ("external-mac", bytes(31)), ("external-mac", bytes(129)), ("external-rsa", b"no key"),
        ("external-p256", bytes(32)), ("external-p256", imported.PRIVATE_KEY[:-1]),
    ],
    ids=range(8),
)  # fmt: skip
def test_material_of_another_kind(service: Service, keys: Keys, kind: str, material: bytes) -> None:
    wrapping = "RSA_AES_KEY_WRAP_SHA_256" if kind == "external-rsa" else "RSAES_OAEP_SHA_256"
    arn = keys.arn(kind)
    got = imported.parameters(service, arn, WrappingAlgorithm=wrapping)
    wrap = imported.wrapped_through_aes if kind == "external-rsa" else imported.wrapped
    asked = {"KeyId": arn, "ImportToken": got["ImportToken"], **imported.KEPT}
    sealed = wrap(got["PublicKey"], material)
    assert (
        service.unchanged("ImportKeyMaterial", EncryptedKeyMaterial=sealed, **asked).code
        == "IncorrectKeyMaterialException"
    )
    assert service.state_of(arn) == "PendingImport"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialId": "0" * 64}, VALIDATION),
        ({"ImportType": "EXISTING_KEY_MATERIAL"}, "IncorrectKeyMaterialException"),
        ({"KeyMaterialDescription": "d" * 257}, VALIDATION),
        ({"KeyMaterialDescription": "\u00e9"}, VALIDATION),
        ({"KeyMaterialId": "0" * 63}, VALIDATION),
        ({"ValidTo": time.time() + DAY, "ExpirationModel": "SOON"}, VALIDATION),
    ],
    ids=range(6),
)
def test_imports_that_cannot_be(service: Service, keys: Keys, members: dict[str, Any], code: str) -> None:
    asked = imported.members(service, keys.arn("external"))
    assert service.unchanged("ImportKeyMaterial", **(asked | members)).code == code
