"""`kms-server seed` on running servers."""

import hmac
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from tests import seed_files as files
from tests.functional import command_line
from tests.functional.command_line import Done
from tests.functional.server_process import ServerProcess, StartServer

ID, OTHER, AUDITED, KEPT = (f"a{n}000000-0000-4000-8000-000000000000" for n in "1234")
HEX = files.material(0x5C)
MADE_NOTHING = "keys made: 0, aliases made: 0, keys there already: "


def seed(server: ServerProcess, path: Path, text: str, *options: str, check: bool = True) -> Any:
    path.write_text(text)
    return server.cli("seed", str(path), *options, check=check)


def refused(done: Done, *words: str) -> None:
    command_line.refused(done, *words)
    assert HEX[:16] not in done.stderr


def records(server: ServerProcess) -> list[dict[str, Any]]:
    return [one for one in server.audit_records() if one["eventName"].startswith("Seed")]


def test_what_is_seeded_is_there_at_once_and_stays(server: ServerProcess, tmp_path: Path) -> None:
    kms, path = server.client("kms"), tmp_path / "seed.yaml"
    with pytest.raises(ClientError):
        kms.describe_key(KeyId="alias/orders")
    text = f"""
        Keys:
          - KeyId: {ID}
            Description: orders
            Tags: {{team: orders}}
            Aliases: [alias/orders]
            Material: [{{Hex: {files.material(1)}}}, {{Hex: {HEX}}}]
    """
    assert "keys made: 1, aliases made: 1, keys there already: 0" in seed(server, path, text).stdout
    metadata = kms.describe_key(KeyId="alias/orders")["KeyMetadata"]
    assert (metadata["KeyId"], metadata["Description"], metadata["KeyState"]) == (ID, "orders", "Enabled")
    assert kms.list_resource_tags(KeyId=ID)["Tags"] == [{"TagKey": "team", "TagValue": "orders"}]
    assert [one["RotationType"] for one in kms.list_key_rotations(KeyId=ID)["Rotations"]] == ["ON_DEMAND"]
    sealed = kms.encrypt(KeyId="alias/orders", Plaintext=b"before")["CiphertextBlob"]
    before = records(server)
    kms.update_key_description(KeyId=ID, Description="changed")
    kms.rotate_key_on_demand(KeyId=ID)
    again = seed(server, path, text)
    assert MADE_NOTHING + "1" in again.stdout
    assert "has another Description than the file" in again.stderr
    assert records(server) == before
    assert kms.describe_key(KeyId=ID)["KeyMetadata"]["Description"] == "changed"
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"before"


def test_each_key_is_audited_without_its_material(server: ServerProcess, tmp_path: Path) -> None:
    text = f"Keys: [{{KeyId: {AUDITED}, Aliases: [alias/audited], Material: {{Hex: {HEX}}}}}]"
    seed(server, tmp_path / "seed.yaml", text)
    made = [one for one in records(server) if AUDITED in str(one)]
    assert {one["eventName"] for one in made} == {"SeedKey", "SeedAlias"}
    for one in made:
        assert one["userIdentity"]["type"] == "Operator"
        assert one["resources"][0]["ARN"] == f"arn:aws:kms:us-east-1:000000000000:key/{AUDITED}"
        assert HEX not in str(one)
    assert HEX not in server.log.read_text()


def test_contradictions_change_nothing(server: ServerProcess, tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    good = f"{{KeyId: {KEPT}, Aliases: [alias/kept], Material: {{Hex: {HEX}}}}}"
    fresh = f"{{KeyId: {OTHER}, Material: {{Hex: {HEX}}}}}"
    seed(server, path, f"Keys: [{good}]")
    before = server.audit_records()
    other = good.replace(HEX, files.material(2))
    refused(seed(server, path, f"Keys: [{fresh}, {other}]", check=False), KEPT, "other material")
    wrong = good.replace(HEX, f"{HEX}5")
    refused(seed(server, path, f"Keys: [{wrong}]", check=False), str(path), "must be hexadecimal")
    refused(server.cli("seed", str(tmp_path / "none"), check=False), "cannot read", "No such file")
    assert server.audit_records() == before
    with pytest.raises(ClientError):
        server.client("kms").describe_key(KeyId=OTHER)


def test_a_file_of_local_kms(server: ServerProcess, tmp_path: Path) -> None:
    rsa_key, ecc_key = files.fresh_rsa(), files.fresh_ecc()
    text, where = files.of_local_kms(rsa_key, ecc_key), ("--account", "111122223333", "--region", "eu-west-2")
    path = tmp_path / "seed.yaml"
    assert "keys made: 8, aliases made: 1" in seed(server, path, text, *where).stdout
    assert MADE_NOTHING + "8" in seed(server, path, text, *where).stdout
    kms = server.new_access_key("111122223333").client("kms", region_name="eu-west-2")
    sealed = kms.encrypt(KeyId="alias/testing", Plaintext=b"hello")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"hello"
    signed = kms.sign(KeyId=files.RSA, Message=b"text", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")
    rsa_key.public_key().verify(signed["Signature"], b"text", padding.PKCS1v15(), hashes.SHA256())
    ecdsa = kms.sign(KeyId=files.ECC, Message=b"text", SigningAlgorithm="ECDSA_SHA_256")
    ecc_key.public_key().verify(ecdsa["Signature"], b"text", ec.ECDSA(hashes.SHA256()))
    mac = kms.generate_mac(KeyId=files.HMAC, Message=b"text", MacAlgorithm="HMAC_SHA_384")["Mac"]
    assert mac == hmac.digest(b"\x16" * 48, b"text", "sha384")
    assert kms.describe_key(KeyId=files.AWAITED)["KeyMetadata"]["KeyState"] == "PendingImport"
    server.wait_for(lambda: len(kms.list_key_rotations(KeyId=files.OVERDUE)["Rotations"]) == 1)
    assert kms.get_key_rotation_status(KeyId=files.OVERDUE)["KeyRotationEnabled"]


def test_ciphertexts_move_between_servers_and_policies_hold(
    start_server: StartServer, tmp_path: Path
) -> None:
    text = f"""
        Keys:
          - KeyId: {ID}
            Material: {{Hex: {HEX}}}
            Policy:
              Version: 2012-10-17
              Statement:
                - {{Effect: Allow, Principal: {{AWS: 000000000000}}, Action: [kms:Encrypt, kms:Decrypt], Resource: "*"}}
    """
    one, other = start_server(workers=1), start_server(workers=1)
    for server in (one, other):
        seed(server, tmp_path / "seed.yaml", text)
    sealed = one.client("kms").encrypt(KeyId=ID, Plaintext=b"x", EncryptionContext={"a": "b"})
    kms = other.client("kms")
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == b"x"
    with pytest.raises(ClientError) as denied:
        kms.describe_key(KeyId=ID)
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


def test_from_standard_input_and_while_the_server_is_down(start_server: StartServer) -> None:
    server = start_server(workers=1)
    server.stop()
    text = f"Keys: [{{KeyId: {ID}, Material: {{Hex: {HEX}}}}}]"
    assert server.cli("seed", "-", standard_input=text).stdout.startswith("keys made: 1")
    done = server.cli("seed", "-", standard_input=f"Keys: {HEX}", check=False)
    refused(done, "standard input: Keys must be a list")
    server.restart()
    assert server.client("kms").describe_key(KeyId=ID)["KeyMetadata"]["KeyState"] == "Enabled"
    assert server.stop() == 0
    for path in server.data_dir.rglob("*"):
        assert not path.is_file() or bytes.fromhex(HEX) not in path.read_bytes(), path
