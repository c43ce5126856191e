"""Amazon S3 Encryption Client: `put`, `get` or `upload`, then a KMS key, a bucket and a key; plaintext in or out."""

import io
import sys

import boto3
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.materials.kms_keyring import KmsKeyring

_CONTEXT = {"department": "research & development"}


def main(verb: str, kms_key: str, bucket: str, key: str) -> None:
    """Do the verb."""
    keyring = KmsKeyring(boto3.client("kms"), kms_key)
    client = S3EncryptionClient(boto3.client("s3"), S3EncryptionClientConfig(keyring=keyring))
    place = {"Bucket": bucket, "Key": key}
    if verb == "put":
        client.put_object(**place, Body=sys.stdin.buffer.read(), EncryptionContext=_CONTEXT)
    elif verb == "upload":
        plaintext = io.BytesIO(sys.stdin.buffer.read())
        client.upload_fileobj(plaintext, bucket, key, EncryptionContext=_CONTEXT)
    else:
        body = client.get_object(**place, EncryptionContext=_CONTEXT)["Body"]
        sys.stdout.buffer.write(body.read())


main(*sys.argv[1:])
