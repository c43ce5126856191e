"""Imported key material: every way in, its expiry, coming back, and rotation."""

import os
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.functional.importing import KEPT, bring, parcel
from tests.functional.server_process import ServerProcess, StartServer
from tests.functional.test_boundaries import refusal, text

DAY = 86_400


def external(kms: Any, **members: Any) -> str:
    made = kms.create_key(Origin="EXTERNAL", **members)["KeyMetadata"]
    assert (made["KeyState"], made["Enabled"], made.get("ExpirationModel")) == ("PendingImport", False, None)
    return str(made["KeyId"])


def metadata(kms: Any, key_id: str) -> dict[str, Any]:
    found: dict[str, Any] = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    return found


def pkcs8(key: Any) -> bytes:
    der: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return der


@pytest.mark.parametrize(
    "algorithm",
    ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"],
)
@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072"])
def test_material_comes_in_under_every_algorithm(server: ServerProcess, algorithm: str, spec: str) -> None:
    kms = server.client("kms")
    key_id = external(kms)
    kms.import_key_material(**parcel(kms, key_id, os.urandom(32), algorithm, spec), ExpirationModel=KEPT)
    found = metadata(kms, key_id)
    assert (found["KeyState"], found["ExpirationModel"], found["Origin"]) == ("Enabled", KEPT, "EXTERNAL")
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == found["CurrentKeyMaterialId"]


