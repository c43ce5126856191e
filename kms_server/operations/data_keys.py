"""GenerateDataKey, GenerateDataKeyPair, each with and without plaintext, and GenerateRandom."""

import os

from kms_server import errors as e
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys import specs
from kms_server.keys.states import MAKE_PAIR, USE
from kms_server.operations import access, limits
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import ENCRYPTION, sent
from kms_server.operations.guards import encryption_context, refuse_recipient, stop_dry_run
from kms_server.schemas import data_keys as schemas

_BYTES = {"AES_256": 32, "AES_128": 16}
_ASYMMETRIC = "You cannot generate a data key with an asymmetric CMK"


def generate_data_key(call: Call) -> Answer:
    """A new data key, in clear and encrypted (AWS GenerateDataKey)."""
    answer, plaintext = _data_key(call)
    return answer | {"Plaintext": plaintext}


def generate_data_key_without_plaintext(call: Call) -> Answer:
    """A new data key, encrypted only (AWS GenerateDataKeyWithoutPlaintext)."""
    return _data_key(call)[0]


def generate_data_key_pair(call: Call) -> Answer:
    """A new key pair, its private key in clear and encrypted (AWS GenerateDataKeyPair)."""
    answer, private = _data_key_pair(call)
    return answer | {"PrivateKeyPlaintext": private}


def generate_data_key_pair_without_plaintext(call: Call) -> Answer:
    """A new key pair, its private key encrypted only (AWS GenerateDataKeyPairWithoutPlaintext)."""
    return _data_key_pair(call)[0]


def generate_random(call: Call) -> Answer:
    """Random bytes from the operating system (AWS GenerateRandom)."""
    access.allow_without_key(call)
    limits.charge(call)
    refuse_recipient(call)
    if call.get("CustomKeyStoreId") is not None:
        raise e.CustomKeyStoreNotFoundException(
            f"Custom key store {call.get('CustomKeyStoreId')} does not exist."
        )
    if call.get("NumberOfBytes") is None:
        raise e.ValidationException("NumberOfBytes is required.")
    return {"Plaintext": os.urandom(call.parameters["NumberOfBytes"])}


def _data_key(call: Call) -> tuple[dict[str, object], bytes]:
    usable = access.authorized_key(call, call.parameters["KeyId"])
    _require_symmetric(call, usable)
    spec, size = call.get("KeySpec"), call.get("NumberOfBytes")
    if (spec is None) == (size is None):
        raise e.ValidationException("Please specify either number of bytes or key spec.")
    plaintext = os.urandom(size or _BYTES[spec])
    return _sealed(call, usable, "CiphertextBlob", plaintext), plaintext


def _data_key_pair(call: Call) -> tuple[dict[str, object], bytes]:
    usable = access.authorized_key(call, call.parameters["KeyId"])
    pair = specs.find(call.parameters["KeyPairSpec"])
    # Nothing may be charged yet when the call has to go on in a thread.
    if pair.is_slow_to_make and not call.may_block:
        raise WouldBlock
    _require_symmetric(call, usable, pair)
    encryption_context(call, "EncryptionContext")
    stop_dry_run(call)
    private = call.services.material.take(pair, may_block=call.may_block)
    answer = _sealed(call, usable, "PrivateKeyCiphertextBlob", private)
    public = pair.public_der(private)
    return answer | {"PublicKey": public, "KeyPairSpec": pair.name}, private


def _require_symmetric(call: Call, usable: UsableKey, pair: specs.KeySpec | None = None) -> None:
    limits.charge(call, usable, pair=pair)
    access.require_fit(call, usable)
    if not usable.spec.is_symmetric:
        raise e.InvalidKeyUsageException(_ASYMMETRIC)
    refuse_recipient(call)


def _sealed(call: Call, usable: UsableKey, member: str, secret: bytes) -> dict[str, object]:
    material_id = usable.current.material_id
    call.additional = {"keyMaterialId": material_id}
    context = encryption_context(call, "EncryptionContext")
    sealed = usable.encryption().encrypt(specs.SYMMETRIC_DEFAULT.name, secret, context)
    stop_dry_run(call)
    return {member: sealed, "KeyId": usable.key.arn, "KeyMaterialId": material_id}


_ERRORS = (
    e.NotFoundException, e.DisabledException, e.KeyUnavailableException, e.InvalidKeyUsageException,
    e.KMSInvalidStateException, e.InvalidGrantTokenException, e.KMSInternalException, e.DryRunOperationException,
    e.DependencyTimeoutException,
)  # fmt: skip
_MEMBERS = ("KeyId", "KeySpec", "NumberOfBytes", "EncryptionContext", "DryRun")
_PAIR_MEMBERS = ("KeyId", "KeyPairSpec", "EncryptionContext", "DryRun")
_PAIR_CONDITIONS = {**ENCRYPTION, "kms:DataKeyPairSpec": sent("KeyPairSpec")}

OPERATIONS = (
    Operation(
        "GenerateDataKey", generate_data_key, schemas.GenerateDataKeyRequest, schemas.GenerateDataKeyResponse,
        Plane.DATA, "Returns a new data key in clear and encrypted under a KMS key.",
        logged=_MEMBERS, errors=_ERRORS, conditions=ENCRYPTION,
        rule=USE, usage=specs.ENCRYPT, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "GenerateDataKeyWithoutPlaintext", generate_data_key_without_plaintext,
        schemas.GenerateDataKeyWithoutPlaintextRequest, schemas.GenerateDataKeyWithoutPlaintextResponse,
        Plane.DATA, "Returns a new data key encrypted under a KMS key.",
        logged=_MEMBERS, errors=_ERRORS, conditions=ENCRYPTION,
        rule=USE, usage=specs.ENCRYPT, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "GenerateDataKeyPair", generate_data_key_pair,
        schemas.GenerateDataKeyPairRequest, schemas.GenerateDataKeyPairResponse,
        Plane.DATA, "Returns a new key pair, its private key in clear and encrypted under a KMS key.",
        logged=_PAIR_MEMBERS, errors=(*_ERRORS, e.UnsupportedOperationException), conditions=_PAIR_CONDITIONS,
        rule=MAKE_PAIR, usage=specs.ENCRYPT, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "GenerateDataKeyPairWithoutPlaintext", generate_data_key_pair_without_plaintext,
        schemas.GenerateDataKeyPairWithoutPlaintextRequest, schemas.GenerateDataKeyPairWithoutPlaintextResponse,
        Plane.DATA, "Returns a new key pair, its private key encrypted under a KMS key.",
        logged=_PAIR_MEMBERS, errors=(*_ERRORS, e.UnsupportedOperationException), conditions=_PAIR_CONDITIONS,
        rule=MAKE_PAIR, usage=specs.ENCRYPT, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "GenerateRandom", generate_random, schemas.GenerateRandomRequest, schemas.GenerateRandomResponse,
        Plane.DATA, "Returns up to 1,024 random bytes.", shared_quota=True,
        errors=(e.DependencyTimeoutException, e.KMSInternalException, e.UnsupportedOperationException,
                e.CustomKeyStoreNotFoundException),
    ),
)  # fmt: skip
