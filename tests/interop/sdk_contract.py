"""What every AWS SDK has to get done; a test class per SDK brings its program."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from tests.functional.server_process import ServerProcess
from tests.interop.conftest import NewKey
from tests.interop.toolchain import Program, client_environment


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


class SdkContract:
    """The verbs of an SDK's program, each checked from the other end."""

    @pytest.fixture
    def sdk(self) -> Program:
        raise NotImplementedError

    def trust(self, authority: str, directory: Path) -> dict[str, str]:
        """The variables that make the SDK trust a CA."""
        return {"AWS_CA_BUNDLE": authority}

    def ask(self, sdk: Program, verb: str, **given: Any) -> Any:
        return sdk.answer(verb, given=json.dumps(given).encode())

    def test_the_whole_job(self, sdk: Program, kms: Any) -> None:
        done = self.ask(sdk, "job")
        metadata = kms.describe_key(KeyId=done["arn"])["KeyMetadata"]
        assert metadata["Description"] == done["description"] == "café ☕"
        created = datetime.fromisoformat(done["created"])
        assert abs(metadata["CreationDate"] - created) < timedelta(milliseconds=1)
        assert datetime.now(UTC) - created < timedelta(minutes=5)
        assert _bytes(done["plaintext"]) == b"secret"
        kms.enable_key(KeyId=done["arn"])
        opened = kms.decrypt(CiphertextBlob=_bytes(done["ciphertext"]), EncryptionContext=done["context"])
        assert opened["Plaintext"] == b"secret"
        data_key = kms.decrypt(CiphertextBlob=_bytes(done["dataKeyCiphertext"]))
        assert data_key["Plaintext"] == _bytes(done["dataKey"])

    def test_the_whole_job_over_tls(self, sdk: Program, tls_server: ServerProcess, tmp_path: Path) -> None:
        credentials = tls_server.credentials()
        authority = credentials.pop("AWS_CA_BUNDLE")
        trusting = client_environment(credentials, **self.trust(authority, tmp_path))
        done = self.ask(Program(sdk.command, trusting), "job")
        tls_server.client("kms").enable_key(KeyId=done["arn"])
        opened = tls_server.client("kms").decrypt(CiphertextBlob=_bytes(done["dataKeyCiphertext"]))
        assert opened["Plaintext"] == _bytes(done["dataKey"])

    def test_an_unknown_authority_is_not_trusted(self, sdk: Program, tls_server: ServerProcess) -> None:
        credentials = tls_server.credentials()
        del credentials["AWS_CA_BUNDLE"]
        refused = Program(sdk.command, client_environment(credentials)).run("job", fails=True)
        assert re.search(rb"(?i)certifica(te|tion)", refused.stderr)

    def test_refusals_arrive_as_the_exceptions_of_the_sdk(self, sdk: Program) -> None:
        done = self.ask(sdk, "job")
        refusals = done["refusals"]
        assert {name: found["name"] for name, found in refusals.items()} == {
            "wrongContext": "InvalidCiphertextException",
            "disabled": "DisabledException",
            "missing": "NotFoundException",
        }
        assert all(found["typed"] for found in refusals.values())
        assert f"{done['arn']} is disabled." in refusals["disabled"]["message"]

    def test_its_paginator(self, sdk: Program, kms: Any) -> None:
        made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}
        pages = self.ask(sdk, "pages", pageSize=2)
        assert [len(page) for page in pages[:-1]] == [2] * (len(pages) - 1)
        listed = [key for page in pages for key in page]
        assert made <= set(listed)
        assert len(listed) == len(set(listed))

    def test_it_waits_when_a_limit_is_reached(self, sdk: Program, server: ServerProcess, key: str) -> None:
        server.cli("quota", "set", "--key", key, "--rate", "2", "--burst", "1")
        done = sdk.answer("burst", given=json.dumps({"KeyId": key}).encode(), AWS_MAX_ATTEMPTS="10")
        assert done == {"done": 3}
        records = server.audit_records("--key", key)
        codes = [record.get("errorCode") for record in records if record["eventName"] == "Encrypt"]
        assert codes.count(None) == 3
        assert set(codes) == {None, "ThrottlingException"}

    def test_signatures_of_rsa_keys(self, sdk: Program, new_key: NewKey) -> None:
        key = new_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
        message = base64.b64encode(b"of rsa").decode()
        done = self.ask(sdk, "sign", KeyId=key, Message=message, SigningAlgorithm="RSASSA_PSS_SHA_256")
        assert done["valid"]
        assert done["refused"]["name"] == "KMSInvalidSignatureException"
        assert {"RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_512"} <= set(done["algorithms"])
        public = load_der_public_key(_bytes(done["publicKey"]))
        assert isinstance(public, rsa.RSAPublicKey)
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        public.verify(_bytes(done["signature"]), b"of rsa", scheme, hashes.SHA256())

    def test_signatures_of_ecc_keys(self, sdk: Program, new_key: NewKey) -> None:
        key = new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        message = base64.b64encode(b"of ecc").decode()
        done = self.ask(sdk, "sign", KeyId=key, Message=message, SigningAlgorithm="ECDSA_SHA_256")
        assert done["valid"]
        assert done["refused"]["name"] == "KMSInvalidSignatureException"
        assert done["algorithms"] == ["ECDSA_SHA_256"]
        public = load_der_public_key(_bytes(done["publicKey"]))
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(_bytes(done["signature"]), b"of ecc", ec.ECDSA(hashes.SHA256()))

    def test_message_codes(self, sdk: Program, new_key: NewKey, kms: Any) -> None:
        key = new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        message = base64.b64encode(b"of hmac").decode()
        done = self.ask(sdk, "mac", KeyId=key, Message=message, MacAlgorithm="HMAC_SHA_256")
        assert done["valid"]
        assert len(_bytes(done["mac"])) == hashlib.sha256().digest_size
        other = kms.generate_mac(KeyId=key, Message=b"of hmac", MacAlgorithm="HMAC_SHA_256")["Mac"]
        assert hmac.compare_digest(other, _bytes(done["mac"]))

    def test_data_key_pairs(self, sdk: Program, key: str) -> None:
        done = self.ask(sdk, "pair", KeyId=key, KeyPairSpec="ECC_NIST_P384")
        assert done["opened"] == done["privateKey"]
        private = load_der_private_key(_bytes(done["privateKey"]), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        assert private.public_key() == load_der_public_key(_bytes(done["publicKey"]))