def test_key_pairs_and_hmac_keys_come_in(server: ServerProcess) -> None:
    kms = server.client("kms")
    pairs: list[tuple[str, Any]] = [
        ("RSA_2048", rsa.generate_private_key(65_537, 2_048)),
        ("ECC_NIST_P521", ec.generate_private_key(ec.SECP521R1())),
        ("ECC_SECG_P256K1", ec.generate_private_key(ec.SECP256K1())),
        ("ECC_NIST_EDWARDS25519", ed25519.Ed25519PrivateKey.generate()),
    ]
    for spec, private in pairs:
        key_id = external(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
        members = parcel(kms, key_id, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256")
        done = kms.import_key_material(**members, ExpirationModel=KEPT)
        assert "KeyMaterialId" not in done
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert kms.get_public_key(KeyId=key_id)["PublicKey"] == public
    hmac_key = external(kms, KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")
    bring(kms, hmac_key, bytes(48))
    tag = kms.generate_mac(KeyId=hmac_key, Message=b"m", MacAlgorithm="HMAC_SHA_384")["Mac"]
    assert len(tag) == 48


def test_what_is_no_material_for_the_key_is_refused(server: ServerProcess) -> None:
    kms = server.client("kms")
    key_id = external(kms)
    for wrong in (bytes(31), bytes(33), bytes(16)):
        members = parcel(kms, key_id, wrong)
        assert (
            refusal(kms.import_key_material, **members, ExpirationModel=KEPT)
            == "IncorrectKeyMaterialException"
        )
    good = parcel(kms, key_id, bytes(32))
    other = parcel(kms, external(kms), bytes(32))
    broken: list[tuple[dict[str, Any], str]] = [
        ({"ImportToken": other["ImportToken"]}, "InvalidImportTokenException"),
        ({"ImportToken": good["ImportToken"][:-1]}, "InvalidImportTokenException"),
        ({"ImportToken": b"x"}, "InvalidImportTokenException"),
        ({"EncryptedKeyMaterial": other["EncryptedKeyMaterial"]}, "InvalidCiphertextException"),
        ({"EncryptedKeyMaterial": good["EncryptedKeyMaterial"][:-1]}, "ValidationException"),
        ({"ExpirationModel": "KEY_MATERIAL_EXPIRES"}, "ValidationException"),
        ({"ValidTo": time.time() + DAY}, "ValidationException"),
        ({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": time.time() - 1}, "ValidationException"),
        ({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": time.time() + 366 * DAY}, "ValidationException"),
        ({"KeyId": kms.create_key()["KeyMetadata"]["KeyId"]}, "UnsupportedOperationException"),
    ]  # fmt: skip
    for members, code in broken:
        assert refusal(kms.import_key_material, **({"ExpirationModel": KEPT} | good | members)) == code, (
            members
        )
    assert metadata(kms, key_id)["KeyState"] == "PendingImport"
    kms.import_key_material(**good, ExpirationModel=KEPT)
    assert metadata(kms, key_id)["KeyState"] == "Enabled"


def test_only_the_same_material_comes_back(server: ServerProcess) -> None:
    kms = server.client("kms")
    key_id, material = external(kms), os.urandom(32)
    material_id = bring(kms, key_id, material)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert kms.delete_imported_key_material(KeyId=key_id)["KeyMaterialId"] == material_id
    found = metadata(kms, key_id)
    assert (found["KeyState"], found["CurrentKeyMaterialId"]) == ("PendingImport", material_id)
    arn = found["Arn"]
    assert text(kms.decrypt, CiphertextBlob=blob) == f"{arn} is pending import."
    with pytest.raises(ClientError, match="IncorrectKeyMaterialException"):
        bring(kms, key_id, os.urandom(32))
    assert bring(kms, key_id, material) == material_id
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_imported_keys_rotate_to_material_that_waits(server: ServerProcess) -> None:
    kms = server.client("kms")
    key_id, first, second = external(kms), os.urandom(32), os.urandom(32)
    arn = metadata(kms, key_id)["Arn"]
    first_id = bring(kms, key_id, first)
    assert text(kms.rotate_key_on_demand, KeyId=key_id) == (
        f"No available key material pending rotation for the key: {arn}."
    )
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    second_id = bring(kms, key_id, second, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="two")
    with pytest.raises(
        ClientError, match=f"because another key material .id: {second_id}. is pending rotation"
    ):
        bring(kms, key_id, os.urandom(32), ImportType="NEW_KEY_MATERIAL")
    assert metadata(kms, key_id)["CurrentKeyMaterialId"] == first_id
    kms.rotate_key_on_demand(KeyId=key_id)
    assert metadata(kms, key_id)["CurrentKeyMaterialId"] == second_id
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first_id
    listed = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    shown = [
        (one["KeyMaterialId"], one["KeyMaterialState"], one["ImportState"], one.get("RotationType"))
        for one in listed
    ]
    assert shown == [
        (first_id, "NON_CURRENT", "IMPORTED", None),
        (second_id, "CURRENT", "IMPORTED", "ON_DEMAND"),
    ]
    kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=first_id)
    assert text(kms.encrypt, KeyId=key_id, Plaintext=b"x") == f"{arn} is pending import."
    bring(kms, key_id, first, KeyMaterialId=first_id)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_material_expires_at_its_time_and_tokens_after_a_day(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    kms = server.client("kms")
    key_id, material = external(kms), os.urandom(32)
    stale = parcel(kms, key_id, material)
    expires = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": time.time() + 10 * DAY}
    kms.import_key_material(**parcel(kms, key_id, material), **expires)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert metadata(kms, key_id)["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    server.cli("clock", "advance", "2d")
    assert refusal(kms.import_key_material, **stale, ExpirationModel=KEPT) == "ExpiredImportTokenException"
    server.cli("clock", "advance", "9d")
    assert metadata(kms, key_id)["KeyState"] == "PendingImport"
    assert refusal(kms.decrypt, CiphertextBlob=blob) == "KMSInvalidStateException"
    events = [one for one in server.audit_records() if one["eventName"] == "DeleteExpiredKeyMaterial"]
    assert [one["serviceEventDetails"]["keyId"] for one in events] == [key_id]
    bring(kms, key_id, material)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_expired_material_is_not_used_before_it_is_destroyed(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    kms = server.client("kms")
    key_id = external(kms)
    soon = time.time() + 3
    members = parcel(kms, key_id, os.urandom(32))
    kms.import_key_material(**members, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=soon)
    kms.encrypt(KeyId=key_id, Plaintext=b"x")
    server.kill9()
    time.sleep(max(0.0, soon - time.time()) + 0.1)
    server.restart()
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x") == "KMSInvalidStateException"
    assert metadata(kms, key_id)["KeyState"] == "PendingImport"


def test_an_id_cannot_be_asked_for(server: ServerProcess) -> None:
    kms = server.client("kms")
    members = parcel(kms, external(kms), bytes(32))
    assert refusal(kms.import_key_material, **members, ExpirationModel=KEPT, KeyMaterialId="a" * 64) == (
        "ValidationException"
    )
