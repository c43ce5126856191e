"""GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial."""

from kms_server.schemas.base import RequestSchema, ResponseSchema
from kms_server.schemas.common import key_id, key_material_id
from kms_server.schemas.fields import Blob, Choice, Text, Timestamp


class GetParametersForImportRequest(RequestSchema):
    """Input of GetParametersForImport."""

    KeyId = key_id()
    WrappingAlgorithm = Choice(
        "RSAES_PKCS1_V1_5",
        "RSAES_OAEP_SHA_1",
        "RSAES_OAEP_SHA_256",
        "RSA_AES_KEY_WRAP_SHA_1",
        "RSA_AES_KEY_WRAP_SHA_256",
        "SM2PKE",
        required=True,
    )
    WrappingKeySpec = Choice("RSA_2048", "RSA_3072", "RSA_4096", "SM2", required=True)


class GetParametersForImportResponse(ResponseSchema):
    """Output of GetParametersForImport."""

    KeyId = key_id(required=False)
    ImportToken = Blob(1, 6144)
    PublicKey = Blob(1, 4096)
    ParametersValidTo = Timestamp()


class ImportKeyMaterialRequest(RequestSchema):
    """Input of ImportKeyMaterial."""

    KeyId = key_id()
    ImportToken = Blob(1, 6144, required=True)
    EncryptedKeyMaterial = Blob(1, 6144, required=True)
    ValidTo = Timestamp()
    ExpirationModel = Choice("KEY_MATERIAL_DOES_NOT_EXPIRE", "KEY_MATERIAL_EXPIRES")
    ImportType = Choice("NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL")
    KeyMaterialDescription = Text(0, 256, r"^[a-zA-Z0-9:/_\s.-]+$")
    KeyMaterialId = key_material_id()


class ImportKeyMaterialResponse(ResponseSchema):
    """Output of ImportKeyMaterial."""

    KeyId = key_id(required=False)
    KeyMaterialId = key_material_id()


class DeleteImportedKeyMaterialRequest(RequestSchema):
    """Input of DeleteImportedKeyMaterial."""

    KeyId = key_id()
    KeyMaterialId = key_material_id()


class DeleteImportedKeyMaterialResponse(ResponseSchema):
    """Output of DeleteImportedKeyMaterial."""

    KeyId = key_id(required=False)
    KeyMaterialId = Text(0, 64, r"^[a-f0-9]+$")
