"""Encrypt, Decrypt, ReEncrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom."""

import os
from collections.abc import Mapping

from kms_server import errors as e
from kms_server.crypto.blob import CiphertextBlob
from kms_server.crypto.encryption_context import canonical
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.keyring import UsableKey
from kms_server.keys.identifiers import parse_key_identifier
from kms_server.keys.states import USE
from kms_server.operations import access, limits
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.schemas import cryptography as schemas
from kms_server.storage import keys

_SYMMETRIC = "SYMMETRIC_DEFAULT"
_DATA_KEY_BYTES = {"AES_256": 32, "AES_128": 16}
_UNKNOWN_KEY = (
    "The ciphertext refers to a customer master key that does not exist, "
    "does not exist in this region, or you are not allowed to access."
)


def encrypt(call: Call) -> Answer:
    """Encrypt up to 4,096 bytes under the current version of a key (AWS Encrypt)."""
    call.logged_extra = {"encryptionAlgorithm": call.get("EncryptionAlgorithm", _SYMMETRIC)}
    usable = access.use_key(call, call.parameters["KeyId"])
    _require_symmetric(usable, call.get("EncryptionAlgorithm", _SYMMETRIC))
    context = _context(call, "EncryptionContext")
    sealed = _seal(call, usable, call.parameters["Plaintext"], context)
    _stop_dry_run(call)
    return {"CiphertextBlob": sealed, "KeyId": usable.key.arn, "EncryptionAlgorithm": _SYMMETRIC}


def decrypt(call: Call) -> Answer:
    """Decrypt a ciphertext under whatever version of its key it names (AWS Decrypt)."""
    call.logged_extra = {"encryptionAlgorithm": call.get("EncryptionAlgorithm", _SYMMETRIC)}
    _refuse_recipient(call)
    if _permission_only(call):
        access.use_key(call, _named(call, "KeyId"))
        raise e.DryRunOperationException
    usable, parsed = _ciphertext_key(call, "KeyId", action=None)
    limits.charge(call, (usable.key.key_id, usable.key.spec))
    plaintext = _open(call, usable, parsed, "EncryptionContext", "EncryptionAlgorithm")
    call.additional = {"keyMaterialId": parsed.material_id}
    _stop_dry_run(call)
    return {
        "KeyId": usable.key.arn,
        "Plaintext": plaintext,
        "EncryptionAlgorithm": _SYMMETRIC,
        "KeyMaterialId": parsed.material_id,
    }


def re_encrypt(call: Call) -> Answer:
    """Decrypt under one key and encrypt under another without showing the plaintext (AWS ReEncrypt)."""
    call.logged_extra = {
        "sourceEncryptionAlgorithm": call.get("SourceEncryptionAlgorithm", _SYMMETRIC),
        "destinationEncryptionAlgorithm": call.get("DestinationEncryptionAlgorithm", _SYMMETRIC),
    }
    permission_only = _permission_only(call)
    if permission_only:
        source = access.authorized_key(call, _named(call, "SourceKeyId"), action="kms:ReEncryptFrom")
        parsed = None
    else:
        source, parsed = _ciphertext_key(call, "SourceKeyId", action="kms:ReEncryptFrom")
    target = access.authorized_key(call, call.parameters["DestinationKeyId"], action="kms:ReEncryptTo")
    limits.charge(call, (source.key.key_id, source.key.spec), (target.key.key_id, target.key.spec))
    access.require_fit(call, target)
    _require_symmetric(target, call.get("DestinationEncryptionAlgorithm", _SYMMETRIC))
    if parsed is None:
        access.require_fit(call, source)
        raise e.DryRunOperationException
    plaintext = _open(call, source, parsed, "SourceEncryptionContext", "SourceEncryptionAlgorithm")
    sealed = _seal(call, target, plaintext, _context(call, "DestinationEncryptionContext"))
    call.additional = {
        "sourceKeyMaterialId": parsed.material_id,
        "destinationKeyMaterialId": target.current.material_id,
    }
    _stop_dry_run(call)
    return {
        "CiphertextBlob": sealed,
        "SourceKeyId": source.key.arn,
        "KeyId": target.key.arn,
        "SourceEncryptionAlgorithm": _SYMMETRIC,
        "DestinationEncryptionAlgorithm": _SYMMETRIC,
        "SourceKeyMaterialId": parsed.material_id,
        "DestinationKeyMaterialId": target.current.material_id,
    }


