"""The AWS Encryption SDK in three languages: they read each other's messages."""

import base64
import json
from typing import Any

import pytest

from tests.interop.conftest import NewKey
from tests.interop.toolchain import Program, java, javascript, python

CONTEXT = {"department": "größe", "purpose": "test"}
ALL = ["of_python", "of_javascript", "of_java"]
KEYRINGS_OF_PAIRS = ["of_python", "of_java"]
MESSAGE = bytes(range(256)) * 50


@pytest.fixture
def of_python(environment: dict[str, str]) -> Program:
    return Program(python("encryption_sdk.py"), environment)


@pytest.fixture
def of_javascript(environment: dict[str, str]) -> Program:
    client = "the AWS Encryption SDK for JavaScript"
    return Program(javascript("encryption_sdk.mjs", client), environment)


@pytest.fixture
def of_java(environment: dict[str, str]) -> Program:
    return Program(java("EncryptionSdk", "the AWS Encryption SDK for Java"), environment)


@pytest.fixture(scope="module")
def multi_region_key(new_key: NewKey, kms: Any) -> dict[str, str]:
    """The ARNs of a key and of its replica, by their Regions."""
    primary = new_key(MultiRegion=True)
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"]["Arn"]
    return {"us-east-1": primary, "eu-west-1": replica}


def seal(sdk: Program, kind: str, *keys: str, **more: str) -> bytes:
    options = {"kind": kind, "keys": keys, "context": CONTEXT, **more}
    return sdk.output("encrypt", json.dumps(options), given=MESSAGE)


def open_(sdk: Program, message: bytes, kind: str, *keys: str, **more: str) -> bytes:
    options = {"kind": kind, "keys": keys, "context": CONTEXT, **more}
    return sdk.output("decrypt", json.dumps(options), given=message)


def public_key(kms: Any, key: str) -> str:
    return base64.b64encode(kms.get_public_key(KeyId=key)["PublicKey"]).decode()


@pytest.mark.parametrize("reader", ALL)
@pytest.mark.parametrize("writer", ALL)
def test_what_one_wrote_the_other_reads(
    writer: str, reader: str, key: str, request: pytest.FixtureRequest
) -> None:
    sealed = seal(request.getfixturevalue(writer), "symmetric", key)
    assert open_(request.getfixturevalue(reader), sealed, "symmetric", key) == MESSAGE
    assert open_(request.getfixturevalue(reader), sealed, "discovery") == MESSAGE


@pytest.mark.parametrize("writer", ALL)
def test_a_message_under_several_keys_opens_with_either(
    writer: str, new_key: NewKey, kms: Any, of_python: Program, request: pytest.FixtureRequest
) -> None:
    first, second = new_key(), new_key()
    sealed = seal(request.getfixturevalue(writer), "several", first, second)
    kms.disable_key(KeyId=first)
    assert open_(of_python, sealed, "symmetric", second) == MESSAGE


def test_a_message_outlives_rotations(of_python: Program, of_javascript: Program, key: str, kms: Any) -> None:
    sealed = seal(of_python, "symmetric", key)
    for _ in range(2):
        kms.rotate_key_on_demand(KeyId=key)
    assert open_(of_javascript, sealed, "symmetric", key) == MESSAGE


def test_another_key_does_not_open_it(of_python: Program, key: str, new_key: NewKey) -> None:
    sealed = seal(of_python, "symmetric", key)
    options = {"kind": "symmetric", "keys": [new_key()], "context": CONTEXT}
    refused = of_python.run("decrypt", json.dumps(options), given=sealed, fails=True)
    assert b"Unable to decrypt data key" in refused.stderr


@pytest.mark.parametrize("reader", KEYRINGS_OF_PAIRS)
@pytest.mark.parametrize("writer", KEYRINGS_OF_PAIRS)
def test_rsa_keyring(
    writer: str, reader: str, new_key: NewKey, kms: Any, request: pytest.FixtureRequest
) -> None:
    key = new_key(KeySpec="RSA_3072", KeyUsage="ENCRYPT_DECRYPT")
    public = public_key(kms, key)
    sealed = seal(request.getfixturevalue(writer), "rsa", key, public_key=public)
    assert open_(request.getfixturevalue(reader), sealed, "rsa", key, public_key=public) == MESSAGE


@pytest.mark.parametrize("reader", KEYRINGS_OF_PAIRS)
@pytest.mark.parametrize("writer", KEYRINGS_OF_PAIRS)
def test_ecdh_keyring(
    writer: str, reader: str, new_key: NewKey, kms: Any, request: pytest.FixtureRequest
) -> None:
    mine, yours = (new_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT") for _ in range(2))
    sealed = seal(request.getfixturevalue(writer), "ecdh", mine, public_key=public_key(kms, yours))
    reading = request.getfixturevalue(reader)
    assert open_(reading, sealed, "ecdh", yours, public_key=public_key(kms, mine)) == MESSAGE


@pytest.mark.parametrize("reader", ALL)
@pytest.mark.parametrize("writer", ALL)
def test_a_message_under_a_multi_region_key_opens_in_another_region(
    writer: str, reader: str, multi_region_key: dict[str, str], request: pytest.FixtureRequest
) -> None:
    (here, primary), (there, replica) = multi_region_key.items()
    sealed = seal(request.getfixturevalue(writer), "multi-region", primary, region=here)
    assert open_(request.getfixturevalue(reader), sealed, "multi-region", replica, region=there) == MESSAGE
