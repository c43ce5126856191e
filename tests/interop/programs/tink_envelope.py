"""Tink: `encrypt` or `decrypt` under a key of ours, `direct` or in an `envelope`; standard input to output."""

import sys

from tink import aead
from tink.integration import awskms


def main(verb: str, kind: str, arn: str, associated: str) -> None:
    """Do the verb to standard input."""
    aead.register()
    uri = f"aws-kms://{arn}"
    remote = awskms.AwsKmsClient(uri, credentials_path=None).get_aead(uri)
    template = aead.aead_key_templates.AES256_GCM
    primitive = remote if kind == "direct" else aead.KmsEnvelopeAead(template, remote)
    work = primitive.encrypt if verb == "encrypt" else primitive.decrypt
    sys.stdout.buffer.write(work(sys.stdin.buffer.read(), associated.encode()))


main(*sys.argv[1:])
