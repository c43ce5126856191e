"""The keys of this very server, opened by the local operator: no policy is asked, and no call is recorded."""

# ruff: noqa: ARG002 - the protocol's arguments say who calls and why, which counts for nothing here

from kms_server.arn import Arn
from kms_server.crypto.blob import CiphertextBlob
from kms_server.errors import ServiceError
from kms_server.keyring.keyring import Keyring
from kms_server.keys.specs import SYMMETRIC_DEFAULT
from kms_server.operations.call import Call
from kms_server.s3.errors import KmsNotFound
from kms_server.s3.kms.client import DataKey, KeyUse
from kms_server.s3.kms.faults import s3_error


class OperatorKms:
    """A `KmsClient` that opens data keys, and makes none. Whoever uses it records what for."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def generate_data_key(self, call: Call, use: KeyUse) -> DataKey:
        """Nothing: the operator stores no objects."""
        raise AssertionError("the operator makes no data keys")

    def decrypt(self, call: Call, use: KeyUse, ciphertext: bytes) -> bytes:
        """The data key in clear, also where its key is disabled.

        Raises:
            KmsNotFound, KmsInvalidState: the key, or its imported material, is not here.
            KmsInvalidCiphertext: the ciphertext is damaged.
        """
        arn = Arn.parse(use.key_id)
        usable = arn and self._keyring.key(arn.resource.removeprefix("key/"), arn.region, may_block=True)
        if not usable or usable.key.arn != use.key_id or usable.spec is not SYMMETRIC_DEFAULT:
            raise KmsNotFound
        try:
            material_id = CiphertextBlob.parse(ciphertext).material_id
            return usable.encryption(material_id).decrypt(SYMMETRIC_DEFAULT.name, ciphertext, use.context)
        except ServiceError as error:
            raise s3_error(error.code, error.message) from None

    def still_allows(self, call: Call, operation: str, use: KeyUse, *, key_arn: str, since: float) -> bool:
        """Always: no policy is asked."""
        return True
