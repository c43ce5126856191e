"""What the public half of a key is for: GetPublicKey, DeriveSharedSecret, Encapsulate, Decapsulate."""

from kms_server import errors as e
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.specs import AGREE, ALGORITHMS_MEMBER, ENCAPSULATE
from kms_server.keys.states import READ_PUBLIC_KEY, USE
from kms_server.operations import access
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY_BY_ALIAS, sent
from kms_server.operations.guards import refuse_recipient, stop_dry_run
from kms_server.schemas import public_keys as schemas


def derive_shared_secret(call: Call) -> Answer:
    """The raw ECDH secret with a peer's public key (AWS DeriveSharedSecret)."""
    usable = access.use_key(call, call.parameters["KeyId"])
    refuse_recipient(call)
    algorithm = call.parameters["KeyAgreementAlgorithm"]
    usable.spec.require(algorithm, AGREE)
    secret = usable.agreement().derive(call.parameters["PublicKey"])
    stop_dry_run(call)
    return {
        "KeyId": usable.key.arn,
        "SharedSecret": secret,
        "KeyAgreementAlgorithm": algorithm,
        "KeyOrigin": usable.key.origin,
    }


def encapsulate(call: Call) -> Answer:
    """A fresh shared secret and its ciphertext for the holder of the key (AWS Encapsulate)."""
    usable, algorithm = _encapsulation_key(call)
    secret, ciphertext = usable.encapsulation().encapsulate()
    stop_dry_run(call)
    return {
        "KeyId": usable.key.arn,
        "SharedSecret": secret,
        "SharedSecretCiphertextBlob": ciphertext,
        "EncapsulationAlgorithm": algorithm,
    }


def decapsulate(call: Call) -> Answer:
    """The shared secret of a ciphertext (AWS Decapsulate)."""
    usable, algorithm = _encapsulation_key(call)
    secret = usable.encapsulation().decapsulate(call.parameters["SharedSecretCiphertextBlob"])
    stop_dry_run(call)
    return {"KeyId": usable.key.arn, "SharedSecret": secret, "EncapsulationAlgorithm": algorithm}


def get_public_key(call: Call) -> Answer:
    """The public half of an asymmetric key (AWS GetPublicKey)."""
    usable = access.authorized_key(call, call.parameters["KeyId"])
    if not usable.spec.has_public_key:
        raise e.UnsupportedOperationException
    access.require_fit(call, usable)
    key = usable.key
    answer: dict[str, object] = {
        "KeyId": key.arn,
        "PublicKey": usable.public().public_der(),
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        ALGORITHMS_MEMBER[key.usage]: list(usable.spec.algorithms[key.usage]),
    }
    if usable.spec.has_older_name:
        answer["CustomerMasterKeySpec"] = key.spec
    return answer


def _encapsulation_key(call: Call) -> tuple[UsableKey, str]:
    usable = access.use_key(call, call.parameters["KeyId"])
    algorithm = call.parameters["EncapsulationAlgorithm"]
    usable.spec.require(algorithm, ENCAPSULATE)
    return usable, algorithm


_KEY_ERRORS = (
    e.NotFoundException, e.DisabledException, e.KeyUnavailableException, e.InvalidKeyUsageException,
    e.KMSInvalidStateException, e.InvalidGrantTokenException, e.KMSInternalException,
    e.DependencyTimeoutException,
)  # fmt: skip
_ERRORS = (*_KEY_ERRORS, e.DryRunOperationException)
_MEMBERS = ("KeyId", "EncapsulationAlgorithm", "DryRun")

OPERATIONS = (
    Operation(
        "DeriveSharedSecret", derive_shared_secret, schemas.DeriveSharedSecretRequest,
        schemas.DeriveSharedSecretResponse, Plane.DATA, "Derives a shared secret with a peer's public key.",
        logged=("KeyId", "KeyAgreementAlgorithm", "DryRun"), errors=_ERRORS,
        conditions={**KEY_BY_ALIAS, "kms:KeyAgreementAlgorithm": sent("KeyAgreementAlgorithm")},
        rule=USE, usage=AGREE, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "Encapsulate", encapsulate, schemas.EncapsulateRequest, schemas.EncapsulateResponse, Plane.DATA,
        "Returns a fresh shared secret, in clear and encapsulated.", logged=_MEMBERS, errors=_ERRORS, conditions=KEY_BY_ALIAS,
        rule=USE, usage=ENCAPSULATE, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "Decapsulate", decapsulate, schemas.DecapsulateRequest, schemas.DecapsulateResponse, Plane.DATA,
        "Opens an encapsulated shared secret.", logged=_MEMBERS, conditions=KEY_BY_ALIAS,
        errors=(*_ERRORS, e.InvalidCiphertextException),
        rule=USE, usage=ENCAPSULATE, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "GetPublicKey", get_public_key, schemas.GetPublicKeyRequest, schemas.GetPublicKeyResponse, Plane.READ,
        "Returns the public key of an asymmetric KMS key.", logged=("KeyId",), conditions=KEY_BY_ALIAS,
        errors=(*_KEY_ERRORS, e.UnsupportedOperationException, e.InvalidArnException),
        rule=READ_PUBLIC_KEY, aliases_allowed=True, cross_account=True,
    ),
)  # fmt: skip
