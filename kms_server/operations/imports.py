"""GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial."""

from kms_server import errors as e
from kms_server.crypto import import_wrap
from kms_server.crypto.capabilities import MaterialError
from kms_server.keyring import import_token
from kms_server.keyring.import_token import ImportParameters
from kms_server.keys import imports as rules
from kms_server.keys import specs, states
from kms_server.keys.identifiers import new_material_id
from kms_server.keys.key import (
    CURRENT,
    EXTERNAL,
    PENDING_MULTI_REGION,
    PENDING_ROTATION,
    BackingKey,
    KmsKey,
)
from kms_server.keys.states import KeyState
from kms_server.operations import access, material
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY, sent
from kms_server.schemas import imports as schemas
from kms_server.storage import keys


def get_parameters_for_import(call: Call) -> Answer:
    """A public key to wrap material under, and the token that goes with it (AWS GetParametersForImport)."""
    key = _external_key(call)
    algorithm = call.parameters["WrappingAlgorithm"]
    wrapping = specs.find(call.parameters["WrappingKeySpec"])
    rules.require_wrapping(key, algorithm, wrapping.name)
    private = call.services.material.take(wrapping, may_block=call.may_block)
    expires = round(call.time + rules.TOKEN_LIFETIME, 3)
    token = import_token.issue(key, call.services.token_key, ImportParameters(expires, algorithm, private))
    return {
        "KeyId": key.arn,
        "ImportToken": token,
        "PublicKey": wrapping.public_der(private),
        "ParametersValidTo": expires,
    }


def unwrap_material(call: Call) -> None:
    """Open and check the material of ImportKeyMaterial, which takes long for RSA keys."""
    key = _external_key(call)
    rules.check_members(
        key, call.get("ImportType"), call.get("KeyMaterialId"), call.get("KeyMaterialDescription")
    )
    rules.expiry(call.get("ExpirationModel"), call.get("ValidTo"), call.time)
    call.prepared = _unwrapped(call, key)


def import_key_material(call: Call) -> Answer:
    """Give a key its material, or new material for a rotation (AWS ImportKeyMaterial)."""
    key, fresh = _external_key(call), call.prepared
    valid_to = rules.expiry(call.get("ExpirationModel"), call.get("ValidTo"), call.time)
    import_type, named = call.get("ImportType"), call.get("KeyMaterialId")
    root = call.services.root_key
    versions = keys.get_backing_keys(call.connection, key)
    same = [material.is_same(key, root, version, fresh) for version in versions]
    version = rules.match(versions, same, import_type, named)
    if version is None:
        version = _add(call, key, versions, fresh)
    wrapped = material.wrap(key, root, version.material_id, fresh)
    keys.change_backing_key(call.writing, key, version.material_id, wrapped=wrapped, valid_to=valid_to)
    _describe(call, key, version)
    _settle(call, key)
    answer: dict[str, object] = {"KeyId": key.arn}
    if specs.find(key.spec).is_symmetric:
        answer["KeyMaterialId"] = version.material_id
    return answer


def delete_imported_key_material(call: Call) -> Answer:
    """Destroy imported material; the same can be imported again (AWS DeleteImportedKeyMaterial)."""
    key = _external_key(call)
    versions = keys.get_backing_keys(call.connection, key)
    named = call.get("KeyMaterialId")
    answer: dict[str, object] = {"KeyId": key.arn}
    chosen = [
        one for one in versions if (one.status == CURRENT if named is None else one.material_id == named)
    ]
    if not chosen:
        if named is not None:
            raise e.NotFoundException(f"Key material '{named}' does not exist for key {key.arn}")
        return answer
    if chosen[0].wrapped is not None:
        material.destroy(call.writing, key, chosen[0])
    if specs.find(key.spec).is_symmetric:
        answer["KeyMaterialId"] = chosen[0].material_id
    return answer


def _external_key(call: Call) -> KmsKey:
    """The key of the call; where its material comes from is checked before its state."""
    usable = access.authorized_key(call, call.parameters["KeyId"])
    rules.require_origin(usable.key, EXTERNAL)
    access.require_fit(call, usable)
    return usable.key


