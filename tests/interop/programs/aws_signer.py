"""securesystemslib: an AWSSigner signs standard input; the library itself verifies it."""

import json
import sys

from securesystemslib.signer import AWSSigner, Signer


def main(key: str, scheme: str = "") -> None:
    """Sign standard input."""
    payload = sys.stdin.buffer.read()
    uri, public_key = AWSSigner.import_(key, scheme or None)
    signature = Signer.from_priv_key_uri(uri, public_key).sign(payload)
    public_key.verify_signature(signature, payload)
    json.dump({"scheme": public_key.scheme}, sys.stdout)


main(*sys.argv[1:])
