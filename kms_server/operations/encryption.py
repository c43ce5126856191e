"""Encrypt, Decrypt, ReEncrypt: one path for symmetric and RSA keys."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from kms_server import errors as e
from kms_server.crypto.blob import CiphertextBlob
from kms_server.keyring.cache import WouldBlock
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.specs import ENCRYPT
from kms_server.keys.states import USE
from kms_server.operations import access, limits, named_keys
from kms_server.operations.call import Answer, Call, Operation, Plane, Subject
from kms_server.operations.condition_keys import ENCRYPTION, texts
from kms_server.operations.guards import encryption_context, refuse_recipient, stop_dry_run
from kms_server.schemas import encryption as schemas
from kms_server.storage import keys

_SYMMETRIC = "SYMMETRIC_DEFAULT"
_UNKNOWN_KEY = (
    "The ciphertext refers to a customer master key that does not exist, "
    "does not exist in this region, or you are not allowed to access."
)


class _Source(Struct, frozen=True):
    """What a ciphertext opens under; `material_id` is None for keys whose ciphertexts do not name it."""

    usable: UsableKey
    material_id: str | None


def encrypt(call: Call) -> Answer:
    """Encrypt up to 4,096 bytes under the current version of a key (AWS Encrypt)."""
    parameters = call.parameters
    algorithm = parameters.get("EncryptionAlgorithm", _SYMMETRIC)
    call.logged_extra = {"encryptionAlgorithm": algorithm}
    usable = access.use_key(call, parameters["KeyId"])
    usable.spec.require(algorithm, ENCRYPT)
    context = encryption_context(call, "EncryptionContext")
    ciphertext = usable.encryption().encrypt(algorithm, parameters["Plaintext"], context)
    call.additional = _material(usable)
    stop_dry_run(call)
    return {"CiphertextBlob": ciphertext, "KeyId": usable.key.arn, "EncryptionAlgorithm": algorithm}


def decrypt(call: Call) -> Answer:
    """Decrypt a ciphertext under whatever version of its key made it (AWS Decrypt)."""
    algorithm = call.get("EncryptionAlgorithm", _SYMMETRIC)
    call.logged_extra = {"encryptionAlgorithm": algorithm}
    if _permission_only(call):
        access.use_key(call, _named(call, "KeyId")).spec.require(algorithm, ENCRYPT)
        raise e.DryRunOperationException
    source = _source(call, "KeyId", algorithm, action=None)
    limits.charge(call, source.usable)
    refuse_recipient(call)
    plaintext = _open(call, source, algorithm, "EncryptionContext")
    call.additional = {"keyMaterialId": source.material_id} if source.material_id else None
    stop_dry_run(call)
    answer: dict[str, object] = {
        "KeyId": source.usable.key.arn,
        "Plaintext": plaintext,
        "EncryptionAlgorithm": algorithm,
    }
    if source.material_id is not None:
        answer["KeyMaterialId"] = source.material_id
    return answer


def re_encrypt(call: Call) -> Answer:
    """Decrypt under one key and encrypt under another without showing the plaintext (AWS ReEncrypt)."""
    algorithm = call.get("SourceEncryptionAlgorithm", _SYMMETRIC)
    target_algorithm = call.get("DestinationEncryptionAlgorithm", _SYMMETRIC)
    call.logged_extra = {
        "sourceEncryptionAlgorithm": algorithm,
        "destinationEncryptionAlgorithm": target_algorithm,
    }
    permission_only = _permission_only(call)
    if permission_only:
        named = access.authorized_key(call, _named(call, "SourceKeyId"), action="kms:ReEncryptFrom")
        source = _Source(named, None)
    else:
        source = _source(call, "SourceKeyId", algorithm, action="kms:ReEncryptFrom")
    target = access.authorized_key(call, call.parameters["DestinationKeyId"], action="kms:ReEncryptTo")
    limits.charge(call, source.usable, target)
    access.require_fit(call, target)
    target.spec.require(target_algorithm, ENCRYPT)
    if permission_only:
        access.require_fit(call, source.usable)
        source.usable.spec.require(algorithm, ENCRYPT)
        raise e.DryRunOperationException
    plaintext = _open(call, source, algorithm, "SourceEncryptionContext")
    context = encryption_context(call, "DestinationEncryptionContext")
    answer: dict[str, object] = {
        "CiphertextBlob": target.encryption().encrypt(target_algorithm, plaintext, context),
        "SourceKeyId": source.usable.key.arn,
        "KeyId": target.key.arn,
        "SourceEncryptionAlgorithm": algorithm,
        "DestinationEncryptionAlgorithm": target_algorithm,
    }
    used = _materials(source, target)
    call.additional = {name[0].lower() + name[1:]: value for name, value in used.items()} or None
    stop_dry_run(call)
    return answer | used


def _source(call: Call, member: str, algorithm: str, *, action: str | None) -> _Source:
    """The key of a ciphertext: symmetric ciphertexts name it, for others the caller has to."""
    raw = call.get("CiphertextBlob")
    if raw is None:
        raise e.ValidationException(
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null"
        )
    if algorithm != _SYMMETRIC:
        usable = access.authorized_key(call, _named(call, member), action=action)
        access.require_patience(call, usable)
        return _Source(usable, None)
    parsed = CiphertextBlob.parse(raw)
    named = call.get(member)
    usable = (
        _anonymous_key(call, parsed, action=action)
        if named is None
        else _named_key(call, named, parsed, action=action)
    )
    return _Source(usable, parsed.material_id)


def _named_key(call: Call, named: str, parsed: CiphertextBlob, *, action: str | None) -> UsableKey:
    usable = access.find_key(call, named, action=action)
    # Who may not use another account's key does not learn either whether the ciphertext is of that key.
    foreign = usable.key.account != call.account
    if foreign:
        access.allow(call, usable, action=action)
    if usable.key.key_id != parsed.key_id:
        raise e.IncorrectKeyException
    if not foreign:
        access.allow(call, usable, action=action)
    return usable


def _anonymous_key(call: Call, parsed: CiphertextBlob, *, action: str | None) -> UsableKey:
    # No text that a caller may send as an identifier equals this.
    place = (parsed.key_id,)
    settled = access.settled_key(call, place, action=action)
    if settled is not None:
        return settled
    findings = call.services.keyring.findings
    found = access.load(call, parsed.key_id, call.region)
    if found is None:
        # A ciphertext opens in its own Region only, and the text must not tell which of the reasons it was.
        if _id_was_used(call, parsed.key_id):
            raise e.AccessDeniedException(_UNKNOWN_KEY)
        raise e.InvalidCiphertextException
    try:
        access.allow(call, found, action=action, from_ciphertext=True)
    except e.AccessDeniedException:
        if found.key.account != call.account:
            raise e.AccessDeniedException(_UNKNOWN_KEY) from None
        raise
    access.settle(call, findings, place, found, action=action)
    return found


def _id_was_used(call: Call, key_id: str) -> bool:
    if not call.may_block:
        raise WouldBlock
    with call.services.database.read() as connection:
        return keys.id_was_used(connection, key_id)


def _open(call: Call, source: _Source, algorithm: str, context_member: str) -> bytes:
    access.require_fit(call, source.usable)
    if algorithm not in source.usable.spec.algorithms[ENCRYPT]:
        raise e.InvalidCiphertextException
    context = encryption_context(call, context_member)
    encryption = source.usable.encryption(source.material_id)
    return encryption.decrypt(algorithm, call.parameters["CiphertextBlob"], context)


def _material(usable: UsableKey) -> Mapping[str, str] | None:
    return {"keyMaterialId": usable.current.material_id} if usable.spec.is_symmetric else None


def _materials(source: _Source, target: UsableKey) -> dict[str, str]:
    used = {}
    if source.material_id is not None:
        used["SourceKeyMaterialId"] = source.material_id
    if target.spec.is_symmetric:
        used["DestinationKeyMaterialId"] = target.current.material_id
    return used


def _on_same_key(subject: Subject, _: str) -> Sequence[str]:
    """Whether the key that is judged is the one on the other side, too."""
    call, key = subject.call, subject.key
    other = _target_id(call) if subject.action == "kms:ReEncryptFrom" else _source_id(call)
    return texts(key is not None and key.key_id == other)


def _target_id(call: Call) -> str | None:
    named = call.get("DestinationKeyId")
    return named and named_keys.key_id_of(call, named)


def _source_id(call: Call) -> str | None:
    """Of a request that names no source, its ciphertext tells; where both do, they agree or the ciphertext is ignored."""
    raw, named = call.get("CiphertextBlob"), call.get("SourceKeyId")
    if named is not None:
        return named_keys.key_id_of(call, named)
    return None if raw is None else CiphertextBlob.parse(raw).key_id


def _permission_only(call: Call) -> bool:
    modifiers = call.get("DryRunModifiers") or []
    if modifiers and not call.get("DryRun"):
        raise e.ValidationException("DryRunModifiers can only be used when DryRun is true.")
    return "IGNORE_CIPHERTEXT" in modifiers


def _named(call: Call, member: str) -> str:
    identifier: str | None = call.get(member)
    if identifier is None:
        raise e.ValidationException(f"{member} must not be null")
    return identifier


_KEY_ERRORS = (
    e.NotFoundException, e.DisabledException, e.KeyUnavailableException, e.InvalidKeyUsageException,
    e.KMSInvalidStateException, e.InvalidGrantTokenException, e.KMSInternalException, e.DryRunOperationException,
    e.DependencyTimeoutException,
)  # fmt: skip
_CIPHERTEXT_ERRORS = (*_KEY_ERRORS, e.InvalidCiphertextException, e.IncorrectKeyException)

OPERATIONS = (
    Operation(
        "Encrypt", encrypt, schemas.EncryptRequest, schemas.EncryptResponse, Plane.DATA,
        "Encrypts up to 4,096 bytes under a KMS key.",
        logged=("KeyId", "EncryptionAlgorithm", "EncryptionContext", "DryRun"), errors=_KEY_ERRORS, conditions=ENCRYPTION,
        rule=USE, usage=ENCRYPT, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "Decrypt", decrypt, schemas.DecryptRequest, schemas.DecryptResponse, Plane.DATA,
        "Decrypts a ciphertext that a KMS key made.",
        logged=("KeyId", "EncryptionAlgorithm", "EncryptionContext", "DryRun"), errors=_CIPHERTEXT_ERRORS, conditions=ENCRYPTION,
        rule=USE, usage=ENCRYPT, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "ReEncrypt", re_encrypt, schemas.ReEncryptRequest, schemas.ReEncryptResponse, Plane.DATA,
        "Decrypts a ciphertext and encrypts it again under another key or context.",
        logged=("SourceKeyId", "SourceEncryptionAlgorithm", "SourceEncryptionContext", "DestinationKeyId",
                "DestinationEncryptionAlgorithm", "DestinationEncryptionContext", "DryRun"),
        errors=_CIPHERTEXT_ERRORS, rule=USE, usage=ENCRYPT, aliases_allowed=True, cross_account=True,
        shared_quota=True, conditions={**ENCRYPTION, "kms:ReEncryptOnSameKey": _on_same_key},
    ),
)  # fmt: skip