def _unwrapped(call: Call, key: KmsKey) -> bytes:
    parameters = import_token.redeem(key, call.services.token_key, call.parameters["ImportToken"])
    if parameters.expires <= call.time:
        raise e.ExpiredImportTokenException
    raw = import_wrap.unwrap(
        parameters.private_der, parameters.algorithm, call.parameters["EncryptedKeyMaterial"]
    )
    try:
        return specs.find(key.spec).type.checked(raw)
    except MaterialError:
        raise e.IncorrectKeyMaterialException from None


def _add(call: Call, key: KmsKey, versions: list[BackingKey], fresh: bytes) -> BackingKey:
    """A new version without its material: the first one, or one that awaits a rotation, in all Regions."""
    material_id = new_material_id()
    if versions and key.is_replica:
        raise e.UnsupportedOperationException(f"{key.arn} is not a multi-region primary key.")
    rules.require_no_pending(key, versions, material_id)
    members = keys.members(call.connection, key.key_id)
    version = BackingKey(
        material_id, number=versions[-1].number + 1 if versions else 1, status=_first_status(versions, members), wrapped=None,
        created_at=call.time, description=call.get("KeyMaterialDescription"),
        fingerprint=material.fingerprint(key, call.services.root_key, material_id, fresh),
    )  # fmt: skip
    for member in members:
        keys.add_backing_key(call.writing, member, version)
    return version


def _first_status(versions: list[BackingKey], members: list[KmsKey]) -> str:
    if not versions:
        return CURRENT
    return PENDING_ROTATION if len(members) == 1 else PENDING_MULTI_REGION


def _describe(call: Call, key: KmsKey, version: BackingKey) -> None:
    """The description of material is that of the primary, in all Regions."""
    description = call.get("KeyMaterialDescription")
    if description is not None and not key.is_replica:
        for member in keys.members(call.connection, key.key_id):
            keys.change_backing_key(call.writing, member, version.material_id, description=description)


def _settle(call: Call, key: KmsKey) -> None:
    """What follows from material having arrived: the key is enabled, or a rotation is possible in all Regions."""
    tx = call.writing
    versions = keys.get_backing_keys(tx.connection, key)
    if key.state is KeyState.PENDING_IMPORT:
        keys.change(tx, key, state=rules.state_of(key, versions, KeyState.ENABLED))
    material.release_pending(tx, key.key_id)


_ERRORS = (
    e.InvalidArnException, e.UnsupportedOperationException, e.DependencyTimeoutException, e.NotFoundException,
    e.KMSInternalException, e.KMSInvalidStateException,
)  # fmt: skip

OPERATIONS = (
    Operation(
        "GetParametersForImport", get_parameters_for_import, schemas.GetParametersForImportRequest,
        schemas.GetParametersForImportResponse, Plane.READ,
        "Returns a public key and a token to import key material with.",
        logged=("KeyId", "WrappingAlgorithm", "WrappingKeySpec"), rule=states.READ_IMPORT, errors=_ERRORS,
        conditions={**KEY, "kms:WrappingAlgorithm": sent("WrappingAlgorithm"),
                    "kms:WrappingKeySpec": sent("WrappingKeySpec")},
    ),
    Operation(
        "ImportKeyMaterial", import_key_material, schemas.ImportKeyMaterialRequest,
        schemas.ImportKeyMaterialResponse, Plane.WRITE, "Imports key material into a KMS key.",
        logged=("KeyId", "ValidTo", "ExpirationModel", "ImportType", "KeyMaterialDescription", "KeyMaterialId"),
        answers=("KeyId", "KeyMaterialId"), rule=states.IMPORT, prepare=unwrap_material,
        conditions={**KEY, "kms:ExpirationModel": sent("ExpirationModel"), "kms:ValidTo": sent("ValidTo")},
        errors=(*_ERRORS, e.InvalidCiphertextException, e.IncorrectKeyMaterialException,
                e.ExpiredImportTokenException, e.InvalidImportTokenException),
    ),
    Operation(
        "DeleteImportedKeyMaterial", delete_imported_key_material, schemas.DeleteImportedKeyMaterialRequest,
        schemas.DeleteImportedKeyMaterialResponse, Plane.WRITE, "Destroys imported key material.",
        logged=("KeyId", "KeyMaterialId"), answers=("KeyId", "KeyMaterialId"), rule=states.DELETE_MATERIAL,
        conditions=KEY, errors=_ERRORS,
    ),
)  # fmt: skip