def generate_data_key(call: Call) -> Answer:
    """A new data key, in clear and encrypted (AWS GenerateDataKey)."""
    _refuse_recipient(call)
    answer, plaintext = _data_key(call)
    return answer | {"Plaintext": plaintext}


def generate_data_key_without_plaintext(call: Call) -> Answer:
    """A new data key, encrypted only (AWS GenerateDataKeyWithoutPlaintext)."""
    return _data_key(call)[0]


def generate_random(call: Call) -> Answer:
    """Random bytes from the operating system (AWS GenerateRandom)."""
    access.allow_without_key(call)
    limits.charge(call)
    _refuse_recipient(call)
    if call.get("CustomKeyStoreId") is not None:
        raise e.CustomKeyStoreNotFoundException(
            f"Custom key store {call.get('CustomKeyStoreId')} does not exist."
        )
    if call.get("NumberOfBytes") is None:
        raise e.ValidationException("NumberOfBytes is required.")
    return {"Plaintext": os.urandom(call.parameters["NumberOfBytes"])}


def _data_key(call: Call) -> tuple[dict[str, object], bytes]:
    usable = access.use_key(call, call.parameters["KeyId"])
    spec, size = call.get("KeySpec"), call.get("NumberOfBytes")
    if (spec is None) == (size is None):
        raise e.ValidationException("Please specify either number of bytes or key spec.")
    plaintext = os.urandom(size or _DATA_KEY_BYTES[spec])
    sealed = _seal(call, usable, plaintext, _context(call, "EncryptionContext"))
    _stop_dry_run(call)
    answer: dict[str, object] = {
        "CiphertextBlob": sealed,
        "KeyId": usable.key.arn,
        "KeyMaterialId": usable.current.material_id,
    }
    return answer, plaintext


def _ciphertext_key(call: Call, member: str, *, action: str | None) -> tuple[UsableKey, CiphertextBlob]:
    """The key a ciphertext was made under, checked against the one the caller names."""
    raw = call.get("CiphertextBlob")
    if raw is None:
        raise e.ValidationException(
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null"
        )
    parsed = CiphertextBlob.parse(raw)
    named = call.get(member)
    if named is not None:
        usable = access.authorized_key(call, named, action=action)
        if usable.key.key_id != parsed.key_id:
            raise e.IncorrectKeyException
        return usable, parsed
    found = access.load(call, parsed.key_id)
    if found is None and not _was_deleted(call, parsed.key_id):
        raise e.InvalidCiphertextException
    # A ciphertext opens in its own Region only, and the text must not tell which of the reasons it was.
    if found is None or found.key.region != call.region:
        raise e.AccessDeniedException(_UNKNOWN_KEY)
    try:
        access.allow(call, found.authority, action=action, from_ciphertext=True)
    except e.AccessDeniedException:
        if found.key.account != call.account:
            raise e.AccessDeniedException(_UNKNOWN_KEY) from None
        raise
    return found, parsed


def _was_deleted(call: Call, key_id: str) -> bool:
    if not call.may_block:
        raise WouldBlock
    with call.services.database.read() as connection:
        return keys.was_deleted(connection, key_id)


def _open(call: Call, usable: UsableKey, parsed: CiphertextBlob, context: str, algorithm: str) -> bytes:
    access.require_fit(call, usable)
    if call.get(algorithm, _SYMMETRIC) != _SYMMETRIC:
        raise e.InvalidCiphertextException
    return usable.encryption(parsed.material_id).decrypt(
        _SYMMETRIC, call.parameters["CiphertextBlob"], _context(call, context)
    )


