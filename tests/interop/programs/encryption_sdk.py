"""AWS Encryption SDK: `encrypt` or `decrypt`, then the keyring and the context in JSON; a message in, one out."""

import base64
import json
import sys
from typing import Any

import aws_encryption_sdk
import boto3
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl import models as mpl
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_encryption_sdk.identifiers import AlgorithmSuite

_UNSIGNED = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
_SIGNED = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384


def _pem(der: str) -> bytes:
    return f"-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n".encode()


def keyring(providers: Any, kms: Any, kind: str, keys: list[str], public_key: str) -> Any:
    """The keyring of that kind."""
    match kind:
        case "symmetric":
            return providers.create_aws_kms_keyring(
                mpl.CreateAwsKmsKeyringInput(kms_key_id=keys[0], kms_client=kms)
            )
        case "several":
            return providers.create_aws_kms_multi_keyring(
                mpl.CreateAwsKmsMultiKeyringInput(generator=keys[0], kms_key_ids=keys[1:])
            )
        case "discovery":
            return providers.create_aws_kms_discovery_keyring(
                mpl.CreateAwsKmsDiscoveryKeyringInput(kms_client=kms)
            )
        case "multi-region":
            return providers.create_aws_kms_mrk_keyring(
                mpl.CreateAwsKmsMrkKeyringInput(kms_key_id=keys[0], kms_client=kms)
            )
        case "rsa":
            return providers.create_aws_kms_rsa_keyring(
                mpl.CreateAwsKmsRsaKeyringInput(
                    kms_key_id=keys[0],
                    encryption_algorithm="RSAES_OAEP_SHA_256",
                    public_key=_pem(public_key),
                    kms_client=kms,
                )
            )
        case "ecdh":
            agreement = mpl.KmsPrivateKeyToStaticPublicKeyInput(
                sender_kms_identifier=keys[0], recipient_public_key=base64.b64decode(public_key)
            )
            return providers.create_aws_kms_ecdh_keyring(
                mpl.CreateAwsKmsEcdhKeyringInput(
                    key_agreement_scheme=mpl.KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey(
                        agreement
                    ),
                    curve_spec="ECC_NIST_P256",
                    kms_client=kms,
                )
            )
    raise ValueError(kind)


def main(verb: str, given: str) -> None:
    """Do the verb to standard input."""
    options = json.loads(given)
    kind, context = options["kind"], options["context"]
    providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
    kms = boto3.client("kms", region_name=options.get("region"))
    ring = keyring(providers, kms, kind, options["keys"], options.get("public_key", ""))
    client = aws_encryption_sdk.EncryptionSDKClient()
    message = sys.stdin.buffer.read()
    if verb == "encrypt":
        suite = _UNSIGNED if kind == "rsa" else _SIGNED
        done, _ = client.encrypt(source=message, keyring=ring, encryption_context=context, algorithm=suite)
    else:
        done, _ = client.decrypt(source=message, keyring=ring, encryption_context=context)
    sys.stdout.buffer.write(done)


main(*sys.argv[1:])
