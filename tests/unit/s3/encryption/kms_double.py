"""A KMS in memory: real ciphertexts, and a count of what it was asked."""

from collections.abc import Mapping

from kms_server.crypto.blob import CiphertextBlob, MessageCipher
from kms_server.errors import InvalidCiphertextException
from kms_server.operations.call import Call
from kms_server.s3.errors import AccessDenied, KmsDisabled, KmsInvalidCiphertext, KmsNotFound
from kms_server.s3.kms.client import DataKey, KeyUse

REGION = "us-east-1"
ONE = f"arn:aws:kms:{REGION}:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER = f"arn:aws:kms:{REGION}:000000000000:key/aaaaaaaa-12ab-34cd-56ef-1234567890ab"
MANAGED = f"arn:aws:kms:{REGION}:000000000000:key/bbbbbbbb-12ab-34cd-56ef-1234567890ab"


class KmsDouble:
    """Keys by ARN; `aliases` name them. Those that are `disabled` and callers that are `denied` get nothing."""

    def __init__(self) -> None:
        self._ciphers = {
            arn: MessageCipher(arn.encode(), arn.rpartition("/")[2], "ab" * 32)
            for arn in (ONE, OTHER, MANAGED)
        }
        self.aliases = {"alias/aws/s3": MANAGED}
        self.disabled: set[str] = set()
        self.denied: set[str] = set()
        self.asked: list[tuple[str, str, Mapping[str, str], str]] = []

    def generate_data_key(self, call: Call, use: KeyUse) -> DataKey:
        arn = self._allowed(call, use.key_id)
        self.asked.append(("GenerateDataKey", arn, use.context, use.source_arn))
        plaintext = bytes([len(self.asked) % 256]) * 32
        return DataKey(arn, plaintext, self._ciphers[arn].encrypt("", plaintext, use.context))

    def decrypt(self, call: Call, use: KeyUse, ciphertext: bytes) -> bytes:
        arn = self._allowed(call, use.key_id)
        self.asked.append(("Decrypt", arn, use.context, use.source_arn))
        try:
            CiphertextBlob.parse(ciphertext)
            return self._ciphers[arn].decrypt("", ciphertext, use.context)
        except InvalidCiphertextException:
            raise KmsInvalidCiphertext("InvalidCiphertext") from None

    def still_allows(self, call: Call, operation: str, use: KeyUse, *, key_arn: str, since: float) -> bool:
        try:
            return self._allowed(call, use.key_id) == key_arn
        except (AccessDenied, KmsDisabled, KmsNotFound):
            return False

    def _allowed(self, call: Call, key_id: str) -> str:
        arn = self.aliases.get(key_id, key_id)
        if arn not in self._ciphers:
            raise KmsNotFound(f"Invalid keyId '{key_id}'")
        if call.principal.arn in self.denied:
            raise AccessDenied
        if arn in self.disabled:
            raise KmsDisabled(f"{arn} is disabled.")
        return arn