def _seal(call: Call, usable: UsableKey, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    current = usable.current
    call.additional = {"keyMaterialId": current.material_id}
    return usable.encryption(current.material_id).encrypt(_SYMMETRIC, plaintext, context)


def _context(call: Call, member: str) -> Mapping[str, str]:
    context: Mapping[str, str] = call.get(member) or {}
    limit = call.services.limits.max_encryption_context_bytes
    if context and len(canonical(context)) > limit:
        raise e.ValidationException(f"{member} is larger than {limit} bytes.")
    return context


def _require_symmetric(usable: UsableKey, algorithm: str) -> None:
    if algorithm != _SYMMETRIC:
        raise e.InvalidKeyUsageException(
            f"Algorithm {algorithm} is incompatible with key spec {usable.key.spec}."
        )


def _permission_only(call: Call) -> bool:
    modifiers = call.get("DryRunModifiers") or []
    if modifiers and not call.get("DryRun"):
        raise e.ValidationException("DryRunModifiers can only be used when DryRun is true.")
    return "IGNORE_CIPHERTEXT" in modifiers


def _named(call: Call, member: str) -> str:
    identifier: str | None = call.get(member)
    if identifier is None:
        raise e.ValidationException(f"{member} must not be null")
    parse_key_identifier(identifier, region=call.region, account=call.account, aliases_allowed=True)
    return identifier


def _refuse_recipient(call: Call) -> None:
    if call.get("Recipient") is not None:
        raise e.UnsupportedOperationException("Attestation documents are not supported.")


def _stop_dry_run(call: Call) -> None:
    if call.get("DryRun"):
        raise e.DryRunOperationException


_KEY_ERRORS = (
    e.NotFoundException, e.DisabledException, e.KeyUnavailableException, e.InvalidKeyUsageException,
    e.KMSInvalidStateException, e.InvalidGrantTokenException, e.KMSInternalException, e.DryRunOperationException,
    e.DependencyTimeoutException,
)  # fmt: skip
_CIPHERTEXT_ERRORS = (*_KEY_ERRORS, e.InvalidCiphertextException, e.IncorrectKeyException)
_DATA_KEY_MEMBERS = ("KeyId", "KeySpec", "NumberOfBytes", "EncryptionContext", "DryRun")


OPERATIONS = (
    Operation(
        "Encrypt", encrypt, schemas.EncryptRequest, schemas.EncryptResponse, Plane.DATA,
        "Encrypts up to 4,096 bytes under a KMS key.",
        logged=("KeyId", "EncryptionContext", "DryRun"), errors=_KEY_ERRORS,
        rule=USE, usage="ENCRYPT_DECRYPT", aliases_allowed=True, shared_quota=True,
    ),
    Operation(
        "Decrypt", decrypt, schemas.DecryptRequest, schemas.DecryptResponse, Plane.DATA,
        "Decrypts a ciphertext that a KMS key made.",
        logged=("KeyId", "EncryptionContext", "DryRun"), errors=_CIPHERTEXT_ERRORS,
        rule=USE, usage="ENCRYPT_DECRYPT", aliases_allowed=True, shared_quota=True,
    ),
    Operation(
        "ReEncrypt", re_encrypt, schemas.ReEncryptRequest, schemas.ReEncryptResponse, Plane.DATA,
        "Decrypts a ciphertext and encrypts it again under another key or context.",
        logged=("SourceKeyId", "SourceEncryptionContext", "DestinationKeyId", "DestinationEncryptionContext", "DryRun"),
        errors=_CIPHERTEXT_ERRORS, rule=USE, usage="ENCRYPT_DECRYPT", aliases_allowed=True, shared_quota=True,
    ),
    Operation(
        "GenerateDataKey", generate_data_key, schemas.GenerateDataKeyRequest, schemas.GenerateDataKeyResponse,
        Plane.DATA, "Returns a new data key in clear and encrypted under a KMS key.",
        logged=_DATA_KEY_MEMBERS, errors=_KEY_ERRORS,
        rule=USE, usage="ENCRYPT_DECRYPT", aliases_allowed=True, shared_quota=True,
    ),
    Operation(
        "GenerateDataKeyWithoutPlaintext", generate_data_key_without_plaintext,
        schemas.GenerateDataKeyWithoutPlaintextRequest, schemas.GenerateDataKeyWithoutPlaintextResponse,
        Plane.DATA, "Returns a new data key encrypted under a KMS key.",
        logged=_DATA_KEY_MEMBERS, errors=_KEY_ERRORS,
        rule=USE, usage="ENCRYPT_DECRYPT", aliases_allowed=True, shared_quota=True,
    ),
    Operation(
        "GenerateRandom", generate_random, schemas.GenerateRandomRequest, schemas.GenerateRandomResponse,
        Plane.DATA, "Returns up to 1,024 random bytes.", shared_quota=True,
        errors=(e.DependencyTimeoutException, e.KMSInternalException, e.UnsupportedOperationException,
                e.CustomKeyStoreNotFoundException),
    ),
)  # fmt: skip
