"""MongoDB client-side field level encryption, explicit, with the key vault in memory."""

import json
import os
import sys
from types import SimpleNamespace
from typing import Any, Self

from bson import decode, encode
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.encryption import Algorithm, ClientEncryption


class KeyVault:
    """The three verbs of a collection that the driver uses for its data keys."""

    def __init__(self) -> None:
        self.documents: dict[bytes, RawBSONDocument] = {}

    def insert_one(self, document: RawBSONDocument) -> None:
        """Keep it."""
        self.documents[bytes(decode(document.raw)["_id"])] = document

    def find(self, _wanted: Any) -> Any:
        """All of it: what is too much does not matter to the driver."""
        return _Cursor(self.documents.values())

    def bulk_write(self, updates: Any) -> Any:
        """The driver's new wrappings: `$set` and `$currentDate` on one document each."""
        for update in updates:
            key = bytes(update._filter["_id"])
            changed = {**decode(self.documents[key].raw), **update._doc["$set"]}
            self.documents[key] = RawBSONDocument(encode(changed))
        return SimpleNamespace(modified_count=len(updates))


class _Cursor(list[RawBSONDocument]):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def main(endpoint: str, first_key: str, second_key: str) -> None:
    """Encrypt under the first key, move the data key to the second, decrypt without the cache."""
    variables = os.environ
    providers = {
        "aws": {
            "accessKeyId": variables["AWS_ACCESS_KEY_ID"],
            "secretAccessKey": variables["AWS_SECRET_ACCESS_KEY"],
        }
    }
    vault = KeyVault()

    def open_vault() -> Any:
        encryption = ClientEncryption(
            providers, "encryption.__keyVault", MongoClient(connect=False), CodecOptions(),
            kms_tls_options={"aws": {"tlsCAFile": variables["AWS_CA_BUNDLE"]}},
        )  # fmt: skip
        encryption._io_callbacks.key_vault_coll = encryption._key_vault_coll = vault
        return encryption

    def master(key: str) -> dict[str, str]:
        return {"region": variables["AWS_REGION"], "key": key, "endpoint": endpoint}

    writer = open_vault()
    data_key = writer.create_data_key("aws", master_key=master(first_key), key_alt_names=["mine"])
    algorithm = Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Deterministic
    sealed = writer.encrypt("123-45-6789", algorithm, key_id=data_key)
    moved = writer.rewrap_many_data_key({}, provider="aws", master_key=master(second_key))
    answer = {
        "moved": moved.bulk_write_result.modified_count,
        "opened": open_vault().decrypt(sealed),
        "same": open_vault().encrypt("123-45-6789", algorithm, key_alt_name="mine") == sealed,
        "masters": [decode(found.raw)["masterKey"]["key"] for found in vault.documents.values()],
    }
    json.dump(answer, sys.stdout)


main(*sys.argv[1:])
